/* Template: LANES rows of any quantised type, transposed into a panel, so that a lane is a row
 * and a word of a lane is 4 columns. All formats keep their bits byte by byte, so that the
 * bytes can be transposed first and taken apart for all rows at once. */
#include "quant_blocks.h"

/* 256 columns, or what is left of a row. Scale and bias of block b are at [b], or those of its
 * halves at [2b] and [2b + 1]. */
#define PANEL_BLOCKS 8
typedef struct panel {
    vu u[PANEL_BLOCKS][8];
    vf scale[2 * PANEL_BLOCKS], bias[2 * PANEL_BLOCKS];
} panel;

/* Who takes the blocks as they are unpacked: a panel that keeps them, or (matmul_int.h) the
 * sums of `tokens` tokens, which use them up while they are in registers. Always inlined, with
 * all but pointers constant. */
typedef struct unpack_sums {
    kern_traits traits;
    int below; /* u < below */
    size_t tokens;
    const act_block *a[FEW_TOKENS];
    vf sum[FEW_TOKENS];
    const char *far, *near; /* what is needed a panel and 256 columns from now */
    size_t bytes, stride;   /* of 256 columns of a row; from row to row */
} unpack_sums;

/* A 1/PANEL_BLOCKS of both, so that requests to memory come evenly. Memory is read in its own
 * order, a panel ahead; then the 256 columns of each row come from the second cache. */
ISA_INLINE void prefetch_part(unpack_sums *now)
{
    size_t part = now->bytes * LANES / PANEL_BLOCKS;
    for (size_t i = 0; i < part; i += 64)
        __builtin_prefetch(now->far + i, 0, 2);
    now->far += part;
    for (size_t r = 0; r * PANEL_BLOCKS < LANES; r++, now->near += now->stride)
        for (size_t i = 0; i < now->bytes; i += 64)
            __builtin_prefetch(now->near + i, 0, 3);
}

ISA_INLINE void add_block(vf *sum, const vu *u, const vf *scale, const vf *bias,
                          const act_block *const *a, size_t tokens, kern_traits traits,
                          int below);

ISA_INLINE void put_block(panel *out, unpack_sums *now, size_t b, const vu u[8])
{
    if (now) {
        prefetch_part(now);
        size_t at = now->traits.halves ? 2 * b : b;
        add_block(now->sum, u, out->scale + at, out->bias + at, now->a, now->tokens,
                  now->traits, now->below);
        for (size_t t = 0; t < now->tokens; t++)
            now->a[t]++;
    } else {
        for (size_t j = 0; j < 8; j++)
            out->u[b][j] = u[j];
    }
}

ISA_INLINE vi start_sum(int32_t neg_sum, int shift)
{
    return shift < 0 ? (vi){0} : ((vi){0} + neg_sum) << shift;
}

/* A block of Q4_0 whose words begin at column `at` (of the low nibbles; 16 on, of the high). */
ISA_INLINE void put_nibbles(unpack_sums *now, const vu *low, const vu *high, size_t words,
                            int at, vf scale)
{
    for (size_t t = 0; t < now->tokens; t++) {
        const act_block *a = now->a[t]++;
        const int8_t *q[] = {a->q + at}, *q_high[] = {a->q + at + 16};
        vi acc = start_sum(a->neg_sum, now->traits.shift);
        int_dot(&acc, low, q, 1, words, now->below);
        int_dot(&acc, high, q_high, 1, words, now->below);
        now->sum[t] = vf_fma(vf_of_int(acc) * scale, vf_set(a->d), now->sum[t]);
    }
}

#define BYTES(x) ((vu){0} + 0x01010101U * (x))

/* What is too small for vectors to fetch: halves and words that lie among the blocks, row by
 * row. It is copied through memory, and should be a panel ahead of its use: vectors can be
 * loaded from many small stores only when these have left the store queue. */
typedef struct fetched {
    uint16_t d[PANEL_BLOCKS][LANES], m[PANEL_BLOCKS][LANES];
    uint32_t words[PANEL_BLOCKS][LANES];
} fetched;

/* Where they are in a block, d first; -1 for none. */
typedef struct fetch_plan {
    int d, m, word, words; /* byte offsets, and how many words follow each other */
} fetch_plan;

ISA_INLINE void fetch_blocks(fetched *f, const uint8_t *p, size_t stride, size_t n,
                             size_t block, fetch_plan plan)
{
    for (size_t r = 0; r < LANES; r++, p += stride)
        for (size_t b = 0; b < n; b++) {
            const uint8_t *at = p + b * block;
            if (plan.d >= 0) memcpy(&f->d[b][r], at + plan.d, 2);
            if (plan.m >= 0) memcpy(&f->m[b][r], at + plan.m, 2);
            for (int i = 0; i < plan.words; i++)
                memcpy(&f->words[b + (size_t)i][r], at + plan.word + 4 * i, 4);
        }
}

