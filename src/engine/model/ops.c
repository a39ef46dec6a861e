/* The operations between products: on every token, split over the threads when there are many
 * tokens. */
#include <math.h>
#include <string.h>

#include "quants.h"
#include "workspace.h"

/* A function on tokens [t0, t1). */
typedef struct token_job token_job;
typedef void token_fn(const token_job *j, size_t t0, size_t t1);
struct token_job {
    fwd *f;
    token_fn *fn;
    float *y;
    const float *x;
    const norm *w;
    const kern_mat *table;
    size_t row;
    uint32_t n_heads;
};

static void run_part(void *job, unsigned index, unsigned n_threads)
{
    const token_job *j = job;
    size_t t0, t1;
    cn_pool_part(j->f->n, 1, index, n_threads, &t0, &t1);
    j->fn(j, t0, t1);
}

/* Waking the others costs more than a few tokens' work. */
static void for_tokens(token_job j)
{
    if (j.f->n < 8)
        j.fn(&j, 0, j.f->n);
    else
        cn_pool_run(j.f->m->pool, run_part, &j);
}

/* The run that token t belongs to, and its position there. */
static const fwd_run *run_of(const fwd *f, size_t t, uint32_t *pos)
{
    const fwd_run *r = f->runs;
    while (t >= r->first + r->n)
        r++;
    *pos = r->pos0 + (uint32_t)(t - r->first);
    return r;
}

static void embed(const token_job *j, size_t t0, size_t t1)
{
    const cn_model *m = j->f->m;
    for (size_t t = t0; t < t1; t++)
        quant_row_to_f32(&m->token_embd, (size_t)j->f->ids[t], j->f->ws->x + t * m->hp.n_embd);
}

void op_embed(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = embed});
}

/* h is free at that moment and holds the row that is added. */
static void add_table_row(const fwd *f, const kern_mat *table, size_t row, size_t t)
{
    uint32_t n = f->m->hp.n_embd;
    float *bounce = f->ws->h + t * n;
    quant_row_to_f32(table, row, bounce);
    f->m->kern->add(f->ws->x + t * n, bounce, n);
}

static void add_positions(const token_job *j, size_t t0, size_t t1)
{
    uint32_t pos;
    for (size_t t = t0; t < t1; t++) {
        run_of(j->f, t, &pos);
        add_table_row(j->f, &j->f->m->position_embd, pos, t);
    }
}

void op_add_positions(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = add_positions});
}

static void add_row(const token_job *j, size_t t0, size_t t1)
{
    for (size_t t = t0; t < t1; t++)
        add_table_row(j->f, j->table, j->row, t);
}

void op_add_row(fwd *f, const kern_mat *table, size_t row)
{
    for_tokens((token_job){.f = f, .fn = add_row, .table = table, .row = row});
}

static void norm_tokens(const token_job *j, size_t t0, size_t t1)
{
    const cn_model *m = j->f->m;
    uint32_t n = m->hp.n_embd;
    for (size_t t = t0; t < t1; t++) {
        if (m->hp.family == FAMILY_LLAMA)
            m->kern->rms_norm(j->y + t * n, j->x + t * n, j->w->weight, n, m->hp.norm_eps);
        else
            m->kern->layer_norm(j->y + t * n, j->x + t * n, j->w->weight, j->w->bias, n,
                                m->hp.norm_eps);
    }
}

void op_norm(fwd *f, float *y, const float *x, const norm *w)
{
    for_tokens((token_job){.f = f, .fn = norm_tokens, .y = y, .x = x, .w = w});
}

static void norm_heads(const token_job *j, size_t t0, size_t t1)
{
    const hparams *hp = &j->f->m->hp;
    for (size_t i = t0 * j->n_heads; i < t1 * j->n_heads; i++) {
        float *head = j->y + i * hp->head_dim;
        j->f->m->kern->rms_norm(head, head, j->w->weight, hp->head_dim, hp->norm_eps);
    }
}

void op_head_norm(fwd *f, float *x, uint32_t n_heads, const norm *w)
{
    for_tokens((token_job){.f = f, .fn = norm_heads, .y = x, .w = w, .n_heads = n_heads});
}

/* Angles in double: at position 100,000 a float's rounding is already 0.004 radian. */
static void rope_table(const token_job *j, size_t t0, size_t t1)
{
    const cn_model *m = j->f->m;
    const hparams *hp = &m->hp;
    for (size_t t = t0; t < t1; t++) {
        uint32_t pos;
        run_of(j->f, t, &pos);
        float *cs = j->f->ws->rope + t * hp->n_rot;
        for (uint32_t i = 0; i < hp->n_rot / 2; i++) {
            double angle = pos / hp->rope_linear * m->rope_freqs[i];
            cs[2 * i] = (float)cos(angle);
            cs[2 * i + 1] = (float)sin(angle);
        }
    }
}

