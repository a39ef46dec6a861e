#include "product.h"

#include "compiler.h"
#include "gemm.h"

static gemm_precision precision_of(const tape *t)
{
    return t->bf16 ? GEMM_BF16 : GEMM_F32;
}

static gemm as_gemm(const product *p)
{
    return (gemm){.m = p->m,
                  .n = p->n,
                  .k = p->k,
                  .a = {p->a.p, p->a.row, p->a.col},
                  .b = {p->b.p, p->b.row, p->b.col},
                  .c = p->c,
                  .ldc = p->ldc,
                  .add = p->add,
                  .alpha = p->alpha};
}

void product_run(const tape *t, const product *p)
{
    if (t->dry) return;
    gemm g = as_gemm(p);
    gemm_run(t->pool, &g, precision_of(t), t->scratch);
}

void product_one(const tape *t, const product *p, void *room)
{
    gemm g = as_gemm(p);
    gemm_one(&g, precision_of(t), room);
}

size_t product_room(void)
{
    return gemm_scratch_bytes(1);
}

size_t product_scratch(unsigned n_threads)
{
    return gemm_scratch_bytes(n_threads);
}

bool product_has_bf16(void)
{
    return gemm_has_bf16();
}

/* Trained weights are a plain view, frozen ones are expanded by the kernels panel by panel. */
static void put_weight(gemm *g, const param *w, bool transposed)
{
    g->b = transposed ? (gemm_view){w->w, 1, w->n_cols} : (gemm_view){w->w, w->n_cols, 1};
    if (w->w) return;
    g->b_mat = &w->frozen;
    g->b_mat_transposed = transposed;
}

void product_forward(const tape *t, real *y, const real *x, size_t n, const param *w,
                     const param *bias, bool add)
{
    if (t->dry) return;
    gemm g = {.m = n,
              .n = w->n_rows,
              .k = w->n_cols,
              .a = {x, w->n_cols, 1},
              .c = y,
              .ldc = w->n_rows,
              .add = add,
              .bias = bias ? bias->w : NULL};
    put_weight(&g, w, true);
    gemm_run(t->pool, &g, precision_of(t), t->scratch);
}

void product_back_input(const tape *t, real *dx, const real *dy, size_t n, const param *w,
                        bool add)
{
    if (t->dry) return;
    gemm g = {.m = n,
              .n = w->n_cols,
              .k = w->n_rows,
              .a = {dy, w->n_rows, 1},
              .c = dx,
              .ldc = w->n_cols,
              .add = add};
    put_weight(&g, w, false);
    gemm_run(t->pool, &g, precision_of(t), t->scratch);
}

void product_back_weight(const tape *t, param *w, const real *dy, const real *x, size_t n,
                         real alpha)
{
    if (t->dry) return;
    product p = {.m = w->n_rows,
                 .n = w->n_cols,
                 .k = n,
                 .a = turned(rows_of(dy, w->n_rows)),
                 .b = rows_of(x, w->n_cols),
                 .c = w->g,
                 .ldc = w->n_cols,
                 .add = !w->fresh,
                 .alpha = alpha};
    product_run(t, &p);
    w->fresh = false;
}
