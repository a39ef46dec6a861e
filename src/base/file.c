/* Whole files and paths. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "map.h"
#include "mem.h"

cn_status cn_file_read(cn_buf *out, const char *path, size_t max_bytes, cn_err *err)
{
    cn_map map;
    cn_status st = cn_map_open(&map, path, err);
    if (st) return st;
    if (map.size > max_bytes)
        st = cn_fail(err, CN_E_LIMIT, "%s has %zu bytes, at most %zu are read", path, map.size,
                     max_bytes);
    else
        cn_buf_append(out, map.base, map.size);
    cn_map_close(&map);
    if (!st && out->failed) st = cn_fail(err, CN_E_NOMEM, "%s: %zu bytes", path, map.size);
    return st;
}

static bool write_all(int fd, cn_str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        s = cn_str_skip(s, (size_t)n);
    }
    return fsync(fd) == 0;
}

cn_status cn_file_write(const char *path, cn_str bytes, cn_err *err)
{
    cn_buf tmp = {0};
    cn_buf_printf(&tmp, "%s.part-XXXXXX", path);
    int fd = mkostemp(tmp.p, O_CLOEXEC);
    cn_status st = CN_OK;
    if (fd < 0) {
        st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", path, strerror(errno));
    } else {
        bool ok = write_all(fd, bytes) && fchmod(fd, 0644) == 0;
        int saved = errno;
        close(fd);
        if (ok && rename(tmp.p, path)) {
            ok = false;
            saved = errno;
        }
        if (!ok) {
            unlink(tmp.p);
            st = cn_fail(err, CN_E_DISK, "%s: %s", path, strerror(saved));
        }
    }
    cn_buf_deinit(&tmp);
    return st;
}

bool cn_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool cn_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

char *cn_path_join(const char *dir, const char *name)
{
    cn_buf b = {0};
    cn_buf_printf(&b, "%s%s%s", dir, cn_str_ends(cn_str_of(dir), CN_STR("/")) ? "" : "/", name);
    return cn_buf_take(&b);
}

const char *cn_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
