/* Template: the product of gemm.h on vectors of one instruction set. Included by the file that
 * chose the vectors and set GEMM_NAME; with GEMM_PAIRS that file multiplies pairs of bf16.
 *
 * A and B are rearranged into panels of units. A unit is what one lane holds: a number, or the
 * pair of k, k + 1 as two bf16. A panel of A is ROWS rows, out[u * ROWS + i]; one of B is WIDE
 * columns, out[u * WIDE + j]. What lies behind an edge is 0. */
#include "gemm_priv.h"
#include "quant_blocks.h"

#define ROWS (LANES == 8 ? 4 : 8) /* of a tile of C, whose sums stay in registers */
#define VECS 3
#define WIDE (VECS * LANES)

/* The first n lanes, n >= 0; the others are 0. */
ISA_INLINE vf load_some(const float *p, size_t n)
{
    return n >= LANES ? vf_load(p) : n ? vf_load_n(p, n) : (vf){0};
}

#ifdef GEMM_PAIRS
#include GEMM_PAIRS
#else
#define UNIT 1

ISA_INLINE vf to_bf16(vf v)
{
    vu u = (vu)v, nan = (vu)((u & 0x7fffffff) > 0x7f800000);
    vu r = u + 0x7fff + (u >> 16 & 1);
    return (vf)(((nan & (u | 0x400000)) | (~nan & r)) & 0xffff0000);
}

/* LANES units along k from the n > 0 numbers at p. */
ISA_INLINE vf units_along(const float *p, size_t n, bool round)
{
    vf v = load_some(p, n);
    return round ? to_bf16(v) : v;
}

/* One unit of each of n columns; `n_k` rows are left. */
ISA_INLINE vf units_across(const float *p, size_t stride, size_t n_k, size_t n, bool round)
{
    (void)stride, (void)n_k;
    return units_along(p, n, round);
}

ISA_INLINE vf unit_dot(vf a, vf b, vf sum)
{
    return vf_fma(a, b, sum);
}
#endif

/* Of n vectors, n a power of two: lane after lane, that lane of each. */
ISA_INLINE void interleave(vf *v, size_t n)
{
    for (size_t step = 1; step < n; step *= 2) {
        vf t[LANES > ROWS ? LANES : ROWS];
        for (size_t i = 0; i < n / 2; i++) {
            t[2 * i] = VF_ZIP_LOW(v[i], v[i + n / 2]);
            t[2 * i + 1] = VF_ZIP_HIGH(v[i], v[i + n / 2]);
        }
        for (size_t i = 0; i < n; i++)
            v[i] = t[i];
    }
}

/* One panel of A: `rows` rows from p on. */
static void pack_a_along(float *out, const float *p, size_t stride, size_t rows, size_t kc,
                         bool round)
{
    for (size_t k = 0; k < kc; k += LANES * UNIT) {
        vf v[ROWS];
        for (size_t r = 0; r < ROWS; r++)
            v[r] = r < rows ? units_along(p + r * stride + k, kc - k, round) : (vf){0};
        interleave(v, ROWS);
        for (size_t r = 0; r < ROWS; r++, out += LANES)
            vf_store(out, v[r]);
    }
}

static void pack_a_across(float *out, const float *p, size_t stride, size_t rows, size_t kc,
                          bool round)
{
    for (size_t k = 0; k < kc; k += UNIT, out += ROWS, p += UNIT * stride)
        for (size_t r = 0; r < ROWS; r += LANES) {
            size_t n = r < rows ? CN_MIN(rows - r, CN_MIN(ROWS, LANES)) : 0;
            vf_store(out + r, units_across(p + r, stride, kc - k, n, round));
        }
}

/* Units of a panel of kc rows. */
ISA_INLINE size_t units(size_t kc)
{
    return (kc + UNIT - 1) / UNIT;
}

static void pack_a(float *out, const gemm_part *t, size_t i, size_t m, size_t p, size_t kc)
{
    const gemm_view *a = &t->g->a;
    for (size_t r = 0; r < m; r += ROWS, out += units(kc) * ROWS) {
        const float *at = a->p + (i + r) * a->row + p * a->col;
        size_t rows = CN_MIN(m - r, ROWS);
        if (a->col == 1)
            pack_a_along(out, at, a->row, rows, kc, t->round);
        else
            pack_a_across(out, at, a->col, rows, kc, t->round);
    }
}

/* LANES columns of a panel of B: `cols` columns from p on, each contiguous. */
static void pack_b_along(float *out, const float *p, size_t stride, size_t cols, size_t kc,
                         bool round)
{
    for (size_t k = 0; k < kc; k += LANES * UNIT) {
        vf v[LANES];
        for (size_t c = 0; c < LANES; c++)
            v[c] = c < cols ? units_along(p + c * stride + k, kc - k, round) : (vf){0};
        interleave(v, LANES);
        for (size_t l = 0; l < LANES && k + l * UNIT < kc; l++, out += WIDE)
            vf_store(out, v[l]);
    }
}

