/* The double build: the definition of each product, one sum after the other. */
#include "compiler.h"
#include "mem.h"
#include "product.h"
#include "quants.h"

void product_one(const tape *t, const product *p, void *room)
{
    (void)t, (void)room;
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            real sum = 0, *c = &p->c[i * p->ldc + j];
            for (size_t k = 0; k < p->k; k++)
                sum +=
                    p->a.p[i * p->a.row + k * p->a.col] * p->b.p[k * p->b.row + j * p->b.col];
            *c = (p->add ? *c : 0) + p->alpha * sum;
        }
}

void product_run(const tape *t, const product *p)
{
    if (!t->dry) product_one(t, p, NULL);
}

size_t product_room(void)
{
    return 0;
}

size_t product_scratch(unsigned n_threads)
{
    return n_threads;
}

bool product_has_bf16(void)
{
    return false;
}

/* The weights in double; `*made` is to be freed. */
static const real *matrix_of(const param *w, real **made)
{
    *made = NULL;
    if (w->w) return w->w;
    float *row = cn_xcalloc(w->n_cols, sizeof *row);
    *made = cn_xcalloc((size_t)w->n_rows * w->n_cols, sizeof **made);
    for (size_t r = 0; r < w->n_rows; r++) {
        quant_row_to_f32(&w->frozen, r, row);
        for (size_t c = 0; c < w->n_cols; c++)
            (*made)[r * w->n_cols + c] = (real)row[c];
    }
    cn_free(row);
    return *made;
}

void product_forward(const tape *t, real *y, const real *x, size_t n, const param *w,
                     const param *bias, bool add)
{
    if (t->dry) return;
    real *made;
    const real *m = matrix_of(w, &made);
    product_one(t,
                &(product){n, w->n_rows, w->n_cols, rows_of(x, w->n_cols),
                           turned(rows_of(m, w->n_cols)), y, w->n_rows, add, 1},
                NULL);
    for (size_t i = 0; bias && i < n * w->n_rows; i++)
        y[i] += bias->w[i % w->n_rows];
    cn_free(made);
}

void product_back_input(const tape *t, real *dx, const real *dy, size_t n, const param *w,
                        bool add)
{
    if (t->dry) return;
    real *made;
    const real *m = matrix_of(w, &made);
    product_one(t,
                &(product){n, w->n_cols, w->n_rows, rows_of(dy, w->n_rows),
                           rows_of(m, w->n_cols), dx, w->n_cols, add, 1},
                NULL);
    cn_free(made);
}

void product_back_weight(const tape *t, param *w, const real *dy, const real *x, size_t n,
                         real alpha)
{
    if (t->dry) return;
    product_one(t,
                &(product){w->n_rows, w->n_cols, n, turned(rows_of(dy, w->n_rows)),
                           rows_of(x, w->n_cols), w->g, w->n_cols, !w->fresh, alpha},
                NULL);
    w->fresh = false;
}
