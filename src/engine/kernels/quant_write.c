/* f32 to blocks. The types of 32 weights are rounded as ggml's reference does, byte for byte;
 * IQ4_NL and the K types search for their scales. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "compiler.h"
#include "mem.h"
#include "quant_search.h"
#include "quant_write.h"
#include "quants.h"

#define F16_MAX 65504.0f
#define BF16_MAX 0x1.fep127f
/* Far under what a half can scale to; keeps quotients of such weights finite. */
#define F16_BLOCK_MIN 1e-12f

void quant_clean(float *out, const float *x, size_t n, float top, float bottom)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        if (!(fabsf(v) >= bottom)) v = 0; /* NaN too */
        out[i] = v > top ? top : v < -top ? -top : v;
    }
}

/* The weight of largest size, with its sign. */
static float largest(const float *x)
{
    float top = 0;
    for (int i = 0; i < 32; i++)
        if (fabsf(x[i]) > fabsf(top)) top = x[i];
    return top;
}

static void range(const float *x, float *low, float *high)
{
    *low = *high = x[0];
    for (int i = 1; i < 32; i++) {
        *low = CN_MIN(*low, x[i]);
        *high = CN_MAX(*high, x[i]);
    }
}

static void write_q4_0(block_q4_0 *b, const float *x)
{
    float d = largest(x) / -8, inverse = d != 0 ? 1 / d : 0;
    b->d = quant_f32_to_f16(d);
    for (int i = 0; i < 16; i++) {
        int low = CN_MIN(15, (int)(x[i] * inverse + 8.5f)),
            high = CN_MIN(15, (int)(x[i + 16] * inverse + 8.5f));
        b->qs[i] = (uint8_t)(low | high << 4);
    }
}

static void write_q4_1(block_q4_1 *b, const float *x)
{
    float min, max;
    range(x, &min, &max);
    float d = (max - min) / 15, inverse = d != 0 ? 1 / d : 0;
    b->d = quant_f32_to_f16(d);
    b->m = quant_f32_to_f16(min);
    for (int i = 0; i < 16; i++) {
        int low = CN_MIN(15, (int)((x[i] - min) * inverse + 0.5f)),
            high = CN_MIN(15, (int)((x[i + 16] - min) * inverse + 0.5f));
        b->qs[i] = (uint8_t)(low | high << 4);
    }
}

/* Five bits a weight: four in `qs`, the fifth in what is returned. */
static uint32_t pack_fives(uint8_t qs[16], const int q[32])
{
    uint32_t qh = 0;
    for (int i = 0; i < 32; i++)
        qh |= (uint32_t)(q[i] >> 4) << i;
    for (int i = 0; i < 16; i++)
        qs[i] = (uint8_t)((q[i] & 15) | (q[i + 16] & 15) << 4);
    return qh;
}

static void write_q5_0(block_q5_0 *b, const float *x)
{
    float d = largest(x) / -16, inverse = d != 0 ? 1 / d : 0;
    int q[32];
    for (int i = 0; i < 32; i++)
        q[i] = CN_MIN(31, (int)(x[i] * inverse + 16.5f));
    b->d = quant_f32_to_f16(d);
    b->qh = pack_fives(b->qs, q);
}

static void write_q5_1(block_q5_1 *b, const float *x)
{
    float min, max;
    range(x, &min, &max);
    float d = (max - min) / 31, inverse = d != 0 ? 1 / d : 0;
    int q[32];
    for (int i = 0; i < 32; i++)
        q[i] = CN_MIN(31, (int)((x[i] - min) * inverse + 0.5f));
    b->d = quant_f32_to_f16(d);
    b->m = quant_f32_to_f16(min);
    b->qh = pack_fives(b->qs, q);
}

static void write_q8_0(block_q8_0 *b, const float *x)
{
    float d = fabsf(largest(x)) / 127, inverse = d != 0 ? 1 / d : 0;
    b->d = quant_f32_to_f16(d);
    for (int i = 0; i < 32; i++)
        b->qs[i] = (int8_t)roundf(x[i] * inverse);
}

