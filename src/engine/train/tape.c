#include "tape.h"

#include <stdatomic.h>
#include <string.h>

#include "compiler.h"

struct tape_op {
    tape_op *before;
    tape_back *back;
    _Alignas(16) char op[];
};

#define LINE ((size_t)64)

static void *slab_take(slab *s, size_t bytes, bool dry)
{
    static _Alignas(64) char nowhere[64]; /* what a dry run points to and never touches */
    size_t at = s->used;
    s->used += (bytes + LINE - 1) / LINE * LINE;
    s->peak = CN_MAX(s->peak, s->used);
    if (dry) return nowhere;
    CN_BUG_ON(s->used > s->size);
    return s->p + at;
}

void *tape_bytes(tape *t, size_t n)
{
    return slab_take(&t->values, n, t->dry);
}

real *tape_values(tape *t, size_t n)
{
    return tape_bytes(t, n * sizeof(real));
}

tensor *tape_view(tape *t, real *v, size_t n, size_t width, bool needs)
{
    tensor *x = slab_take(&t->records, sizeof *x, false);
    *x = (tensor){.n = n, .width = width, .v = v, .needs = needs && t->recording};
    return x;
}

tensor *tape_tensor(tape *t, size_t n, size_t width, bool needs)
{
    return tape_view(t, tape_values(t, n * width), n, width, needs);
}

void tape_record(tape *t, tape_back *back, const void *op, size_t size)
{
    if (!t->recording) return;
    tape_op *r = slab_take(&t->records, sizeof *r + size, false);
    r->before = t->last;
    r->back = back;
    memcpy(r->op, op, size);
    t->last = r;
}

real *tape_grad(tape *t, tensor *x, bool *add)
{
    *add = x->g != NULL;
    if (!x->g) x->g = slab_take(&t->grads, x->n * x->width * sizeof(real), t->dry);
    return x->g;
}

typedef struct clear_job {
    real *p;
} clear_job;

static void clear_part(void *job, size_t from, size_t to, void *room)
{
    (void)room;
    memset(((clear_job *)job)->p + from, 0, (to - from) * sizeof(real));
}

real *tape_grad_zeroed(tape *t, tensor *x)
{
    bool add;
    real *g = tape_grad(t, x, &add);
    if (!add) tape_run(t, clear_part, &(clear_job){g}, x->n * x->width, 1 << 15);
    return g;
}

typedef struct add_job {
    real *to;
    const real *from;
} add_job;

static void add_part(void *job, size_t from, size_t to, void *room)
{
    add_job *j = job;
    (void)room;
    for (size_t i = from; i < to; i++)
        j->to[i] += j->from[i];
}

void tape_pass_grad(tape *t, tensor *x, tensor *y)
{
    if (!x->g)
        x->g = y->g;
    else
        tape_run(t, add_part, &(add_job){x->g, y->g}, x->n * x->width, 1 << 14);
}

tape_mark tape_here(const tape *t)
{
    return (tape_mark){t->records.used, t->values.used, t->last};
}

void tape_rewind(tape *t, tape_mark m)
{
    t->records.used = m.records;
    t->values.used = m.values;
    t->last = m.last;
}

void tape_backward(tape *t, tape_mark from)
{
    for (; t->last != from.last; t->last = t->last->before)
        t->last->back(t, t->last->op);
    t->grads.used = 0;
}

typedef struct run_job {
    const tape *t;
    tape_fn *fn;
    void *job;
    size_t n, grain;
    atomic_size_t next;
} run_job;

static void run_parts(void *job, unsigned index, unsigned n_threads)
{
    run_job *r = job;
    char *room = r->t->room + index * r->t->room_bytes;
    (void)n_threads;
    for (;;) {
        size_t from = atomic_fetch_add_explicit(&r->next, r->grain, memory_order_relaxed);
        if (from >= r->n) return;
        r->fn(r->job, from, CN_MIN(from + r->grain, r->n), room);
    }
}

void tape_run(const tape *t, tape_fn *fn, void *job, size_t n, size_t grain)
{
    if (t->dry || !n) return;
    run_job r = {.t = t, .fn = fn, .job = job, .n = n, .grain = grain};
    if (n <= grain)
        fn(job, 0, n, t->room);
    else
        cn_pool_run(t->pool, run_parts, &r);
}