void op_rope_table(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = rope_table});
}

static void rope_heads(const fwd *f, float *x, uint32_t n_heads, size_t t)
{
    const hparams *hp = &f->m->hp;
    const float *cs = f->ws->rope + t * hp->n_rot;
    for (uint32_t h = 0; h < n_heads; h++)
        f->m->kern->rope(x + (t * n_heads + h) * hp->head_dim, cs, hp->n_rot, hp->rope_neox);
}

static void rope_tokens(const token_job *j, size_t t0, size_t t1)
{
    const hparams *hp = &j->f->m->hp;
    for (size_t t = t0; t < t1; t++) {
        rope_heads(j->f, j->f->ws->q, hp->n_heads, t);
        rope_heads(j->f, j->f->ws->k, hp->n_kv_heads, t);
    }
}

void op_rope(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = rope_tokens});
}

static void store_tokens(const token_job *j, size_t t0, size_t t1)
{
    const fwd *f = j->f;
    const hparams *hp = &f->m->hp;
    for (size_t t = t0; t < t1; t++) {
        uint32_t pos;
        kv_cache *c = run_of(f, t, &pos)->kv;
        for (uint32_t h = 0; h < hp->n_kv_heads; h++) {
            size_t at = (t * hp->n_kv_heads + h) * hp->head_dim;
            f->m->kern->store(kv_cache_row(c, c->k, f->layer, h, pos), c->type, f->ws->k + at,
                              hp->head_dim);
            f->m->kern->store(kv_cache_row(c, c->v, f->layer, h, pos), c->type, f->ws->v + at,
                              hp->head_dim);
        }
    }
}

void op_store(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = store_tokens});
}

static void add_tokens(const token_job *j, size_t t0, size_t t1)
{
    uint32_t n = j->f->m->hp.n_embd;
    j->f->m->kern->add(j->y + t0 * n, j->x + t0 * n, (t1 - t0) * n);
}

void op_add(fwd *f, float *y, const float *x)
{
    for_tokens((token_job){.f = f, .fn = add_tokens, .y = y, .x = x});
}

static void silu_mul(const token_job *j, size_t t0, size_t t1)
{
    uint32_t n = j->f->m->hp.n_ff;
    workspace *ws = j->f->ws;
    float *gate = ws->gate + t0 * n;
    j->f->m->kern->silu_mul(gate, gate, ws->up + t0 * n, (t1 - t0) * n);
}

void op_silu_mul(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = silu_mul});
}

static void gelu(const token_job *j, size_t t0, size_t t1)
{
    const cn_model *m = j->f->m;
    uint32_t n = m->hp.n_ff;
    float *up = j->f->ws->up + t0 * n;
    (m->hp.gelu_erf ? m->kern->gelu_erf : m->kern->gelu)(up, up, (t1 - t0) * n);
}

void op_gelu(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = gelu});
}

/* ---- attention ---- */

typedef struct attend_job {
    fwd *f;
    bool causal;
} attend_job;

/* All query heads that share key-value head `h`, for token t. */
static void attend_group(const attend_job *a, uint32_t h, size_t t, float *scores)
{
    const fwd *f = a->f;
    const hparams *hp = &f->m->hp;
    uint32_t pos, group = hp->n_heads / hp->n_kv_heads;
    const fwd_run *r = run_of(f, t, &pos);
    size_t to = a->causal ? pos + 1 : r->pos0 + r->n;
    size_t from = hp->window && to > hp->window ? to - hp->window : 0;
    kern_cache k = kv_cache_head(r->kv, r->kv->k, f->layer, h),
               v = kv_cache_head(r->kv, r->kv->v, f->layer, h);
    float scale = 1.0f / sqrtf((float)hp->head_dim);
    for (uint32_t g = h * group; g < (h + 1) * group; g++) {
        size_t at = (t * hp->n_heads + g) * hp->head_dim;
        f->m->kern->attend(f->ws->att + at, f->ws->q + at, &k, &v, hp->head_dim, from, to,
                           scale, scores);
    }
}

/* Head by head, so that its keys stay in cache; tokens dealt out in turn, as later ones see
 * more. */
static void attend_part(void *job, unsigned index, unsigned n_threads)
{
    const attend_job *a = job;
    const fwd *f = a->f;
    uint32_t n_heads = f->m->hp.n_kv_heads;
    float *scores = f->ws->scores + (size_t)index * f->ws->n_ctx;
    for (size_t u = index; u < f->n * n_heads; u += n_threads)
        attend_group(a, (uint32_t)(u / f->n), u % f->n, scores);
}

void op_attend(fwd *f, bool causal)
{
    attend_job a = {f, causal};
    cn_pool_run(f->m->pool, attend_part, &a);
}
