/* One GGUF file (a whole model or one part of it), parsed. */
#ifndef FORMATS_GGUF_FILE_PRIV_H
#define FORMATS_GGUF_FILE_PRIV_H

#include "gguf.h"
#include "map.h"
#include "names_priv.h"

#define GGUF_MAGIC 0x46554747u /* "GGUF" */
#define GGUF_MAX_TENSORS 65536u
#define GGUF_MAX_VALUES 65536u
#define GGUF_MAX_KEY 65535u
#define GGUF_MAX_NAME 63u
#define GGUF_MAX_STRING ((uint64_t)16 << 20)
#define GGUF_MAX_ITEMS ((uint64_t)64 << 20)
#define GGUF_ALIGNMENT 32u
#define GGUF_MAX_ALIGNMENT 65536u
#define GGUF_MAX_PARTS 1024u

typedef struct gguf_file {
    cn_map map;   /* empty over a caller's bytes */
    size_t size;  /* of the file */
    bool is_head; /* only its first bytes are here */
    uint32_t version;
    gguf_value *values; /* owned, with the string tables in them */
    size_t n_values;
    name_index keys;
    file_tensor *tensors; /* owned */
    size_t n_tensors;
} gguf_file;

/* `bytes` are the first `n` of a file of `size`; with n < size the tensors have no data. `f` is
 * zeroed; on failure gguf_file_deinit still releases what it holds. */
cn_status gguf_file_parse(gguf_file *f, const void *bytes, size_t n, size_t size, cn_err *err);
void gguf_file_deinit(gguf_file *f);
const gguf_value *gguf_file_find(const gguf_file *f, cn_str key);

/* Bytes of one element of a scalar kind; 0 for strings, arrays and unknown kinds. */
size_t gguf_kind_bytes(uint32_t kind);
/* The value as an unsigned number; false when it is no integer or negative. */
bool gguf_value_uint(const gguf_value *v, uint64_t *out);

#endif
