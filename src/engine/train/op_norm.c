/* Norms over rows, with x^ = (x - mean) / deviation (the mean is 0 in root-mean-square norms):
 *     y = w x^ + b
 *     dx = (w dy - mean(w dy) - x^ mean(w dy x^)) / deviation      (without mean(w dy) in rms)
 *     dw = sum dy x^, db = sum dy */
#include "compiler.h"
#include "ops.h"

typedef struct norm_op {
    pass *p;
    const net_norm *w;
    tensor *x, *y;
    size_t n, width;  /* rows of the norm: of tokens, or of heads */
    real *mean, *inv; /* (n): of each row the mean, and 1 / deviation */
    real *dx;
    bool add;
} norm_op;

static real mean_of(const real *x, size_t n)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (real)n;
}

static real square_of(const real *x, real mean, size_t n)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / (real)n;
}

CN_CLONES static void forward_part(void *job, size_t from, size_t to, void *room)
{
    norm_op *o = job;
    real eps = (real)o->p->net->hp.norm_eps;
    const real *w = o->w->weight->w, *b = o->w->bias ? o->w->bias->w : NULL;
    (void)room;
    for (size_t r = from; r < to; r++) {
        const real *x = o->x->v + r * o->width;
        real *y = o->y->v + r * o->width;
        real mean = b ? mean_of(x, o->width) : 0;
        real inv = 1 / real_sqrt(square_of(x, mean, o->width) + eps);
        for (size_t i = 0; i < o->width; i++)
            y[i] = (x[i] - mean) * inv * w[i] + (b ? b[i] : 0);
        o->mean[r] = mean;
        o->inv[r] = inv;
    }
}

CN_CLONES static void norm_back_row(const norm_op *o, size_t r)
{
    const real *w = o->w->weight->w, *x = o->x->v + r * o->width, *dy = o->y->g + r * o->width;
    real *dx = o->dx + r * o->width;
    real mean = o->mean[r], inv = o->inv[r], m1 = 0, m2 = 0;
#pragma omp simd reduction(+ : m1, m2)
    for (size_t i = 0; i < o->width; i++) {
        m1 += w[i] * dy[i];
        m2 += w[i] * dy[i] * (x[i] - mean) * inv;
    }
    m1 = o->w->bias ? m1 / (real)o->width : 0;
    m2 /= (real)o->width;
    if (o->add)
        for (size_t i = 0; i < o->width; i++)
            dx[i] += inv * (w[i] * dy[i] - m1 - (x[i] - mean) * inv * m2);
    else
        for (size_t i = 0; i < o->width; i++)
            dx[i] = inv * (w[i] * dy[i] - m1 - (x[i] - mean) * inv * m2);
}

static void back_part(void *job, size_t from, size_t to, void *room)
{
    (void)room;
    for (size_t r = from; r < to; r++)
        norm_back_row(job, r);
}

/* Each thread sums whole columns, token after token. */
CN_CLONES static void weights_part(void *job, size_t from, size_t to, void *room)
{
    const norm_op *o = job;
    param *w = o->w->weight, *b = o->w->bias;
    (void)room;
    if (w->fresh) memset(w->g + from, 0, (to - from) * sizeof *w->g);
    if (b && b->fresh) memset(b->g + from, 0, (to - from) * sizeof *b->g);
    for (size_t r = 0; r < o->n; r++) {
        const real *x = o->x->v + r * o->width, *dy = o->y->g + r * o->width;
        real mean = o->mean[r], inv = o->inv[r];
        for (size_t i = from; i < to; i++)
            w->g[i] += dy[i] * (x[i] - mean) * inv;
        for (size_t i = from; b && i < to; i++)
            b->g[i] += dy[i];
    }
}

static void back_norm(tape *t, void *op)
{
    norm_op *o = op;
    if (!o->y->g) return;
    if (o->w->weight->trained) {
        tape_run(t, weights_part, o, o->width, 64);
        o->w->weight->fresh = false;
        if (o->w->bias) o->w->bias->fresh = false;
    }
    if (!o->x->needs) return;
    o->dx = tape_grad(t, o->x, &o->add);
    tape_run(t, back_part, o, o->n, 16);
}

static tensor *norm_rows(pass *p, tensor *x, const net_norm *w, size_t width)
{
    tape *t = &p->t;
    norm_op o = {.p = p, .w = w, .x = x, .n = x->n * x->width / width, .width = width};
    o.y = tape_tensor(t, x->n, x->width, x->needs || w->weight->trained);
    o.mean = tape_values(t, o.n);
    o.inv = tape_values(t, o.n);
    tape_run(t, forward_part, &o, o.n, 16);
    if (o.y->needs) tape_record(t, back_norm, &o, sizeof o);
    return o.y;
}

tensor *op_norm(pass *p, tensor *x, const net_norm *w)
{
    return norm_rows(p, x, w, x->width);
}

tensor *op_head_norm(pass *p, tensor *x, const net_norm *w)
{
    return norm_rows(p, x, w, p->net->hp.head_dim);
}