/* Panels of B from kc rows at p, of `cols` columns; `stride` floats from panel to panel. */
static void pack_b_across(float *out, size_t panel, const float *p, size_t stride, size_t cols,
                          size_t kc, bool round)
{
    for (size_t c = 0; c < cols; c += WIDE, out += panel)
        for (size_t k = 0; k < kc; k += UNIT)
            for (size_t v = 0; v < WIDE && c + v < cols; v += LANES)
                vf_store(out + k / UNIT * WIDE + v,
                         units_across(p + k * stride + c + v, stride, kc - k,
                                      CN_MIN(cols - c - v, LANES), round));
}

static void expand_halves(const char *p, cn_dtype type, size_t n, float *out)
{
    for (size_t i = 0; i < n; i += LANES, p += LANES * sizeof(uint16_t)) {
        size_t left = CN_MIN(n - i, LANES);
        uint16_t some[LANES] = {0};
        const void *at = left == LANES ? p : memcpy(some, p, left * sizeof *some);
        vf v = type == CN_F16 ? vf_load_f16(at) : vf_load_bf16(at);
        if (left == LANES)
            vf_store(out + i, v);
        else
            vf_store_n(out + i, v, left);
    }
}

ISA_INLINE void expand_nf4(const uint8_t qs[32], float absmax, float *out)
{
    for (size_t i = 0; i < 64; i += LANES)
        vf_store(out + i, vf_of_nibbles(quant_nf4_values, qs + i / 2) * vf_set(absmax));
}

/* `first` is the number of the block at `b` in its tensor. */
static void expand_nf4_dq(const block_nf4_dq *b, size_t first, const void *aux, size_t n,
                          float *out)
{
    for (size_t i = 0; i < n / 64; i++) {
        float offset, scale;
        memcpy(&offset, aux, sizeof offset);
        memcpy(&scale, (const char *)aux + 4 + (first + i) / 256 * 4, sizeof scale);
        expand_nf4(b[i].qs, quant_nf4_scales[b[i].code] * scale + offset, out + 64 * i);
    }
}

/* Columns [from, from + n) of a row of weights; both begin and end at blocks of the type. */
static void expand(const kern_mat *w, size_t row, size_t from, size_t n, float *out)
{
    const char *p = gemm_weights_at(w, row, from);
    switch ((unsigned)w->type) {
    case CN_F16:
    case CN_BF16:
        expand_halves(p, w->type, n, out);
        break;
    case CN_NF4:
        for (size_t i = 0; i < n / 64; i++) {
            const block_nf4 *b = (const block_nf4 *)p + i;
            expand_nf4(b->qs, b->absmax, out + 64 * i);
        }
        break;
    case CN_NF4_DQ:
        expand_nf4_dq((const block_nf4_dq *)p, ((w->row0 + row) * w->n_cols + from) / 64,
                      w->aux, n, out);
        break;
    default:
        gemm_unpack(w, row, from, n, out);
    }
}

/* Rows of B: a few at a time, from the block of weights where they begin to that where they
 * end. */
static void pack_weights(float *out, size_t panel, const gemm_part *t, size_t j, size_t n,
                         size_t p, size_t kc)
{
    const kern_mat *w = t->g->b_mat;
    size_t block = cn_dtype_info_of((uint32_t)w->type)->block, from = j / block * block,
           wide = (j + n + block - 1) / block * block - from;
    for (size_t k = 0; k < kc; k += GEMM_UNPACK_ROWS, out += GEMM_UNPACK_ROWS / UNIT * WIDE) {
        size_t rows = CN_MIN(kc - k, GEMM_UNPACK_ROWS);
        for (size_t r = 0; r < rows; r++)
            expand(w, p + k + r, from, wide, t->scratch->w + r * wide);
        pack_b_across(out, panel, t->scratch->w + (j - from), wide, n, rows, t->round);
    }
}

/* Columns of B that are rows of weights. */
static void pack_weights_along(float *out, const gemm_part *t, size_t j, size_t cols, size_t p,
                               size_t kc)
{
    for (size_t c = 0; c < cols; c++)
        expand(t->g->b_mat, j + c, p, kc, t->scratch->w + c * GEMM_KC);
    pack_b_along(out, t->scratch->w, GEMM_KC, cols, kc, t->round);
}

