/* The search for scales: which small integers and which scale (and minimum) lose least. */
#ifndef KERNELS_QUANT_SEARCH_H
#define KERNELS_QUANT_SEARCH_H

#include <stddef.h>
#include <stdint.h>

/* What the error of each weight counts: large weights more, as a dot product feels them more.
 */
void quant_weigh(const float *x, size_t n, float *w);
/* x ~ scale * q - min with q in 0..q_max and min >= 0; `w` weighs the squared errors. Fills q
 * and min, returns the scale. */
float quant_fit_affine(const float *x, const float *w, size_t n, int q_max, float *min,
                       uint8_t *q);
/* x ~ scale * q with q in -half..half-1; the scale may be negative, so that -half serves the
 * largest weight of either sign. Returns the scale. */
float quant_fit_symmetric(const float *x, const float *w, size_t n, int half);
/* x ~ scale * values[q]; `values` sorted, 16 of them. Returns the scale. */
float quant_fit_values(const float *x, const float *w, size_t n, const int8_t values[16]);
/* Index of the value nearest to v. */
int quant_nearest_value(float v, const int8_t values[16]);

/* v rounded to an integer in 0..max; NaN gives 0. */
static inline int quant_round(float v, int max)
{
    float top = (float)max;
    v = v > 0 ? v : 0;
    v = v < top ? v : top;
    return (int)(v + 0.5f);
}

#endif
