/* The output layer and the loss in one: logits are made for a chunk of the tokens that have a
 * target, turned in place into the gradient (softmax - target), and spent on the gradients of
 * the weights and of x before the next chunk. */
#include "compiler.h"
#include "ops.h"

#define CHUNK_BYTES ((size_t)48 << 20) /* of logits */

typedef struct loss_job {
    real *logits;           /* (n, V) */
    const int32_t *targets; /* (n) */
    double *nll;            /* (n) */
    size_t n_vocab;
    real scale; /* of the gradient; 0: the loss only */
} loss_job;

CN_CLONES static double row_loss(real *x, size_t n, size_t target, real scale)
{
    real max = x[0], at_target = x[target], sum = 0;
#pragma omp simd reduction(max : max)
    for (size_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        x[i] = real_exp(x[i] - max);
        sum += x[i];
    }
    if (scale != 0) {
        real inv = scale / sum;
        for (size_t i = 0; i < n; i++)
            x[i] *= inv;
        x[target] -= scale;
    }
    return (double)(max - at_target) + log((double)sum);
}

static void loss_part(void *job, size_t from, size_t to, void *room)
{
    const loss_job *j = job;
    (void)room;
    for (size_t i = from; i < to; i++)
        j->nll[i] =
            row_loss(j->logits + i * j->n_vocab, j->n_vocab, (size_t)j->targets[i], j->scale);
}

/* Tokens with a target, packed together. */
typedef struct chunk {
    size_t n;
    size_t *at;       /* (max): their places in the batch */
    int32_t *targets; /* (max) */
    double *nll;
    real *x, *dx, *logits;
} chunk;

static void gather(chunk *c, const tensor *x)
{
    for (size_t i = 0; i < c->n; i++)
        memcpy(c->x + i * x->width, x->v + c->at[i] * x->width, x->width * sizeof(real));
}

static void scatter(const chunk *c, const tensor *x)
{
    for (size_t i = 0; i < c->n; i++)
        memcpy(x->g + c->at[i] * x->width, c->dx + i * x->width, x->width * sizeof(real));
}

static void bias_gradient(const chunk *c, param *bias, size_t n_vocab)
{
    if (bias->fresh) memset(bias->g, 0, n_vocab * sizeof *bias->g);
    bias->fresh = false;
    for (size_t i = 0; i < c->n; i++)
        for (size_t v = 0; v < n_vocab; v++)
            bias->g[v] += c->logits[i * n_vocab + v];
}

static double spend(pass *p, chunk *c, tensor *x, const net_linear *o, double scale)
{
    tape *t = &p->t;
    double sum = 0;
    if (!c->n || t->dry) return 0;
    gather(c, x);
    product_forward(t, c->logits, c->x, c->n, o->w, o->bias, false);
    tape_run(t, loss_part,
             &(loss_job){c->logits, c->targets, c->nll, o->w->n_rows, (real)scale}, c->n, 1);
    for (size_t i = 0; i < c->n; i++)
        sum += c->nll[i];
    if (scale != 0 && o->w->trained) product_back_weight(t, o->w, c->logits, c->x, c->n, 1);
    if (scale != 0 && o->bias && o->bias->trained) bias_gradient(c, o->bias, o->w->n_rows);
    if (scale != 0 && x->needs) {
        product_back_input(t, c->dx, c->logits, c->n, o->w, false);
        scatter(c, x);
    }
    c->n = 0;
    return sum;
}

double op_loss(pass *p, tensor *x, const net_linear *output, double scale)
{
    tape *t = &p->t;
    const net_batch *b = p->batch;
    size_t n_vocab = output->w->n_rows, width = x->width;
    size_t max = CN_MAX(CHUNK_BYTES / sizeof(real) / n_vocab, (size_t)32);
    max = CN_MIN(max, b->n);
    tape_mark here = tape_here(t);
    if (!t->recording) scale = 0;
    chunk c = {.at = tape_bytes(t, max * sizeof *c.at),
               .targets = tape_bytes(t, max * sizeof *c.targets),
               .nll = tape_bytes(t, max * sizeof *c.nll),
               .x = tape_values(t, max * width),
               .dx = tape_values(t, scale != 0 ? max * width : 0),
               .logits = tape_values(t, max * n_vocab)};
    if (scale != 0 && x->needs) tape_grad_zeroed(t, x);

    double sum = 0;
    for (size_t i = 0; !t->dry && i < b->n; i++) {
        if (b->targets[i] < 0) continue;
        c.at[c.n] = i;
        c.targets[c.n++] = b->targets[i];
        if (c.n == max) sum += spend(p, &c, x, output, scale);
    }
    sum += spend(p, &c, x, output, scale);
    t->values.used = here.values;
    return sum;
}
