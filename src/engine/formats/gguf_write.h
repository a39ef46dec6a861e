/* Writing GGUF v3, streaming: first all metadata and tensor descriptions, then the bytes in
 * order. The file appears under its name only when complete (temporary name, fsync, rename);
 * room on the disk is asked for before the first byte of data. What fails in a put is told by
 * the next call that returns a status. */
#ifndef FORMATS_GGUF_WRITE_H
#define FORMATS_GGUF_WRITE_H

#include "gguf.h"

typedef struct gguf_writer gguf_writer;

cn_status gguf_writer_new(gguf_writer **out, const char *path, cn_err *err);
void gguf_writer_free(gguf_writer *w); /* removes an unfinished file */

/* Metadata, before the first tensor's data. A later value of the same key replaces the earlier.
 * general.alignment and split.* are left out: the file is one part, aligned to 32. */
void gguf_put_value(gguf_writer *w, const gguf_value *v); /* copied, from another file */
void gguf_put_uint(gguf_writer *w, const char *key, uint32_t v);
void gguf_put_float(gguf_writer *w, const char *key, float v);
void gguf_put_bool(gguf_writer *w, const char *key, bool v);
void gguf_put_string(gguf_writer *w, const char *key, cn_str v);
void gguf_put_strings(gguf_writer *w, const char *key, const cn_str *v, size_t n);
void gguf_put_ints(gguf_writer *w, const char *key, const int32_t *v, size_t n);
void gguf_put_floats(gguf_writer *w, const char *key, const float *v, size_t n);

/* Announces a tensor; its bytes are cn_dtype_tensor_bytes(type, rows, dims[0]). */
cn_status gguf_put_tensor(gguf_writer *w, const char *name, cn_dtype type, uint32_t n_dims,
                          const uint64_t *dims, cn_err *err);
/* The next bytes of the tensors, in the order of their announcement; padding is added between
 * them. */
cn_status gguf_write_data(gguf_writer *w, const void *bytes, size_t n, cn_err *err);
/* Checks that every announced byte came, flushes, renames. */
cn_status gguf_writer_finish(gguf_writer *w, cn_err *err);

#endif
