/* What the files of jobs share. */
#ifndef OPS_JOBS_PRIV_H
#define OPS_JOBS_PRIV_H

#include "file.h"
#include "jobs.h"

/* "now" in UTC: 2026-11-21T04:00:00Z */
void jobs_now(char out[static 24]);
/* Appends what `fd` holds from `offset` on. errors  CN_E_LIMIT over `most` bytes, CN_E_IO */
cn_status jobs_read_fd(cn_buf *out, int fd, off_t offset, size_t most, cn_err *err);
/* Appends the whole file; an empty one is fine. */
cn_status jobs_read_path(cn_buf *out, const char *path, size_t most, cn_err *err);
/* A finite number in the fewest digits that read back the same, else null. */
void jobs_put_num(cn_buf *out, double v);
/* mkdir -p */
cn_status jobs_make_folder(const char *path, cn_err *err);

/* The lock file, two bytes of it: an open-file-description lock on the first excludes (it lives
 * as long as the description, whatever else the process closes); a record lock on the second
 * names the holder, as the kernel answers F_GETLK with the process id of a living owner only.
 */
cn_status jobs_lock(int *fd, const char *dir, cn_err *err);
typedef struct jobs_holder {
    bool held;
    pid_t pid; /* 0: not known */
} jobs_holder;
/* Takes nothing, so that looking never refuses a run that begins. */
jobs_holder jobs_holder_of(const char *dir);

#endif
