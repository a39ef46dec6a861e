/* One safetensors file, parsed. */
#ifndef FORMATS_SAFETENSORS_FILE_PRIV_H
#define FORMATS_SAFETENSORS_FILE_PRIV_H

#include "arena.h"
#include "map.h"
#include "names_priv.h"
#include "safetensors.h"

#define ST_MAX_HEADER 100000000u
#define ST_MAX_TENSORS 65536u
#define ST_MAX_VALUES (32u * ST_MAX_TENSORS) /* of the header's JSON */
#define ST_MAX_NAME 1024u
#define ST_MAX_SHAPE 8u
#define ST_MAX_SHARDS 1024u

typedef struct st_file {
    cn_map map; /* empty over a caller's bytes */
    size_t size;
    cn_arena names;
    file_tensor *tensors; /* owned, ordered by their bytes */
    size_t n;
    name_index by_name;
} st_file;

/* `f` is zeroed; on failure st_file_deinit still releases what it holds. */
cn_status st_file_parse(st_file *f, const void *bytes, size_t size, cn_err *err);
cn_status st_file_open(st_file *f, const char *path, cn_err *err);
void st_file_deinit(st_file *f);
const file_tensor *st_file_find(const st_file *f, cn_str name);

/* The element type of that name in the format: its bytes, and ours if we have it. */
typedef struct st_dtype {
    const char *name;
    uint8_t bytes;
    cn_dtype type;
    bool foreign;
} st_dtype;
const st_dtype *st_dtype_named(cn_str name); /* NULL when unknown */
const st_dtype *st_dtype_of(cn_dtype type);  /* NULL when the format has none */

#endif
