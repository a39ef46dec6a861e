/* Vectors of 16 for the templates of this folder, on AVX-512 F, BW, VL, DQ and VNNI. */
#ifndef KERNELS_ISA_AVX512_H
#define KERNELS_ISA_AVX512_H

#include <immintrin.h>
#include <string.h>

#include "kern_priv.h"

#define LANES 16
#define TOKENS 8     /* of a register tile */
#define FEW_TOKENS 4 /* up to here weights go from memory into the sums */
#define FLOAT_ROWS 4
#define FLOAT_TOKENS 6
#define ATTEND_QUERIES 4 /* of a tile of 4 keys */
#define ATTEND_WIDE 4    /* vectors of values of a tile of 4 queries */
#define ISA_INLINE static inline __attribute__((always_inline))

typedef uint32_t vu __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef float vf __attribute__((vector_size(64)));

#define VF_EVEN(a, b)                                                                          \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define VF_ODD(a, b)                                                                           \
    __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define VF_ZIP_LOW(a, b)                                                                       \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define VF_ZIP_HIGH(a, b)                                                                      \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

ISA_INLINE vf vf_load(const void *p)
{
    return (vf)_mm512_loadu_ps(p);
}

ISA_INLINE void vf_store(float *p, vf v)
{
    _mm512_storeu_ps(p, (__m512)v);
}

/* The first n lanes; the others are 0 and are not read. */
ISA_INLINE vf vf_load_n(const float *p, size_t n)
{
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1), p);
}

ISA_INLINE void vf_store_n(float *p, vf v, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1U << n) - 1), (__m512)v);
}

ISA_INLINE vf vf_set(float f)
{
    return (vf)_mm512_set1_ps(f);
}

ISA_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

ISA_INLINE vf vf_of_int(vi v)
{
    return (vf)_mm512_cvtepi32_ps((__m512i)v);
}

/* To the nearest, ties to even. */
ISA_INLINE vi vf_round(vf v)
{
    return (vi)_mm512_cvtps_epi32((__m512)v);
}

ISA_INLINE vf vf_max(vf a, vf b)
{
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
}

ISA_INLINE vf vf_min(vf a, vf b)
{
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
}

ISA_INLINE vi vi_larger(vi a, vi b)
{
    return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

ISA_INLINE int32_t vi_max(vi v)
{
    return _mm512_reduce_max_epi32((__m512i)v);
}

ISA_INLINE int32_t vi_sum(vi v)
{
    return _mm512_reduce_add_epi32((__m512i)v);
}

/* Lanes where the bits of `test` are not 0 from `a`, the others from `b`. */
ISA_INLINE vf vf_pick(vi test, vf a, vf b)
{
    return (vf)_mm512_mask_blend_ps(_mm512_test_epi32_mask((__m512i)test, (__m512i)test),
                                    (__m512)b, (__m512)a);
}

/* Halves of lanes onto each other: the order of dot_ref. */
ISA_INLINE float lanes_sum(vf v)
{
    __m256 a =
        _mm256_add_ps(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

/* out[i] = scale * lanes_sum(s[i]) */
ISA_INLINE void lanes_sum4(float out[4], const vf s[4], float scale)
{
    __m512 a = (__m512)s[0], b = (__m512)s[1], c = (__m512)s[2], d = (__m512)s[3];
    __m512 ab =
        _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
    __m512 cd =
        _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
    __m512 x =
        _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));
    x = _mm512_add_ps(x, _mm512_permute_ps(x, 0x4E));
    x = _mm512_mul_ps(_mm512_add_ps(x, _mm512_permute_ps(x, 0xB1)), _mm512_set1_ps(scale));
    __m512i firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    _mm_storeu_ps(out, _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, x)));
}

ISA_INLINE float lanes_max(vf v)
{
    return _mm512_reduce_max_ps((__m512)v);
}

/* The low 16 bits of each lane as a half. */
ISA_INLINE vf vf_of_f16(vu v)
{
    return (vf)_mm512_cvtph_ps(_mm512_cvtepi32_epi16((__m512i)v));
}

ISA_INLINE vf vf_load_f16(const void *p)
{
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256(p));
}

ISA_INLINE void vf_store_f16(void *p, vf v)
{
    _mm256_storeu_si256(p, _mm512_cvtps_ph((__m512)v, _MM_FROUND_TO_NEAREST_INT));
}

ISA_INLINE vf vf_load_bf16(const void *p)
{
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16);
}

ISA_INLINE vf vf_load_i8(const void *p)
{
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p)));
}

ISA_INLINE void vi_store_i8(void *p, vi v)
{
    _mm_storeu_si128(p, _mm512_cvtepi32_epi8((__m512i)v));
}

/* Byte by byte, table[index & 15]. */
ISA_INLINE vu vu_lookup(const uint8_t table[16], vu index)
{
    __m512i t = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
    return (vu)_mm512_shuffle_epi8(t, (__m512i)index);
}

/* table[nibble] for the nibbles of 8 bytes, the high one of each first. */
ISA_INLINE vf vf_of_nibbles(const float table[16], const uint8_t *p)
{
    __m512i b = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)p));
    __m512i low = _mm512_slli_epi64(b, 32); /* what is above the index does not count */
    __m512i index = _mm512_or_si512(_mm512_srli_epi64(b, 4), low);
    return (vf)_mm512_permutexvar_ps(index, _mm512_loadu_ps(table));
}

/* 16 bytes of each of 16 rows as 4 vectors: lane r of out[j] is word j of row r. */
ISA_INLINE void vu_rows(vu out[4], const uint8_t *p, size_t stride)
{
    __m512i x[4];
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *r = p + i * stride;
        __m256i low =
            _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)r)),
                                    _mm_loadu_si128((const __m128i *)(r + 4 * stride)), 1);
        __m256i high = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(r + 8 * stride))),
            _mm_loadu_si128((const __m128i *)(r + 12 * stride)), 1);
        x[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    __m512i a = _mm512_unpacklo_epi32(x[0], x[1]), b = _mm512_unpacklo_epi32(x[2], x[3]),
            c = _mm512_unpackhi_epi32(x[0], x[1]), d = _mm512_unpackhi_epi32(x[2], x[3]);
    out[0] = (vu)_mm512_unpacklo_epi64(a, b);
    out[1] = (vu)_mm512_unpackhi_epi64(a, b);
    out[2] = (vu)_mm512_unpacklo_epi64(c, d);
    out[3] = (vu)_mm512_unpackhi_epi64(c, d);
}

/* acc[t] += the products of n words of 4 columns; weights below `below`, or, where that is 256,
 * any. */
#define INT_DOT_SIGNED 0
ISA_INLINE void int_dot(vi *acc, const vu *w, const int8_t *const *q, size_t tokens, size_t n,
                        int below)
{
    (void)below;
    for (size_t k = 0; k < n; k++) {
        __m512i u = (__m512i)w[k];
        for (size_t t = 0; t < tokens; t++) {
            int32_t four;
            memcpy(&four, q[t] + 4 * k, 4);
            acc[t] = (vi)_mm512_dpbusd_epi32((__m512i)acc[t], u, _mm512_set1_epi32(four));
        }
    }
}

#endif
