/* Activations: silu(gate) * up, and GELU in its tanh form. */
#include "compiler.h"
#include "ops.h"

typedef struct act_op {
    tensor *x, *up, *y; /* up: NULL for GELU */
    real *dx, *du;
    bool add_x, add_u;
} act_op;

#define PART 4096 /* values dealt out at a time */

CN_CLONES static void silu_mul_part(void *job, size_t from, size_t to, void *room)
{
    const act_op *o = job;
    const real *x = o->x->v, *up = o->up->v;
    real *y = o->y->v;
    (void)room;
    for (size_t i = from; i < to; i++)
        y[i] = x[i] * real_sigmoid(x[i]) * up[i];
}

/* silu' = s (1 + x (1 - s)), s = sigmoid(x) */
CN_CLONES static void silu_mul_back_part(void *job, size_t from, size_t to, void *room)
{
    const act_op *o = job;
    const real *x = o->x->v, *up = o->up->v, *dy = o->y->g;
    real *dx = o->dx, *du = o->du, keep_x = o->add_x, keep_u = o->add_u;
    (void)room;
    for (size_t i = from; i < to; i++) {
        real s = real_sigmoid(x[i]);
        real gx = dy[i] * up[i] * s * (1 + x[i] * (1 - s)), gu = dy[i] * x[i] * s;
        dx[i] = keep_x != 0 ? dx[i] + gx : gx;
        du[i] = keep_u != 0 ? du[i] + gu : gu;
    }
}

static void back_silu_mul(tape *t, void *op)
{
    act_op *o = op;
    if (!o->y->g) return;
    o->dx = tape_grad(t, o->x, &o->add_x);
    o->du = tape_grad(t, o->up, &o->add_u);
    tape_run(t, silu_mul_back_part, o, o->y->n * o->y->width, PART);
}

tensor *op_silu_mul(pass *p, tensor *gate, tensor *up)
{
    act_op o = {.x = gate, .up = up};
    o.y = tape_tensor(&p->t, gate->n, gate->width, gate->needs || up->needs);
    tape_run(&p->t, silu_mul_part, &o, gate->n * gate->width, PART);
    if (o.y->needs) tape_record(&p->t, back_silu_mul, &o, sizeof o);
    return o.y;
}

#define GELU_A ((real)0.7978845608028654) /* sqrt(2 / pi) */
#define GELU_B ((real)0.044715)

/* gelu(x) = x * sigmoid(2 a (x + b x^3)), as tanh(z) = 2 sigmoid(2 z) - 1. */
CN_CLONES static void gelu_part(void *job, size_t from, size_t to, void *room)
{
    const act_op *o = job;
    const real *x = o->x->v;
    real *y = o->y->v;
    (void)room;
    for (size_t i = from; i < to; i++)
        y[i] = x[i] * real_sigmoid(2 * GELU_A * (x[i] + GELU_B * x[i] * x[i] * x[i]));
}

CN_CLONES static void gelu_back_part(void *job, size_t from, size_t to, void *room)
{
    const act_op *o = job;
    const real *x = o->x->v, *dy = o->y->g;
    real *dx = o->dx, keep = o->add_x;
    (void)room;
    for (size_t i = from; i < to; i++) {
        real s = real_sigmoid(2 * GELU_A * (x[i] + GELU_B * x[i] * x[i] * x[i]));
        real slope = 2 * GELU_A * (1 + 3 * GELU_B * x[i] * x[i]);
        real g = dy[i] * (s + x[i] * s * (1 - s) * slope);
        dx[i] = keep != 0 ? dx[i] + g : g;
    }
}

static void back_gelu(tape *t, void *op)
{
    act_op *o = op;
    if (!o->y->g) return;
    o->dx = tape_grad(t, o->x, &o->add_x);
    tape_run(t, gelu_back_part, o, o->y->n * o->y->width, PART);
}

tensor *op_gelu(pass *p, tensor *x)
{
    act_op o = {.x = x};
    o.y = tape_tensor(&p->t, x->n, x->width, x->needs);
    tape_run(&p->t, gelu_part, &o, x->n * x->width, PART);
    if (x->needs) tape_record(&p->t, back_gelu, &o, sizeof o);
    return o.y;
}
