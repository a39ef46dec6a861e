/* Arithmetic on arrays: one table of functions, filled once at start with the best variant that
 * this processor has (or that a setting forces). Plain C in *_ref.c is the definition of
 * correct. Nothing here knows a model, allocates, or fails: shapes are the caller's promise. */
#ifndef KERNELS_KERNELS_H
#define KERNELS_KERNELS_H

#include <conatus/dtype.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* A weight matrix: n_rows outputs of n_cols inputs each, rows contiguous. */
typedef struct kern_mat {
    cn_dtype type;
    uint32_t n_rows, n_cols;
    size_t row_bytes;
    const void *data; /* n_rows * row_bytes, any alignment */
    const void *aux;  /* NF4_DQ: what follows the rows; else NULL */
    size_t row0; /* NF4_DQ: index of data's first row in the whole tensor (blocks count from
                    there) */
} kern_mat;

/* Activations of n_tokens rows of n_cols floats, with the 8-bit form that quantised weights
 * want. The caller gives the memory (kern_act_bytes) and fills x before kern->quantize. */
typedef struct kern_act {
    size_t n_tokens, n_cols;
    const float *x; /* f32 (n_tokens, n_cols), rows contiguous */
    void *q; /* kern_act_bytes() bytes aligned to 64: the 8-bit form, private to kernels */
} kern_act;

typedef enum kern_precision {
    KERN_FAST,  /* quantised weights meet activations rounded to 8 bits in blocks of 32 */
    KERN_EXACT, /* all weights are expanded to f32 and meet f32 activations */
} kern_precision;

/* One head's keys or values of one layer: position p at base + p * stride bytes, head_dim
 * numbers each, F16 or Q8_0 blocks (head_dim % 32 == 0 for Q8_0). */
typedef struct kern_cache {
    cn_dtype type; /* CN_F16, CN_Q8_0 or CN_F32 */
    const void *base;
    size_t stride;
} kern_cache;

/* Queries of one key-value head that share its stream: the heads of a group, the tokens of a
 * block, or both. Query i: q + q_at[i], positions [from[i], to[i]), result at out + out_at[i].
 */
typedef struct kern_queries {
    size_t n;
    const float *q;
    float *out;
    const size_t *q_at, *out_at; /* in floats */
    const size_t *from, *to;
} kern_queries;

#define KERN_ATTEND_TOGETHER 16 /* queries that attend_many takes in one go */

typedef struct kern_table {
    const char *name; /* "ref", "avx2", "avx512", "neon" */

    /* 8-bit form of tokens [t0, t1) of `a`, for weights of `type`; nothing to do for f32-like
     * types. */
    void (*quantize)(const kern_act *a, cn_dtype type, size_t t0, size_t t1);
    /* y[t * ldy + r] = sum_c w[r][c] * x[t][c], rows [r0, r1), all tokens. `scratch`:
     * KERN_SCRATCH bytes of this thread, aligned to 64. FAST needs quantize() first; the 8-bit
     * form is the same for all quantised types. A block of 32 activations with a NaN or an
     * infinity makes the results NaN.
     * The bits of y[t * ldy + r] depend on that row, that token and the precision alone: not on
     * r0, r1, the number of threads, the other tokens of the batch, or the variant. */
    void (*matmul)(const kern_mat *w, const kern_act *a, kern_precision precision, float *y,
                   size_t ldy, size_t r0, size_t r1, void *scratch);

    float (*dot)(const float *a, const float *b, size_t n);
    void (*axpy)(float *y, float a, const float *x, size_t n); /* y += a x */
    void (*add)(float *y, const float *x, size_t n);           /* y += x */
    void (*rms_norm)(float *y, const float *x, const float *weight, size_t n, float eps);
    void (*layer_norm)(float *y, const float *x, const float *weight, const float *bias,
                       size_t n, float eps);
    void (*silu_mul)(float *y, const float *gate, const float *up,
                     size_t n);                           /* y = silu(gate) * up */
    void (*gelu)(float *y, const float *x, size_t n);     /* tanh form (GPT-2, phi-2) */
    void (*gelu_erf)(float *y, const float *x, size_t n); /* exact form (BERT) */
    void (*softmax)(float *x, size_t n);                  /* in place, maximum subtracted */
    /* Rotates the first n_rot of head_dim numbers by cs = (cos, sin) pairs [n_rot/2][2].
     * neox: pairs (i, i + n_rot/2); else pairs (2i, 2i+1). In place. */
    void (*rope)(float *x, const float *cs, size_t n_rot, bool neox);
    void (*store)(void *dst, cn_dtype type, const float *x,
                  size_t n); /* f32 -> F32, F16 or Q8_0 */
    /* out[head_dim] = softmax(scale * q . K[from..to)) V, one query head; scores: room for
     * to-from floats. */
    void (*attend)(float *out, const float *q, const kern_cache *k, const kern_cache *v,
                   size_t head_dim, size_t from, size_t to, float scale, float *scores);
    /* attend() for each query, with the same bits, reading keys and values once for
     * KERN_ATTEND_TOGETHER of them; head_dim <= KERN_MAX_HEAD. scores: room for
     * KERN_ATTEND_TOGETHER * (largest to - smallest from) floats. */
    void (*attend_many)(const kern_queries *qs, const kern_cache *k, const kern_cache *v,
                        size_t head_dim, float scale, float *scores);
} kern_table;

#define KERN_SCRATCH ((size_t)512 << 10) /* bytes a thread */
#define KERN_MAX_COLS (KERN_SCRATCH / 4) /* of a kern_mat: a row as f32 fits the scratch */
#define KERN_MAX_HEAD 512                /* head_dim of attend_many */

/* Room for the 8-bit form of n_tokens x n_cols. */
size_t kern_act_bytes(size_t n_tokens, size_t n_cols);

/* The table for `name` ("ref", "avx2", "avx512", "neon"), or the best for NULL or "auto".
 * CN_E_UNSUPPORTED when this processor or build lacks it, CN_E_ARG for an unknown name.
 * Constant, thread-safe. */
cn_status kern_select(const kern_table **out, const char *name, cn_err *err);
/* Every variant that runs here, "ref" first. */
size_t kern_variants(const kern_table *out[], size_t max);
/* "avx2 fma f16c avx512f avx512bw avx512vnni avx512bf16 ..." as this processor has them. Static
 * storage. */
const char *kern_cpu_features(void);

#endif
