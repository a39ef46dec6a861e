/* Vectors of 8 for the templates of this folder, on AVX2, FMA and F16C. */
#ifndef KERNELS_ISA_AVX2_H
#define KERNELS_ISA_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "kern_priv.h"

#define LANES 8
#define TOKENS 4     /* of a register tile */
#define FEW_TOKENS 4 /* up to here weights go from memory into the sums */
#define FLOAT_ROWS 2
#define FLOAT_TOKENS 2
#define ATTEND_QUERIES 1 /* of a tile of 4 keys */
#define ATTEND_WIDE 2    /* vectors of values of a tile of 4 queries */
#define ISA_INLINE static inline __attribute__((always_inline))

typedef uint32_t vu __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef float vf __attribute__((vector_size(32)));

ISA_INLINE __m256i first_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#define VF_EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define VF_ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define VF_ZIP_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define VF_ZIP_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)

ISA_INLINE vf vf_load(const void *p)
{
    return (vf)_mm256_loadu_ps(p);
}

ISA_INLINE void vf_store(float *p, vf v)
{
    _mm256_storeu_ps(p, (__m256)v);
}

/* The first n lanes; the others are 0 and are not read. */
ISA_INLINE vf vf_load_n(const float *p, size_t n)
{
    return (vf)_mm256_maskload_ps(p, first_lanes(n));
}

ISA_INLINE void vf_store_n(float *p, vf v, size_t n)
{
    _mm256_maskstore_ps(p, first_lanes(n), (__m256)v);
}

ISA_INLINE vf vf_set(float f)
{
    return (vf)_mm256_set1_ps(f);
}

ISA_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

ISA_INLINE vf vf_of_int(vi v)
{
    return (vf)_mm256_cvtepi32_ps((__m256i)v);
}

/* To the nearest, ties to even. */
ISA_INLINE vi vf_round(vf v)
{
    return (vi)_mm256_cvtps_epi32((__m256)v);
}

ISA_INLINE vf vf_max(vf a, vf b)
{
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
}

ISA_INLINE vf vf_min(vf a, vf b)
{
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
}

ISA_INLINE vi vi_larger(vi a, vi b)
{
    return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

ISA_INLINE int32_t vi_max(vi v)
{
    __m128i a = _mm_max_epi32(_mm256_castsi256_si128((__m256i)v),
                              _mm256_extracti128_si256((__m256i)v, 1));
    a = _mm_max_epi32(a, _mm_unpackhi_epi64(a, a));
    return _mm_cvtsi128_si32(_mm_max_epi32(a, _mm_shuffle_epi32(a, 1)));
}

ISA_INLINE int32_t vi_sum(vi v)
{
    __m128i a = _mm_add_epi32(_mm256_castsi256_si128((__m256i)v),
                              _mm256_extracti128_si256((__m256i)v, 1));
    a = _mm_add_epi32(a, _mm_unpackhi_epi64(a, a));
    return _mm_cvtsi128_si32(_mm_add_epi32(a, _mm_shuffle_epi32(a, 1)));
}

/* Lanes where `test` is -1 from `a`, those where it is 0 from `b`. */
ISA_INLINE vf vf_pick(vi test, vf a, vf b)
{
    return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)test);
}

ISA_INLINE __m128 add_halves(vf v)
{
    return _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
}

/* Halves of lanes onto each other: the order of dot_ref from 8 lanes on. */
ISA_INLINE float lanes_sum(vf v)
{
    __m128 b = add_halves(v);
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

/* out[i] = scale * lanes_sum(s[i]) */
ISA_INLINE void lanes_sum4(float out[4], const vf s[4], float scale)
{
    __m128 a = add_halves(s[0]), b = add_halves(s[1]), c = add_halves(s[2]),
           d = add_halves(s[3]);
    __m128 ab = _mm_add_ps(_mm_movelh_ps(a, b), _mm_movehl_ps(b, a));
    __m128 cd = _mm_add_ps(_mm_movelh_ps(c, d), _mm_movehl_ps(d, c));
    __m128 sums =
        _mm_mul_ps(_mm_add_ps(_mm_shuffle_ps(ab, cd, 0x88), _mm_shuffle_ps(ab, cd, 0xDD)),
                   _mm_set1_ps(scale));
    _mm_storeu_ps(out, sums);
}

ISA_INLINE float lanes_max(vf v)
{
    __m128 b =
        _mm_max_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}

/* The low 16 bits of each lane as a half. */
ISA_INLINE vf vf_of_f16(vu v)
{
    __m256i low = (__m256i)(v & 0xFFFF);
    return (vf)_mm256_cvtph_ps(
        _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)));
}

