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

ISA_INLINE void scores_of(float *scores, const float *q, const kern_cache *k, cn_dtype type,
                          size_t head_dim, size_t from, size_t to, float scale)
{
    size_t full = head_dim / KERN_LANES * KERN_LANES;
    for (size_t p = from; p < to; p++) {
        const uint8_t *row = cache_row(k, p);
        lanes16 sum = {{{0}}};
        for (size_t i = 0; i < full; i += KERN_LANES)
            fma16(&sum, load16(q + i, CN_F32), cache16(row, type, i));
        if (full < head_dim)
            fma16(&sum, load16_n(q + full, CN_F32, head_dim - full),
                  cache16_n(row, type, full, head_dim - full));
        scores[p - from] = scale * sum16(sum);
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
    lanes16 sum[8 / PARTS] = {{{{0}}}};
    size_t last = CN_MIN(head_dim - i - (parts - 1) * KERN_LANES, KERN_LANES);
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

ISA_INLINE void weigh_all(float *out, const float *weights, const kern_cache *v, cn_dtype type,
                          size_t head_dim, size_t from, size_t to)
{
    size_t wide = 8 / PARTS * KERN_LANES, i = 0;
    for (; i + wide <= head_dim; i += wide)
        weigh_values(out, weights, v, type, head_dim, i, 8 / PARTS, from, to);
    for (; i < head_dim; i += KERN_LANES)
        weigh_values(out, weights, v, type, head_dim, i, 1, from, to);
}

static void attend(float *out, const float *q, const kern_cache *k, const kern_cache *v,
                   size_t head_dim, size_t from, size_t to, float scale, float *scores)
{
    switch (k->type) {
    case CN_F16:
        scores_of(scores, q, k, CN_F16, head_dim, from, to, scale);
        break;
    case CN_Q8_0:
        scores_of(scores, q, k, CN_Q8_0, head_dim, from, to, scale);
        break;
    default:
        scores_of(scores, q, k, CN_F32, head_dim, from, to, scale);
        break;
    }
    softmax(scores, to - from);
    switch (v->type) {
    case CN_F16:
        weigh_all(out, scores, v, CN_F16, head_dim, from, to);
        break;
    case CN_Q8_0:
        weigh_all(out, scores, v, CN_Q8_0, head_dim, from, to);
        break;
    default:
        weigh_all(out, scores, v, CN_F32, head_dim, from, to);
        break;
    }
}

static void attend_many(const kern_queries *qs, const kern_cache *k, const kern_cache *v,
                        size_t head_dim, float scale, float *scores)
{
    for (size_t i = 0; i < qs->n; i++)
        attend(qs->out + qs->out_at[i], qs->q + qs->q_at[i], k, v, head_dim, qs->from[i],
               qs->to[i], scale, scores);
}
