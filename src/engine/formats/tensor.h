/* What every weight file gives: named tensors whose bytes lie inside a mapping, bounds proven.
 */
#ifndef FORMATS_TENSOR_H
#define FORMATS_TENSOR_H

#include <conatus/dtype.h>

#include "str.h"

#define FORMATS_MAX_DIMS 4

/* dims[0] is the fastest (a row's length), as in GGUF; a safetensors shape is turned around.
 * dims beyond n_dims are 1. */
typedef struct file_tensor {
    cn_str name; /* borrowed from the file */
    cn_dtype type;
    /* NULL, or the element type of the file when this program has no such type ("U8",
     * "F8_E4M3"): `type` is then only an integer of that width, and the bytes are for listing
     * or skipping. */
    const char *foreign;
    uint32_t n_dims; /* 0 for a single number in safetensors */
    uint64_t dims[FORMATS_MAX_DIMS];
    const void *data; /* inside the mapping; may be unaligned in safetensors */
    size_t size;      /* bytes */
} file_tensor;

static inline uint64_t file_tensor_rows(const file_tensor *t)
{
    return t->dims[1] * t->dims[2] * t->dims[3];
}

#endif