ISA_INLINE void fetch(cn_dtype type, fetched *f, const uint8_t *p, size_t stride, size_t n)
{
    switch (type) {
    case CN_Q4_0:
    case CN_IQ4_NL:
        fetch_blocks(f, p, stride, n, sizeof(block_q4_0), (fetch_plan){0, -1, 0, 0});
        break;
    case CN_Q4_1:
        fetch_blocks(f, p, stride, n, sizeof(block_q4_1), (fetch_plan){0, 2, 0, 0});
        break;
    case CN_Q5_0:
        fetch_blocks(f, p, stride, n, sizeof(block_q5_0), (fetch_plan){0, -1, 2, 1});
        break;
    case CN_Q5_1:
        fetch_blocks(f, p, stride, n, sizeof(block_q5_1), (fetch_plan){0, 2, 4, 1});
        break;
    case CN_Q8_0:
        fetch_blocks(f, p, stride, n, sizeof(block_q8_0), (fetch_plan){0, -1, 0, 0});
        break;
    case CN_Q2_K:
        fetch_blocks(f, p, stride, 1, 0, (fetch_plan){offsetof(block_q2_K, d), 82, 0, 0});
        break;
    case CN_Q3_K:
        fetch_blocks(f, p, stride, 1, 0, (fetch_plan){offsetof(block_q3_K, d), -1, 96, 3});
        break;
    case CN_Q6_K:
        fetch_blocks(f, p, stride, 1, 0, (fetch_plan){offsetof(block_q6_K, d), -1, 0, 0});
        break;
    default:
        break; /* Q4_K and Q5_K begin with 16 bytes of such things */
    }
}

ISA_INLINE vu words_of(const fetched *f, size_t i)
{
    vu v;
    memcpy(&v, f->words[i], sizeof v);
    return v;
}

ISA_INLINE void split_nibbles(vu u[8], const uint8_t *qs, size_t stride)
{
    vu x[4];
    vu_rows(x, qs, stride);
    for (size_t j = 0; j < 4; j++) {
        u[j] = x[j] & BYTES(15);
        u[j + 4] = x[j] >> 4 & BYTES(15);
    }
}

/* Bit 4j + i of qh becomes bit 4 of byte i in word j: the product puts a copy of the four bits
 * at 0, 7, 14 and 21. */
ISA_INLINE void add_fifth_bits(vu u[8], vu qh)
{
    for (size_t j = 0; j < 8; j++)
        u[j] |= ((qh >> (uint32_t)(4 * j) & 15) * 0x00204081U & BYTES(1)) << 4;
}

/* Scales, and biases if any, of n blocks of 32 columns. */
ISA_INLINE void small_scales(panel *out, const fetched *f, size_t n, bool bias)
{
    for (size_t b = 0; b < n; b++) {
        out->scale[b] = vf_load_f16(f->d[b]);
        if (bias) out->bias[b] = vf_load_f16(f->m[b]);
    }
}

ISA_INLINE void unpack_nibbles(panel *out, unpack_sums *now, const fetched *f, const uint8_t *p,
                               size_t stride, size_t n, size_t block, bool bias, bool fifth,
                               bool table)
{
    uint8_t values[16];
    for (size_t i = 0; i < 16; i++)
        values[i] = (uint8_t)(quant_iq4_nl_values[i] + 128);
    small_scales(out, f, n, bias);
    for (size_t b = 0; b < n; b++) {
        vu u[8];
        split_nibbles(u, p + (b + 1) * block - 16, stride);
        if (fifth) add_fifth_bits(u, words_of(f, b));
        for (size_t j = 0; table && j < 8; j++)
            u[j] = vu_lookup(values, u[j]);
        put_block(out, now, b, u);
    }
}

ISA_INLINE void unpack_bytes(panel *out, unpack_sums *now, const fetched *f, const uint8_t *p,
                             size_t stride, size_t n)
{
    small_scales(out, f, n, false);
    for (size_t b = 0; b < n; b++) {
        const uint8_t *qs = p + b * sizeof(block_q8_0) + offsetof(block_q8_0, qs);
        vu u[8];
        vu_rows(u, qs, stride);
        vu_rows(u + 4, qs + 16, stride);
        for (size_t j = 0; j < 8; j++)
            u[j] ^= BYTES(128);
        put_block(out, now, b, u);
    }
}

/* Byte i of each lane. */
ISA_INLINE vf byte_lanes(vu v, size_t i)
{
    return vf_of_int((vi)(v >> (uint32_t)(8 * i) & 255));
}

