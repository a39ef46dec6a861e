/* A model's files under one set of names. Whether a GGUF file or a Hugging Face folder is
 * behind it, tensors are found by GGUF's names ("blk.3.attn_q.weight") with the shape (rows,
 * columns), and the differences that remain in their bytes are told by two flags. Nothing is
 * copied here. */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "gguf.h"
#include "hparams.h"
#include "safetensors.h"

typedef struct weight {
    const char *name; /* canonical, in the weights' arena */
    cn_dtype type;
    uint64_t n_rows, n_cols; /* a vector is one row */
    uint32_t n_dims;
    const void *data;
    size_t size;
    bool transposed; /* the bytes are (n_cols, n_rows): GPT-2's Conv1D in Hugging Face files */
    uint32_t rotary_heads; /* > 0: rows of each of so many heads are in half-rotation order,
                              where a GGUF file of this architecture has them interleaved */
} weight;

typedef struct weights weights;

/* `path`: a GGUF file or a Hugging Face folder (config.json, safetensors). */
cn_status weights_open(weights **out, const char *path, cn_err *err);
/* To describe it only: data may be NULL, and little address space is taken. */
cn_status weights_open_head(weights **out, const char *path, cn_err *err);
void weights_close(weights *w);

const hparams *weights_hparams(const weights *w);
const gguf *weights_gguf(const weights *w); /* NULL for a folder */
const char *weights_path(const weights *w);
uint64_t weights_bytes(const weights *w); /* of all tensors as stored */
bool weights_is_mapped(const weights *w); /* all of it */
size_t weights_n(const weights *w);
const weight *weights_at(const weights *w, size_t i);
const weight *weights_find(const weights *w, const char *name); /* NULL when absent */

/* Rows [row0, row0 + n) as f32, (n, n_cols), in the order and orientation that a GGUF file has.
 */
void weight_rows_to_f32(const weight *t, uint64_t row0, uint64_t n, float *out);

#endif