/* Columns [j, j + n) of B from row p on. */
static void pack_b(float *out, size_t panel, const gemm_part *t, size_t j, size_t n, size_t p,
                   size_t kc)
{
    const gemm_view *b = &t->g->b;
    bool weights = t->g->b_mat != NULL, along = weights ? t->g->b_mat_transposed : b->col != 1;
    if (weights && !along)
        pack_weights(out, panel, t, j, n, p, kc);
    else if (!along)
        pack_b_across(out, panel, b->p + p * b->row + j, b->row, n, kc, t->round);
    for (size_t c = 0; c < n && along; c += LANES) {
        float *at = out + c / WIDE * panel + c % WIDE;
        size_t cols = CN_MIN(n - c, LANES);
        if (weights)
            pack_weights_along(at, t, j + c, cols, p, kc);
        else
            pack_b_along(at, b->p + p + (j + c) * b->col, b->col, cols, kc, t->round);
    }
}

/* Rows of memory that are wanted soon, a line at a time. */
typedef struct ahead {
    const char *at, *end; /* of a row */
    size_t bytes, stride, rows;
} ahead;

static ahead ahead_of(const void *p, size_t bytes, size_t stride, size_t rows)
{
    return (ahead){p, (const char *)p + bytes, bytes, stride, rows};
}

static ahead ahead_of_view(const gemm_view *v, size_t i, size_t rows, size_t j, size_t cols)
{
    const float *p = v->p + i * v->row + j * v->col;
    return v->col == 1 ? ahead_of(p, cols * sizeof *p, v->row * sizeof *p, rows)
                       : ahead_of(p, rows * sizeof *p, v->col * sizeof *p, cols);
}

/* `near`, a constant: into the first cache. */
ISA_INLINE void fetch(ahead *a, bool near)
{
    if (!a->rows) return;
    if (near)
        __builtin_prefetch(a->at, 0, 3);
    else
        __builtin_prefetch(a->at, 0, 2);
    a->at += 64;
    if (a->at < a->end) return;
    a->end += a->stride;
    a->at = a->end - a->bytes;
    a->rows--;
}

typedef struct tile {
    const float *a, *b; /* panels */
    size_t units;
    float *c;
    size_t ldc, rows, cols;
    const float *bias;
    float alpha;
    bool read; /* C has something already */
    ahead next_a, next_b, next_c;
} tile;

/* c = fma(alpha, sum, c) for vector v of row r */
ISA_INLINE void store_sum(const tile *t, size_t r, size_t v, vf sum)
{
    float *c = t->c + r * t->ldc + v * LANES;
    size_t n = t->cols - v * LANES;
    vf was = t->read ? load_some(c, n) : (vf){0};
    if (t->bias) was += load_some(t->bias + v * LANES, n);
    was = vf_fma(vf_set(t->alpha), sum, was);
    if (n >= LANES)
        vf_store(c, was);
    else
        vf_store_n(c, was, n);
}

typedef struct sums {
    vf v[ROWS][VECS];
} sums;

ISA_INLINE void add_unit(sums *s, const float *a, const float *b, size_t vecs)
{
    vf vb[VECS];
    for (size_t v = 0; v < vecs; v++)
        vb[v] = vf_load(b + v * LANES);
    for (size_t r = 0; r < ROWS; r++) {
        vf va = vf_set(a[r]);
        for (size_t v = 0; v < vecs; v++)
            s->v[r][v] = unit_dot(va, vb[v], s->v[r][v]);
    }
}

#define STRETCH 4 /* units from line to line that is fetched */

/* `vecs`, a constant, is how many vectors the columns take. */
ISA_INLINE void tile_of(tile *t, size_t vecs)
{
    sums s;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t v = 0; v < vecs; v++)
            s.v[r][v] = (vf){0};
    const float *a = t->a, *b = t->b;
    size_t u = t->units;
    for (; u >= STRETCH; u -= STRETCH) {
        fetch(&t->next_c, true);
        fetch(t->next_b.rows ? &t->next_b : &t->next_a, false);
        for (size_t i = 0; i < STRETCH; i++, a += ROWS, b += WIDE)
            add_unit(&s, a, b, vecs);
    }
    for (; u > 0; u--, a += ROWS, b += WIDE)
        add_unit(&s, a, b, vecs);
#pragma GCC unroll 8 /* sums stay in registers only where each has its own code */
    for (size_t r = 0; r < ROWS; r++)
        for (size_t v = 0; v < vecs && r < t->rows; v++)
            store_sum(t, r, v, s.v[r][v]);
}

static void tile_1(tile *t)
{
    tile_of(t, 1);
}

static void tile_2(tile *t)
{
    tile_of(t, 2);
}

static void tile_3(tile *t)
{
    tile_of(t, 3);
}

