/* Template: products with f32 activations, in the 16 lanes of dot_ref, whatever the width of
 * a vector: f32 matrix products, dot, attention. */

#define PARTS (KERN_LANES / LANES) /* vectors of a sum */

typedef struct lanes16 {
    vf v[PARTS];
} lanes16;

static inline size_t element_bytes(cn_dtype type)
{
    return type == CN_F32 ? 4 : 2;
}

/* 16 numbers of a row. */
ISA_INLINE lanes16 load16(const void *p, cn_dtype type)
{
    lanes16 r;
    for (size_t i = 0; i < PARTS; i++) {
        const uint8_t *at = (const uint8_t *)p + i * LANES * element_bytes(type);
        r.v[i] = type == CN_F32   ? vf_load(at)
                 : type == CN_F16 ? vf_load_f16(at)
                                  : vf_load_bf16(at);
    }
    return r;
}

/* The first n of 16, the others 0. */
ISA_INLINE lanes16 load16_n(const void *p, cn_dtype type, size_t n)
{
    uint8_t padded[KERN_LANES * 4] = {0};
    memcpy(padded, p, n * element_bytes(type));
    return load16(padded, type);
}

ISA_INLINE void fma16(lanes16 *sum, lanes16 a, lanes16 b)
{
    for (size_t i = 0; i < PARTS; i++)
        sum->v[i] = vf_fma(a.v[i], b.v[i], sum->v[i]);
}

ISA_INLINE vf add_parts(lanes16 s)
{
    for (size_t half = PARTS / 2; half > 0; half /= 2) /* the order of dot_ref */
        for (size_t i = 0; i < half; i++)
            s.v[i] += s.v[i + half];
    return s.v[0];
}

ISA_INLINE float sum16(lanes16 s)
{
    return lanes_sum(add_parts(s));
}

static float dot(const float *a, const float *b, size_t n)
{
    lanes16 sum = {{{0}}};
    size_t i, full = n / KERN_LANES * KERN_LANES;
    for (i = 0; i < full; i += KERN_LANES)
        fma16(&sum, load16(a + i, CN_F32), load16(b + i, CN_F32));
    if (i < n) fma16(&sum, load16_n(a + i, CN_F32, n - i), load16_n(b + i, CN_F32, n - i));
    return sum16(sum);
}

/* Rows of weights that lie `stride` bytes apart against tokens that lie n apart. */
typedef struct float_product {
    const uint8_t *w;
    size_t stride, n;
    const float *x;
    float *y;
    size_t ldy;
    const uint8_t *ahead; /* what is needed next: as many bytes as these rows have */
} float_product;

#define ONE_TOKEN_AHEAD 8192

/* rows x tokens sums in registers; all three are constants. */
ISA_INLINE void float_tile(const float_product *p, cn_dtype type, size_t rows, size_t tokens)
{
    lanes16 sum[FLOAT_ROWS][FLOAT_TOKENS], w[FLOAT_ROWS];
    size_t n = p->n, full = n / KERN_LANES * KERN_LANES, size = element_bytes(type);
    for (size_t r = 0; r < rows; r++)
        for (size_t t = 0; t < tokens; t++)
            sum[r][t] = (lanes16){{{0}}};
    const uint8_t *ahead = p->ahead;
    for (size_t i = 0; i < full; i += KERN_LANES) {
        /* memory is asked for in its own order, whatever the rows of a tile */
        for (size_t at = 0; at < rows * KERN_LANES * size; at += 64)
            __builtin_prefetch(ahead + at, 0, 2);
        ahead += rows * KERN_LANES * size;
        for (size_t r = 0; r < rows; r++) {
            const uint8_t *at = p->w + r * p->stride + i * size;
            __builtin_prefetch(at + 512, 0, 3); /* the second cache holds it by now */
            w[r] = load16(at, type);
        }
        for (size_t t = 0; t < tokens; t++) {
            lanes16 x = load16(p->x + t * n + i, CN_F32);
            for (size_t r = 0; r < rows; r++)
                fma16(&sum[r][t], w[r], x);
        }
    }
    for (size_t t = 0; t < tokens && full < n; t++) {
        lanes16 x = load16_n(p->x + t * n + full, CN_F32, n - full);
        for (size_t r = 0; r < rows; r++)
            fma16(&sum[r][t], load16_n(p->w + r * p->stride + full * size, type, n - full), x);
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t t = 0; t < tokens; t++)
            p->y[t * p->ldy + r] = sum16(sum[r][t]);
}

