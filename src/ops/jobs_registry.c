/* The list of runs: one small file a run, named by its id, that holds the path of its folder.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jobs_priv.h"
#include "mem.h"

enum { ID_SIZE = 96, MAX_PATH = 4096, MAX_RUNS = 10000 };

static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

char *jobs_folder(void)
{
    cn_buf b = {0};
    const char *home = env("CONATUS_HOME"), *xdg = env("XDG_STATE_HOME"), *user = env("HOME");
    if (home)
        cn_buf_printf(&b, "%s/jobs", home);
    else if (xdg)
        cn_buf_printf(&b, "%s/conatus/jobs", xdg);
    else
        cn_buf_printf(&b, "%s/.local/state/conatus/jobs", user ? user : "");
    return cn_buf_take(&b);
}

/* Letters, digits, '.', '_', '-', no dot first: what an id is made of. */
static bool is_id(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return n > 0 && n < ID_SIZE && !s[n] && s[0] != '.';
}

/* The path in an entry, owned; NULL when it holds none. */
static char *read_entry(const char *folder, const char *id)
{
    char *path = cn_path_join(folder, id), *dir = NULL;
    cn_buf text = {0};
    bool good = jobs_read_path(&text, path, MAX_PATH, NULL) == CN_OK && text.n > 1 &&
                text.p[0] == '/' && text.p[text.n - 1] == '\n' && !memchr(text.p, 0, text.n);
    if (good) dir = cn_xstrndup(text.p, text.n - 1);
    cn_buf_deinit(&text);
    cn_free(path);
    return dir;
}

typedef struct entry {
    char id[ID_SIZE];
    char *dir;
} entry;

static void free_entries(entry *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cn_free(list[i].dir);
    cn_free(list);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->id, ((const entry *)b)->id);
}

/* All entries by id; none when there is no registry. */
static entry *read_entries(size_t *n)
{
    char *folder = jobs_folder();
    entry *list = NULL;
    DIR *d = opendir(folder);
    *n = 0;
    for (struct dirent *e; d && *n < MAX_RUNS && (e = readdir(d));) {
        char *dir = is_id(e->d_name) ? read_entry(folder, e->d_name) : NULL;
        if (!dir) continue;
        entry *more = cn_realloc_array(list, *n + 1, sizeof *more);
        if (!more) {
            cn_free(dir);
            break;
        }
        list = more;
        list[*n].dir = dir;
        snprintf(list[(*n)++].id, ID_SIZE, "%.95s", e->d_name); /* is_id: no longer */
    }
    if (d) closedir(d);
    cn_free(folder);
    if (*n) qsort(list, *n, sizeof *list, by_id);
    return list;
}

/* The index of the entry with this folder, or n. */
static size_t index_of(const entry *list, size_t n, const char *dir)
{
    size_t i = 0;
    while (i < n && strcmp(list[i].dir, dir) != 0)
        i++;
    return i;
}

/* "my run" in /data/my run -> "my-run"; "run" when nothing is left of it. */
static void id_from(char out[static 64], const char *dir)
{
    const char *name = cn_path_base(dir);
    size_t n = 0;
    for (; *name && n < 63; name++) {
        char one[2] = {*name, '\0'};
        bool fits = is_id(one) || (n && *name == '.');
        if (fits || (n && out[n - 1] != '-')) out[n++] = fits ? *name : '-';
    }
    while (n && out[n - 1] == '-')
        n--;
    out[n] = '\0';
    if (!n) snprintf(out, 64, "run");
}

/* Makes the entry unless that id is taken (false, errno EEXIST). */
static bool create_entry(const char *folder, const char *id, const char *dir)
{
    char *path = cn_path_join(folder, id);
    cn_buf line = {0};
    cn_buf_printf(&line, "%s\n", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, line.p, line.n) == (ssize_t)line.n;
    int saved = errno;
    if (fd >= 0) close(fd);
    if (fd >= 0 && !ok) unlink(path);
    errno = saved;
    cn_buf_deinit(&line);
    cn_free(path);
    return ok;
}

