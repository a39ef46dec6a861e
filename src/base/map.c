/* Mapping files. */
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static cn_status check_regular(int fd, struct stat *st, const char *path, cn_err *err)
{
    if (fstat(fd, st)) return cn_fail(err, CN_E_IO, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st->st_mode))
        return cn_fail(err, CN_E_ARG, "%s is a folder, want a file", path);
    if (!S_ISREG(st->st_mode)) return cn_fail(err, CN_E_ARG, "%s is not a regular file", path);
    if (st->st_size == 0) return cn_fail(err, CN_E_FORMAT, "%s is empty (0 bytes)", path);
    return CN_OK;
}

cn_status cn_map_open_head(cn_map *out, const char *path, size_t most, size_t *file_size,
                           cn_err *err)
{
    struct stat st;
    *out = (cn_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return cn_fail(err, cn_status_of_errno(errno), "%s: %s", path, strerror(errno));
    cn_status status = check_regular(fd, &st, path, err);
    if (!status) {
        *file_size = (size_t)st.st_size;
        size_t size = CN_MIN(*file_size, most);
        void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
            status = cn_fail(err, errno == ENOMEM ? CN_E_NOMEM : CN_E_IO,
                             "%s: mapping %zu bytes: %s", path, size, strerror(errno));
        else
            *out = (cn_map){p, size};
    }
    close(fd);
    return status;
}

cn_status cn_map_open(cn_map *out, const char *path, cn_err *err)
{
    size_t file_size;
    return cn_map_open_head(out, path, SIZE_MAX, &file_size, err);
}

void cn_map_close(cn_map *m)
{
    if (m->base) munmap((void *)(uintptr_t)m->base, m->size);
    *m = (cn_map){0};
}

cn_map cn_map_take(cn_map *m)
{
    cn_map taken = *m;
    *m = (cn_map){0};
    return taken;
}