/* Where the panels in scratch begin in the product, and how large they are. */
typedef struct block {
    size_t i, j, p, m, n, kc;
} block;

static block block_at(const gemm_part *t, size_t i, size_t j, size_t p)
{
    return (block){i,
                   j,
                   p,
                   CN_MIN(t->m1 - i, GEMM_MC),
                   CN_MIN(t->n1 - j, GEMM_NC),
                   CN_MIN(t->g->k - p, GEMM_KC)};
}

/* The one after `b`; false behind the last. */
static bool next_block(const gemm_part *t, block *b)
{
    size_t i = b->i + GEMM_MC, j = b->j, p = b->p;
    if (i >= t->m1) i = t->m0, p += GEMM_KC;
    if (p >= t->g->k) p = 0, j += GEMM_NC;
    if (j >= t->n1) return false;
    *b = block_at(t, i, j, p);
    return true;
}

/* What the panel of B at column j will read; weights that are rows of B are packed all at
 * once. */
static ahead ahead_of_b(const gemm_part *t, const block *b, size_t j)
{
    size_t cols = CN_MIN(b->j + b->n - j, WIDE);
    const kern_mat *w = t->g->b_mat;
    if (!w) return ahead_of_view(&t->g->b, b->p, b->kc, j, cols);
    if (!t->g->b_mat_transposed) return (ahead){0};
    return ahead_of(gemm_weights_at(w, j, b->p), cn_dtype_row_bytes(w->type, b->kc),
                    w->row_bytes, cols);
}

/* The tile of C after that at row r of a block and column c: below, or on top of the next. */
static ahead ahead_of_c(const gemm_part *w, const block *b, size_t r, size_t c)
{
    r += ROWS;
    if (r >= b->m) r = 0, c += WIDE;
    if (c >= b->n) return (ahead){0};
    return ahead_of(w->g->c + (b->i + r) * w->g->ldc + b->j + c,
                    CN_MIN(b->n - c, WIDE) * sizeof(float), w->g->ldc * sizeof(float),
                    CN_MIN(b->m - r, ROWS));
}

/* Down the rows of a block, over the panel of B at its column c. */
static void multiply(tile *t, const gemm_part *w, const block *b, size_t c)
{
    t->a = w->scratch->a;
    for (size_t r = 0; r < b->m; r += ROWS, t->a += t->units * ROWS) {
        t->rows = CN_MIN(b->m - r, ROWS);
        t->c = w->g->c + (b->i + r) * w->g->ldc + b->j + c;
        t->next_c = ahead_of_c(w, b, r, c);
        if (t->cols > 2 * LANES)
            tile_3(t);
        else if (t->cols > LANES)
            tile_2(t);
        else
            tile_1(t);
    }
}

/* Panel after panel of B; where the rows of C are one block, each takes the place of the last,
 * which the second cache holds. */
static void run_block(const gemm_part *w, const block *b, const block *next)
{
    const gemm *g = w->g;
    bool pack_first = b->i == w->m0, all_at_once = g->b_mat && !g->b_mat_transposed,
         keep = all_at_once || w->m1 - w->m0 > GEMM_MC;
    size_t panel = units(b->kc) * WIDE;
    tile t = {.units = units(b->kc), .ldc = g->ldc, .alpha = gemm_alpha(g)};
    t.read = b->p > 0 || g->add;
    if (next && (next->i != b->i || next->p != b->p))
        t.next_a = ahead_of_view(&g->a, next->i, next->m, next->p, next->kc);
    if (pack_first && all_at_once) pack_b(w->scratch->b, panel, w, b->j, b->n, b->p, b->kc);
    for (size_t c = 0; c < b->n; c += WIDE) {
        float *at = w->scratch->b + (keep ? c / WIDE * panel : 0);
        t.cols = CN_MIN(b->n - c, WIDE);
        if (pack_first && !all_at_once) pack_b(at, panel, w, b->j + c, t.cols, b->p, b->kc);
        if (pack_first && c + WIDE < b->n)
            t.next_b = ahead_of_b(w, b, b->j + c + WIDE);
        else if (next && next->i == w->m0)
            t.next_b = ahead_of_b(w, next, next->j);
        t.b = at;
        t.bias = b->p == 0 && g->bias ? g->bias + b->j + c : NULL;
        multiply(&t, w, b, c);
    }
}

void GEMM_NAME(const gemm_part *t)
{
    block b = block_at(t, t->m0, t->n0, 0), next = b;
    bool more, packed = false;
    do {
        more = next_block(t, &next);
        if (!packed) pack_a(t->scratch->a, t, b.i, b.m, b.p, b.kc);
        packed = more && next.i == b.i && next.p == b.p;
        run_block(t, &b, more ? &next : NULL);
        b = next;
    } while (more);
}
