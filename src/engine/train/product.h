/* Products of matrices for training: in float through the kernels' gemm, in double by plain
 * loops. */
#ifndef TRAIN_PRODUCT_H
#define TRAIN_PRODUCT_H

#include "tape.h"

/* Element (i, j) at p[i * row + j * col]; one of the strides is 1. */
typedef struct view {
    const real *p;
    size_t row, col;
} view;

typedef struct product {
    size_t m, n, k;
    view a, b; /* (m, k), (k, n) */
    real *c;   /* (m, n), rows ldc apart */
    size_t ldc;
    bool add;
    real alpha;
} product;

static inline view rows_of(const real *p, size_t width)
{
    return (view){p, width, 1};
}
static inline view turned(view a)
{
    return (view){a.p, a.col, a.row};
}

void product_run(const tape *t, const product *p);
/* On this thread alone, within tape_run; `room` is the thread's. */
void product_one(const tape *t, const product *p, void *room);
size_t product_room(void); /* bytes of `room` that product_one takes, at its start */
size_t product_scratch(unsigned n_threads);
bool product_has_bf16(void);

/* y (n, out) = x W^T + bias, or added to y. */
void product_forward(const tape *t, real *y, const real *x, size_t n, const param *w,
                     const param *bias, bool add);
/* dx (n, in) = dy W, or added to dx. */
void product_back_input(const tape *t, real *dx, const real *dy, size_t n, const param *w,
                        bool add);
/* g of w (out, in) = dy^T x, or added to it when it is no longer fresh. */
void product_back_weight(const tape *t, param *w, const real *dy, const real *x, size_t n,
                         real alpha);

#endif