/* 32 bytes of each row. */
ISA_INLINE void vu_rows2(vu out[8], const uint8_t *p, size_t stride)
{
    vu_rows(out, p, stride);
    vu_rows(out + 4, p + 16, stride);
}

ISA_INLINE void unpack_q2(panel *out, unpack_sums *now, const fetched *f, const uint8_t *p,
                          size_t stride)
{
    vu scales[4], x[8], u[8];
    vf d = vf_load_f16(f->d[0]), dmin = vf_load_f16(f->m[0]);
    vu_rows(scales, p + offsetof(block_q2_K, scales), stride);
    for (size_t i = 0; i < 16; i++) {
        out->scale[i] = d * byte_lanes(scales[i / 4] & BYTES(15), i % 4);
        out->bias[i] = -(dmin * byte_lanes(scales[i / 4] >> 4 & BYTES(15), i % 4));
    }
    for (size_t half = 0; half < 2; half++) {
        vu_rows2(x, p + offsetof(block_q2_K, qs) + 32 * half, stride);
        for (uint32_t s = 0; s < 4; s++) {
            for (size_t j = 0; j < 8; j++)
                u[j] = x[j] >> (2 * s) & BYTES(3);
            put_block(out, now, 4 * half + s, u);
        }
    }
}

ISA_INLINE void unpack_q3(panel *out, unpack_sums *now, const fetched *f, const uint8_t *p,
                          size_t stride)
{
    vu high[8], x[8], u[8], packed[3] = {words_of(f, 0), words_of(f, 1), words_of(f, 2)};
    vf d = vf_load_f16(f->d[0]);
    for (uint32_t g = 0; g < 4; g++) {
        vu scales = (packed[g % 2] >> (g < 2 ? 0 : 4) & BYTES(15)) |
                    (packed[2] >> (2 * g) & BYTES(3)) << 4;
        for (size_t i = 0; i < 4; i++)
            out->scale[4 * g + i] = d * vf_of_int((vi)(scales >> (uint32_t)(8 * i) & 255) - 32);
    }
    vu_rows2(high, p, stride);
    for (uint32_t half = 0; half < 2; half++) {
        vu_rows2(x, p + offsetof(block_q3_K, qs) + 32 * half, stride);
        for (uint32_t s = 0; s < 4; s++) {
            for (size_t j = 0; j < 8; j++)
                u[j] = (x[j] >> (2 * s) & BYTES(3)) | (high[j] >> (4 * half + s) & BYTES(1))
                                                          << 2;
            put_block(out, now, 4 * half + s, u);
        }
    }
}

/* d, dmin and the 12 bytes of scales and minima that Q4_K and Q5_K begin with. */
ISA_INLINE void k4_header(panel *out, const uint8_t *p, size_t stride)
{
    vu x[4];
    vu_rows(x, p, stride);
    vf d = vf_of_f16(x[0]), dmin = vf_of_f16(x[0] >> 16);
    vu scales[2] = {x[1] & BYTES(63), (x[3] & BYTES(15)) | (x[1] >> 2 & BYTES(48))};
    vu minima[2] = {x[2] & BYTES(63), (x[3] >> 4 & BYTES(15)) | (x[2] >> 2 & BYTES(48))};
    for (size_t i = 0; i < 8; i++) {
        out->scale[i] = d * byte_lanes(scales[i / 4], i % 4);
        out->bias[i] = -(dmin * byte_lanes(minima[i / 4], i % 4));
    }
}

/* Q4_K, and Q5_K with its fifth bits. */
ISA_INLINE void unpack_k4(panel *out, unpack_sums *now, const uint8_t *p, size_t stride,
                          bool fifth)
{
    vu high[8], x[8], u[8];
    const uint8_t *qs = p + (fifth ? offsetof(block_q5_K, qs) : offsetof(block_q4_K, qs));
    k4_header(out, p, stride);
    if (fifth) vu_rows2(high, p + offsetof(block_q5_K, qh), stride);
    for (uint32_t b = 0; b < 8; b += 2) {
        vu_rows2(x, qs + 16 * b, stride);
        for (uint32_t i = 0; i < 2; i++) {
            for (size_t j = 0; j < 8; j++) {
                u[j] = x[j] >> (4 * i) & BYTES(15);
                if (fifth) u[j] |= (high[j] >> (b + i) & BYTES(1)) << 4;
            }
            put_block(out, now, b + i, u);
        }
    }
}

