/* The parameters of a model in training. Those that are trained lie one after the other in one
 * block of weights and one of gradients, so that clipping, the optimiser and checkpoints walk a
 * flat array; the frozen ones are views of the base model's files, in whatever type those have.
 */
#ifndef TRAIN_PARAM_H
#define TRAIN_PARAM_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "kernels.h"
#include "real.h"

typedef struct param {
    const char *name; /* GGUF's: "blk.3.attn_q.weight", "output_norm.weight"; of an adapter
                         "blk.3.attn_q.weight.lora_a" (rank, in) and ".lora_b" (out, rank). q, k
                         and v are always apart, whatever the files fuse. */
    uint32_t n_rows, n_cols; /* a vector is one row */
    bool trained;
    bool decay; /* weight decay applies: matrices, not norms and biases */
    bool fresh; /* g holds nothing yet: the first gradient of a step is stored, not added */
    kern_mat frozen; /* the base's matrix, when not trained */
    real *w;   /* (n_rows, n_cols) in the set's block; also for frozen vectors; else NULL */
    real *g;   /* same shape; NULL unless trained */
    size_t at; /* where w and g start in the set's blocks, in values; trained only */
} param;

typedef struct param_set {
    cn_arena arena; /* names and frozen vectors */
    param **all;    /* in the order of the model's story */
    size_t n;
    real *w, *g;        /* (n_values): trained parameters, each starting at a multiple of 16 */
    size_t n_values;    /* with the gaps, which stay 0 */
    uint64_t n_trained; /* without */
} param_set;

/* Adds one; the block comes with params_allocate. NULL: out of memory. */
param *params_add(param_set *s, const char *name, uint32_t n_rows, uint32_t n_cols,
                  bool trained);
/* Gives every trained parameter its place, zeroed. */
cn_status params_allocate(param_set *s, cn_err *err);
void params_deinit(param_set *s);
param *params_find(const param_set *s, const char *name);

/* Before the first micro-batch of a step, and after the last. */
void params_begin_step(param_set *s);
void params_end_step(param_set *s); /* zeroes what got no gradient */

#endif
