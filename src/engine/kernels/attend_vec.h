/* Template: attention of one query, and of several that read the same keys and values. Each
 * number is summed in the order of attend_ref: a score in the 16 lanes of dot_ref, an output
 * position by position. */

/* 16 numbers of a row of the cache, from column i. */
ISA_INLINE lanes16 cache16(const uint8_t *row, cn_dtype type, size_t i)
{
    if (type != CN_Q8_0) return load16(row + i * element_bytes(type), type);
    const block_q8_0 *b = (const block_q8_0 *)row + i / 32;
    vf d = vf_of_f16((vu){0} + b->d);
    lanes16 r;
    for (size_t j = 0; j < PARTS; j++)
        r.v[j] = d * vf_load_i8(b->qs + i % 32 + j * LANES);
    return r;
}

ISA_INLINE lanes16 cache16_n(const uint8_t *row, cn_dtype type, size_t i, size_t n)
{
    if (n == KERN_LANES || type == CN_Q8_0) return cache16(row, type, i);
    return load16_n(row + i * element_bytes(type), type, n);
}

static inline const uint8_t *cache_row(const kern_cache *c, size_t position)
{
    return (const uint8_t *)c->base + position * c->stride;
}

/* Scores of `queries` (a constant) at 4 positions: one load of a key serves all queries, one of
 * a query all keys. */
ISA_INLINE void score_tile(float *const *scores, const float *const *q,
                           const uint8_t *const *rows, cn_dtype type, size_t head_dim,
                           float scale, size_t queries, size_t n_rows)
{
    lanes16 sum[ATTEND_QUERIES][4], k[4];
    size_t full = head_dim / KERN_LANES * KERN_LANES;
    for (size_t t = 0; t < queries; t++)
        for (size_t r = 0; r < 4; r++)
            sum[t][r] = (lanes16){{{0}}};
    for (size_t i = 0; i < full; i += KERN_LANES) {
        for (size_t r = 0; r < 4; r++)
            k[r] = cache16(rows[r], type, i);
        for (size_t t = 0; t < queries; t++) {
            lanes16 x = load16(q[t] + i, CN_F32);
            for (size_t r = 0; r < 4; r++)
                fma16(&sum[t][r], x, k[r]);
        }
    }
    for (size_t t = 0; t < queries && full < head_dim; t++) {
        lanes16 x = load16_n(q[t] + full, CN_F32, head_dim - full);
        for (size_t r = 0; r < 4; r++)
            fma16(&sum[t][r], x, cache16_n(rows[r], type, full, head_dim - full));
    }
    for (size_t t = 0; t < queries; t++) {
        float some[4];
        vf s[4];
        for (size_t r = 0; r < 4; r++)
            s[r] = add_parts(sum[t][r]);
        lanes_sum4(n_rows < 4 ? some : scores[t], s, scale);
        if (n_rows < 4) memcpy(scores[t], some, n_rows * sizeof *some);
    }
}

/* Behind the last row it stands again; what it gives is not stored. */
ISA_INLINE void rows_from(const uint8_t *rows[4], const kern_cache *k, size_t p, size_t to)
{
    for (size_t r = 0; r < 4; r++)
        rows[r] = cache_row(k, CN_MIN(p + r, to - 1));
}

ISA_INLINE void scores_of(float *scores, const float *q, const kern_cache *k, cn_dtype type,
                          size_t head_dim, size_t from, size_t to, float scale)
{
    for (size_t p = from; p < to; p += 4, scores += 4) {
        const uint8_t *rows[4];
        rows_from(rows, k, p, to);
        score_tile(&scores, &q, rows, type, head_dim, scale, 1, CN_MIN(to - p, 4));
    }
}

ISA_INLINE void store16(float *out, lanes16 v, size_t n)
{
    for (size_t i = 0; i < PARTS && n > i * LANES; i++)
        if (n - i * LANES >= LANES)
            vf_store(out + i * LANES, v.v[i]);
        else
            vf_store_n(out + i * LANES, v.v[i], n - i * LANES);
}

/* Columns [i, i + 16 * parts) of the output, `parts` a constant; the last may be short. */
ISA_INLINE void weigh_values(float *out, const float *weights, const kern_cache *v,
                             cn_dtype type, size_t head_dim, size_t i, size_t parts,
                             size_t from, size_t to)
{
    lanes16 sum[8 / PARTS];
    size_t last = CN_MIN(head_dim - i - (parts - 1) * KERN_LANES, KERN_LANES);
    for (size_t j = 0; j < parts; j++)
        sum[j] = load16_n(out + i + j * KERN_LANES, CN_F32, j + 1 < parts ? KERN_LANES : last);
    for (size_t p = from; p < to; p++) {
        const uint8_t *row = cache_row(v, p);
        vf weight = vf_set(weights[p - from]);
        for (size_t j = 0; j < parts; j++) {
            size_t n = j + 1 < parts ? KERN_LANES : last;
            lanes16 x = cache16_n(row, type, i + j * KERN_LANES, n);
            for (size_t l = 0; l < PARTS; l++)
                sum[j].v[l] = vf_fma(weight, x.v[l], sum[j].v[l]);
        }
    }
    for (size_t j = 0; j < parts; j++)
        store16(out + i + j * KERN_LANES, sum[j], j + 1 < parts ? KERN_LANES : last);
}

