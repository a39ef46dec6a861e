/* Vectors of 4 for the templates of this folder, on the NEON of every ARMv8-A: no instruction
 * of a later extension (dot products, half-precision sums) is used. */
#ifndef KERNELS_ISA_NEON_H
#define KERNELS_ISA_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "kern_priv.h"

#define LANES 4
#define TOKENS 4     /* of a register tile */
#define FEW_TOKENS 4 /* up to here weights go from memory into the sums */
#define FLOAT_ROWS 2
#define FLOAT_TOKENS 2
#define ATTEND_QUERIES 1 /* of a tile of 4 keys */
#define ATTEND_WIDE 4    /* vectors of values of a tile of 4 queries */
#define ISA_INLINE static inline __attribute__((always_inline))

typedef uint32_t vu __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef float vf __attribute__((vector_size(16)));

#define VF_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define VF_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#define VF_ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define VF_ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)

/* Memory is read and written as bytes: nothing is aligned. */
ISA_INLINE vf vf_load(const void *p)
{
    return (vf)vld1q_u8(p);
}

ISA_INLINE void vf_store(float *p, vf v)
{
    vst1q_u8((uint8_t *)p, (uint8x16_t)v);
}

/* The first n lanes; the others are 0 and are not read. */
ISA_INLINE vf vf_load_n(const float *p, size_t n)
{
    vf v = {0};
    memcpy(&v, p, n * sizeof *p);
    return v;
}

ISA_INLINE void vf_store_n(float *p, vf v, size_t n)
{
    memcpy(p, &v, n * sizeof *p);
}

ISA_INLINE vf vf_set(float f)
{
    return (vf)vdupq_n_f32(f);
}

ISA_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

ISA_INLINE vf vf_of_int(vi v)
{
    return (vf)vcvtq_f32_s32((int32x4_t)v);
}

/* To the nearest, ties to even; 0 for NaN. */
ISA_INLINE vi vf_round(vf v)
{
    return (vi)vcvtnq_s32_f32((float32x4_t)v);
}

/* NaN where either is. */
ISA_INLINE vf vf_max(vf a, vf b)
{
    return (vf)vmaxq_f32((float32x4_t)a, (float32x4_t)b);
}

ISA_INLINE vf vf_min(vf a, vf b)
{
    return (vf)vminq_f32((float32x4_t)a, (float32x4_t)b);
}

ISA_INLINE vi vi_larger(vi a, vi b)
{
    return (vi)vmaxq_s32((int32x4_t)a, (int32x4_t)b);
}

ISA_INLINE int32_t vi_max(vi v)
{
    return vmaxvq_s32((int32x4_t)v);
}

ISA_INLINE int32_t vi_sum(vi v)
{
    return vaddvq_s32((int32x4_t)v);
}

/* Lanes where `test` is -1 from `a`, those where it is 0 from `b`. */
ISA_INLINE vf vf_pick(vi test, vf a, vf b)
{
    return (vf)vbslq_f32((uint32x4_t)test, (float32x4_t)a, (float32x4_t)b);
}

/* Halves of lanes onto each other: the order of dot_ref from 4 lanes on. */
ISA_INLINE float lanes_sum(vf v)
{
    return vpadds_f32(vadd_f32(vget_low_f32((float32x4_t)v), vget_high_f32((float32x4_t)v)));
}

/* out[i] = scale * lanes_sum(s[i]) */
ISA_INLINE void lanes_sum4(float out[4], const vf s[4], float scale)
{
    vf ab = __builtin_shufflevector(s[0], s[1], 0, 1, 4, 5) +
            __builtin_shufflevector(s[0], s[1], 2, 3, 6, 7);
    vf cd = __builtin_shufflevector(s[2], s[3], 0, 1, 4, 5) +
            __builtin_shufflevector(s[2], s[3], 2, 3, 6, 7);
    vf_store(out, (vf)vpaddq_f32((float32x4_t)ab, (float32x4_t)cd) * scale);
}

