/* Template: quantised weights times 8-bit activations. A tile of weights is unpacked once into
 * panels that stay in the cache, and meets all tokens, TOKENS at a time; a lane is a row, so
 * that every product is summed in the order of kern_priv.h whatever the batch. */

/* Panels side by side in a tile: rows are unpacked TILE_CHUNKS * 256 columns at a time. */
#define TILE_CHUNKS 4
#define TILE_PANELS 16
_Static_assert(TILE_CHUNKS *TILE_PANELS * sizeof(panel) <= KERN_SCRATCH, "tile fits scratch");
#define FEW_TOKENS                                                                             \
    4 /* up to here a panel is used once and should not leave the first cache                  \
       */

typedef struct product {
    const panel *w; /* `blocks` blocks of LANES rows */
    size_t blocks;
    const act_block *a; /* the same columns of the first token */
    size_t a_stride;    /* in blocks, from token to token */
    float *y;
    size_t ldy, n_rows, first_row; /* which lanes to store, from y[0] on */
    bool more;                     /* y holds the sum of the columns before these */
} product;

ISA_INLINE vi start_sum(int32_t neg_sum, int shift)
{
    return shift < 0 ? (vi){0} : ((vi){0} + neg_sum) << shift;
}

/* Lanes from `first` on, n of them: a panel at the end of a matrix overlaps the one before. */
ISA_INLINE vf load_rows(const float *y, size_t first, size_t n)
{
    if (n == LANES) return vf_load(y);
    float lanes[LANES] = {0};
    memcpy(lanes + first, y, n * sizeof *y);
    return vf_load(lanes);
}

ISA_INLINE void store_rows(float *y, vf v, size_t first, size_t n)
{
    if (n == LANES) {
        vf_store(y, v);
        return;
    }
    float lanes[LANES];
    vf_store(lanes, v);
    memcpy(y, lanes + first, n * sizeof *y);
}

/* One block of one panel and all tokens of the tile; `traits` and `tokens` are constants. */
ISA_INLINE void add_block(vf *sum, const panel *w, size_t b, const act_block *const *a,
                          size_t tokens, kern_traits traits, int below)
{
    size_t parts = traits.halves ? 2 : 1, words = 8 / parts;
    for (size_t h = 0; h < parts; h++) {
        vi acc[TOKENS];
        const int8_t *q[TOKENS];
        for (size_t t = 0; t < tokens; t++) {
            acc[t] = start_sum(traits.halves ? a[t]->neg_half[h] : a[t]->neg_sum, traits.shift);
            q[t] = a[t]->q + 16 * h;
        }
        int_dot(acc, w->u[b] + 4 * h, q, tokens, words, below);
        vf scale = w->scale[parts * b + h], bias = w->bias[parts * b + h];
        for (size_t t = 0; t < tokens; t++) {
            sum[t] = vf_fma(vf_of_int(acc[t]) * scale, vf_set(a[t]->d), sum[t]);
            if (traits.bias)
                sum[t] =
                    vf_fma(bias, vf_set(traits.halves ? a[t]->d_half[h] : a[t]->d_sum), sum[t]);
        }
    }
}

ISA_INLINE void multiply(const product *p, size_t tokens, kern_traits traits, int below)
{
    vf sum[TOKENS];
    const act_block *a[TOKENS];
    for (size_t t = 0; t < tokens; t++) {
        a[t] = p->a + t * p->a_stride;
        sum[t] = p->more ? load_rows(p->y + t * p->ldy, p->first_row, p->n_rows) : vf_set(0);
    }
    for (size_t b = 0; b < p->blocks; b++) {
        add_block(sum, p->w + b / PANEL_BLOCKS, b % PANEL_BLOCKS, a, tokens, traits, below);
        for (size_t t = 0; t < tokens; t++)
            a[t]++;
    }
    for (size_t t = 0; t < tokens; t++)
        store_rows(p->y + t * p->ldy, sum[t], p->first_row, p->n_rows);
}

typedef void multiply_fn(const product *p);

#define MULTIPLY(name, tokens, ...)                                                            \
    static void name##_##tokens(const product *p)                                              \
    {                                                                                          \
        multiply(p, tokens, __VA_ARGS__);                                                      \
    }
