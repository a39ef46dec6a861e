#include "export_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "mem.h"

#define MAX_COPY ((size_t)512 << 20)

static cn_status disk(const char *path, cn_err *err)
{
    cn_status st = cn_fail(err, CN_E_DISK, "%s: %s", path, strerror(errno));
    return cn_next(err, st, "free disk space or write elsewhere");
}

cn_status export_folder_open(export_folder *f, const char *path, cn_err *err)
{
    cn_buf b = {0};
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    *f = (export_folder){.path = cn_xstrndup(path, n)};
    cn_buf_printf(&b, "%s.part-XXXXXX", f->path);
    f->work = cn_buf_take(&b);
    if (f->work && mkdtemp(f->work) && chmod(f->work, 0755) == 0) return CN_OK;
    cn_status st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", path, strerror(errno));
    cn_free(f->path);
    cn_free(f->work);
    *f = (export_folder){0};
    return st;
}

cn_status export_folder_put(const export_folder *f, const char *name, cn_str text, cn_err *err)
{
    char *path = cn_path_join(f->work, name);
    cn_status st = cn_file_write(path, text, err);
    cn_free(path);
    return st;
}

cn_status export_folder_copy(const export_folder *f, const char *from, const char *name,
                             cn_err *err)
{
    cn_buf b = {0};
    if (!cn_is_file(from)) return CN_OK;
    cn_status st = cn_file_read(&b, from, MAX_COPY, err);
    if (!st) st = export_folder_put(f, name, cn_buf_view(&b), err);
    cn_buf_deinit(&b);
    return st;
}

/* What an export may write, and would contradict the new one if it stayed. */
static bool is_ours(const char *name)
{
    static const char *const names[] = {"adapter_config.json",
                                        "adapter_model.safetensors",
                                        "config.json",
                                        "model.safetensors",
                                        "model.safetensors.index.json",
                                        "generation_config.json",
                                        "tokenizer.json",
                                        "tokenizer.model",
                                        "tokenizer_config.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "vocab.txt",
                                        "added_tokens.json",
                                        "special_tokens_map.json",
                                        "chat_template.jinja"};
    for (size_t i = 0; i < CN_ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* Calls fn with every name in a folder. */
static bool each_entry(const char *folder,
                       bool (*fn)(const char *folder, const char *name, const char *to),
                       const char *to)
{
    DIR *d = opendir(folder);
    bool ok = d != NULL;
    for (struct dirent *e; ok && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ok = fn(folder, e->d_name, to);
    if (d) closedir(d);
    return ok;
}

static bool drop(const char *folder, const char *name, const char *to)
{
    (void)to;
    char *path = cn_path_join(folder, name);
    bool ok = unlink(path) == 0;
    cn_free(path);
    return ok;
}

static bool keep_or_drop(const char *folder, const char *name, const char *to)
{
    if (is_ours(name)) return drop(folder, name, to);
    char *a = cn_path_join(folder, name), *b = cn_path_join(to, name);
    bool ok = rename(a, b) == 0;
    cn_free(a);
    cn_free(b);
    return ok;
}

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

static bool sync_parent(const char *path)
{
    size_t n = (size_t)(cn_path_base(path) - path);
    char *parent = n ? cn_xstrndup(path, n) : cn_xstrndup(".", 1);
    bool ok = sync_folder(parent);
    cn_free(parent);
    return ok;
}

/* Old and new change places in one step where the file system can; what is then under the
 * working name is the old one. */
static bool swap(const export_folder *f)
{
    if (renameat2(AT_FDCWD, f->work, AT_FDCWD, f->path, RENAME_EXCHANGE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;
    cn_buf b = {0};
    cn_buf_printf(&b, "%s.old", f->work);
    bool ok = rename(f->path, b.p) == 0;
    if (ok && rename(f->work, f->path)) {
        int saved = errno;
        (void)rename(b.p, f->path);
        errno = saved;
        ok = false;
    }
    ok = ok && rename(b.p, f->work) == 0;
    cn_buf_deinit(&b);
    return ok;
}

cn_status export_folder_finish(export_folder *f, cn_err *err)
{
    bool ok = sync_folder(f->work);
    if (ok && cn_is_dir(f->path))
        ok = swap(f) && each_entry(f->work, keep_or_drop, f->path) && rmdir(f->work) == 0;
    else
        ok = ok && rename(f->work, f->path) == 0;
    ok = ok && sync_parent(f->path);
    cn_status st = ok ? CN_OK : disk(f->path, err);
    if (ok) {
        cn_free(f->path);
        cn_free(f->work);
        *f = (export_folder){0};
    }
    export_folder_abandon(f);
    return st;
}

void export_folder_abandon(export_folder *f)
{
    if (!f->work) return;
    (void)each_entry(f->work, drop, NULL);
    (void)rmdir(f->work);
    cn_free(f->path);
    cn_free(f->work);
    *f = (export_folder){0};
}
