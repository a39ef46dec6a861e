/* Rows of the embedding table, and of GPT-2's table of positions. */
#include "compiler.h"
#include "ops.h"
#include "quants.h"

typedef struct embed_op {
    pass *p;
    const param *table, *positions;
    tensor *y;
    size_t columns;
} embed_op;

static void add_row(real *y, const param *table, size_t row, float *expanded, bool first)
{
    size_t n = table->n_cols;
    const real *w = table->w ? table->w + row * n : NULL;
    if (!w) quant_row_to_f32(&table->frozen, row, expanded);
    for (size_t i = 0; i < n; i++)
        y[i] = (first ? 0 : y[i]) + (w ? w[i] : (real)expanded[i]);
}

static void embed_part(void *job, size_t from, size_t to, void *room)
{
    const embed_op *o = job;
    const net_batch *b = o->p->batch;
    for (size_t t = from; t < to; t++) {
        real *y = o->y->v + t * o->y->width;
        add_row(y, o->table, (size_t)b->ids[t], room, true);
        if (o->positions) add_row(y, o->positions, (size_t)b->positions[t], room, false);
    }
}

typedef struct scatter_job {
    const embed_op *o;
    param *to;
    const int32_t *rows;
} scatter_job;

/* Each thread adds whole columns of all tokens in their order, as rows repeat. */
CN_CLONES static void scatter_part(void *job, size_t from, size_t to, void *room)
{
    const scatter_job *j = job;
    const tensor *y = j->o->y;
    (void)room;
    for (size_t t = 0; t < y->n; t++) {
        real *g = j->to->g + (size_t)j->rows[t] * y->width;
        const real *dy = y->g + t * y->width;
        for (size_t c = from; c < to; c++)
            g[c] += dy[c];
    }
}

typedef struct clear_job {
    param *p;
} clear_job;

static void clear_part(void *job, size_t from, size_t to, void *room)
{
    const clear_job *j = job;
    (void)room;
    memset(j->p->g + from * j->p->n_cols, 0, (to - from) * j->p->n_cols * sizeof *j->p->g);
}

static void scatter(tape *t, embed_op *o, param *to, const int32_t *rows)
{
    if (!to || !to->trained) return;
    if (to->fresh) tape_run(t, clear_part, &(clear_job){to}, to->n_rows, 256);
    to->fresh = false;
    tape_run(t, scatter_part, &(scatter_job){o, to, rows}, o->y->width, 128);
}

static void back_embed(tape *t, void *op)
{
    embed_op *o = op;
    if (!o->y->g) return;
    scatter(t, o, o->p->net->token_embd, o->p->batch->ids);
    scatter(t, o, o->p->net->position_embd, o->p->batch->positions);
}

tensor *op_embed(pass *p)
{
    embed_op o = {.p = p, .table = p->net->token_embd, .positions = p->net->position_embd};
    o.y = tape_tensor(&p->t, p->batch->n, o.table->n_cols,
                      o.table->trained || (o.positions && o.positions->trained));
    tape_run(&p->t, embed_part, &o, p->batch->n, 16);
    if (o.y->needs) tape_record(&p->t, back_embed, &o, sizeof o);
    return o.y;
}
