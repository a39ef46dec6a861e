/* Template: units of gemm_vec.h that are two bf16: the even k in the low half. */
#define UNIT 2

/* LANES units along k from the n > 0 numbers at p. */
ISA_INLINE vf units_along(const float *p, size_t n, bool round)
{
    (void)round;
    vf low = load_some(p, n), high = n > LANES ? load_some(p + LANES, n - LANES) : (vf){0};
    return (vf)(__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}

/* One unit of each of n columns; `n_k` rows are left. */
ISA_INLINE vf units_across(const float *p, size_t stride, size_t n_k, size_t n, bool round)
{
    (void)round;
    vf even = load_some(p, n), odd = n_k > 1 ? load_some(p + stride, n) : (vf){0};
    __m512i halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even);
    __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                     8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return (vf)_mm512_permutexvar_epi16(order, halves);
}

ISA_INLINE vf unit_dot(vf a, vf b, vf sum)
{
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
