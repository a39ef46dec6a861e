/* Template: quantised weights times 8-bit activations. A tile of weights is unpacked once into
 * panels that stay in the cache, and meets all tokens, TOKENS at a time; a lane is a row, so
 * that every product is summed in the order of kern_priv.h whatever the batch. */

/* Panels side by side in a tile: rows are unpacked TILE_CHUNKS * 256 columns at a time. */
#define TILE_CHUNKS 4
#define TILE_PANELS 16
_Static_assert(TILE_CHUNKS *TILE_PANELS * sizeof(panel) <= KERN_SCRATCH, "tile fits scratch");

typedef struct product {
    const panel *w; /* `blocks` blocks of LANES rows */
    size_t blocks;
    const act_block *a; /* the same columns of the first token */
    size_t a_stride;    /* in blocks, from token to token */
    float *y;
    size_t ldy, n_rows, first_row; /* which lanes to store, from y[0] on */
    bool more;                     /* y holds the sum of the columns before these */
} product;

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

/* One block of LANES rows and all tokens of the tile; `traits`, `tokens` and `below` are
 * constants. */
ISA_INLINE void add_block(vf *sum, const vu *u, const vf *scale, const vf *bias,
                          const act_block *const *a, size_t tokens, kern_traits traits,
                          int below)
{
    size_t parts = traits.halves ? 2 : 1;
    for (size_t h = 0; h < parts; h++) {
        vi acc[TOKENS];
        const int8_t *q[TOKENS];
        for (size_t t = 0; t < tokens; t++) {
            acc[t] = start_sum(traits.halves ? a[t]->neg_half[h] : a[t]->neg_sum, traits.shift);
            q[t] = a[t]->q + 16 * h;
        }
        int_dot(acc, u + 4 * h, q, tokens, 8 / parts, below);
        for (size_t t = 0; t < tokens; t++) {
            sum[t] = vf_fma(vf_of_int(acc[t]) * scale[h], vf_set(a[t]->d), sum[t]);
            if (traits.bias)
                sum[t] = vf_fma(bias[h], vf_set(traits.halves ? a[t]->d_half[h] : a[t]->d_sum),
                                sum[t]);
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
        const panel *w = p->w + b / PANEL_BLOCKS;
        size_t i = b % PANEL_BLOCKS, at = traits.halves ? 2 * i : i;
        add_block(sum, w->u[i], w->scale + at, w->bias + at, a, tokens, traits, below);
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

/* The first n_tokens tokens against one panel of rows, all columns. */
typedef struct few_product {
    const uint8_t *w;
    size_t stride, blocks;
    const act_block *a;
    float *y;
    size_t ldy, n_rows, first_row;
    const char *ahead; /* what is needed next */
} few_product;

/* While this panel of rows is unpacked, the next, which follows it in memory, is on its way. */
ISA_INLINE void multiply_few(const few_product *p, cn_dtype type, size_t tokens,
                             kern_traits traits, int below)
{
    size_t bytes = panel_row_bytes_of(type);
    panel scales; /* its blocks stay in registers */
    unpack_sums now = {.traits = traits,
                       .below = below,
                       .tokens = tokens,
                       .far = p->ahead,
                       .bytes = panel_row_bytes_of(type),
                       .stride = p->stride};
    for (size_t t = 0; t < tokens; t++) {
        now.a[t] = p->a + t * p->blocks;
        now.sum[t] = vf_set(0);
    }
    const uint8_t *w = p->w;
    size_t n = p->blocks;
    fetched f[2];
    bool whole = type == CN_Q4_0; /* needs nothing fetched */
    if (!whole) fetch(type, &f[0], w, p->stride, CN_MIN(n, PANEL_BLOCKS));
    for (size_t i = 0; n >= PANEL_BLOCKS; n -= PANEL_BLOCKS, w += bytes, i ^= 1) {
        now.near = (const char *)w + bytes;
        if (whole) {
            unpack_q4_0_sums(&now, w, p->stride);
            continue;
        }
        if (n >= 2 * PANEL_BLOCKS) fetch(type, &f[i ^ 1], w + bytes, p->stride, PANEL_BLOCKS);
        unpack_any(type, &scales, &now, &f[i], w, p->stride, PANEL_BLOCKS);
    }
    if (n) {
        fetch(type, &f[0], w, p->stride, n);
        unpack_any(type, &scales, &now, &f[0], w, p->stride, n);
    }
    for (size_t t = 0; t < tokens; t++)
        store_rows(p->y + t * p->ldy, now.sum[t], p->first_row, p->n_rows);
}

ISA_INLINE void unpack_panel(cn_dtype type, panel *out, const uint8_t *p, size_t stride,
                             size_t n)
{
    fetched f;
    if (n == PANEL_BLOCKS) {
        fetch(type, &f, p, stride, PANEL_BLOCKS);
        unpack_any(type, out, NULL, &f, p, stride, PANEL_BLOCKS);
    } else {
        fetch(type, &f, p, stride, n);
        unpack_any(type, out, NULL, &f, p, stride, n);
    }
}

/* What there is for each type: the common ones go straight from memory into the sums of up to
 * FEW_TOKENS tokens, the others of one. */
typedef struct int_functions {
    void (*unpack)(panel *out, const uint8_t *p, size_t stride, size_t n);
    multiply_fn *const *multiply;
    size_t n_few;
    void (*few[FEW_TOKENS])(const few_product *p);
} int_functions;

#define FEW(name, type, tokens, ...)                                                           \
    static void few_##name##_##tokens(const few_product *p)                                    \
    {                                                                                          \
        multiply_few(p, type, tokens, __VA_ARGS__);                                            \
    }
#define UNPACK(name, type)                                                                     \
    static void unpack_##name(panel *out, const uint8_t *p, size_t stride, size_t n)           \
    {                                                                                          \
        unpack_panel(type, out, p, stride, n);                                                 \
    }
#define COMMON(name, type, family, ...)                                                        \
    UNPACK(name, type)                                                                         \
    FEW(name, type, 1, __VA_ARGS__)                                                            \
    FEW(name, type, 2, __VA_ARGS__)                                                            \
    FEW(name, type, 3, __VA_ARGS__)                                                            \
    FEW(name, type, 4, __VA_ARGS__)                                                            \
    static const int_functions functions_##name = {                                            \
        unpack_##name,                                                                         \
        multiply_##family,                                                                     \
        FEW_TOKENS,                                                                            \
        {few_##name##_1, few_##name##_2, few_##name##_3, few_##name##_4}};
#define RARE(name, type, family, ...)                                                          \
    UNPACK(name, type)                                                                         \
    FEW(name, type, 1, __VA_ARGS__)                                                            \
    static const int_functions functions_##name = {                                            \
        unpack_##name, multiply_##family, 1, {few_##name##_1}};

#define Q4_0 (kern_traits){.shift = 3}, 16
#define Q4_BIAS (kern_traits){.bias = true, .shift = -1}, 16
#define Q5_0 (kern_traits){.shift = 4}, 32
#define Q5_BIAS (kern_traits){.bias = true, .shift = -1}, 32
#define Q8 (kern_traits){.shift = INT_DOT_SIGNED ? -1 : 7}, 256
#define Q2_K (kern_traits){.halves = true, .bias = true, .shift = -1}, 4
#define Q3_K (kern_traits){.halves = true, .shift = 2}, 8
#define Q6_K (kern_traits){.halves = true, .shift = 5}, 64
MULTIPLY_ALL(multiply_q4_0, Q4_0)
MULTIPLY_ALL(multiply_q4_bias, Q4_BIAS)
MULTIPLY_ALL(multiply_q5_0, Q5_0)
MULTIPLY_ALL(multiply_q5_bias, Q5_BIAS)
MULTIPLY_ALL(multiply_q8, Q8)
MULTIPLY_ALL(multiply_q2_K, Q2_K)
MULTIPLY_ALL(multiply_q3_K, Q3_K)
MULTIPLY_ALL(multiply_q6_K, Q6_K)
COMMON(q4_0, CN_Q4_0, q4_0, Q4_0)
RARE(q4_1, CN_Q4_1, q4_bias, Q4_BIAS)
COMMON(q4_K, CN_Q4_K, q4_bias, Q4_BIAS)
RARE(q5_0, CN_Q5_0, q5_0, Q5_0)
RARE(q5_1, CN_Q5_1, q5_bias, Q5_BIAS)
COMMON(q5_K, CN_Q5_K, q5_bias, Q5_BIAS)
COMMON(q8_0, CN_Q8_0, q8, Q8)
RARE(iq4_nl, CN_IQ4_NL, q8, Q8)
RARE(q2_K, CN_Q2_K, q2_K, Q2_K)
RARE(q3_K, CN_Q3_K, q3_K, Q3_K)
COMMON(q6_K, CN_Q6_K, q6_K, Q6_K)

static const int_functions *functions_of(cn_dtype type)
{
    switch (type) {
    case CN_Q4_0:
        return &functions_q4_0;
    case CN_Q4_1:
        return &functions_q4_1;
    case CN_Q4_K:
        return &functions_q4_K;
    case CN_Q5_0:
        return &functions_q5_0;
    case CN_Q5_1:
        return &functions_q5_1;
    case CN_Q5_K:
        return &functions_q5_K;
    case CN_Q8_0:
        return &functions_q8_0;
    case CN_IQ4_NL:
        return &functions_iq4_nl;
    case CN_Q2_K:
        return &functions_q2_K;
    case CN_Q3_K:
        return &functions_q3_K;
    default:
        return &functions_q6_K;
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

static void unpack_tile(panel *tile, const kern_mat *w, panel_rows at, size_t block,
                        size_t blocks)
{
    size_t bytes = panel_row_bytes_of(w->type);
    const uint8_t *p = (const uint8_t *)w->data + at.base * w->row_bytes;
    for (size_t b = 0; b < blocks; b += PANEL_BLOCKS)
        functions_of(w->type)->unpack(tile + b / PANEL_BLOCKS,
                                      p + (block + b) / PANEL_BLOCKS * bytes, at.stride,
                                      CN_MIN(blocks - b, PANEL_BLOCKS));
}

/* Rows of a tile and the columns [block, block + blocks) against all tokens. */
static void tile_product(const kern_mat *w, const kern_act *a, float *y, size_t ldy, size_t row,
                         size_t end, size_t block, size_t blocks, panel *tile)
{
    size_t step = w->n_rows < LANES ? 1 : LANES, i = 0;
    multiply_fn *const *multiply = functions_of(w->type)->multiply;
    for (size_t r = row; r < end; r += step, i += TILE_CHUNKS)
        unpack_tile(tile + i, w, panel_at(w, r, end), block, blocks);
    for (size_t t = 0; t < a->n_tokens; t += TOKENS) {
        i = 0;
        for (size_t r = row; r < end; r += step, i += TILE_CHUNKS) {
            panel_rows at = panel_at(w, r, end);
            product p = {tile + i,      blocks,          act_row(a, t) + block,
                         act_blocks(a), y + t * ldy + r, ldy,
                         at.n,          at.first,        block > 0};
            multiply[CN_MIN(a->n_tokens - t, TOKENS) - 1](&p);
        }
    }
}

static void matmul_few(const kern_mat *w, const kern_act *a, float *y, size_t ldy, size_t r0,
                       size_t r1)
{
    size_t step = w->n_rows < LANES ? 1 : LANES;
    for (size_t r = r0; r < r1; r += step) {
        panel_rows at = panel_at(w, r, r1);
        const uint8_t *p = (const uint8_t *)w->data + at.base * w->row_bytes;
        bool more = r + 2 * LANES <= w->n_rows;
        few_product f = {p,    at.stride, w->n_cols / 32,
                         a->q, y + r,     ldy,
                         at.n, at.first,  (const char *)p + (more ? LANES * w->row_bytes : 0)};
        functions_of(w->type)->few[a->n_tokens - 1](&f);
    }
}

static void matmul_int(const kern_mat *w, const kern_act *a, float *y, size_t ldy, size_t r0,
                       size_t r1, void *scratch)
{
    if (a->n_tokens <= functions_of(w->type)->n_few) {
        matmul_few(w, a, y, ldy, r0, r1);
        return;
    }
    size_t tile_rows = TILE_PANELS * (w->n_rows < LANES ? 1 : LANES), n_blocks = w->n_cols / 32;
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
