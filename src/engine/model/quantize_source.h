/* What is to be quantised: the tensors of a file in GGUF's order and orientation, and the
 * metadata that goes with them. */
#ifndef MODEL_QUANTIZE_SOURCE_H
#define MODEL_QUANTIZE_SOURCE_H

#include "gguf_write.h"

typedef struct quantize_source quantize_source;

typedef struct source_tensor {
    cn_str name;
    cn_dtype type;
    uint32_t n_dims;
    uint64_t dims[FORMATS_MAX_DIMS];
    uint64_t n_rows, n_cols;
    const void *data;
    size_t size;
    bool as_is;                  /* `data` are the bytes of such a GGUF tensor */
    const struct weight *weight; /* of a folder */
} source_tensor;

cn_status quantize_source_open(quantize_source **out, const char *path, cn_err *err);
void quantize_source_close(quantize_source *s);
size_t quantize_source_n(const quantize_source *s);
source_tensor quantize_source_at(const quantize_source *s, size_t i);
/* True when `path` is one of the files that are read. */
bool quantize_source_reads(const quantize_source *s, const char *path);

/* One row as f32. */
void quantize_source_row(const quantize_source *s, const source_tensor *t, uint64_t row,
                         float *out);
cn_status quantize_source_put_metadata(const quantize_source *s, gguf_writer *w, cn_err *err);

/* What the mixes ask for. */
uint32_t quantize_source_layers(const quantize_source *s);
uint32_t quantize_source_gqa(const quantize_source *s);
bool quantize_source_is_tied(const quantize_source *s);

#endif