static cn_status new_entry(char id[static ID_SIZE], const char *dir, cn_err *err)
{
    char *folder = jobs_folder(), stem[64];
    cn_status st = jobs_make_folder(folder, err);
    bool made = false;
    id_from(stem, dir);
    for (unsigned i = 1; !st && !made && i <= MAX_RUNS; i++) {
        if (i == 1)
            snprintf(id, ID_SIZE, "%s", stem);
        else
            snprintf(id, ID_SIZE, "%s-%u", stem, i);
        made = create_entry(folder, id, dir);
        if (!made && errno != EEXIST)
            st = cn_fail(err, cn_status_of_errno(errno), "%s/%s: %s", folder, id,
                         strerror(errno));
    }
    if (!st && !made) st = cn_fail(err, CN_E_LIMIT, "over %d runs in %s", MAX_RUNS, folder);
    if (st) id[0] = '\0';
    cn_free(folder);
    return st;
}

cn_status jobs_enter(char id[static ID_SIZE], const char *dir, cn_err *err)
{
    size_t n;
    if (strchr(dir, '\n')) {
        id[0] = '\0';
        return cn_fail(err, CN_E_ARG, "a folder with a line break in its name is not listed");
    }
    entry *list = read_entries(&n);
    size_t at = index_of(list, n, dir);
    cn_status st = CN_OK;
    if (at < n)
        snprintf(id, ID_SIZE, "%s", list[at].id);
    else
        st = new_entry(id, dir, err);
    free_entries(list, n);
    return st;
}

static cn_status no_such_run(const char *name, const entry *list, size_t n, cn_err *err)
{
    cn_buf known = {0};
    for (size_t i = 0; i < n && i < 8; i++)
        cn_buf_printf(&known, "%s%s", i ? ", " : "", list[i].id);
    cn_status st = cn_fail(err, CN_E_NOT_FOUND,
                           "the list holds %s%s, and no folder of a run has this path",
                           n ? known.p : "no runs", n > 8 ? ", ..." : "");
    cn_ctx(err, st, "finding the run \"%.120s\"", name);
    cn_buf_deinit(&known);
    return cn_next(err, st, "conatus jobs list");
}

/* The folder when `name` is the path of one that holds a run, owned. */
static char *folder_at(const char *name)
{
    char *record = cn_path_join(name, "run.json"), *lock = cn_path_join(name, "lock");
    char *real = cn_is_file(record) || cn_is_file(lock) ? realpath(name, NULL) : NULL;
    char *dir = real ? cn_xstrndup(real, strlen(real)) : NULL;
    free(real);
    cn_free(record);
    cn_free(lock);
    return dir;
}

cn_status jobs_find(char **dir, const char *name, cn_err *err)
{
    size_t n, length = strlen(name), found, n_found = 0;
    entry *list = read_entries(&n);
    cn_status st = CN_OK;
    *dir = NULL;
    for (size_t i = 0; i < n && length; i++) {
        if (strncmp(list[i].id, name, length) != 0) continue;
        found = i;
        n_found++;
        if (!list[i].id[length]) { /* the whole id, and it comes before those it begins */
            n_found = 1;
            break;
        }
    }
    bool whole = n_found == 1 && !list[found].id[length];
    if (!whole && (*dir = folder_at(name))) goto done;
    if (n_found == 1)
        *dir = cn_xstrndup(list[found].dir, strlen(list[found].dir));
    else if (n_found)
        st = cn_fail(err, CN_E_ARG, "%zu runs begin with \"%.80s\"", n_found, name);
    else
        st = no_such_run(name, list, n, err);
done:
    free_entries(list, n);
    return st;
}

/* ---- looking */

