/* For fixed integers the best scale is a least-squares solution; for a fixed scale the best
 * integers are the nearest ones. So: try scales on a grid around the obvious one, solve, keep
 * what explains most of the weights, then alternate the two steps while that still helps. */
#include "quant_search.h"

#include <math.h>
#include <string.h>

enum { MAX_N = 32, MAX_ROUNDS = 3 };

void quant_weigh(const float *x, size_t n, float *w)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    float rms = sqrtf(sum / (float)n);
    for (size_t i = 0; i < n; i++)
        w[i] = rms + fabsf(x[i]);
}

typedef struct affine {
    float scale, low; /* x ~ scale * q + low */
    double gain;      /* weighted sum of squares that this explains */
} affine;

/* The best scale and low for the integers q; sw and sx are the sums of w and w x. */
static affine solve_affine(const float *x, const float *w, size_t n, const uint8_t *q,
                           double sw, double sx)
{
    float sum_q = 0, sum_qq = 0, sum_xq = 0;
    for (size_t i = 0; i < n; i++) {
        float v = (float)q[i], wq = w[i] * v;
        sum_q += wq;
        sum_qq += wq * v;
        sum_xq += wq * x[i];
    }
    double sq = (double)sum_q, sqq = (double)sum_qq, sxq = (double)sum_xq;
    double det = sw * sqq - sq * sq;
    if (det <= 0) return (affine){0};
    double scale = (sw * sxq - sx * sq) / det, low = (sqq * sx - sq * sxq) / det;
    if (low > 0) { /* the format cannot say it */
        low = 0;
        scale = sxq / sqq;
    }
    return (affine){(float)scale, (float)low, scale * sxq + low * sx};
}

static void round_affine(const float *x, size_t n, int q_max, float inverse, float low,
                         uint8_t *q)
{
    for (size_t i = 0; i < n; i++)
        q[i] = (uint8_t)quant_round((x[i] - low) * inverse, q_max);
}

float quant_fit_affine(const float *x, const float *w, size_t n, int q_max, float *min,
                       uint8_t *q)
{
    float low = 0, high = x[0];
    double sw = 0, sx = 0;
    for (size_t i = 0; i < n; i++) {
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
        sw += (double)w[i];
        sx += (double)w[i] * (double)x[i];
    }
    memset(q, 0, n);
    *min = -low;
    if (!(high > low) || !(sw > 0)) return 0;

    uint8_t trial[MAX_N];
    affine best = {0}, now;
    for (int step = -5; step <= 5; step++) {
        float inverse = ((float)q_max + 0.2f * (float)step) / (high - low);
        round_affine(x, n, q_max, inverse, low, trial);
        now = solve_affine(x, w, n, trial, sw, sx);
        if (now.scale > 0 && (best.scale <= 0 || now.gain > best.gain)) best = now;
    }
    if (best.scale <= 0) best = (affine){(high - low) / (float)q_max, low, 0};
    for (int round = 0; round < MAX_ROUNDS; round++) {
        round_affine(x, n, q_max, 1 / best.scale, best.low, trial);
        now = solve_affine(x, w, n, trial, sw, sx);
        if (!(now.scale > 0 && now.gain > best.gain)) break;
        best = now;
    }
    round_affine(x, n, q_max, 1 / best.scale, best.low, q);
    *min = -best.low;
    return best.scale;
}

typedef struct linear {
    float scale;
    double gain;
} linear;

typedef struct linear_fit {
    const float *x, *w;
    size_t n;
    int half;
    const int8_t *values; /* NULL: the integers themselves, -half..half-1 */
} linear_fit;

static linear solve_linear(const linear_fit *f, float inverse)
{
    float sqq = 0, sxq = 0, offset = (float)f->half;
    for (size_t i = 0; i < f->n; i++) {
        float v = f->x[i] * inverse, q, wq;
        if (f->values)
            q = (float)f->values[quant_nearest_value(v, f->values)];
        else
            q = (float)(quant_round(v + offset, 2 * f->half - 1) - f->half);
        wq = f->w[i] * q;
        sqq += wq * q;
        sxq += wq * f->x[i];
    }
    if (!(sqq > 0)) return (linear){0};
    return (linear){sxq / sqq, (double)sxq * (double)sxq / (double)sqq};
}

/* `end` is the value that the largest weight meets, with its own sign or the other: tried with
 * `step` to either side. */
static float search_linear(const linear_fit *f, float end, float step, int n_steps)
{
    float largest = 0;
    for (size_t i = 0; i < f->n; i++)
        if (fabsf(f->x[i]) > fabsf(largest)) largest = f->x[i];
    if (largest == 0) return 0;

    linear best = {0}, now;
    for (int k = -n_steps; k <= n_steps; k++)
        for (int sign = -1; sign <= 1; sign += 2) {
            now = solve_linear(f, (float)sign * (end + step * (float)k) / largest);
            if (now.gain > best.gain) best = now;
        }
    for (int round = 0; round < MAX_ROUNDS && best.scale != 0; round++) {
        now = solve_linear(f, 1 / best.scale);
        if (!(now.gain > best.gain)) break;
        best = now;
    }
    return best.scale;
}

float quant_fit_symmetric(const float *x, const float *w, size_t n, int half)
{
    const linear_fit f = {x, w, n, half, NULL};
    return search_linear(&f, (float)half, 0.3f, 3);
}

float quant_fit_values(const float *x, const float *w, size_t n, const int8_t values[16])
{
    const linear_fit f = {x, w, n, 0, values};
    return search_linear(&f, (float)-values[0], 5, 3);
}

int quant_nearest_value(float v, const int8_t values[16])
{
    int low = 0;
    for (int half = 8; half; half /= 2) /* the last value that is not above v */
        low += v >= (float)values[low + half] ? half : 0;
    if (low == 15) return 15;
    return v - (float)values[low] <= (float)values[low + 1] - v ? low : low + 1;
}
