/* Rotary positions (Su et al. 2021): pairs of numbers of each head are turned by an angle that
 * grows with the position. A turn is undone by its opposite, which is also its backward pass;
 * both are done in place. */
#include "compiler.h"
#include "ops.h"

typedef struct rope_op {
    pass *p;
    tensor *x;
    real *data;
    real sign; /* 1 forward, -1 backward */
} rope_op;

static void table_part(void *job, size_t from, size_t to, void *room)
{
    const pass *p = job;
    const hparams *hp = &p->net->hp;
    size_t half = hp->n_rot / 2;
    (void)room;
    for (size_t t = from; t < to; t++)
        for (size_t i = 0; i < half; i++) {
            double angle = p->batch->positions[t] / hp->rope_linear * p->net->rope_freqs[i];
            p->rope[(t * half + i) * 2] = (real)cos(angle);
            p->rope[(t * half + i) * 2 + 1] = (real)sin(angle);
        }
}

void op_rope_table(pass *p)
{
    if (!p->net->hp.n_rot) return;
    p->rope = tape_values(&p->t, p->batch->n * p->net->hp.n_rot);
    tape_run(&p->t, table_part, p, p->batch->n, 16);
}

/* Pairs are (i, i + half), or (2i, 2i + 1). */
CN_CLONES static void turn(real *x, const real *cs, size_t half, bool neox, real sign)
{
    size_t step = neox ? 1 : 2, other = neox ? half : 1;
    for (size_t i = 0; i < half; i++) {
        real c = cs[2 * i], s = sign * cs[2 * i + 1], a = x[i * step], b = x[i * step + other];
        x[i * step] = a * c - b * s;
        x[i * step + other] = a * s + b * c;
    }
}

static void rope_part(void *job, size_t from, size_t to, void *room)
{
    const rope_op *o = job;
    const hparams *hp = &o->p->net->hp;
    (void)room;
    for (size_t t = from; t < to; t++)
        for (size_t h = 0; h < o->x->width; h += hp->head_dim)
            turn(o->data + t * o->x->width + h, o->p->rope + t * hp->n_rot, hp->n_rot / 2,
                 hp->rope_neox, o->sign);
}

static void back_rope(tape *t, void *op)
{
    rope_op *o = op;
    if (!o->x->g) return;
    o->data = o->x->g;
    o->sign = -1;
    tape_run(t, rope_part, o, o->x->n, 16);
}

void op_rope(pass *p, tensor *x)
{
    rope_op o = {.p = p, .x = x, .data = x->v, .sign = 1};
    tape_run(&p->t, rope_part, &o, x->n, 16);
    if (x->needs) tape_record(&p->t, back_rope, &o, sizeof o);
}