/* out += the values of [from, to), position by position. */
ISA_INLINE void weigh_type(float *out, const float *weights, const kern_cache *v, cn_dtype type,
                           size_t head_dim, size_t from, size_t to)
{
    size_t wide = 8 / PARTS * KERN_LANES, i = 0;
    for (; i + wide <= head_dim; i += wide)
        weigh_values(out, weights, v, type, head_dim, i, 8 / PARTS, from, to);
    for (; i < head_dim; i += KERN_LANES)
        weigh_values(out, weights, v, type, head_dim, i, 1, from, to);
}

static void weigh(float *out, const float *weights, const kern_cache *v, size_t head_dim,
                  size_t from, size_t to)
{
    if (from >= to) return;
    if (v->type == CN_F16)
        weigh_type(out, weights, v, CN_F16, head_dim, from, to);
    else if (v->type == CN_Q8_0)
        weigh_type(out, weights, v, CN_Q8_0, head_dim, from, to);
    else
        weigh_type(out, weights, v, CN_F32, head_dim, from, to);
}

static void attend(float *out, const float *q, const kern_cache *k, const kern_cache *v,
                   size_t head_dim, size_t from, size_t to, float scale, float *scores)
{
    if (k->type == CN_F16)
        scores_of(scores, q, k, CN_F16, head_dim, from, to, scale);
    else if (k->type == CN_Q8_0)
        scores_of(scores, q, k, CN_Q8_0, head_dim, from, to, scale);
    else
        scores_of(scores, q, k, CN_F32, head_dim, from, to, scale);
    softmax(scores, to - from);
    memset(out, 0, head_dim * sizeof *out);
    weigh(out, scores, v, head_dim, from, to);
}

/* ---- several queries ---- */

#define ATTEND_BLOCK 32 /* positions expanded at a time: they stay in the first cache */

/* Up to KERN_ATTEND_TOGETHER queries. Scores are taken at all positions [from, to) that any of
 * them sees, `span` of them, values at those that it sees itself. */
typedef struct together {
    size_t n, head_dim, from, to, span;
    const float *q[KERN_ATTEND_TOGETHER];
    float *out[KERN_ATTEND_TOGETHER], *scores;
    const size_t *q_from, *q_to;
    float scale;
} together;

static together take_queries(const kern_queries *qs, size_t first, size_t head_dim, float scale,
                             float *scores)
{
    together g = {.n = CN_MIN(qs->n - first, KERN_ATTEND_TOGETHER),
                  .head_dim = head_dim,
                  .from = SIZE_MAX,
                  .scores = scores,
                  .q_from = qs->from + first,
                  .q_to = qs->to + first,
                  .scale = scale};
    for (size_t i = 0; i < g.n; i++) {
        g.q[i] = qs->q + qs->q_at[first + i];
        g.out[i] = qs->out + qs->out_at[first + i];
        g.from = CN_MIN(g.from, g.q_from[i]);
        g.to = CN_MAX(g.to, g.q_to[i]);
    }
    g.span = g.to - g.from;
    return g;
}

/* Positions [p, p + n) as f32, rows of whole vectors. */
ISA_INLINE void expand_type(float *out, const kern_cache *c, cn_dtype type, size_t head_dim,
                            size_t p, size_t n)
{
    for (size_t r = 0; r < n; r++) {
        const uint8_t *row = cache_row(c, p + r);
        for (size_t i = 0; i < head_dim; i += KERN_LANES, out += KERN_LANES)
            store16(out, cache16_n(row, type, i, CN_MIN(head_dim - i, KERN_LANES)), KERN_LANES);
    }
}

static kern_cache expand(float *out, const kern_cache *c, size_t head_dim, size_t p, size_t n)
{
    if (c->type == CN_F16)
        expand_type(out, c, CN_F16, head_dim, p, n);
    else if (c->type == CN_Q8_0)
        expand_type(out, c, CN_Q8_0, head_dim, p, n);
    else
        expand_type(out, c, CN_F32, head_dim, p, n);
    size_t row = (head_dim + KERN_LANES - 1) / KERN_LANES * KERN_LANES;
    return (kern_cache){CN_F32, out, row * sizeof *out};
}

/* The n positions of `k` against all queries; scores of the first of them at `scores`. Behind
 * the last query it stands again. */
static void score_block(const together *g, const kern_cache *k, size_t n, float *scores)
{
    for (size_t i = 0; i < g->n; i += ATTEND_QUERIES)
        for (size_t p = 0; p < n; p += 4) {
            const uint8_t *rows[4];
            const float *q[ATTEND_QUERIES];
            float *out[ATTEND_QUERIES];
            rows_from(rows, k, p, n);
            for (size_t t = 0; t < ATTEND_QUERIES; t++) {
                size_t at = CN_MIN(i + t, g->n - 1);
                q[t] = g->q[at];
                out[t] = scores + at * g->span + p;
            }
            score_tile(out, q, rows, CN_F32, g->head_dim, g->scale, ATTEND_QUERIES,
                       CN_MIN(n - p, 4));
        }
}

