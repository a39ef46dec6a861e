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

#define BYTES(x) ((vu){0} + 0x01010101U * (x))

/* `size` (2 or 4) bytes of each row. */
ISA_INLINE vu row_words(const uint8_t *p, size_t stride, size_t size)
{
    uint32_t words[LANES] = {0};
    for (size_t r = 0; r < LANES; r++)
        memcpy(&words[r], p + r * stride, size);
    vu v;
    memcpy(&v, words, sizeof v);
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

/* The types of 32 columns: `n` blocks, scales first so that their words have left the store
 * queue when they are loaded as vectors. */
ISA_INLINE void small_scales(panel *out, const uint8_t *p, size_t stride, size_t n,
                             size_t block, bool bias)
{
    uint16_t d[PANEL_BLOCKS][LANES], m[PANEL_BLOCKS][LANES];
    for (size_t r = 0; r < LANES; r++)
        for (size_t b = 0; b < n; b++) {
            memcpy(&d[b][r], p + r * stride + b * block, 2);
            if (bias) memcpy(&m[b][r], p + r * stride + b * block + 2, 2);
        }
    for (size_t b = 0; b < n; b++) {
        out->scale[b] = vf_load_f16(d[b]);
        if (bias) out->bias[b] = vf_load_f16(m[b]);
    }
}

ISA_INLINE void unpack_nibbles(panel *out, const uint8_t *p, size_t stride, size_t n,
                               size_t block, bool bias, bool fifth, bool table)
{
    uint8_t values[16];
    for (size_t i = 0; i < 16; i++)
        values[i] = (uint8_t)(quant_iq4_nl_values[i] + 128);
    for (size_t b = 0; b < n; b++) {
        vu *u = out->u[b];
        split_nibbles(u, p + (b + 1) * block - 16, stride);
        if (fifth) add_fifth_bits(u, row_words(p + (b + 1) * block - 20, stride, 4));
        for (size_t j = 0; table && j < 8; j++)
            u[j] = vu_lookup(values, u[j]);
    }
    small_scales(out, p, stride, n, block, bias);
}

static void unpack_q4_0(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    unpack_nibbles(out, p, stride, n, sizeof(block_q4_0), false, false, false);
}

static void unpack_q4_1(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    unpack_nibbles(out, p, stride, n, sizeof(block_q4_1), true, false, false);
}

static void unpack_q5_0(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    unpack_nibbles(out, p, stride, n, sizeof(block_q5_0), false, true, false);
}

static void unpack_q5_1(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    unpack_nibbles(out, p, stride, n, sizeof(block_q5_1), true, true, false);
}

static void unpack_iq4_nl(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    unpack_nibbles(out, p, stride, n, sizeof(block_iq4_nl), false, false, true);
}

static void unpack_q8_0(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    for (size_t b = 0; b < n; b++) {
        const uint8_t *qs = p + b * sizeof(block_q8_0) + offsetof(block_q8_0, qs);
        vu_rows(out->u[b], qs, stride);
        vu_rows(out->u[b] + 4, qs + 16, stride);
        for (size_t j = 0; j < 8; j++)
            out->u[b][j] ^= BYTES(128);
    }
    small_scales(out, p, stride, n, sizeof(block_q8_0), false);
}

/* Byte i of each lane. */
ISA_INLINE vf byte_lanes(vu v, size_t i)
{
    return vf_of_int((vi)(v >> (uint32_t)(8 * i) & 255));
}

static void unpack_q2_K(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    (void)n;
    vu scales[4], x[8], dm = row_words(p + offsetof(block_q2_K, d), stride, 4);
    vf d = vf_of_f16(dm), dmin = vf_of_f16(dm >> 16);
    vu_rows(scales, p + offsetof(block_q2_K, scales), stride);
    for (size_t i = 0; i < 16; i++) {
        out->scale[i] = d * byte_lanes(scales[i / 4] & BYTES(15), i % 4);
        out->bias[i] = -(dmin * byte_lanes(scales[i / 4] >> 4 & BYTES(15), i % 4));
    }
    for (size_t half = 0; half < 2; half++) {
        const uint8_t *qs = p + offsetof(block_q2_K, qs) + 32 * half;
        vu_rows(x, qs, stride);
        vu_rows(x + 4, qs + 16, stride);
        for (uint32_t s = 0; s < 4; s++)
            for (size_t j = 0; j < 8; j++)
                out->u[4 * half + s][j] = x[j] >> (2 * s) & BYTES(3);
    }
}

static void unpack_q3_K(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    (void)n;
    vu high[8], x[8], packed[3];
    vf d = vf_of_f16(row_words(p + offsetof(block_q3_K, d), stride, 2));
    for (size_t i = 0; i < 3; i++)
        packed[i] = row_words(p + offsetof(block_q3_K, scales) + 4 * i, stride, 4);
    for (uint32_t g = 0; g < 4; g++) {
        vu scales = (packed[g % 2] >> (g < 2 ? 0 : 4) & BYTES(15)) |
                    (packed[2] >> (2 * g) & BYTES(3)) << 4;
        for (size_t i = 0; i < 4; i++)
            out->scale[4 * g + i] = d * vf_of_int((vi)(scales >> (uint32_t)(8 * i) & 255) - 32);
    }
    vu_rows(high, p, stride);
    vu_rows(high + 4, p + 16, stride);
    for (uint32_t half = 0; half < 2; half++) {
        const uint8_t *qs = p + offsetof(block_q3_K, qs) + 32 * half;
        vu_rows(x, qs, stride);
        vu_rows(x + 4, qs + 16, stride);
        for (uint32_t s = 0; s < 4; s++)
            for (size_t j = 0; j < 8; j++)
                out->u[4 * half + s][j] =
                    (x[j] >> (2 * s) & BYTES(3)) | (high[j] >> (4 * half + s) & BYTES(1)) << 2;
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

static void unpack_q4_K(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    (void)n;
    k4_header(out, p, stride);
    for (size_t b = 0; b < 8; b += 2) {
        const uint8_t *qs = p + offsetof(block_q4_K, qs) + 16 * b;
        for (size_t half = 0; half < 2; half++) {
            vu x[4];
            vu_rows(x, qs + 16 * half, stride);
            for (size_t j = 0; j < 4; j++) {
                out->u[b][4 * half + j] = x[j] & BYTES(15);
                out->u[b + 1][4 * half + j] = x[j] >> 4 & BYTES(15);
            }
        }
    }
}

static void unpack_q5_K(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    (void)n;
    k4_header(out, p, stride);
    for (size_t half = 0; half < 2; half++) {
        vu high[4];
        vu_rows(high, p + offsetof(block_q5_K, qh) + 16 * half, stride);
        for (uint32_t b = 0; b < 8; b += 2) {
            vu x[4];
            vu_rows(x, p + offsetof(block_q5_K, qs) + 16 * b + 16 * half, stride);
            for (size_t j = 0; j < 4; j++) {
                out->u[b][4 * half + j] = (x[j] & BYTES(15)) | (high[j] >> b & BYTES(1)) << 4;
                out->u[b + 1][4 * half + j] =
                    (x[j] >> 4 & BYTES(15)) | (high[j] >> (b + 1) & BYTES(1)) << 4;
            }
        }
    }
}

static void unpack_q6_K(panel *out, const uint8_t *p, size_t stride, size_t n)
{
    (void)n;
    vu scales[4];
    vf d = vf_of_f16(row_words(p + offsetof(block_q6_K, d), stride, 2));
    vu_rows(scales, p + offsetof(block_q6_K, scales), stride);
    for (size_t i = 0; i < 16; i++)
        out->scale[i] =
            d * vf_of_int((vi)(scales[i / 4] << (uint32_t)(24 - 8 * (i % 4))) >> 24);
    for (size_t i = 0; i < 4; i++) { /* 128 columns a half, of which 16 bytes of qh at a time */
        size_t half = i / 2, part = i % 2;
        vu high[4], low[2][4];
        vu_rows(high, p + offsetof(block_q6_K, qh) + 32 * half + 16 * part, stride);
        vu_rows(low[0], p + 64 * half + 16 * part, stride);
        vu_rows(low[1], p + 64 * half + 32 + 16 * part, stride);
        for (uint32_t s = 0; s < 4; s++)
            for (size_t j = 0; j < 4; j++)
                out->u[4 * half + s][4 * part + j] =
                    (low[s & 1][j] >> (s > 1 ? 4 : 0) & BYTES(15)) |
                    (high[j] >> (2 * s) & BYTES(3)) << 4;
    }
}

typedef void unpack_fn(panel *out, const uint8_t *p, size_t stride, size_t n);

typedef struct unpacker {
    unpack_fn *fn;
    size_t bytes; /* of PANEL_BLOCKS blocks of a row */
    int below;    /* u < below */
} unpacker;

static unpacker unpacker_of(cn_dtype type)
{
    switch (type) {
    case CN_Q4_0:
        return (unpacker){unpack_q4_0, 8 * sizeof(block_q4_0), 16};
    case CN_Q4_1:
        return (unpacker){unpack_q4_1, 8 * sizeof(block_q4_1), 16};
    case CN_Q5_0:
        return (unpacker){unpack_q5_0, 8 * sizeof(block_q5_0), 32};
    case CN_Q5_1:
        return (unpacker){unpack_q5_1, 8 * sizeof(block_q5_1), 32};
    case CN_Q8_0:
        return (unpacker){unpack_q8_0, 8 * sizeof(block_q8_0), 256};
    case CN_IQ4_NL:
        return (unpacker){unpack_iq4_nl, 8 * sizeof(block_iq4_nl), 256};
    case CN_Q2_K:
        return (unpacker){unpack_q2_K, sizeof(block_q2_K), 4};
    case CN_Q3_K:
        return (unpacker){unpack_q3_K, sizeof(block_q3_K), 8};
    case CN_Q4_K:
        return (unpacker){unpack_q4_K, sizeof(block_q4_K), 16};
    case CN_Q5_K:
        return (unpacker){unpack_q5_K, sizeof(block_q5_K), 32};
    default:
        return (unpacker){unpack_q6_K, sizeof(block_q6_K), 64};
    }
}
