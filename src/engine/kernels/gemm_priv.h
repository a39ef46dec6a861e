/* What the kernels of gemm.h share: how the sums are split, and the part of one thread.
 *
 * An element of C is, block of GEMM_KC after block,
 *     sum = 0, then fma(a, b, sum) in the order of k
 *     c   = fma(alpha, sum, c)
 * where c begins as (add ? C : 0) + bias. All kernels do so for GEMM_F32, with the same bits;
 * processors with bf16 products take the k of a block in pairs. */
#ifndef KERNELS_GEMM_PRIV_H
#define KERNELS_GEMM_PRIV_H

#include <stdint.h>

#include "gemm.h"
#include "quants.h"

enum {
    GEMM_KC = 1024, /* a whole number of blocks of every type of weights */
    GEMM_MC = 256,  /* rows of A and columns of B that are rearranged at a time: whole tiles */
    GEMM_NC = 768,
    GEMM_WIDEST = 256,     /* columns of the widest block of weights */
    GEMM_UNPACK_ROWS = 16, /* rows of weights expanded at a time, where they are rows of B */
};

/* A thread's memory, in floats; the panels may be written a few vectors too far. */
enum { GEMM_SLACK = 256 };
typedef struct gemm_scratch {
    _Alignas(64) float a[GEMM_MC * GEMM_KC + GEMM_SLACK];
    _Alignas(64) float b[GEMM_KC * GEMM_NC + GEMM_SLACK];
    /* weights as f32: rows of B, which begin and end at blocks, or 16 rows of B^T */
    _Alignas(64) float w[GEMM_UNPACK_ROWS * (GEMM_NC + 2 * GEMM_WIDEST)];
} gemm_scratch;
_Static_assert(sizeof((gemm_scratch){0}.w) >= sizeof(float) * 16 * GEMM_KC, "16 rows of B^T");

/* Rows [m0, m1) and columns [n0, n1) of C. */
typedef struct gemm_part {
    const gemm *g;
    size_t m0, m1, n0, n1;
    bool round; /* operands to bf16 */
    gemm_scratch *scratch;
} gemm_part;

typedef void gemm_part_fn(const gemm_part *p);

struct gemm_kernel {
    const char *name;
    gemm_part_fn *f32;
    gemm_part_fn *pairs; /* NULL: f32 does it, on rounded operands */
};

gemm_part_fn gemm_ref;
gemm_part_fn gemm_avx2, gemm_avx512, gemm_avx512bf16, gemm_neon; /* where the build has them */

static inline float gemm_alpha(const gemm *g)
{
    return g->alpha == 0 ? 1 : g->alpha;
}

static inline const void *gemm_weights_at(const kern_mat *w, size_t row, size_t column)
{
    const cn_dtype_info *info = cn_dtype_info_of((uint32_t)w->type);
    return (const char *)w->data + row * w->row_bytes +
           column / info->block * info->block_bytes;
}

/* Columns [from, from + n) of a row as f32; both begin and end at blocks of the type. Inline,
 * as quant_row_to_f32 is built for each instruction set. */
static inline void gemm_unpack(const kern_mat *w, size_t row, size_t from, size_t n, float *out)
{
    const cn_dtype_info *info = cn_dtype_info_of((uint32_t)w->type);
    size_t block = info->block;
    kern_mat part = *w;
    part.data = gemm_weights_at(w, row, from);
    if (w->type != CN_NF4_DQ) {
        part.n_cols = (uint32_t)n;
        quant_row_to_f32(&part, 0, out);
        return;
    }
    /* as rows of one block, which has a number in the tensor */
    part.row0 = (w->row0 + row) * (w->n_cols / block) + from / block;
    part.row_bytes = info->block_bytes;
    part.n_cols = info->block;
    for (size_t i = 0; i < n / block; i++)
        quant_row_to_f32(&part, i, out + i * block);
}

#endif