ISA_INLINE void unpack_q6(panel *out, unpack_sums *now, const fetched *f, const uint8_t *p,
                          size_t stride)
{
    vu scales[4], high[8], low[2][8], u[8];
    vf d = vf_load_f16(f->d[0]);
    vu_rows(scales, p + offsetof(block_q6_K, scales), stride);
    for (size_t i = 0; i < 16; i++)
        out->scale[i] =
            d * vf_of_int((vi)(scales[i / 4] << (uint32_t)(24 - 8 * (i % 4))) >> 24);
    for (size_t half = 0; half < 2; half++) {
        vu_rows2(high, p + offsetof(block_q6_K, qh) + 32 * half, stride);
        vu_rows2(low[0], p + 64 * half, stride);
        vu_rows2(low[1], p + 64 * half + 32, stride);
        for (uint32_t s = 0; s < 4; s++) {
            for (size_t j = 0; j < 8; j++)
                u[j] = (low[s & 1][j] >> (s > 1 ? 4 : 0) & BYTES(15)) |
                       (high[j] >> (2 * s) & BYTES(3)) << 4;
            put_block(out, now, 4 * half + s, u);
        }
    }
}

/* A full panel of Q4_0 for put_sums alone. Two blocks of 18 bytes are 9 words: read from the
 * first scale on, everything comes with the rows, and the quants of every other block are off
 * by two bytes, which the words of activations can be as well. */
ISA_INLINE void unpack_q4_0_sums(unpack_sums *now, const uint8_t *p, size_t stride)
{
    vu x[36], low[5], high[5];
    for (size_t pair = 0, have = 0; pair < 4; pair++) {
        for (; have < 9 * (pair + 1); have += 4)
            vu_rows(x + have, p + 4 * have, stride);
        const vu *w = x + 9 * pair;
        for (size_t j = 0; j < 5; j++) {
            uint32_t mask = j == 0 ? 0x0F0F0000U : j == 4 ? 0x0F0FU : 0x0F0F0F0FU;
            low[j] = w[j] & mask;
            high[j] = w[j] >> 4 & mask;
        }
        prefetch_part(now);
        put_nibbles(now, low, high, 5, -2, vf_of_f16(w[0]));
        for (size_t j = 0; j < 4; j++) {
            low[j] = w[j + 5] & BYTES(15);
            high[j] = w[j + 5] >> 4 & BYTES(15);
        }
        prefetch_part(now);
        put_nibbles(now, low, high, 4, 0, vf_of_f16(w[4] >> 16));
    }
}

/* One panel of a type: n is PANEL_BLOCKS, or less at the end of a row of small blocks. */
ISA_INLINE void unpack_any(cn_dtype type, panel *out, unpack_sums *now, const fetched *f,
                           const uint8_t *p, size_t stride, size_t n)
{
    switch (type) {
    case CN_Q4_0:
        unpack_nibbles(out, now, f, p, stride, n, sizeof(block_q4_0), false, false, false);
        break;
    case CN_Q4_1:
        unpack_nibbles(out, now, f, p, stride, n, sizeof(block_q4_1), true, false, false);
        break;
    case CN_Q5_0:
        unpack_nibbles(out, now, f, p, stride, n, sizeof(block_q5_0), false, true, false);
        break;
    case CN_Q5_1:
        unpack_nibbles(out, now, f, p, stride, n, sizeof(block_q5_1), true, true, false);
        break;
    case CN_IQ4_NL:
        unpack_nibbles(out, now, f, p, stride, n, sizeof(block_iq4_nl), false, false, true);
        break;
    case CN_Q8_0:
        unpack_bytes(out, now, f, p, stride, n);
        break;
    case CN_Q2_K:
        unpack_q2(out, now, f, p, stride);
        break;
    case CN_Q3_K:
        unpack_q3(out, now, f, p, stride);
        break;
    case CN_Q4_K:
        unpack_k4(out, now, p, stride, false);
        break;
    case CN_Q5_K:
        unpack_k4(out, now, p, stride, true);
        break;
    default:
        unpack_q6(out, now, f, p, stride);
        break;
    }
}

/* Bytes of a full panel in one row: a constant where the type is. */
ISA_INLINE size_t panel_row_bytes_of(cn_dtype type)
{
    switch (type) {
    case CN_Q4_0:
        return 8 * sizeof(block_q4_0);
    case CN_Q4_1:
        return 8 * sizeof(block_q4_1);
    case CN_Q5_0:
        return 8 * sizeof(block_q5_0);
    case CN_Q5_1:
        return 8 * sizeof(block_q5_1);
    case CN_Q8_0:
        return 8 * sizeof(block_q8_0);
    case CN_IQ4_NL:
        return 8 * sizeof(block_iq4_nl);
    case CN_Q2_K:
        return sizeof(block_q2_K);
    case CN_Q3_K:
        return sizeof(block_q3_K);
    case CN_Q4_K:
        return sizeof(block_q4_K);
    case CN_Q5_K:
        return sizeof(block_q5_K);
    default:
        return sizeof(block_q6_K);
    }
}
