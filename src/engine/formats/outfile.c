/* Temporary name, fsync, rename. */
#include "outfile_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "buf.h"
#include "compiler.h"
#include "file.h"
#include "mem.h"

static cn_status disk(const outfile *o, int error, cn_err *err)
{
    cn_status st = cn_fail(err, CN_E_DISK, "%s after %llu bytes: %s", o->path,
                           (unsigned long long)o->written, strerror(error));
    return error == ENOSPC ? cn_next(err, st, "free disk space or write elsewhere") : st;
}

cn_status outfile_open(outfile *o, const char *path, cn_err *err)
{
    cn_buf name = {0};
    cn_buf_printf(&name, "%s.part-XXXXXX", path);
    *o = (outfile){.path = cn_xstrndup(path, strlen(path)), .temporary = cn_buf_take(&name)};
    int fd = o->temporary ? mkostemp(o->temporary, O_CLOEXEC) : -1;
    o->f = fd < 0 ? NULL : fdopen(fd, "wb");
    if (o->f) return CN_OK;
    cn_status st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", path, strerror(errno));
    if (fd >= 0) {
        unlink(o->temporary);
        close(fd);
    }
    outfile_abandon(o);
    return st;
}

cn_status outfile_reserve(outfile *o, uint64_t total, cn_err *err)
{
    if (total == 0 || total > INT64_MAX || fallocate(fileno(o->f), 0, 0, (off_t)total) == 0)
        return CN_OK;
    if (errno != ENOSPC && errno != EFBIG && errno != EDQUOT)
        return CN_OK; /* a file system that cannot promise */
    struct statvfs fs = {0};
    int saved = errno;
    (void)fstatvfs(fileno(o->f), &fs);
    cn_status st = cn_fail(err, CN_E_DISK, "%s needs %llu bytes, %llu are free: %s",
                           cn_path_base(o->path), (unsigned long long)total,
                           (unsigned long long)fs.f_bavail * fs.f_frsize, strerror(saved));
    return cn_next(err, st, "free disk space or write elsewhere");
}

cn_status outfile_write(outfile *o, const void *bytes, size_t n, cn_err *err)
{
    if (n && fwrite(bytes, 1, n, o->f) != n) return disk(o, errno, err);
    o->written += n;
    return CN_OK;
}

cn_status outfile_pad(outfile *o, size_t alignment, cn_err *err)
{
    static const char zeros[64];
    CN_BUG_ON(alignment > sizeof zeros);
    return outfile_write(o, zeros, (alignment - o->written % alignment) % alignment, err);
}

cn_status outfile_finish(outfile *o, cn_err *err)
{
    bool ok = fflush(o->f) == 0 && ftruncate(fileno(o->f), (off_t)o->written) == 0 &&
              fsync(fileno(o->f)) == 0 && fchmod(fileno(o->f), 0644) == 0;
    int saved = errno;
    fclose(o->f);
    o->f = NULL;
    if (ok && rename(o->temporary, o->path)) {
        ok = false;
        saved = errno;
    }
    cn_status st = ok ? CN_OK : disk(o, saved, err);
    if (!ok) unlink(o->temporary);
    outfile_abandon(o);
    return st;
}

void outfile_abandon(outfile *o)
{
    if (o->f) {
        fclose(o->f);
        unlink(o->temporary);
    }
    cn_free(o->path);
    cn_free(o->temporary);
    *o = (outfile){0};
}