typedef void float_tile_fn(const float_product *p);
#define FLOAT_TILE(type, rows, tokens)                                                         \
    static void tile_##type##_##rows##_##tokens(const float_product *p)                        \
    {                                                                                          \
        float_tile(p, CN_##type, rows, tokens);                                                \
    }
#if FLOAT_TOKENS == 6
#define FLOAT_TILES(type, rows)                                                                \
    FLOAT_TILE(type, rows, 1)                                                                  \
    FLOAT_TILE(type, rows, 2)                                                                  \
    FLOAT_TILE(type, rows, 3)                                                                  \
    FLOAT_TILE(type, rows, 4)                                                                  \
    FLOAT_TILE(type, rows, 5)                                                                  \
    FLOAT_TILE(type, rows, 6)                                                                  \
    static float_tile_fn *const tiles_##type##_##rows[] = {                                    \
        tile_##type##_##rows##_1, tile_##type##_##rows##_2, tile_##type##_##rows##_3,          \
        tile_##type##_##rows##_4, tile_##type##_##rows##_5, tile_##type##_##rows##_6};
#else
#define FLOAT_TILES(type, rows)                                                                \
    FLOAT_TILE(type, rows, 1)                                                                  \
    FLOAT_TILE(type, rows, 2)                                                                  \
    static float_tile_fn *const tiles_##type##_##rows[] = {tile_##type##_##rows##_1,           \
                                                           tile_##type##_##rows##_2};
#endif
FLOAT_TILES(F32, 1)
FLOAT_TILES(F16, 1)
FLOAT_TILES(BF16, 1)
#if FLOAT_ROWS == 4
FLOAT_TILES(F32, 4)
FLOAT_TILES(F16, 4)
FLOAT_TILES(BF16, 4)
#define FULL_TILES(type) tiles_##type##_4
#else
FLOAT_TILES(F32, 2)
FLOAT_TILES(F16, 2)
FLOAT_TILES(BF16, 2)
#define FULL_TILES(type) tiles_##type##_2
#endif

static float_tile_fn *const *float_tiles(cn_dtype type, bool full)
{
    switch (type) {
    case CN_F16:
        return full ? FULL_TILES(F16) : tiles_F16_1;
    case CN_BF16:
        return full ? FULL_TILES(BF16) : tiles_BF16_1;
    default:
        return full ? FULL_TILES(F32) : tiles_F32_1;
    }
}

/* Rows [r, r + rows) of `p` against the tokens from t on that fit a tile. */
static void float_tile_at(const float_product *p, cn_dtype type, size_t r, size_t rows,
                          size_t t, size_t n_tokens)
{
    float_product q = *p;
    q.w += r * p->stride;
    q.x += t * p->n;
    q.y += t * p->ldy + r;
    q.ahead = q.w + (n_tokens == 1 ? ONE_TOKEN_AHEAD : t ? 0 : rows * p->stride);
    float_tiles(type, rows > 1)[CN_MIN(n_tokens - t, FLOAT_TOKENS) - 1](&q);
}

/* Rows [0, n_rows) of `p` against all tokens: a few meet each row as it comes from memory. One
 * takes row by row: it waits for memory alone, which a single stream is best for. */
static void float_rows(const float_product *p, cn_dtype type, size_t n_rows, size_t n_tokens)
{
    size_t together = n_tokens <= FEW_TOKENS ? n_tokens : FLOAT_TOKENS;
    for (size_t t0 = 0; t0 < n_tokens; t0 += together)
        for (size_t r = 0, rows; r < n_rows; r += rows) {
            rows = n_tokens > 1 && n_rows - r >= FLOAT_ROWS ? FLOAT_ROWS : 1;
            for (size_t t = t0; t < n_tokens && t < t0 + together; t += FLOAT_TOKENS)
                float_tile_at(p, type, r, rows, t, n_tokens);
        }
}

/* As many rows at a time as stay in the second cache for all tokens; types that no tile reads
 * are expanded into the scratch. */
static void matmul_float(const kern_mat *w, const kern_act *a, float *y, size_t ldy, size_t r0,
                         size_t r1, void *scratch)
{
    bool direct = w->type == CN_F32 || w->type == CN_F16 || w->type == CN_BF16;
    size_t row_bytes = direct ? w->row_bytes : w->n_cols * sizeof(float);
    size_t fit = KERN_SCRATCH / row_bytes;
    fit = fit > FLOAT_ROWS ? fit / FLOAT_ROWS * FLOAT_ROWS : CN_MAX(fit, 1);
    for (size_t r = r0; r < r1; r += fit) {
        size_t n = CN_MIN(r1 - r, fit);
        const uint8_t *rows = direct ? (const uint8_t *)w->data + r * row_bytes : scratch;
        for (size_t i = 0; i < n && !direct; i++)
            quant_row_to_f32(w, r + i, (float *)scratch + i * w->n_cols);
        float_product p = {rows, row_bytes, w->n_cols, a->x, y + r, ldy, NULL};
        float_rows(&p, direct ? w->type : CN_F32, n, a->n_tokens);
    }
}
