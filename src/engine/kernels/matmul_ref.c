/* The definition of the matrix product: which sums are taken, and in which order. */
#include "matmul_ref.h"

#include <math.h>
#include <string.h>

#include "quants.h"
#include "unpack_ref.h"

static void quantize_block(const float *x, act_block *b)
{
    float max = 0;
    bool finite = true;
    for (int i = 0; i < 32; i++) {
        max = fmaxf(max, fabsf(x[i]));
        finite = finite && isfinite(x[i]);
    }
    *b = (act_block){.d = finite ? 0 : NAN, .d_sum = finite ? 0 : NAN};
    b->d_half[0] = b->d_half[1] = b->d;
    if (!finite || max < ACT_TINY) return;

    float to_int = 127.0F / max;
    int32_t sum[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
        b->q[i] = (int8_t)lrintf(x[i] * to_int);
        sum[i / 16] += b->q[i];
    }
    b->d = max / 127.0F;
    b->d_sum = b->d * (float)(sum[0] + sum[1]);
    b->neg_sum = -(sum[0] + sum[1]);
    for (int h = 0; h < 2; h++) {
        b->d_half[h] = b->d * (float)sum[h];
        b->neg_half[h] = -sum[h];
    }
}

void quantize_ref(const kern_act *a, cn_dtype type, size_t t0, size_t t1)
{
    if (!kern_traits_of(type).quantised) return;
    for (size_t t = t0; t < t1; t++)
        for (size_t i = 0; i < a->n_cols / 32; i++)
            quantize_block(a->x + t * a->n_cols + 32 * i, act_row(a, t) + i);
}

static int32_t int_dot(const uint8_t *u, const int8_t *q, int n)
{
    int32_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += u[i] * q[i];
    return sum;
}

static int32_t shifted(int32_t neg_sum, int shift)
{
    return shift < 0 ? 0 : neg_sum * (1 << shift);
}

static float add_block(float y, kern_traits t, const unpacked *w, const act_block *a)
{
    if (!t.halves) {
        int32_t isum = int_dot(w->u, a->q, 32) + shifted(a->neg_sum, t.shift);
        y = fmaf((float)isum * w->scale[0], a->d, y);
        return t.bias ? fmaf(w->bias[0], a->d_sum, y) : y;
    }
    for (int h = 0; h < 2; h++) {
        int32_t isum =
            int_dot(w->u + 16 * h, a->q + 16 * h, 16) + shifted(a->neg_half[h], t.shift);
        y = fmaf((float)isum * w->scale[h], a->d, y);
        if (t.bias) y = fmaf(w->bias[h], a->d_half[h], y);
    }
    return y;
}

static void row_fast(const kern_mat *w, const kern_act *a, float *y, size_t ldy, size_t r)
{
    kern_traits traits = kern_traits_of(w->type);
    const uint8_t *row = (const uint8_t *)w->data + r * w->row_bytes;
    for (size_t t = 0; t < a->n_tokens; t++)
        y[t * ldy + r] = 0;
    for (size_t i = 0; i < w->n_cols / 32; i++) {
        unpacked block;
        unpack_block_ref(w->type, row, i, &block);
        for (size_t t = 0; t < a->n_tokens; t++)
            y[t * ldy + r] = add_block(y[t * ldy + r], traits, &block, act_row(a, t) + i);
    }
}

float dot_ref(const float *a, const float *b, size_t n)
{
    float lane[KERN_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % KERN_LANES] = fmaf(a[i], b[i], lane[i % KERN_LANES]);
    for (int half = KERN_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

void matmul_ref(const kern_mat *w, const kern_act *a, kern_precision precision, float *y,
                size_t ldy, size_t r0, size_t r1, void *scratch)
{
    CN_BUG_ON(w->n_cols != a->n_cols || w->n_cols > KERN_MAX_COLS);
    bool fast = precision == KERN_FAST && kern_traits_of(w->type).quantised;
    for (size_t r = r0; r < r1; r++) {
        if (fast) {
            row_fast(w, a, y, ldy, r);
            continue;
        }
        float *row = scratch;
        quant_row_to_f32(w, r, row);
        for (size_t t = 0; t < a->n_tokens; t++)
            y[t * ldy + r] = dot_ref(row, a->x + t * a->n_cols, w->n_cols);
    }
}
