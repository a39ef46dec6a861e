/* The operations between products: on every token, split over the threads when there are many
 * tokens. */
#include <math.h>
#include <string.h>

#include "quants.h"
#include "workspace.h"

#define WORTH_SHARING (1u << 16)

void share_out(const fwd *f, cn_pool_fn *fn, void *job, uint64_t work)
{
    if (work < WORTH_SHARING)
        fn(job, 0, 1);
    else
        cn_pool_run(f->m->pool, fn, job);
}

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

static void for_tokens(token_job j)
{
    share_out(j.f, run_part, &j, (uint64_t)j.f->n * j.f->m->hp.n_embd);
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

void fwd_embed(fwd *f)
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

void fwd_add_positions(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = add_positions});
}

static void add_row(const token_job *j, size_t t0, size_t t1)
{
    for (size_t t = t0; t < t1; t++)
        add_table_row(j->f, j->table, j->row, t);
}

void fwd_add_row(fwd *f, const kern_mat *table, size_t row)
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

void fwd_norm(fwd *f, float *y, const float *x, const norm *w)
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

void fwd_head_norm(fwd *f, float *x, uint32_t n_heads, const norm *w)
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

void fwd_rope_table(fwd *f)
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

void fwd_rope(fwd *f)
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

void fwd_store(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = store_tokens});
}

static void add_tokens(const token_job *j, size_t t0, size_t t1)
{
    uint32_t n = j->f->m->hp.n_embd;
    j->f->m->kern->add(j->y + t0 * n, j->x + t0 * n, (t1 - t0) * n);
}

void fwd_add(fwd *f, float *y, const float *x)
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

void fwd_silu_mul(fwd *f)
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

void fwd_gelu(fwd *f)
{
    for_tokens((token_job){.f = f, .fn = gelu});
}

/* ---- attention ---- */

typedef struct attend_job {
    fwd *f;
    bool causal;
} attend_job;

/* Query heads g0 .. g0 + n_heads of key-value head h, for tokens t0 .. t0 + n_tokens of a run:
 * at most KERN_ATTEND_TOGETHER queries that read the same keys and values. */
static void attend_block(const attend_job *a, const fwd_run *r, uint32_t h, uint32_t g0,
                         uint32_t n_heads, uint32_t t0, uint32_t n_tokens, float *scores)
{
    const fwd *f = a->f;
    const hparams *hp = &f->m->hp;
    size_t at[KERN_ATTEND_TOGETHER], from[KERN_ATTEND_TOGETHER], to[KERN_ATTEND_TOGETHER],
        n = 0;
    for (uint32_t t = t0; t < t0 + n_tokens; t++)
        for (uint32_t g = g0; g < g0 + n_heads; g++, n++) {
            at[n] = ((r->first + t) * hp->n_heads + g) * hp->head_dim;
            to[n] = a->causal ? r->pos0 + t + 1 : r->pos0 + r->n;
            from[n] = hp->window && to[n] > hp->window ? to[n] - hp->window : 0;
        }
    kern_queries qs = {n, f->ws->q, f->ws->att, at, at, from, to};
    kern_cache k = kv_cache_head(r->kv, r->kv->k, f->layer, h);
    kern_cache v = kv_cache_head(r->kv, r->kv->v, f->layer, h);
    f->m->kern->attend_many(&qs, &k, &v, hp->head_dim, 1.0f / sqrtf((float)hp->head_dim),
                            scores);
}

/* Blocks head by head, so that its keys stay in cache; dealt out in turn, as later tokens see
 * more. */
static void attend_part(void *job, unsigned index, unsigned n_threads)
{
    const attend_job *a = job;
    const fwd *f = a->f;
    const hparams *hp = &f->m->hp;
    const uint32_t group = hp->n_heads / hp->n_kv_heads;
    const uint32_t heads = CN_MIN(group, KERN_ATTEND_TOGETHER),
                   tokens = KERN_ATTEND_TOGETHER / heads;
    float *scores = f->ws->scores + (size_t)index * KERN_ATTEND_TOGETHER * f->ws->n_ctx;
    size_t turn = 0;
    for (const fwd_run *r = f->runs; r < f->runs + f->n_runs; r++)
        for (uint32_t h = 0; h < hp->n_kv_heads; h++)
            for (uint32_t t = 0; t < r->n; t += tokens)
                for (uint32_t g = 0; g < group; g += heads)
                    if (turn++ % n_threads == index)
                        attend_block(a, r, h, h * group + g, CN_MIN(heads, group - g), t,
                                     CN_MIN(tokens, r->n - t), scores);
}

void fwd_attend(fwd *f, bool causal)
{
    attend_job a = {f, causal};
    uint64_t work = 0;
    for (size_t i = 0; i < f->n_runs; i++)
        work += (uint64_t)f->runs[i].n * (f->runs[i].pos0 + f->runs[i].n);
    share_out(f, attend_part, &a, work * f->m->hp.n_heads * f->m->hp.head_dim);
}
