/* For fixed integers the best scale is a least-squares solution; for a fixed scale the best
 * integers are the nearest ones. So: try scales on a grid around the obvious one, solve, keep
 * what explains most of the weights, then alternate the two steps while that still helps. */
#include "quant_search.h"

#include <math.h>
#include <string.h>

#include "compiler.h"

enum { MAX_N = 32, MAX_ROUNDS = 3 }; /* sub-blocks have 16 or 32 weights */

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

/* Sums over w q, w q q and w q x. Four lanes, which a compiler can keep in one register. */
typedef struct sums {
    float q, qq, xq;
} sums;

static sums sum_products(const float *x, const float *w, const float *q, size_t n)
{
    float a[4] = {0}, b[4] = {0}, c[4] = {0};
    for (size_t i = 0; i < n; i += 4)
        for (size_t k = 0; k < 4; k++) {
            float wq = w[i + k] * q[i + k];
            a[k] += wq;
            b[k] += wq * q[i + k];
            c[k] += wq * x[i + k];
        }
    return (sums){(a[0] + a[1]) + (a[2] + a[3]), (b[0] + b[1]) + (b[2] + b[3]),
                  (c[0] + c[1]) + (c[2] + c[3])};
}

/* q = (x - low) * inverse rounded to 0..top, less `offset`. */
static void round_all(const float *x, size_t n, float inverse, float low, float top,
                      float offset, float *q)
{
    for (size_t i = 0; i < n; i += 4)
        for (size_t k = 0; k < 4; k++) {
            float v = (x[i + k] - low) * inverse;
            v = v > 0 ? v : 0;
            v = v < top ? v : top;
            q[i + k] = (float)(int)(v + 0.5f) - offset;
        }
}

/* The best scale and low for the integers q; sw and sx are the sums of w and w x. */
static affine solve_affine(const float *x, const float *w, size_t n, const float *q, double sw,
                           double sx)
{
    sums s = sum_products(x, w, q, n);
    double sq = (double)s.q, sqq = (double)s.qq, sxq = (double)s.xq;
    double det = sw * sqq - sq * sq;
    if (det <= 0) return (affine){0};
    double scale = (sw * sxq - sx * sq) / det, low = (sqq * sx - sq * sxq) / det;
    if (low > 0) { /* the format cannot say it */
        low = 0;
        scale = sxq / sqq;
    }
    return (affine){(float)scale, (float)low, scale * sxq + low * sx};
}

float quant_fit_affine(const float *x, const float *w, size_t n, int q_max, float *min,
                       uint8_t *q)
{
    float low = 0, high = x[0];
    double sw = 0, sx = 0;
    for (size_t i = 0; i < n; i++) {
        low = CN_MIN(low, x[i]);
        high = CN_MAX(high, x[i]);
        sw += (double)w[i];
        sx += (double)w[i] * (double)x[i];
    }
    memset(q, 0, n);
    *min = -low;
    if (!(high > low) || !(sw > 0)) return 0;

    float trial[MAX_N], top = (float)q_max;
    affine best = {0}, now;
    for (int step = -5; step <= 5; step++) {
        float inverse = (top + 0.2f * (float)step) / (high - low);
        round_all(x, n, inverse, low, top, 0, trial);
        now = solve_affine(x, w, n, trial, sw, sx);
        if (now.scale > 0 && (best.scale <= 0 || now.gain > best.gain)) best = now;
    }
    if (best.scale <= 0) best = (affine){(high - low) / (float)q_max, low, 0};
    for (int round = 0; round < MAX_ROUNDS; round++) {
        round_all(x, n, 1 / best.scale, best.low, top, 0, trial);
        now = solve_affine(x, w, n, trial, sw, sx);
        if (!(now.scale > 0 && now.gain > best.gain)) break;
        best = now;
    }
    for (size_t i = 0; i < n; i++)
        q[i] = (uint8_t)quant_round((x[i] - best.low) / best.scale, q_max);
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
    float q[MAX_N], half = (float)f->half;
    if (f->values)
        for (size_t i = 0; i < f->n; i++)
            q[i] = (float)f->values[quant_nearest_value(f->x[i] * inverse, f->values)];
    else
        round_all(f->x, f->n, inverse, -half / inverse, 2 * half - 1, half, q);
    sums s = sum_products(f->x, f->w, q, f->n);
    if (!(s.qq > 0)) return (linear){0};
    return (linear){s.xq / s.qq, (double)s.xq * (double)s.xq / (double)s.qq};
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
