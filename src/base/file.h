/* Whole files and paths. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "buf.h"
#include "err.h"

/* Appends the whole file to `out`; CN_E_LIMIT when it is over `max_bytes`. */
cn_status cn_file_read(cn_buf *out, const char *path, size_t max_bytes, cn_err *err);
/* Replaces `path` by these bytes or leaves it as it was: temporary name, fsync, rename. */
cn_status cn_file_write(const char *path, cn_str bytes, cn_err *err);
bool cn_is_dir(const char *path);
bool cn_is_file(const char *path);
/* "dir/name", owned (cn_free). */
char *cn_path_join(const char *dir, const char *name);
const char *cn_path_base(const char *path); /* borrowed: what follows the last '/' */

#endif