static void write_iq4_nl(block_iq4_nl *b, const float *x)
{
    float w[32];
    quant_weigh(x, 32, w);
    b->d = quant_f32_to_f16(quant_fit_values(x, w, 32, quant_iq4_nl_values));
    float d = quant_f16_to_f32(b->d), inverse = d != 0 ? 1 / d : 0;
    for (int i = 0; i < 16; i++) {
        int low = quant_nearest_value(x[i] * inverse, quant_iq4_nl_values),
            high = quant_nearest_value(x[i + 16] * inverse, quant_iq4_nl_values);
        b->qs[i] = (uint8_t)(low | high << 4);
    }
}

static void write_16(uint16_t (*from_f32)(float), float top, const float *x, size_t n,
                     void *out)
{
    for (size_t i = 0; i < n; i++) {
        float v;
        quant_clean(&v, x + i, 1, top, 0);
        uint16_t h = from_f32(v);
        memcpy((char *)out + 2 * i, &h, sizeof h);
    }
}

/* One block of up to 256 clean weights. */
static void write_block(cn_dtype type, const float *x, void *out)
{
    switch ((unsigned)type) {
    case CN_Q4_0:
        write_q4_0(out, x);
        break;
    case CN_Q4_1:
        write_q4_1(out, x);
        break;
    case CN_Q5_0:
        write_q5_0(out, x);
        break;
    case CN_Q5_1:
        write_q5_1(out, x);
        break;
    case CN_Q8_0:
        write_q8_0(out, x);
        break;
    case CN_IQ4_NL:
        write_iq4_nl(out, x);
        break;
    case CN_Q2_K:
        quant_write_q2_K(out, x);
        break;
    case CN_Q3_K:
        quant_write_q3_K(out, x);
        break;
    case CN_Q4_K:
        quant_write_q4_K(out, x);
        break;
    case CN_Q5_K:
        quant_write_q5_K(out, x);
        break;
    case CN_Q6_K:
        quant_write_q6_K(out, x);
        break;
    case CN_NF4: {
        block_nf4 *b = out;
        b->absmax = quant_write_nf4(b->qs, x);
        break;
    }
    default:
        CN_BUG_ON(true);
    }
}

void quant_row_from_f32(cn_dtype type, const float *x, size_t n, void *out)
{
    const cn_dtype_info *info = cn_dtype_info_of((uint32_t)type);
    CN_BUG_ON(!info || n % info->block);
    if (type == CN_F32) {
        for (size_t i = 0; i < n; i++) {
            float v;
            quant_clean(&v, x + i, 1, FLT_MAX, 0);
            memcpy((char *)out + 4 * i, &v, sizeof v);
        }
    } else if (type == CN_F16) {
        write_16(quant_f32_to_f16, F16_MAX, x, n, out);
    } else if (type == CN_BF16) {
        write_16(quant_f32_to_bf16, BF16_MAX, x, n, out);
    } else {
        float block[QUANT_K], top = type == CN_NF4 ? FLT_MAX : F16_MAX,
                              bottom = type == CN_NF4 ? 0 : F16_BLOCK_MIN;
        for (size_t i = 0; i < n / info->block; i++) {
            quant_clean(block, x + i * info->block, info->block, top, bottom);
            write_block(type, block, (char *)out + i * info->block_bytes);
        }
    }
}

cn_status quant_tensor_from_f32(cn_dtype type, const float *x, size_t n_rows, size_t n_cols,
                                void *out, cn_err *err)
{
    size_t row_bytes = cn_dtype_row_bytes(type, n_cols), n_blocks = n_cols / 64;
    if (!row_bytes || !quant_is_weight_type(type))
        return cn_fail(err, CN_E_ARG, "rows of %zu weights cannot be of type %u", n_cols,
                       (unsigned)type);
    float *absmax = NULL;
    if (type == CN_NF4_DQ) {
        absmax = cn_alloc_array(n_rows * n_blocks, sizeof *absmax);
        if (!absmax)
            return cn_fail(err, CN_E_NOMEM, "scales of %zu rows of %zu weights", n_rows,
                           n_cols);
    }
    for (size_t r = 0; r < n_rows; r++) {
        char *row = (char *)out + r * row_bytes;
        if (absmax)
            quant_row_to_nf4_dq(x + r * n_cols, n_cols, row, absmax + r * n_blocks);
        else
            quant_row_from_f32(type, x + r * n_cols, n_cols, row);
    }
    if (absmax) quant_finish_nf4_dq(out, n_rows * n_blocks, absmax);
    cn_free(absmax);
    return CN_OK;
}