#if TOKENS == 8
#define MULTIPLY_ALL(name, ...)                                                                \
    MULTIPLY(name, 1, __VA_ARGS__)                                                             \
    MULTIPLY(name, 2, __VA_ARGS__)                                                             \
    MULTIPLY(name, 3, __VA_ARGS__)                                                             \
    MULTIPLY(name, 4, __VA_ARGS__)                                                             \
    MULTIPLY(name, 5, __VA_ARGS__)                                                             \
    MULTIPLY(name, 6, __VA_ARGS__)                                                             \
    MULTIPLY(name, 7, __VA_ARGS__)                                                             \
    MULTIPLY(name, 8, __VA_ARGS__)                                                             \
    static multiply_fn *const name[] = {name##_1, name##_2, name##_3, name##_4,                \
                                        name##_5, name##_6, name##_7, name##_8};
#else
#define MULTIPLY_ALL(name, ...)                                                                \
    MULTIPLY(name, 1, __VA_ARGS__)                                                             \
    MULTIPLY(name, 2, __VA_ARGS__)                                                             \
    MULTIPLY(name, 3, __VA_ARGS__)                                                             \
    MULTIPLY(name, 4, __VA_ARGS__)                                                             \
    static multiply_fn *const name[] = {name##_1, name##_2, name##_3, name##_4};
#endif

MULTIPLY_ALL(multiply_q4_0, (kern_traits){.shift = 3}, 16)
MULTIPLY_ALL(multiply_q4_bias, (kern_traits){.bias = true, .shift = -1}, 16)
MULTIPLY_ALL(multiply_q5_0, (kern_traits){.shift = 4}, 32)
MULTIPLY_ALL(multiply_q5_bias, (kern_traits){.bias = true, .shift = -1}, 32)
MULTIPLY_ALL(multiply_q8, (kern_traits){.shift = INT_DOT_SIGNED ? -1 : 7}, 256)
MULTIPLY_ALL(multiply_q2_K, (kern_traits){.halves = true, .bias = true, .shift = -1}, 4)
MULTIPLY_ALL(multiply_q3_K, (kern_traits){.halves = true, .shift = 2}, 8)
MULTIPLY_ALL(multiply_q6_K, (kern_traits){.halves = true, .shift = 5}, 64)

static multiply_fn *const *multipliers_of(cn_dtype type)
{
    switch (type) {
    case CN_Q4_0:
        return multiply_q4_0;
    case CN_Q4_1:
    case CN_Q4_K:
        return multiply_q4_bias;
    case CN_Q5_0:
        return multiply_q5_0;
    case CN_Q5_1:
    case CN_Q5_K:
        return multiply_q5_bias;
    case CN_Q2_K:
        return multiply_q2_K;
    case CN_Q3_K:
        return multiply_q3_K;
    case CN_Q6_K:
        return multiply_q6_K;
    default:
        return multiply_q8;
    }
}

/* Where the panel of rows [row, ...) starts: earlier when the matrix ends before it does. A
 * matrix of fewer rows than lanes gives one row at a time, in every lane. */
typedef struct panel_rows {
    size_t base, stride, first, n; /* rows [base + first, base + first + n) are stored */
} panel_rows;

static panel_rows panel_at(const kern_mat *w, size_t row, size_t end)
{
    if (w->n_rows < LANES) return (panel_rows){row, 0, 0, 1};
    size_t base = CN_MIN(row, w->n_rows - LANES), n = CN_MIN(end, base + LANES) - row;
    return (panel_rows){base, w->row_bytes, row - base, n};
}

/* A tile that is used once comes from memory as fast as it can be unpacked: while this chunk
 * of LANES rows is, the same share of the next LANES rows, which follow it, is on its way. */
static void prefetch_ahead(const kern_mat *w, size_t row, size_t chunk, size_t chunk_bytes)
{
    size_t next = row + LANES, size = LANES * chunk_bytes;
    if (next + LANES > w->n_rows) return;
    const char *p = (const char *)w->data + next * w->row_bytes + chunk * size;
    for (size_t i = 0; i < size; i += 64)
        __builtin_prefetch(p + i, 0, 2);
}

static void unpack_tile(panel *tile, const kern_mat *w, size_t row, panel_rows at, size_t block,
                        size_t blocks, bool once)
{
    unpacker un = unpacker_of(w->type);
    const uint8_t *p = (const uint8_t *)w->data + at.base * w->row_bytes;
    for (size_t b = 0; b < blocks; b += PANEL_BLOCKS) {
        size_t chunk = (block + b) / PANEL_BLOCKS;
        if (once) prefetch_ahead(w, row, chunk, un.bytes);
        un.fn(tile + b / PANEL_BLOCKS, p + chunk * un.bytes, at.stride,
              CN_MIN(blocks - b, PANEL_BLOCKS));
    }
}

/* Rows of a tile and the columns [block, block + blocks) against all tokens. */
static void tile_product(const kern_mat *w, const kern_act *a, float *y, size_t ldy, size_t row,
                         size_t end, size_t block, size_t blocks, panel *tile)
{
    bool once = a->n_tokens <= FEW_TOKENS;
    size_t step = w->n_rows < LANES ? 1 : LANES, i = 0;
    multiply_fn *const *fn = multipliers_of(w->type);
    for (size_t r = row; r < end; r += step, i += TILE_CHUNKS)
        unpack_tile(tile + i, w, r, panel_at(w, r, end), block, blocks, once);
    for (size_t t = 0; t < a->n_tokens; t += TOKENS) {
        size_t tokens = CN_MIN(a->n_tokens - t, TOKENS);
        i = 0;
        for (size_t r = row; r < end; r += step, i += TILE_CHUNKS) {
            panel_rows at = panel_at(w, r, end);
            fn[tokens - 1](&(product){tile + i, blocks, act_row(a, t) + block, act_blocks(a),
                                      y + t * ldy + r, ldy, at.n, at.first, block > 0});
        }
    }
}

static void matmul_int(const kern_mat *w, const kern_act *a, float *y, size_t ldy, size_t r0,
                       size_t r1, void *scratch)
{
    size_t panels = a->n_tokens <= FEW_TOKENS ? 1 : TILE_PANELS;
    size_t tile_rows = panels * (w->n_rows < LANES ? 1 : LANES), n_blocks = w->n_cols / 32;
    for (size_t row = r0; row < r1; row += tile_rows)
        for (size_t b = 0; b < n_blocks; b += TILE_CHUNKS * PANEL_BLOCKS)
            tile_product(w, a, y, ldy, row, CN_MIN(r1, row + tile_rows), b,
                         CN_MIN(n_blocks - b, TILE_CHUNKS * PANEL_BLOCKS), scratch);
}

static void quantize_row(const float *x, act_block *b, size_t n_blocks)
{
    for (size_t i = 0; i < n_blocks; i++, x += 32, b++) {
        vf v[32 / LANES];
        vi max_bits = {0};
        for (size_t j = 0; j < 32 / LANES; j++) {
            v[j] = vf_load(x + j * LANES);
            vi bits = (vi)v[j] & INT32_MAX; /* ordered as |x| is, infinity and NaN on top */
            max_bits = vi_larger(max_bits, bits);
        }
        int32_t top = vi_max(max_bits);
        float max;
        memcpy(&max, &top, sizeof max);
        bool finite = top < 0x7F800000;
        float d = !finite ? (float)NAN : max < ACT_TINY ? 0 : max / 127.0F;
        float to_int = !finite || max < ACT_TINY ? 0 : 127.0F / max;
        int32_t sum[2] = {0, 0};
        for (size_t j = 0; j < 32 / LANES; j++) {
            vi q = finite ? vf_round(v[j] * vf_set(to_int)) : (vi){0};
            vi_store_i8(b->q + j * LANES, q);
            sum[j * LANES / 16] += vi_sum(q);
        }
        b->d = d;
        b->d_sum = d * (float)(sum[0] + sum[1]);
        b->neg_sum = -(sum[0] + sum[1]);
        b->pad = 0;
        for (int h = 0; h < 2; h++) {
            b->d_half[h] = d * (float)sum[h];
            b->neg_half[h] = -sum[h];
        }
    }
}

static void quantize(const kern_act *a, cn_dtype type, size_t t0, size_t t1)
{
    if (!kern_traits_of(type).quantised) return;
    for (size_t t = t0; t < t1; t++)
        quantize_row(a->x + t * a->n_cols, act_row(a, t), a->n_cols / 32);
}
