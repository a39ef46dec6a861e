/* safetensors files, single and sharded: reading by mapping. Limits: header of 100 MB, 65,536
 * tensors with printable names of 1,024 bytes, 8 dimensions declared of which at most 4 are not
 * 1, 1,024 shards with an index of 16 MiB. Source: the format's README. */
#ifndef FORMATS_SAFETENSORS_H
#define FORMATS_SAFETENSORS_H

#include "err.h"
#include "json.h"
#include "tensor.h"

typedef struct safetensors safetensors;

/* `path`: a .safetensors file; or a folder with model.safetensors, or with
 * model.safetensors.index.json and its shards (file names may not leave the folder). Of shards
 * the tensors that the index lists are taken, each from the shard it names. */
cn_status safetensors_open(safetensors **out, const char *path, cn_err *err);
cn_status safetensors_parse(safetensors **out, const void *bytes, size_t size, cn_err *err);
void safetensors_close(safetensors *s);

/* Tensors in the order of their bytes, shard after shard. */
size_t safetensors_n(const safetensors *s);
size_t safetensors_file_bytes(const safetensors *s);
const file_tensor *safetensors_at(const safetensors *s, size_t i);
const file_tensor *safetensors_find(const safetensors *s,
                                    const char *name); /* NULL when absent */

/* Writing one file, for adapters and exports. It appears under its name only when complete;
 * room on the disk is asked for before the first byte. */
typedef struct safetensors_item {
    const char *name;
    cn_dtype type; /* F32, F16, BF16, I8..I64, F64 */
    uint32_t n_dims;
    uint64_t dims[FORMATS_MAX_DIMS]; /* dims[0] fastest, as everywhere here */
    const void *data;
} safetensors_item;
cn_status safetensors_write(const char *path, const safetensors_item *items, size_t n,
                            cn_err *err);
/* Gives row `row` of items[i]: dims[0] elements of its type. */
typedef cn_status safetensors_row_fn(void *user, size_t i, uint64_t row, void *out,
                                     cn_err *err);
/* The same for items whose data may be NULL: their rows are asked for one after the other. */
cn_status safetensors_write_rows(const char *path, const safetensors_item *items, size_t n,
                                 safetensors_row_fn *row, void *user, cn_err *err);

#endif
