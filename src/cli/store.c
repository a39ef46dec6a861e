#include "store.h"

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "mem.h"
#include "near.h"

static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

char *cli_store_folder(const char *sub)
{
    cn_buf b = {0};
    const char *home = env("CONATUS_HOME"), *xdg = env("XDG_DATA_HOME"), *user = env("HOME");
    if (home)
        cn_buf_printf(&b, "%s", home);
    else if (xdg)
        cn_buf_printf(&b, "%s/conatus", xdg);
    else
        cn_buf_printf(&b, "%s/.local/share/conatus", user ? user : "");
    if (sub) cn_buf_printf(&b, "/%s", sub);
    return cn_buf_take(&b);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool is_gguf(const char *name)
{
    return cn_str_ends(cn_str_of(name), CN_STR(".gguf"));
}

/* "x-00002-of-00003.gguf": a part after the first. */
static bool is_later_part(const char *name)
{
    const char *of = strstr(name, "-of-");
    return of && of - name >= 6 && strncmp(of - 6, "-00001", 6) != 0;
}

/* A folder with one GGUF model and no config.json becomes the file's path. Takes `path`. */
static char *into_folder(char *path)
{
    char *config = cn_path_join(path, "config.json"), *only = NULL;
    bool folder = cn_is_dir(path) && !exists(config);
    size_t n = 0;
    DIR *d = folder ? opendir(path) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!is_gguf(e->d_name) || is_later_part(e->d_name)) continue;
        if (++n > 1) break;
        only = cn_path_join(path, e->d_name);
    }
    if (d) closedir(d);
    cn_free(config);
    if (n != 1) {
        cn_free(only);
        return path;
    }
    cn_free(path);
    return only;
}

/* A name in the store has no empty, "." or ".." part. */
static bool is_store_name(const char *name)
{
    while (*name) {
        size_t n = strcspn(name, "/");
        if (n == 0 || (n <= 2 && strncmp(name, "..", n) == 0)) return false;
        name += n + (name[n] == '/');
        if (!*name && name[-1] == '/') return false;
    }
    return true;
}

char *cli_store_shipped(const char *program, const char *name)
{
    static const char *const places[] = {"share/conatus/models", "share"};
    char *folder = is_store_name(name) ? cn_xstrndup(program, strlen(program)) : NULL, *slash;
    cn_buf file = {0};
    for (int up = 0; folder && up < 5 && !file.n && (slash = strrchr(folder, '/')); up++) {
        *slash = '\0';
        for (int i = 0; i < 2 && !file.n; i++) {
            cn_buf_printf(&file, "%s/%s/%s/%s.gguf", folder, places[i], name, name);
            if (!file.p || !exists(file.p)) cn_buf_clear(&file);
        }
    }
    cn_free(folder);
    if (file.n) return cn_buf_take(&file);
    cn_buf_deinit(&file);
    return NULL;
}

/* A model that came with this program. */
static char *shipped(const char *name)
{
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) return NULL;
    program[n] = '\0';
    return cli_store_shipped(program, name);
}

/* The path of `name` here or in the store's folder `kind`, else of what came with the program;
 * NULL when there is none. */
static char *look_up(const char *kind, const char *name, size_t n)
{
    char *word = cn_xstrndup(name, n), *found = NULL;
    if (*word && exists(word)) return into_folder(word);
    if (*word && is_store_name(word)) {
        char *folder = cli_store_folder(kind), *path = cn_path_join(folder, word);
        cn_buf file = {0};
        cn_buf_printf(&file, "%s.gguf", path);
        if (exists(path))
            found = into_folder(cn_xstrndup(path, strlen(path)));
        else if (file.p && exists(file.p))
            found = cn_buf_take(&file);
        else if (kind[0] == 'm')
            found = shipped(word);
        cn_buf_deinit(&file);
        cn_free(path);
        cn_free(folder);
    }
    cn_free(word);
    return found;
}

/* The entries of a folder: the nearest to `name`, and up to eight of them for the message.
 * Short names leave ".gguf" out. */
typedef struct listing {
    char best[256];
    cn_buf all;
    size_t n;
} listing;

