/* Products with weight matrices, and what adapters add to them. */
#include <string.h>

#include "workspace.h"

#define ROW_UNIT 32 /* rows are dealt out in this many: the tile of the batched kernels */

typedef struct linear_job {
    fwd *f;
    kern_act act;
    const product *p;
    size_t n;
} linear_job;

static const adapter_part *part_of(const adapter_use *use, const linear *l)
{
    return &use->adapter->parts[l->site];
}

static bool any_adapters(const fwd *f)
{
    for (size_t i = 0; i < f->n_runs; i++)
        if (f->runs[i].n_adapters) return true;
    return false;
}

/* The type that tells whether an 8-bit form is wanted: NF4's code book, like f32, is not
 * rounded to. */
static cn_dtype rounding_type(const linear_job *j)
{
    for (size_t i = 0; i < j->n; i++) {
        cn_dtype type = j->p[i].l->w.type;
        if (cn_dtype_info_of((uint32_t)type)->block > 1 && type < CN_NF4) return type;
    }
    return CN_F32;
}

static void quantize_part(void *job, unsigned index, unsigned n_threads)
{
    const linear_job *j = job;
    size_t t0, t1;
    cn_pool_part(j->act.n_tokens, 1, index, n_threads, &t0, &t1);
    j->f->m->kern->quantize(&j->act, rounding_type(j), t0, t1);
}

/* The 8-bit form serves all products that share it; weights of another type get theirs in turn.
 */
static void quantize(linear_job *j)
{
    if (j->f->m->precision == KERN_EXACT || rounding_type(j) == CN_F32) return;
    share_out(j->f, quantize_part, j, (uint64_t)j->act.n_tokens * j->act.n_cols);
}

static void *scratch_of(const fwd *f, unsigned index)
{
    return f->ws->scratch + index * KERN_SCRATCH;
}

/* y[rows r0..r1) += scale * B (A x) for one run; A x is in ws->low. */
static void add_adapters(const linear_job *j, const product *p, size_t r0, size_t r1,
                         void *scratch)
{
    const fwd *f = j->f;
    workspace *ws = f->ws;
    for (const fwd_run *r = f->runs; r < f->runs + f->n_runs; r++) {
        const float *low = ws->low + r->first * ws->adapter_rank;
        for (const adapter_use *use = r->adapters; use < r->adapters + r->n_adapters; use++) {
            const adapter_part *part = part_of(use, p->l);
            if (!part->rank) continue;
            kern_act act = {r->n, part->rank, low, NULL};
            float *added = ws->added + r->first * ws->widest;
            f->m->kern->matmul(&part->b, &act, KERN_EXACT, added, ws->widest, r0, r1, scratch);
            for (size_t t = 0; t < r->n; t++)
                f->m->kern->axpy(p->y + (r->first + t) * p->l->w.n_rows + r0,
                                 part->scale * use->scale, added + t * ws->widest + r0,
                                 r1 - r0);
            low += (size_t)r->n * part->rank;
        }
    }
}

static void product_rows(const linear_job *j, const product *p, size_t r0, size_t r1,
                         void *scratch)
{
    const fwd *f = j->f;
    size_t n_rows = p->l->w.n_rows;
    f->m->kern->matmul(&p->l->w, &j->act, f->m->precision, p->y, n_rows, r0, r1, scratch);
    if (p->l->bias)
        for (size_t t = 0; t < j->act.n_tokens; t++)
            f->m->kern->add(p->y + t * n_rows + r0, p->l->bias + r0, r1 - r0);
}

static void product_part(void *job, unsigned index, unsigned n_threads)
{
    const linear_job *j = job;
    for (size_t i = 0; i < j->n; i++) {
        size_t r0, r1;
        cn_pool_part(j->p[i].l->w.n_rows, ROW_UNIT, index, n_threads, &r0, &r1);
        if (r0 < r1) product_rows(j, &j->p[i], r0, r1, scratch_of(j->f, index));
    }
}

static void added_part(void *job, unsigned index, unsigned n_threads)
{
    const linear_job *j = job;
    size_t r0, r1;
    cn_pool_part(j->p->l->w.n_rows, ROW_UNIT, index, n_threads, &r0, &r1);
    if (r0 < r1) add_adapters(j, j->p, r0, r1, scratch_of(j->f, index));
}

/* ws->low: for each run and each of its adapters in turn, (run's tokens, rank). A is small: one
 * thread. */
static bool shrink(const linear_job *j)
{
    const fwd *f = j->f;
    bool any = false;
    for (const fwd_run *r = f->runs; r < f->runs + f->n_runs; r++) {
        float *low = f->ws->low + r->first * f->ws->adapter_rank;
        kern_act act = {r->n, j->act.n_cols, j->act.x + r->first * j->act.n_cols, NULL};
        for (const adapter_use *use = r->adapters; use < r->adapters + r->n_adapters; use++) {
            const adapter_part *part = part_of(use, j->p->l);
            if (!part->rank) continue;
            f->m->kern->matmul(&part->a, &act, KERN_EXACT, low, part->rank, 0, part->rank,
                               scratch_of(f, 0));
            low += (size_t)r->n * part->rank;
            any = true;
        }
    }
    return any;
}

void fwd_linear(fwd *f, const float *x, const product *p, size_t n_products)
{
    linear_job j = {.f = f, .p = p, .n = n_products};
    j.act = (kern_act){f->n, p[0].l->w.n_cols, x, f->ws->act};
    uint64_t work = 0;
    for (size_t i = 0; i < n_products; i++)
        work += (uint64_t)f->n * p[i].l->w.n_rows * p[i].l->w.n_cols;
    quantize(&j);
    share_out(f, product_part, &j, work);
    if (!any_adapters(f)) return;
    for (size_t i = 0; i < n_products; i++) {
        j.p = p + i;
        if (p[i].l->site >= 0 && shrink(&j)) share_out(f, added_part, &j, work);
    }
}

/* ---- logits ---- */

void model_logits(const cn_model *m, workspace *ws, size_t first, size_t n, float *out)
{
    fwd f = {.m = m, .ws = ws, .n = n};
    product p = {&m->output, out};
    fwd_linear(&f, ws->h + first * m->hp.n_embd, &p, 1);
}
