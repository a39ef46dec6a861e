/* NF4 as bitsandbytes makes it: 16 values at the quantiles of a normal distribution, a scale
 * for 64 weights; with double quantisation the scales, less their mean, become bytes in groups
 * of 256. The mean is the correctly rounded one. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "compiler.h"
#include "quant_write.h"
#include "quants.h"

enum { GROUP = 256 };

static uint8_t nearest_nf4(float v)
{
    unsigned low = 0; /* the last code whose border to its left neighbour is below v */
    for (unsigned half = 8; half; half /= 2) {
        unsigned i = low + half;
        if (v > (quant_nf4_values[i - 1] + quant_nf4_values[i]) / 2) low = i;
    }
    return (uint8_t)low;
}

float quant_write_nf4(uint8_t qs[32], const float x[64])
{
    float absmax = 0;
    for (int i = 0; i < 64; i++)
        absmax = fmaxf(absmax, fabsf(x[i]));
    float inverse = 1 / fmaxf(absmax, 1e-38f);
    for (int i = 0; i < 32; i++)
        qs[i] = (uint8_t)(nearest_nf4(x[2 * i] * inverse) << 4 |
                          nearest_nf4(x[2 * i + 1] * inverse));
    return absmax;
}

/* A tie goes to the even code, as in bitsandbytes' binary search. */
static uint8_t nearest_scale(float v)
{
    const float *map = quant_nf4_scales;
    unsigned low = 0, high = 255;
    if (!(v > map[0])) return 0;
    while (high - low > 1) {
        unsigned mid = (low + high) / 2;
        if (v > map[mid])
            low = mid;
        else
            high = mid;
    }
    float middle = (map[low] + map[high]) * 0.5f;
    bool up = low % 2 == 0 ? v > middle : v >= middle;
    return (uint8_t)(up ? high : low);
}

void quant_row_to_nf4_dq(const float *x, size_t n, void *row, float *absmax)
{
    block_nf4_dq *b = row;
    for (size_t i = 0; i < n / 64; i++) {
        float clean[64];
        quant_clean(clean, x + 64 * i, 64, FLT_MAX, 0);
        b[i].code = 0;
        absmax[i] = quant_write_nf4(b[i].qs, clean);
    }
}

void quant_finish_nf4_dq(void *tensor, size_t n_blocks, float *absmax)
{
    block_nf4_dq *b = tensor;
    char *aux = (char *)(b + n_blocks);
    double sum = 0;
    for (size_t i = 0; i < n_blocks; i++)
        sum += (double)absmax[i];
    float offset = n_blocks ? (float)(sum / (double)n_blocks) : 0;
    memcpy(aux, &offset, sizeof offset);
    for (size_t at = 0; at < n_blocks; at += GROUP) {
        size_t end = CN_MIN(at + GROUP, n_blocks);
        float top = 0;
        for (size_t i = at; i < end; i++) {
            absmax[i] -= offset;
            top = fmaxf(top, fabsf(absmax[i]));
        }
        memcpy(aux + 4 + at / GROUP * 4, &top, sizeof top);
        float inverse = top > FLT_MIN ? 1 / top : 0;
        for (size_t i = at; i < end; i++)
            b[i].code = top > 0 ? nearest_scale(absmax[i] * inverse) : 0;
    }
}