/* 4 queries, `wide` vectors of columns; the last of them holds n. */
ISA_INLINE void weigh_tile(float *const *out, const float *const *weights, const float *v,
                           size_t stride, size_t n_rows, size_t wide, size_t n)
{
    vf sum[4][ATTEND_WIDE];
    for (size_t t = 0; t < 4; t++)
        for (size_t j = 0; j < wide; j++)
            sum[t][j] = n < LANES ? vf_load_n(out[t], n) : vf_load(out[t] + j * LANES);
    for (size_t p = 0; p < n_rows; p++, v += stride)
        for (size_t t = 0; t < 4; t++)
            for (size_t j = 0; j < wide; j++)
                sum[t][j] = vf_fma(vf_set(weights[t][p]), vf_load(v + j * LANES), sum[t][j]);
    for (size_t t = 0; t < 4; t++)
        for (size_t j = 0; j < wide; j++)
            if (n < LANES)
                vf_store_n(out[t], sum[t][j], n);
            else
                vf_store(out[t] + j * LANES, sum[t][j]);
}

/* The same positions for all queries. */
static void weigh_block(const together *g, const kern_cache *v, size_t n, const float *weights)
{
    size_t stride = v->stride / sizeof(float), i = 0;
    float unused[ATTEND_WIDE * LANES] = {0};
    for (size_t first = 0; first < g->n; first += 4, i = 0) {
        float *out[4];
        const float *w[4];
        for (size_t t = 0; t < 4; t++) {
            size_t at = CN_MIN(first + t, g->n - 1);
            out[t] = first + t < g->n ? g->out[at] : NULL;
            w[t] = weights + at * g->span;
        }
        while (i < g->head_dim) {
            size_t left = g->head_dim - i;
            float *at[4];
            for (size_t t = 0; t < 4; t++)
                at[t] = out[t] ? out[t] + i : unused;
            if (left >= ATTEND_WIDE * LANES) {
                weigh_tile(at, w, (const float *)v->base + i, stride, n, ATTEND_WIDE, LANES);
                i += ATTEND_WIDE * LANES;
            } else {
                weigh_tile(at, w, (const float *)v->base + i, stride, n, 1,
                           CN_MIN(left, LANES));
                i += LANES;
            }
        }
    }
}

/* Positions that all queries see together; the ragged ends of each by themselves. */
static void weigh_together(const together *g, const kern_cache *v, float *block)
{
    size_t from = g->from, to = g->to;
    for (size_t i = 0; i < g->n; i++) {
        from = CN_MAX(from, g->q_from[i]);
        to = CN_MIN(to, g->q_to[i]);
    }
    to = CN_MAX(from, to);
    for (size_t i = 0; i < g->n; i++) {
        size_t mine = g->q_from[i], end = CN_MIN(from, g->q_to[i]);
        memset(g->out[i], 0, g->head_dim * sizeof(float));
        weigh(g->out[i], g->scores + i * g->span + (mine - g->from), v, g->head_dim, mine, end);
    }
    for (size_t p = from, n; p < to; p += n) {
        n = CN_MIN(to - p, ATTEND_BLOCK);
        kern_cache rows = expand(block, v, g->head_dim, p, n);
        weigh_block(g, &rows, n, g->scores + (p - g->from));
    }
    for (size_t i = 0; i < g->n; i++) {
        size_t mine = CN_MAX(to, g->q_from[i]);
        weigh(g->out[i], g->scores + i * g->span + (mine - g->from), v, g->head_dim, mine,
              g->q_to[i]);
    }
}

static void attend_together(const together *g, const kern_cache *k, const kern_cache *v)
{
    float block[ATTEND_BLOCK * KERN_MAX_HEAD] __attribute__((aligned(64)));
    for (size_t p = g->from, n; p < g->to; p += n) {
        n = CN_MIN(g->to - p, ATTEND_BLOCK);
        kern_cache rows = expand(block, k, g->head_dim, p, n);
        score_block(g, &rows, n, g->scores + (p - g->from));
    }
    for (size_t i = 0; i < g->n; i++)
        softmax(g->scores + i * g->span + (g->q_from[i] - g->from), g->q_to[i] - g->q_from[i]);
    weigh_together(g, v, block);
}

static void attend_many(const kern_queries *qs, const kern_cache *k, const kern_cache *v,
                        size_t head_dim, float scale, float *scores)
{
    CN_BUG_ON(head_dim > KERN_MAX_HEAD);
    for (size_t i = 0; i < qs->n; i += KERN_ATTEND_TOGETHER) {
        together g = take_queries(qs, i, head_dim, scale, scores);
        if (g.n > 1)
            attend_together(&g, k, v);
        else
            attend(g.out[0], g.q[0], k, v, head_dim, g.from, g.to, scale, scores);
    }
}