static void add_metrics(job_record *r, const char *dir)
{
    job_metric step, heldout;
    uint64_t recorded = r->step;
    job_metrics_last(dir, &step, &heldout);
    if (step.step && step.step >= recorded) job_record_note(r, &step);
    if (heldout.heldout && heldout.step >= recorded) job_record_note(r, &heldout);
}

void job_look(job_view *out, const char *dir)
{
    cn_err err = {0};
    *out = (job_view){.dir = cn_xstrndup(dir, strlen(dir)), .missing = !cn_is_dir(dir)};
    jobs_holder h = jobs_holder_of(dir);
    cn_status st = job_record_read(&out->record, dir, &err);
    if (st && st != CN_E_NOT_FOUND)
        snprintf(out->problem, sizeof out->problem, "%.199s", err.why);
    add_metrics(&out->record, dir);
    if (out->record.id && is_id(out->record.id))
        snprintf(out->id, sizeof out->id, "%s", out->record.id);
    out->pid = h.pid;
    out->status = h.held                              ? JOB_RUNNING
                  : out->record.status == JOB_RUNNING ? JOB_INTERRUPTED
                                                      : out->record.status;
}

void job_view_deinit(job_view *v)
{
    cn_free(v->dir);
    job_record_deinit(&v->record);
    *v = (job_view){0};
}

cn_status jobs_list(job_view **out, size_t *n, cn_err *err)
{
    entry *list = read_entries(n);
    *out = *n ? cn_alloc_array(*n, sizeof **out) : NULL;
    cn_status st = *n && !*out ? cn_fail(err, CN_E_NOMEM, "%zu runs", *n) : CN_OK;
    for (size_t i = 0; !st && i < *n; i++) {
        job_look(&(*out)[i], list[i].dir);
        memcpy((*out)[i].id, list[i].id, ID_SIZE);
    }
    free_entries(list, *n);
    if (st) *n = 0;
    return st;
}

void jobs_list_free(job_view *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        job_view_deinit(&list[i]);
    cn_free(list);
}

/* ---- removing */

static void forget(const char *dir)
{
    size_t n;
    entry *list = read_entries(&n);
    size_t at = index_of(list, n, dir);
    if (at < n) {
        char *folder = jobs_folder(), *path = cn_path_join(folder, list[at].id);
        unlink(path);
        cn_free(path);
        cn_free(folder);
    }
    free_entries(list, n);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

/* What a run writes by these names; what it exports has other ones and stays. */
static bool is_of_run(const char *name)
{
    static const char *const names[] = {"run.json", "metrics.jsonl", "curve.svg", "log.txt"};
    for (size_t i = 0; i < CN_ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i]);
        if (strncmp(name, names[i], n) == 0 &&
            (!name[n] || strncmp(name + n, ".part-", 6) == 0))
            return true;
    }
    return strncmp(name, "checkpoint-", 11) == 0;
}

static cn_status remove_files(const char *dir, cn_err *err)
{
    cn_status st = CN_OK;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && !st && (e = readdir(d));) {
        if (!is_of_run(e->d_name)) continue;
        char *path = cn_path_join(dir, e->d_name);
        if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS))
            st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", path, strerror(errno));
        cn_free(path);
    }
    if (d) closedir(d);
    return st;
}

cn_status jobs_remove(const char *dir, bool files, cn_err *err)
{
    int lock = -1;
    cn_status st = CN_OK;
    if (files && cn_is_dir(dir))
        st = jobs_lock(&lock, dir, err);
    else if (jobs_holder_of(dir).held)
        st = cn_fail(err, CN_E_BUSY, "it still runs");
    if (lock >= 0) {
        char *path = cn_path_join(dir, "lock");
        st = remove_files(dir, err);
        if (!st) unlink(path);
        if (!st) rmdir(dir); /* stays when something else is in it */
        cn_free(path);
    }
    if (lock >= 0) close(lock);
    if (!st) forget(dir);
    return st;
}
