/* What is to be quantised: the tensors of a file in GGUF's order and orientation, and the
 * metadata that goes with them. */
#ifndef MODEL_QUANTIZE_SOURCE_H
#define MODEL_QUANTIZE_SOURCE_H

#include <conatus/quantize.h>

#include "gguf_write.h"
#include "quant_mix.h"

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
    size_t index;                /* of a feed */
} source_tensor;

/* Tensors that are in no file: of a model in training. */
typedef struct quantize_feed {
    void *user;
    size_t n;
    source_tensor (*at)(void *user, size_t i);
    /* One row as f32; called by several threads. */
    void (*row)(void *user, size_t i, uint64_t row, float *out);
    cn_status (*put_metadata)(void *user, gguf_writer *w, cn_err *err);
    uint32_t n_layers, gqa;
    bool tied;
} quantize_feed;

cn_status quantize_source_open(quantize_source **out, const char *path, cn_err *err);
quantize_source *quantize_source_over(const quantize_feed *f); /* `f` must outlive it */
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

/* cn_quantize() once the source is open. */
cn_status quantize_write(const quantize_source *s, const char *out, const quant_mix *mix,
                         const cn_quantize_options *o, cn_err *err);

#endif