static void list_folder(listing *l, const char *folder, const char *name, bool short_names)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char entry[256];
        if (e->d_name[0] == '.') continue;
        snprintf(entry, sizeof entry, "%s", e->d_name);
        if (short_names && is_gguf(entry)) entry[strlen(entry) - 5] = '\0';
        const char *near = cli_nearer(name, l->best[0] ? l->best : NULL, entry);
        if (near == entry) memcpy(l->best, entry, sizeof entry);
        if (l->n++ < 8) cn_buf_printf(&l->all, "%s%s", l->all.n ? ", " : "", entry);
    }
    if (d) closedir(d);
}

static cn_status not_found(const char *kind, const char *name, cn_err *err)
{
    char *folder = cli_store_folder(kind);
    const char *slash = strrchr(name, '/');
    char *beside =
        slash ? cn_xstrndup(name, CN_MAX((size_t)(slash - name), 1)) : cn_xstrndup(".", 1);
    listing store = {0}, here = {0};
    list_folder(&store, folder, name, true);
    list_folder(&here, beside, cn_path_base(name), false);
    cn_status st =
        cn_fail(err, CN_E_NOT_FOUND, "no such file or folder, and the store %s holds %s%s%s",
                folder, store.n ? store.all.p : "nothing", store.n > 8 ? ", ..." : "",
                exists(folder) ? "" : " (it is not there yet)");
    cn_ctx(err, st, "finding %s \"%.120s\"", kind[0] == 'm' ? "the model" : "the adapter",
           name);
    if (store.best[0])
        cn_next(err, st, "did you mean %s?", store.best);
    else if (here.best[0])
        cn_next(err, st, "did you mean %s%.*s%s?", "", slash ? (int)(slash - name) + 1 : 0,
                name, here.best);
    else
        cn_next(err, st, "give the path of a %s",
                kind[0] == 'm' ? "GGUF file or a Hugging Face folder"
                               : "PEFT folder or a GGUF adapter");
    cn_buf_deinit(&store.all);
    cn_buf_deinit(&here.all);
    cn_free(beside);
    cn_free(folder);
    return st;
}

cn_status cli_place_adapter(cli_place *p, const char *spec, cn_err *err)
{
    if (p->n_adapters == CLI_MAX_ADAPTERS)
        return cn_fail(err, CN_E_ARG, "more than %d adapters", CLI_MAX_ADAPTERS);
    float scale = 1;
    char *path = look_up("adapters", spec, strlen(spec));
    const char *colon = strrchr(spec, ':');
    if (!path && colon && colon[1]) {
        char *end;
        scale = strtof(colon + 1, &end);
        if (*end || !isfinite(scale))
            return cn_fail(err, CN_E_ARG, "the scale \"%.40s\" of an adapter is no number",
                           colon + 1);
        path = look_up("adapters", spec, (size_t)(colon - spec));
    }
    if (!path) {
        char *name = cn_xstrndup(spec, colon ? (size_t)(colon - spec) : strlen(spec));
        cn_status st = not_found("adapters", name, err);
        cn_free(name);
        return st;
    }
    p->scales[p->n_adapters] = scale;
    p->adapters[p->n_adapters++] = path;
    return CN_OK;
}

/* The last '+' in the first n bytes, or n. */
static size_t last_plus(const char *name, size_t n)
{
    for (size_t i = n; i-- > 0;)
        if (name[i] == '+') return i;
    return n;
}

cn_status cli_place_find(cli_place *out, const char *name, cn_err *err)
{
    *out = (cli_place){0};
    size_t n = strlen(name);
    while (!(out->model = look_up("models", name, n))) {
        size_t cut = last_plus(name, n);
        if (cut == n) break;
        n = cut;
    }
    if (!out->model) {
        char *model = cn_xstrndup(name, n);
        cn_status st = not_found("models", model, err);
        cn_free(model);
        return st;
    }
    cn_status st = CN_OK;
    while (name[n] == '+' && !st) {
        size_t len = strcspn(name + n + 1, "+");
        char *spec = cn_xstrndup(name + n + 1, len);
        st = cli_place_adapter(out, spec, err);
        cn_free(spec);
        n += 1 + len;
    }
    if (st) cli_place_deinit(out);
    return st;
}

void cli_place_deinit(cli_place *p)
{
    cn_free(p->model);
    for (size_t i = 0; i < p->n_adapters; i++)
        cn_free(p->adapters[i]);
    *p = (cli_place){0};
}
