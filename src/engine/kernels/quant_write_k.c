/* f32 to the K types: blocks of 256 whose sub-blocks have small integer scales. */
#include <math.h>
#include <string.h>

#include "quant_search.h"
#include "quant_write.h"
#include "quants.h"

/* Q2_K, Q4_K and Q5_K before their bits are packed: x ~ d * scale * q - dmin * min. */
typedef struct affine_block {
    quant_f16 d, dmin;
    uint8_t scale[16], min[16], q[QUANT_K];
} affine_block;

/* Q3_K and Q6_K: x ~ d * scale * (q - half). */
typedef struct symmetric_block {
    quant_f16 d;
    int8_t scale[16];
    uint8_t q[QUANT_K];
} symmetric_block;

/* n numbers >= 0 as multiples 0..max of what is returned. */
static quant_f16 share_unit(const float *v, size_t n, int max, uint8_t *out)
{
    float top = 0;
    for (size_t i = 0; i < n; i++)
        top = fmaxf(top, v[i]);
    quant_f16 unit = quant_f32_to_f16(top / (float)max);
    float u = quant_f16_to_f32(unit);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(u > 0 ? quant_round(v[i] / u, max) : 0);
    return unit;
}

static void fit_affine_block(affine_block *b, const float *x, size_t size, int q_max,
                             int scale_max)
{
    float scale[16], min[16], w[32];
    size_t n = QUANT_K / size;
    for (size_t j = 0; j < n; j++) {
        quant_weigh(x + j * size, size, w);
        scale[j] = quant_fit_affine(x + j * size, w, size, q_max, min + j, b->q + j * size);
    }
    b->d = share_unit(scale, n, scale_max, b->scale);
    b->dmin = share_unit(min, n, scale_max, b->min);
    float d = quant_f16_to_f32(b->d), dmin = quant_f16_to_f32(b->dmin);
    for (size_t i = 0; i < QUANT_K; i++) { /* once more, for the scales as they are now */
        float s = d * (float)b->scale[i / size], m = dmin * (float)b->min[i / size];
        b->q[i] = (uint8_t)(s > 0 ? quant_round((x[i] + m) / s, q_max) : 0);
    }
}

static void fit_symmetric_block(symmetric_block *b, const float *x, int half, int scale_half)
{
    float scale[16], w[16], top = 0;
    for (int j = 0; j < 16; j++) {
        quant_weigh(x + 16 * j, 16, w);
        scale[j] = quant_fit_symmetric(x + 16 * j, w, 16, half);
        if (fabsf(scale[j]) > fabsf(top)) top = scale[j];
    }
    b->d = quant_f32_to_f16(-top / (float)scale_half);
    float d = quant_f16_to_f32(b->d);
    for (int j = 0; j < 16; j++) {
        float v = d != 0 ? scale[j] / d + (float)scale_half : (float)scale_half;
        b->scale[j] = (int8_t)(quant_round(v, 2 * scale_half - 1) - scale_half);
        float s = d * (float)b->scale[j];
        for (int i = 16 * j; i < 16 * j + 16; i++)
            b->q[i] = (uint8_t)quant_round((s != 0 ? x[i] / s : 0) + (float)half, 2 * half - 1);
    }
}

/* The inverse of quant_k4_scale(). */
static void pack_k4_scales(uint8_t out[12], const uint8_t *scale, const uint8_t *min)
{
    for (int j = 0; j < 4; j++) {
        out[j] = (uint8_t)(scale[j] | (scale[j + 4] >> 4) << 6);
        out[j + 4] = (uint8_t)(min[j] | (min[j + 4] >> 4) << 6);
        out[j + 8] = (uint8_t)((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
    }
}

static void pack_nibbles(uint8_t out[128], const uint8_t q[QUANT_K])
{
    for (int i = 0; i < 128; i++) {
        const uint8_t *at = q + i / 32 * 64 + i % 32;
        out[i] = (uint8_t)((at[0] & 15) | (at[32] & 15) << 4);
    }
}

/* Two bits a weight, from bit 0 of `q`. */
static void pack_pairs(uint8_t out[64], const uint8_t q[QUANT_K])
{
    for (int i = 0; i < 64; i++) {
        const uint8_t *at = q + i / 32 * 128 + i % 32;
        out[i] =
            (uint8_t)((at[0] & 3) | (at[32] & 3) << 2 | (at[64] & 3) << 4 | (at[96] & 3) << 6);
    }
}

/* Bit `bit` of each weight. */
static void pack_bits(uint8_t out[32], const uint8_t q[QUANT_K], int bit)
{
    memset(out, 0, 32);
    for (int i = 0; i < QUANT_K; i++)
        out[i % 32] |= (uint8_t)((q[i] >> bit & 1) << (i / 32));
}

void quant_write_q2_K(block_q2_K *b, const float x[QUANT_K])
{
    affine_block a;
    fit_affine_block(&a, x, 16, 3, 15);
    b->d = a.d;
    b->dmin = a.dmin;
    for (int j = 0; j < 16; j++)
        b->scales[j] = (uint8_t)(a.scale[j] | a.min[j] << 4);
    pack_pairs(b->qs, a.q);
}

void quant_write_q3_K(block_q3_K *b, const float x[QUANT_K])
{
    symmetric_block s;
    fit_symmetric_block(&s, x, 4, 32);
    b->d = s.d;
    pack_pairs(b->qs, s.q);
    pack_bits(b->hmask, s.q, 2);
    memset(b->scales, 0, sizeof b->scales);
    for (int j = 0; j < 16; j++) { /* the inverse of quant_q3_K_scale() */
        int v = s.scale[j] + 32;
        b->scales[j % 8] |= (uint8_t)((v & 15) << (j / 8 * 4));
        b->scales[8 + j % 4] |= (uint8_t)((v >> 4) << (j / 4 * 2));
    }
}

void quant_write_q4_K(block_q4_K *b, const float x[QUANT_K])
{
    affine_block a;
    fit_affine_block(&a, x, 32, 15, 63);
    b->d = a.d;
    b->dmin = a.dmin;
    pack_k4_scales(b->scales, a.scale, a.min);
    pack_nibbles(b->qs, a.q);
}

void quant_write_q5_K(block_q5_K *b, const float x[QUANT_K])
{
    affine_block a;
    fit_affine_block(&a, x, 32, 31, 63);
    b->d = a.d;
    b->dmin = a.dmin;
    pack_k4_scales(b->scales, a.scale, a.min);
    pack_nibbles(b->qs, a.q);
    pack_bits(b->qh, a.q, 4);
}

void quant_write_q6_K(block_q6_K *b, const float x[QUANT_K])
{
    symmetric_block s;
    uint8_t high[QUANT_K];
    fit_symmetric_block(&s, x, 32, 128);
    b->d = s.d;
    memcpy(b->scales, s.scale, sizeof b->scales);
    for (int i = 0; i < 128; i++) {
        const uint8_t *at = s.q + i / 64 * 128 + i % 64;
        b->ql[i] = (uint8_t)((at[0] & 15) | (at[64] & 15) << 4);
    }
    for (int i = 0; i < QUANT_K; i++)
        high[i] = s.q[i] >> 4;
    pack_pairs(b->qh, high);
}
