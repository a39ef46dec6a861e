/* Everything but the matrix product, in plain C: the definition of correct. */
#include <math.h>
#include <string.h>

#include "matmul_ref.h"
#include "ops_ref.h"
#include "quant_blocks.h"
#include "quants.h"

static void axpy_ref(float *y, float a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fmaf(a, x[i], y[i]);
}

static void add_ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void rms_norm_ref(float *y, const float *x, const float *weight, size_t n, float eps)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    float scale = (float)(1 / sqrt(sum / (double)n + (double)eps));
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * scale * (weight ? weight[i] : 1);
}

static void layer_norm_ref(float *y, const float *x, const float *weight, const float *bias,
                           size_t n, float eps)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    float scale = (float)(1 / sqrt(squares / (double)n + (double)eps));
    for (size_t i = 0; i < n; i++) {
        float normal = (x[i] - (float)mean) * scale;
        y[i] = normal * (weight ? weight[i] : 1) + (bias ? bias[i] : 0);
    }
}

static void silu_mul_ref(float *y, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}

/* 1 + tanh(u) is 2 / (1 + exp(-2u)), which keeps its digits where tanh is near -1. */
static void gelu_ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];
        double u = sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v);
        y[i] = (float)(v / (1 + exp(-2 * u)));
    }
}

static void gelu_erf_ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];
        y[i] = (float)(0.5 * v * erfc(-v * sqrt(0.5)));
    }
}

static void softmax_ref(float *x, size_t n)
{
    float max = -INFINITY;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (size_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - max);
        sum += (double)x[i];
    }
    float scale = (float)(1 / sum);
    for (size_t i = 0; i < n; i++)
        x[i] *= scale;
}

static void rope_ref(float *x, const float *cs, size_t n_rot, bool neox)
{
    size_t half = n_rot / 2;
    for (size_t i = 0; i < half; i++) {
        float *a = x + (neox ? i : 2 * i), *b = neox ? a + half : a + 1;
        float va = *a, vb = *b, cosine = cs[2 * i], sine = cs[2 * i + 1];
        *a = va * cosine - vb * sine;
        *b = va * sine + vb * cosine;
    }
}

static void store_q8_0(block_q8_0 *out, const float *x)
{
    float max = 0;
    for (int i = 0; i < 32; i++) {
        max = fmaxf(max, fabsf(x[i]));
        if (!isfinite(x[i])) {
            *out = (block_q8_0){.d = quant_f32_to_f16(NAN)};
            return;
        }
    }
    *out = (block_q8_0){0};
    if (max < ACT_TINY) return;
    float to_int = 127.0F / max;
    out->d = quant_f32_to_f16(max / 127.0F);
    for (int i = 0; i < 32; i++)
        out->qs[i] = (int8_t)lrintf(x[i] * to_int);
}

void store_ref(void *dst, cn_dtype type, const float *x, size_t n)
{
    if (type == CN_F32) {
        memcpy(dst, x, n * sizeof *x);
    } else if (type == CN_F16) {
        uint8_t *out = dst; /* any alignment */
        for (size_t i = 0; i < n; i++) {
            uint16_t h = quant_f32_to_f16(x[i]);
            memcpy(out + 2 * i, &h, 2);
        }
    } else {
        CN_BUG_ON(type != CN_Q8_0 || n % 32);
        for (size_t i = 0; i < n / 32; i++)
            store_q8_0((block_q8_0 *)dst + i, x + 32 * i);
    }
}

float cache_value(const kern_cache *c, size_t position, size_t i)
{
    const uint8_t *p = (const uint8_t *)c->base + position * c->stride;
    float f;
    uint16_t h;
    switch (c->type) {
    case CN_F32:
        memcpy(&f, p + 4 * i, 4);
        return f;
    case CN_F16:
        memcpy(&h, p + 2 * i, 2);
        return quant_f16_to_f32(h);
    default: {
        const block_q8_0 *b = (const block_q8_0 *)p + i / 32;
        return quant_f16_to_f32(b->d) * (float)b->qs[i % 32];
    }
    }
}

/* The same lanes as dot_ref. */
static float score(const float *q, const kern_cache *k, size_t position, size_t head_dim)
{
    float lane[KERN_LANES] = {0};
    for (size_t i = 0; i < head_dim; i++) {
        float *l = &lane[i % KERN_LANES];
        *l = fmaf(q[i], cache_value(k, position, i), *l);
    }
    for (int half = KERN_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

static void attend_ref(float *out, const float *q, const kern_cache *k, const kern_cache *v,
                       size_t head_dim, size_t from, size_t to, float scale, float *scores)
{
    for (size_t p = from; p < to; p++)
        scores[p - from] = scale * score(q, k, p, head_dim);
    softmax_ref(scores, to - from);
    for (size_t i = 0; i < head_dim; i++) {
        float sum = 0;
        for (size_t p = from; p < to; p++)
            sum = fmaf(scores[p - from], cache_value(v, p, i), sum);
        out[i] = sum;
    }
}

static void attend_many_ref(const kern_queries *qs, const kern_cache *k, const kern_cache *v,
                            size_t head_dim, float scale, float *scores)
{
    for (size_t i = 0; i < qs->n; i++)
        attend_ref(qs->out + qs->out_at[i], qs->q + qs->q_at[i], k, v, head_dim, qs->from[i],
                   qs->to[i], scale, scores);
}

const kern_table kern_ref = {
    .name = "ref",
    .quantize = quantize_ref,
    .matmul = matmul_ref,
    .dot = dot_ref,
    .axpy = axpy_ref,
    .add = add_ref,
    .rms_norm = rms_norm_ref,
    .layer_norm = layer_norm_ref,
    .silu_mul = silu_mul_ref,
    .gelu = gelu_ref,
    .gelu_erf = gelu_erf_ref,
    .softmax = softmax_ref,
    .rope = rope_ref,
    .store = store_ref,
    .attend = attend_ref,
    .attend_many = attend_many_ref,
};
