/* Matrix products for training: C = alpha A B (+ C) (+ bias), both factors in any orientation,
 * the weights of any type. Operands are rearranged into panels as they are used; nothing is
 * allocated and nothing fails: shapes are the caller's promise. */
#ifndef KERNELS_GEMM_H
#define KERNELS_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels.h"
#include "pool.h"

/* Element (i, j) at p[i * row + j * col]; one of the two strides is 1. */
typedef struct gemm_view {
    const float *p;
    size_t row, col;
} gemm_view;

/* Both operands rounded to bf16 (to nearest, ties to even) and multiplied exactly, or taken as
 * they are; sums are f32. */
typedef enum gemm_precision { GEMM_F32, GEMM_BF16 } gemm_precision;

typedef struct gemm_kernel gemm_kernel;

typedef struct gemm {
    size_t m, n, k;
    gemm_view a;               /* (m, k) */
    gemm_view b;               /* (k, n), when b_mat is NULL */
    const kern_mat *b_mat;     /* frozen weights W of any type, expanded a panel at a time */
    bool b_mat_transposed;     /* B = W^T, W is (n, k); else B = W, W is (k, n) */
    float *c;                  /* (m, n), overlaps no operand */
    size_t ldc;                /* floats from row to row */
    bool add;                  /* C += instead of C = */
    const float *bias;         /* (n) added to each row, or NULL */
    float alpha;               /* scales the product; 0 is taken as 1 */
    const gemm_kernel *kernel; /* NULL: the best that runs here */
} gemm;

/* Scratch is aligned to 64. gemm_one() takes that of one thread. */
size_t gemm_scratch_bytes(unsigned n_threads);
/* On all threads of the pool. The bits of C depend on the operands, the precision and the
 * kernel alone: not on the number of threads; those of GEMM_F32 not on the kernel either. */
void gemm_run(cn_pool *pool, const gemm *g, gemm_precision p, void *scratch);
/* Several products that do not depend on each other, in one go. */
void gemm_run_many(cn_pool *pool, const gemm *g, size_t n, gemm_precision p, void *scratch);
/* On this thread alone. */
void gemm_one(const gemm *g, gemm_precision p, void *scratch);

/* This processor multiplies bf16 itself; elsewhere GEMM_BF16 costs what GEMM_F32 does. */
bool gemm_has_bf16(void);
/* Every kernel that runs here, "ref" first. */
size_t gemm_kernels(const gemm_kernel *out[], size_t max);
const char *gemm_kernel_name(const gemm_kernel *k);

#endif
