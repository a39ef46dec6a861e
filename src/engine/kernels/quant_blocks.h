/* The bytes of quantised weights: one struct a block, as it lies in the file. GGUF's types are
 * those of ggml; NF4 is laid out by us. Packed, since a file's rows may start anywhere; all
 * numbers little-endian. In the comments x is a weight, q its stored number, and "low half"
 * means elements 0..15 of 32. */
#ifndef KERNELS_QUANT_BLOCKS_H
#define KERNELS_QUANT_BLOCKS_H

#include <stdint.h>

#define QUANT_PACKED __attribute__((packed))
#define QUANT_K 256 /* elements in a block of the K types */

typedef uint16_t quant_f16; /* bits of an IEEE half */

/* Blocks of 32. In the 4-bit fields element i < 16 is the low nibble of byte i, element i + 16
 * its high nibble; bit i of qh is the fifth bit of element i. */
typedef struct QUANT_PACKED block_q4_0 { /* x = d * (q - 8) */
    quant_f16 d;
    uint8_t qs[16];
} block_q4_0;

typedef struct QUANT_PACKED block_q4_1 { /* x = d * q + m */
    quant_f16 d, m;
    uint8_t qs[16];
} block_q4_1;

typedef struct QUANT_PACKED block_q5_0 { /* x = d * (q - 16) */
    quant_f16 d;
    uint32_t qh;
    uint8_t qs[16];
} block_q5_0;

typedef struct QUANT_PACKED block_q5_1 { /* x = d * q + m */
    quant_f16 d, m;
    uint32_t qh;
    uint8_t qs[16];
} block_q5_1;

typedef struct QUANT_PACKED block_q8_0 { /* x = d * q */
    quant_f16 d;
    int8_t qs[32];
} block_q8_0;

typedef struct QUANT_PACKED block_iq4_nl { /* x = d * quant_iq4_nl_values[q] */
    quant_f16 d;
    uint8_t qs[16];
} block_iq4_nl;

/* Blocks of 256: sub-blocks of 16 or 32 have small integer scales (and minima) that multiply
 * the block's halves. */
/* x = d * (scale & 15) * q - dmin * (scale >> 4) */
typedef struct QUANT_PACKED block_q2_K {
    uint8_t scales[16]; /* of 16 elements each */
    uint8_t qs[64];     /* element 128h + 32s + i: bits 2s, 2s + 1 of byte 32h + i */
    quant_f16 d, dmin;
} block_q2_K;

/* x = d * (scale - 32) * (q - 4) */
typedef struct QUANT_PACKED block_q3_K {
    uint8_t hmask[32];  /* third bit of element 32b + i: bit b of byte i */
    uint8_t qs[64];     /* lower two bits, as in Q2_K */
    uint8_t scales[12]; /* 16 of 6 bits: quant_q3_K_scale() */
    quant_f16 d;
} block_q3_K;

/* x = d * scale * q - dmin * min */
typedef struct QUANT_PACKED block_q4_K {
    quant_f16 d, dmin;
    uint8_t scales[12]; /* 8 scales and 8 minima of 6 bits: quant_k4_scale() */
    uint8_t qs[128];    /* element 64g + i: low nibble of byte 32g + i; 64g + 32 + i: high */
} block_q4_K;

/* x = d * scale * q - dmin * min */
typedef struct QUANT_PACKED block_q5_K {
    quant_f16 d, dmin;
    uint8_t scales[12]; /* as in Q4_K */
    uint8_t qh[32];     /* fifth bit of element 32b + i: bit b of byte i */
    uint8_t qs[128];    /* lower four bits, as in Q4_K */
} block_q5_K;

/* x = d * scale * (q - 32) */
typedef struct QUANT_PACKED block_q6_K {
    /* element 128h + 32s + i: byte 64h + 32(s & 1) + i, the high nibble if s > 1 */
    uint8_t ql[128];
    uint8_t qh[64];    /* upper two bits: bits 2s, 2s + 1 of byte 32h + i */
    int8_t scales[16]; /* of 16 elements each */
    quant_f16 d;
} block_q6_K;

/* Blocks of 64, two elements a byte, the first of them in the high nibble (bitsandbytes). */
typedef struct QUANT_PACKED block_nf4 { /* x = quant_nf4_values[q] * absmax */
    float absmax;
    uint8_t qs[32];
} block_nf4;

/* absmax = quant_nf4_scales[code] * scale[block / 256] + offset, where `block` counts over the
 * whole tensor; offset and scale[] follow the tensor's rows. */
typedef struct QUANT_PACKED block_nf4_dq {
    uint8_t code;
    uint8_t qs[32];
} block_nf4_dq;

#define QUANT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
QUANT_SIZE(block_q4_0, 18);
QUANT_SIZE(block_q4_1, 20);
QUANT_SIZE(block_q5_0, 22);
QUANT_SIZE(block_q5_1, 24);
QUANT_SIZE(block_q8_0, 34);
QUANT_SIZE(block_iq4_nl, 18);
QUANT_SIZE(block_q2_K, 84);
QUANT_SIZE(block_q3_K, 110);
QUANT_SIZE(block_q4_K, 144);
QUANT_SIZE(block_q5_K, 176);
QUANT_SIZE(block_q6_K, 210);
QUANT_SIZE(block_nf4, 36);
QUANT_SIZE(block_nf4_dq, 33);
#undef QUANT_SIZE

extern const int8_t quant_iq4_nl_values[16];
extern const float quant_nf4_values[16];
extern const float quant_nf4_scales[256]; /* bitsandbytes' signed dynamic 8-bit map */

/* Sub-block j of Q4_K and Q5_K: its scale and minimum, 0..63. */
static inline void quant_k4_scale(const uint8_t scales[12], unsigned j, uint8_t *scale,
                                  uint8_t *min)
{
    if (j < 4) {
        *scale = scales[j] & 63;
        *min = scales[j + 4] & 63;
    } else {
        *scale = (uint8_t)((scales[j + 4] & 15) | (scales[j - 4] >> 6) << 4);
        *min = (uint8_t)((scales[j + 4] >> 4) | (scales[j] >> 6) << 4);
    }
}

/* Sub-block j of Q3_K: its scale, -32..31. */
static inline int quant_q3_K_scale(const uint8_t scales[12], unsigned j)
{
    int low = j < 8 ? scales[j] & 15 : scales[j - 8] >> 4;
    int high = scales[8 + j % 4] >> (2 * (j / 4)) & 3;
    return (low | high << 4) - 32;
}

#endif
