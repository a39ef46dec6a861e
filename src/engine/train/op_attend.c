/* Causal attention inside each document. Probabilities are not kept: the backward pass makes
 * them again from q, k and the logarithm of each row's sum (as Dao et al. 2022 do), a block of
 * queries at a time: P = softmax(scale Q K^T), O = P V dV = P^T dO,  dP = dO V^T,  dS = P (dP -
 * sum(dP P)),  dQ = scale dS K,  dK = scale dS^T Q One thread takes a document's key-value head
 * whole, with all query heads that share it. */
#include "compiler.h"
#include "ops.h"

#define BLOCK 64 /* queries at a time */

typedef struct attend_op {
    pass *p;
    tensor *q, *k, *v, *out;
    real *lse; /* (n, n_heads): log of the sum of exp(scores) */
    size_t longest;
} attend_op;

/* A block of queries of one head against the keys it may see. */
typedef struct block {
    size_t n, n_keys;
    size_t q0, k0;     /* document positions of the first query and the first key */
    size_t q_at, k_at; /* where they lie in (n, H) and (n, KV) */
    real *lse;
} block;

static block block_of(const attend_op *o, size_t doc, size_t head, size_t q0)
{
    const hparams *hp = &o->p->net->hp;
    const uint32_t *at = o->p->batch->doc_at + doc;
    size_t length = at[1] - at[0], kv_head = head / (hp->n_heads / hp->n_kv_heads);
    block b = {.q0 = q0, .n = CN_MIN((size_t)BLOCK, length - q0)};
    b.k0 = hp->window && q0 + 1 > hp->window ? q0 + 1 - hp->window : 0;
    b.n_keys = q0 + b.n - b.k0;
    b.q_at = (at[0] + q0) * o->q->width + head * hp->head_dim;
    b.k_at = (at[0] + b.k0) * o->k->width + kv_head * hp->head_dim;
    b.lse = o->lse + (at[0] + q0) * hp->n_heads + head;
    return b;
}

/* scores (n, n_keys) of the block, scaled */
static void scores_of(const attend_op *o, const block *b, real *s, void *room)
{
    size_t dim = o->p->net->hp.head_dim;
    product_one(&o->p->t,
                &(product){b->n, b->n_keys, dim, rows_of(o->q->v + b->q_at, o->q->width),
                           turned(rows_of(o->k->v + b->k_at, o->k->width)), s, b->n_keys, false,
                           1 / real_sqrt((real)dim)},
                room);
}

/* The keys [*from, *to) of the block that its query i sees. */
static void seen(const attend_op *o, const block *b, size_t i, size_t *from, size_t *to)
{
    size_t q = b->q0 + i, window = o->p->net->hp.window;
    *from = window && q + 1 > window ? q + 1 - window - b->k0 : 0;
    *to = q + 1 - b->k0;
}

CN_CLONES static real softmax_row(real *s, size_t n)
{
    real max = s[0], sum = 0;
#pragma omp simd reduction(max : max)
    for (size_t i = 0; i < n; i++)
        max = s[i] > max ? s[i] : max;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        s[i] = real_exp(s[i] - max);
        sum += s[i];
    }
    real inv = 1 / sum;
    for (size_t i = 0; i < n; i++)
        s[i] *= inv;
    return max + (real)log((double)sum);
}

static void clear_outside(real *row, size_t from, size_t to, size_t n)
{
    memset(row, 0, from * sizeof *row);
    memset(row + to, 0, (n - to) * sizeof *row);
}

static void forward_block(const attend_op *o, const block *b, real *s, void *room)
{
    const hparams *hp = &o->p->net->hp;
    scores_of(o, b, s, room);
    for (size_t i = 0; i < b->n; i++) {
        size_t from, to;
        seen(o, b, i, &from, &to);
        b->lse[i * hp->n_heads] = softmax_row(s + i * b->n_keys + from, to - from);
        clear_outside(s + i * b->n_keys, from, to, b->n_keys);
    }
    product_one(&o->p->t,
                &(product){b->n, hp->head_dim, b->n_keys, rows_of(s, b->n_keys),
                           rows_of(o->v->v + b->k_at, o->v->width), o->out->v + b->q_at,
                           o->out->width, false, 1},
                room);
}