ISA_INLINE vf vf_load_f16(const void *p)
{
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128(p));
}

ISA_INLINE void vf_store_f16(void *p, vf v)
{
    _mm_storeu_si128(p, _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
}

ISA_INLINE vf vf_load_bf16(const void *p)
{
    return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16);
}

ISA_INLINE vf vf_load_i8(const void *p)
{
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p)));
}

ISA_INLINE void vi_store_i8(void *p, vi v)
{
    __m128i a = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v),
                                _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storel_epi64(p, _mm_packs_epi16(a, a));
}

/* Byte by byte, table[index & 15]. */
ISA_INLINE vu vu_lookup(const uint8_t table[16], vu index)
{
    __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    return (vu)_mm256_shuffle_epi8(t, (__m256i)index);
}

/* table[nibble] for the nibbles of 4 bytes, the high one of each first. */
ISA_INLINE vf vf_of_nibbles(const float table[16], const uint8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    __m256i b = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
    __m256i index = _mm256_or_si256(_mm256_srli_epi64(b, 4), _mm256_slli_epi64(b, 32));
    __m256 first = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index),
           second = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
    return (vf)_mm256_blendv_ps(first, second,
                                _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}

/* 16 bytes of each of 8 rows as 4 vectors: lane r of out[j] is word j of row r. */
ISA_INLINE void vu_rows(vu out[4], const uint8_t *p, size_t stride)
{
    __m256i x[4];
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *r = p + i * stride;
        __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)r));
        x[i] =
            _mm256_inserti128_si256(v, _mm_loadu_si128((const __m128i *)(r + 4 * stride)), 1);
    }
    __m256i a = _mm256_unpacklo_epi32(x[0], x[1]), b = _mm256_unpacklo_epi32(x[2], x[3]),
            c = _mm256_unpackhi_epi32(x[0], x[1]), d = _mm256_unpackhi_epi32(x[2], x[3]);
    out[0] = (vu)_mm256_unpacklo_epi64(a, b);
    out[1] = (vu)_mm256_unpackhi_epi64(a, b);
    out[2] = (vu)_mm256_unpacklo_epi64(c, d);
    out[3] = (vu)_mm256_unpackhi_epi64(c, d);
}

/* Eight-bit weights would overflow the 16-bit sums of vpmaddubsw: they are taken as signed
 * numbers, |w| times the activation with w's sign, and no shift is left to correct. */
#define INT_DOT_SIGNED 1
ISA_INLINE __m256i signed_products(__m256i u, __m256i four)
{
    __m256i w = _mm256_xor_si256(u, _mm256_set1_epi8(-128));
    return _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(four, w));
}

/* acc[t] += the products of n words of 4 columns, of weights smaller than `below`. A 16-bit sum
 * takes 2 * (below - 1) * 127 from a word, so many words fit into it. */
ISA_INLINE void int_dot(vi *acc, const vu *w, const int8_t *const *q, size_t tokens, size_t n,
                        int below)
{
    size_t fit = below > 128 ? 1 : (size_t)(32767 / (2 * (below - 1) * 127));
    size_t run = fit < n ? fit : n;
    for (size_t k = 0; k < n; k += run)
        for (size_t t = 0; t < tokens; t++) {
            __m256i sum = _mm256_setzero_si256();
            for (size_t i = k; i < k + run && i < n; i++) {
                int32_t four;
                memcpy(&four, q[t] + 4 * i, 4);
                __m256i a = _mm256_set1_epi32(four);
                sum =
                    _mm256_add_epi16(sum, below > 128 ? signed_products((__m256i)w[i], a)
                                                      : _mm256_maddubs_epi16((__m256i)w[i], a));
            }
            acc[t] += (vi)_mm256_madd_epi16(sum, _mm256_set1_epi16(1));
        }
}

#endif
