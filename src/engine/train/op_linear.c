/* y = W x + b + scale * B (A dropout(x)), and its gradients:
 *     dx = W^T dy + dropout(A^T du), du = scale * B^T dy
 *     dW = dy x^T, db = sum dy, dB = scale * dy u^T, dA = du dropout(x)^T        with u = A
 * dropout(x) */
#include "compiler.h"
#include "ops.h"

typedef struct linear_op {
    pass *p;
    const net_linear *l;
    tensor *onto, *x, *y;
    real *dropped; /* dropout(x); x's own values without dropout; NULL without LoRA */
    real *u;       /* (n, rank) */
} linear_op;

/* Kept or not, decided by a hash of the place alone, so that a recomputed pass drops the same.
 * splitmix64's mixing (Steele et al. 2014). */
static bool is_kept(uint64_t key, size_t i, uint32_t limit)
{
    uint64_t z = key + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32) >= limit;
}

typedef struct drop_job {
    const real *from;
    real *to;
    uint64_t key;
    uint32_t limit;
    real scale;
    bool add;
} drop_job;

static void drop_part(void *job, size_t from, size_t to, void *room)
{
    const drop_job *j = job;
    (void)room;
    for (size_t i = from; i < to; i++) {
        real kept = is_kept(j->key, i, j->limit) ? j->from[i] * j->scale : 0;
        j->to[i] = j->add ? j->to[i] + kept : kept;
    }
}

static void drop(const linear_op *o, const real *from, real *to, bool add)
{
    real share = (real)o->p->net->lora.dropout;
    drop_job j = {.from = from,
                  .to = to,
                  .key = o->p->batch->seed * 0xd1342543de82ef95u + (uint64_t)o->l->site,
                  .limit = (uint32_t)((double)share * 4294967296.0),
                  .scale = 1 / (1 - share),
                  .add = add};
    tape_run(&o->p->t, drop_part, &j, o->x->n * o->x->width, 1 << 14);
}

/* Column sums of dy: each thread takes whole columns, so that the order of a sum is the
 * tokens'. */
typedef struct bias_job {
    const tensor *y;
    param *bias;
} bias_job;

CN_CLONES static void bias_part(void *job, size_t from, size_t to, void *room)
{
    const bias_job *j = job;
    real *g = j->bias->g;
    (void)room;
    if (j->bias->fresh) memset(g + from, 0, (to - from) * sizeof *g);
    for (size_t t = 0; t < j->y->n; t++) {
        const real *dy = j->y->g + t * j->y->width;
        for (size_t c = from; c < to; c++)
            g[c] += dy[c];
    }
}

static void back_lora(linear_op *o)
{
    tape *t = &o->p->t;
    const net_linear *l = o->l;
    size_t n = o->x->n, rank = l->a->n_rows, in = o->x->width;
    real scale = (real)o->p->net->lora_scale;
    tensor du = {.n = n, .width = rank};
    bool add;

    product_back_weight(t, l->b, o->y->g, o->u, n, scale);
    tape_grad(t, &du, &add);
    product_run(t, &(product){n, rank, l->b->n_rows, rows_of(o->y->g, o->y->width),
                              rows_of(l->b->w, rank), du.g, rank, false, scale});
    product_back_weight(t, l->a, du.g, o->dropped, n, 1);
    if (o->x->needs && o->p->net->lora.dropout > 0) {
        tensor dropped = {.n = n, .width = in};
        real *dx = tape_grad_zeroed(t, o->x);
        tape_grad(t, &dropped, &add);
        product_back_input(t, dropped.g, du.g, n, l->a, false);
        drop(o, dropped.g, dx, true);
    } else if (o->x->needs) {
        real *dx = tape_grad(t, o->x, &add);
        product_back_input(t, dx, du.g, n, l->a, add);
    }
}

static void back_linear(tape *t, void *op)
{
    linear_op *o = op;
    const net_linear *l = o->l;
    if (!o->y->g) return;
    if (l->w->trained) product_back_weight(t, l->w, o->y->g, o->x->v, o->x->n, 1);
    if (l->bias && l->bias->trained) {
        tape_run(t, bias_part, &(bias_job){o->y, l->bias}, o->y->width, 64);
        l->bias->fresh = false;
    }
    if (o->x->needs) {
        bool add;
        real *dx = tape_grad(t, o->x, &add);
        product_back_input(t, dx, o->y->g, o->x->n, l->w, add);
    }
    if (l->a) back_lora(o);
    if (o->onto && o->onto->needs) tape_pass_grad(t, o->onto, o->y);
}

static void forward_lora(linear_op *o)
{
    tape *t = &o->p->t;
    const net_linear *l = o->l;
    size_t n = o->x->n, rank = l->a->n_rows;
    o->dropped = o->x->v;
    if (o->p->net->lora.dropout > 0 && o->p->training) {
        o->dropped = tape_values(t, n * o->x->width);
        drop(o, o->x->v, o->dropped, false);
    }
    o->u = tape_values(t, n * rank);
    product_forward(t, o->u, o->dropped, n, l->a, NULL, false);
    product_run(t, &(product){n, o->y->width, rank, rows_of(o->u, rank),
                              turned(rows_of(l->b->w, rank)), o->y->v, o->y->width, true,
                              (real)o->p->net->lora_scale});
}

typedef struct copy_job {
    real *to;
    const real *from;
} copy_job;

static void copy_part(void *job, size_t from, size_t to, void *room)
{
    const copy_job *j = job;
    (void)room;
    memcpy(j->to + from, j->from + from, (to - from) * sizeof(real));
}

tensor *op_linear_onto(pass *p, tensor *onto, tensor *x, const net_linear *l)
{
    tape *t = &p->t;
    bool trained = l->w->trained || l->a || (l->bias && l->bias->trained);
    linear_op o = {.p = p, .l = l, .onto = onto, .x = x};
    o.y = tape_tensor(t, x->n, l->w->n_rows, trained || x->needs || (onto && onto->needs));
    if (onto) tape_run(t, copy_part, &(copy_job){o.y->v, onto->v}, x->n * o.y->width, 1 << 14);
    product_forward(t, o.y->v, x->v, x->n, l->w, l->bias, onto != NULL);
    if (l->a) forward_lora(&o);
    if (o.y->needs) tape_record(t, back_linear, &o, sizeof o);
    return o.y;
}

tensor *op_linear(pass *p, tensor *x, const net_linear *l)
{
    return op_linear_onto(p, NULL, x, l);
}