/* s becomes P, dp becomes dS. */
CN_CLONES static void attend_back_row(real *s, real *dp, real lse, size_t n)
{
    real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        s[i] = real_exp(s[i] - lse);
        sum += s[i] * dp[i];
    }
    for (size_t i = 0; i < n; i++)
        dp[i] = s[i] * (dp[i] - sum);
}

static void back_block(const attend_op *o, const block *b, real *s, real *dp, void *room)
{
    const tape *t = &o->p->t;
    const hparams *hp = &o->p->net->hp;
    size_t dim = hp->head_dim, keys = b->n_keys;
    real scale = 1 / real_sqrt((real)dim);
    view dout = rows_of(o->out->g + b->q_at, o->out->width);
    scores_of(o, b, s, room);
    product_one(t,
                &(product){b->n, keys, dim, dout,
                           turned(rows_of(o->v->v + b->k_at, o->v->width)), dp, keys, false, 1},
                room);
    for (size_t i = 0; i < b->n; i++) {
        size_t from, to;
        seen(o, b, i, &from, &to);
        attend_back_row(s + i * keys + from, dp + i * keys + from, b->lse[i * hp->n_heads],
                        to - from);
        clear_outside(s + i * keys, from, to, keys);
        clear_outside(dp + i * keys, from, to, keys);
    }
    product_one(t,
                &(product){keys, dim, b->n, turned(rows_of(s, keys)), dout, o->v->g + b->k_at,
                           o->v->width, true, 1},
                room);
    product_one(t,
                &(product){keys, dim, b->n, turned(rows_of(dp, keys)),
                           rows_of(o->q->v + b->q_at, o->q->width), o->k->g + b->k_at,
                           o->k->width, true, scale},
                room);
    product_one(t,
                &(product){b->n, dim, keys, rows_of(dp, keys),
                           rows_of(o->k->v + b->k_at, o->k->width), o->q->g + b->q_at,
                           o->q->width, true, scale},
                room);
}

static void attend_part(const attend_op *o, size_t from, size_t to, char *room, bool back)
{
    const hparams *hp = &o->p->net->hp;
    size_t group = hp->n_heads / hp->n_kv_heads;
    real *s = (real *)(room + product_room()), *dp = s + BLOCK * o->longest;
    for (size_t unit = from; unit < to; unit++) {
        size_t doc = unit / hp->n_kv_heads, kv = unit % hp->n_kv_heads;
        size_t length = o->p->batch->doc_at[doc + 1] - o->p->batch->doc_at[doc];
        for (size_t head = kv * group; head < (kv + 1) * group; head++)
            for (size_t q0 = 0; q0 < length; q0 += BLOCK) {
                block b = block_of(o, doc, head, q0);
                if (back)
                    back_block(o, &b, s, dp, room);
                else
                    forward_block(o, &b, s, room);
            }
    }
}

static void forward_part(void *job, size_t from, size_t to, void *room)
{
    attend_part(job, from, to, room, false);
}

static void back_part(void *job, size_t from, size_t to, void *room)
{
    attend_part(job, from, to, room, true);
}

static void back_attend(tape *t, void *op)
{
    attend_op *o = op;
    if (!o->out->g) return;
    tape_grad_zeroed(t, o->q);
    tape_grad_zeroed(t, o->k);
    tape_grad_zeroed(t, o->v);
    tape_run(t, back_part, o, o->p->batch->n_docs * o->p->net->hp.n_kv_heads, 1);
}

static size_t longest_doc(const net_batch *b)
{
    size_t longest = 0;
    for (size_t i = 0; i < b->n_docs; i++)
        longest = CN_MAX(longest, (size_t)(b->doc_at[i + 1] - b->doc_at[i]));
    return longest;
}

size_t op_attend_room(size_t longest)
{
    return 2 * BLOCK * longest * sizeof(real);
}

tensor *op_attend(pass *p, tensor *q, tensor *k, tensor *v)
{
    tape *t = &p->t;
    attend_op o = {.p = p, .q = q, .k = k, .v = v, .longest = longest_doc(p->batch)};
    o.out = tape_tensor(t, q->n, q->width, q->needs || k->needs || v->needs);
    o.lse = tape_values(t, q->n * p->net->hp.n_heads);
    tape_run(t, forward_part, &o, p->batch->n_docs * p->net->hp.n_kv_heads, 1);
    if (o.out->needs) tape_record(t, back_attend, &o, sizeof o);
    return o.out;
}
