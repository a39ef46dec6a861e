/* A file being written: it appears under its name only when it is complete. */
#ifndef FORMATS_OUTFILE_PRIV_H
#define FORMATS_OUTFILE_PRIV_H

#include <stdint.h>
#include <stdio.h>

#include "err.h"

typedef struct outfile {
    FILE *f;
    char *path, *temporary; /* owned */
    uint64_t written;
} outfile;

cn_status outfile_open(outfile *o, const char *path, cn_err *err);
/* Asks the file system for the room now, where it can: a full disk is then known before the
 * work. */
cn_status outfile_reserve(outfile *o, uint64_t total, cn_err *err);
cn_status outfile_write(outfile *o, const void *bytes, size_t n, cn_err *err);
/* Zeros up to the next multiple of `alignment`, a power of two of at most 64. */
cn_status outfile_pad(outfile *o, size_t alignment, cn_err *err);
/* Flushes to the disk and renames; closes in any case. */
cn_status outfile_finish(outfile *o, cn_err *err);
void outfile_abandon(outfile *o); /* removes it; nothing to do once finished */

#endif
