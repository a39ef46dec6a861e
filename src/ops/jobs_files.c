/* The lock of a run's folder, and the small file helpers of jobs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "jobs_priv.h"
#include "mem.h"

void jobs_now(char out[static 24])
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

cn_status jobs_read_fd(cn_buf *out, int fd, off_t offset, size_t most, cn_err *err)
{
    char chunk[16 << 10];
    for (size_t got = 0;;) {
        ssize_t n = pread(fd, chunk, sizeof chunk, offset + (off_t)got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cn_fail(err, cn_status_of_errno(errno), "%s", strerror(errno));
        if (n == 0) break;
        got += (size_t)n;
        if (got > most) return cn_fail(err, CN_E_LIMIT, "over %zu bytes", most);
        cn_buf_append(out, chunk, (size_t)n);
    }
    return out->failed ? cn_fail(err, CN_E_NOMEM, "%zu bytes", out->n) : CN_OK;
}

cn_status jobs_read_path(cn_buf *out, const char *path, size_t most, cn_err *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us up */
    if (fd < 0) return cn_fail(err, cn_status_of_errno(errno), "%s", strerror(errno));
    cn_status st = fstat(fd, &info) || !S_ISREG(info.st_mode)
                       ? cn_fail(err, CN_E_FORMAT, "not a plain file")
                       : jobs_read_fd(out, fd, 0, most, err);
    close(fd);
    return st;
}

cn_status jobs_make_folder(const char *path, cn_err *err)
{
    char *part = cn_xstrndup(path, strlen(path));
    cn_status st = CN_OK;
    for (char *p = part + (*part != '\0'); !st; p++) {
        if (*p && *p != '/') continue;
        char end = *p;
        *p = '\0';
        if (mkdir(part, 0777) && errno != EEXIST)
            st = cn_fail(err, cn_status_of_errno(errno), "making the folder %s: %s", part,
                         strerror(errno));
        *p = end;
        if (!end) break;
    }
    if (!st && !cn_is_dir(path)) st = cn_fail(err, CN_E_ARG, "%s is no folder", path);
    cn_free(part);
    return st;
}

enum { LIFE_BYTE = 0, NAME_BYTE = 1 };

static struct flock byte_lock(short type, off_t at)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
}

static cn_status held(const char *dir, cn_err *err)
{
    pid_t pid = jobs_holder_of(dir).pid;
    char who[40] = "another process";
    if (pid > 0) snprintf(who, sizeof who, "process %d", (int)pid);
    cn_status st = cn_fail(err, CN_E_BUSY, "%s trains in %s", who, dir);
    return cn_next(err, st, "conatus jobs cancel %.200s, or choose another folder", dir);
}

cn_status jobs_lock(int *fd, const char *dir, cn_err *err)
{
    char *path = cn_path_join(dir, "lock");
    struct flock life = byte_lock(F_WRLCK, LIFE_BYTE), name = byte_lock(F_WRLCK, NAME_BYTE);
    cn_status st = CN_OK;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (*fd < 0) {
        st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", path, strerror(errno));
    } else if (fcntl(*fd, F_OFD_SETLK, &life)) {
        st = errno == EAGAIN || errno == EACCES
                 ? held(dir, err)
                 : cn_fail(err, CN_E_UNSUPPORTED, "locking %s: %s", path, strerror(errno));
        close(*fd);
        *fd = -1;
    } else {
        fcntl(*fd, F_SETLK, &name); /* only the one with the first byte asks: it is free */
    }
    cn_free(path);
    return st;
}

jobs_holder jobs_holder_of(const char *dir)
{
    char *path = cn_path_join(dir, "lock");
    struct flock life = byte_lock(F_WRLCK, LIFE_BYTE), name = byte_lock(F_WRLCK, NAME_BYTE);
    jobs_holder h = {0};
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) { /* a folder of somebody else: a read lock is what may be asked about then */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        life.l_type = name.l_type = F_RDLCK;
    }
    if (fd >= 0 && fcntl(fd, F_OFD_GETLK, &life) == 0 && life.l_type != F_UNLCK) {
        h.held = true;
        if (fcntl(fd, F_GETLK, &name) == 0 && name.l_type != F_UNLCK && name.l_pid > 0)
            h.pid = name.l_pid;
    }
    if (fd >= 0) close(fd);
    cn_free(path);
    return h;
}