ISA_INLINE float lanes_max(vf v)
{
    return vmaxvq_f32((float32x4_t)v);
}

/* The low 16 bits of each lane as a half. */
ISA_INLINE vf vf_of_f16(vu v)
{
    return (vf)vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32((uint32x4_t)v)));
}

ISA_INLINE vf vf_load_f16(const void *p)
{
    return (vf)vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

ISA_INLINE void vf_store_f16(void *p, vf v)
{
    vst1_u8(p, vreinterpret_u8_f16(vcvt_f16_f32((float32x4_t)v)));
}

ISA_INLINE vf vf_load_bf16(const void *p)
{
    return (vf)vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16);
}

ISA_INLINE vf vf_load_i8(const void *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    int16x8_t v = vmovl_s8(vcreate_s8(four));
    return (vf)vcvtq_f32_s32(vmovl_s16(vget_low_s16(v)));
}

ISA_INLINE void vi_store_i8(void *p, vi v)
{
    int16x4_t h = vmovn_s32((int32x4_t)v);
    uint32_t four = vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(h, h))), 0);
    memcpy(p, &four, sizeof four);
}

/* Byte by byte, table[index & 15]. */
ISA_INLINE vu vu_lookup(const uint8_t table[16], vu index)
{
    return (vu)vqtbl1q_u8(vld1q_u8(table), (uint8x16_t)(index & 0x0F0F0F0F));
}

/* table[nibble] for the nibbles of 2 bytes, the high one of each first. */
ISA_INLINE vf vf_of_nibbles(const float table[16], const uint8_t *p)
{
    return (vf){table[p[0] >> 4], table[p[0] & 15], table[p[1] >> 4], table[p[1] & 15]};
}

/* 16 bytes of each of 4 rows as 4 vectors: lane r of out[j] is word j of row r. */
ISA_INLINE void vu_rows(vu out[4], const uint8_t *p, size_t stride)
{
    vu x[4];
    for (size_t i = 0; i < 4; i++)
        x[i] = (vu)vld1q_u8(p + i * stride);
    vu a = VF_ZIP_LOW(x[0], x[1]), b = VF_ZIP_LOW(x[2], x[3]), c = VF_ZIP_HIGH(x[0], x[1]),
       d = VF_ZIP_HIGH(x[2], x[3]);
    out[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    out[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    out[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    out[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

/* Products are of signed bytes: weights below 128 are such as they are, others are taken less
 * 128, and no shift is left to correct. */
#define INT_DOT_SIGNED 1

/* acc[t] += the products of n words of 4 columns, of weights smaller than `below`. Pairs of
 * products are added in 16 bits, which take 2 * (below - 1) * 127 from a word (2 * 128 * 127
 * with the sign), so many words fit into them. */
ISA_INLINE void int_dot(vi *acc, const vu *w, const int8_t *const *q, size_t tokens, size_t n,
                        int below)
{
    size_t fit = below > 128 ? 1 : (size_t)(32767 / (2 * (below - 1) * 127));
    size_t run = fit < n ? fit : n;
    for (size_t k = 0; k < n; k += run)
        for (size_t t = 0; t < tokens; t++) {
            int16x8_t low = vdupq_n_s16(0), high = low; /* rows 0 and 1; 2 and 3 */
            for (size_t i = k; i < k + run && i < n; i++) {
                int32_t four;
                memcpy(&four, q[t] + 4 * i, 4);
                int8x16_t a = vreinterpretq_s8_s32(vdupq_n_s32(four));
                int8x16_t b = (int8x16_t)(below > 128 ? w[i] ^ 0x80808080U : w[i]);
                low = vmlal_s8(low, vget_low_s8(b), vget_low_s8(a));
                high = vmlal_high_s8(high, b, a);
            }
            acc[t] = (vi)vpadalq_s16((int32x4_t)acc[t], vpaddq_s16(low, high));
        }
}

#endif
