/* Blocks to f32. The order of the float operations is part of the format: other programs get
 * the same bits from the same file. */
#include <string.h>

#include "compiler.h"
#include "quant_blocks.h"
#include "quants.h"

static void read_q4_0(const block_q4_0 *b, float *out)
{
    float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 16; i++) {
        out[i] = (float)((b->qs[i] & 15) - 8) * d;
        out[i + 16] = (float)((b->qs[i] >> 4) - 8) * d;
    }
}

static void read_q4_1(const block_q4_1 *b, float *out)
{
    float d = quant_f16_to_f32(b->d), m = quant_f16_to_f32(b->m);
    for (int i = 0; i < 16; i++) {
        out[i] = (float)(b->qs[i] & 15) * d + m;
        out[i + 16] = (float)(b->qs[i] >> 4) * d + m;
    }
}

static void read_q5_0(const block_q5_0 *b, float *out)
{
    float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 16; i++) {
        int low = (b->qs[i] & 15) | (int)(b->qh >> i & 1) << 4,
            high = b->qs[i] >> 4 | (int)(b->qh >> (i + 16) & 1) << 4;
        out[i] = (float)(low - 16) * d;
        out[i + 16] = (float)(high - 16) * d;
    }
}

static void read_q5_1(const block_q5_1 *b, float *out)
{
    float d = quant_f16_to_f32(b->d), m = quant_f16_to_f32(b->m);
    for (int i = 0; i < 16; i++) {
        int low = (b->qs[i] & 15) | (int)(b->qh >> i & 1) << 4,
            high = b->qs[i] >> 4 | (int)(b->qh >> (i + 16) & 1) << 4;
        out[i] = (float)low * d + m;
        out[i + 16] = (float)high * d + m;
    }
}

static void read_q8_0(const block_q8_0 *b, float *out)
{
    float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 32; i++)
        out[i] = (float)b->qs[i] * d;
}

static void read_iq4_nl(const block_iq4_nl *b, float *out)
{
    float d = quant_f16_to_f32(b->d);
    for (int i = 0; i < 16; i++) {
        out[i] = d * (float)quant_iq4_nl_values[b->qs[i] & 15];
        out[i + 16] = d * (float)quant_iq4_nl_values[b->qs[i] >> 4];
    }
}

static void read_q2_K(const block_q2_K *b, float *out)
{
    float d = quant_f16_to_f32(b->d), dmin = quant_f16_to_f32(b->dmin);
    for (int j = 0; j < QUANT_K / 16; j++) {
        const uint8_t *q = b->qs + j / 8 * 32 + j % 2 * 16;
        float a = d * (float)(b->scales[j] & 15), m = dmin * (float)(b->scales[j] >> 4);
        for (int i = 0; i < 16; i++)
            out[16 * j + i] = a * (float)(q[i] >> (j / 2 % 4 * 2) & 3) - m;
    }
}

static void read_q3_K(const block_q3_K *b, float *out)
{
    float d = quant_f16_to_f32(b->d);
    for (int j = 0; j < QUANT_K / 16; j++) {
        const uint8_t *q = b->qs + j / 8 * 32 + j % 2 * 16, *high = b->hmask + j % 2 * 16;
        float a = d * (float)quant_q3_K_scale(b->scales, (unsigned)j);
        for (int i = 0; i < 16; i++) {
            int v = (q[i] >> (j / 2 % 4 * 2) & 3) | (high[i] >> (j / 2) & 1) << 2;
            out[16 * j + i] = a * (float)(v - 4);
        }
    }
}

static void read_q4_K(const block_q4_K *b, float *out)
{
    float d = quant_f16_to_f32(b->d), dmin = quant_f16_to_f32(b->dmin);
    for (unsigned j = 0; j < 8; j++, out += 32) {
        const uint8_t *q = b->qs + j / 2 * 32;
        uint8_t scale, min;
        quant_k4_scale(b->scales, j, &scale, &min);
        float a = d * (float)scale, m = dmin * (float)min;
        for (int i = 0; i < 32; i++)
            out[i] = a * (float)(q[i] >> (j % 2 * 4) & 15) - m;
    }
}

static void read_q5_K(const block_q5_K *b, float *out)
{
    float d = quant_f16_to_f32(b->d), dmin = quant_f16_to_f32(b->dmin);
    for (unsigned j = 0; j < 8; j++, out += 32) {
        const uint8_t *q = b->qs + j / 2 * 32;
        uint8_t scale, min;
        quant_k4_scale(b->scales, j, &scale, &min);
        float a = d * (float)scale, m = dmin * (float)min;
        for (int i = 0; i < 32; i++) {
            int v = (q[i] >> (j % 2 * 4) & 15) | (b->qh[i] >> j & 1) << 4;
            out[i] = a * (float)v - m;
        }
    }
}

static void read_q6_K(const block_q6_K *b, float *out)
{
    float d = quant_f16_to_f32(b->d);
    for (int j = 0; j < QUANT_K / 16; j++) {
        int s = j / 2 % 4;
        const uint8_t *low = b->ql + j / 8 * 64 + (s & 1) * 32 + j % 2 * 16,
                      *high = b->qh + j / 8 * 32 + j % 2 * 16;
        float a = d * (float)b->scales[j];
        for (int i = 0; i < 16; i++) {
            int v = (low[i] >> (s / 2 * 4) & 15) | (high[i] >> (2 * s) & 3) << 4;
            out[16 * j + i] = a * (float)(v - 32);
        }
    }
}

static void read_nf4(const uint8_t qs[32], float absmax, float *out)
{
    for (int i = 0; i < 32; i++) {
        out[2 * i] = quant_nf4_values[qs[i] >> 4] * absmax;
        out[2 * i + 1] = quant_nf4_values[qs[i] & 15] * absmax;
    }
}

/* `first` is the index of the row's first block in the whole tensor. */
static void read_nf4_dq(const block_nf4_dq *b, size_t n_blocks, size_t first, const void *aux,
                        float *out)
{
    float offset, scale;
    memcpy(&offset, aux, sizeof offset);
    for (size_t i = 0; i < n_blocks; i++) {
        const char *at = (const char *)aux + 4 + (first + i) / 256 * 4;
        memcpy(&scale, at, sizeof scale);
        read_nf4(b[i].qs, quant_nf4_scales[b[i].code] * scale + offset, out + 64 * i);
    }
}

static void read_16(const void *row, size_t n, float *out, float (*to_f32)(uint16_t))
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, (const char *)row + 2 * i, sizeof h);
        out[i] = to_f32(h);
    }
}

#define READ_BLOCKS(type, size)                                                                \
    for (size_t i = 0; i < n / (size); i++)                                                    \
        read_##type((const block_##type *)data + i, out + i * (size));                         \
    break

void quant_row_to_f32(const kern_mat *m, size_t row, float *out)
{
    const void *data = (const char *)m->data + row * m->row_bytes;
    size_t n = m->n_cols;
    switch ((unsigned)m->type) {
    case CN_F32:
        memcpy(out, data, n * sizeof *out);
        break;
    case CN_F16:
        read_16(data, n, out, quant_f16_to_f32);
        break;
    case CN_BF16:
        read_16(data, n, out, quant_bf16_to_f32);
        break;
    case CN_Q4_0:
        READ_BLOCKS(q4_0, 32);
    case CN_Q4_1:
        READ_BLOCKS(q4_1, 32);
    case CN_Q5_0:
        READ_BLOCKS(q5_0, 32);
    case CN_Q5_1:
        READ_BLOCKS(q5_1, 32);
    case CN_Q8_0:
        READ_BLOCKS(q8_0, 32);
    case CN_IQ4_NL:
        READ_BLOCKS(iq4_nl, 32);
    case CN_Q2_K:
        READ_BLOCKS(q2_K, QUANT_K);
    case CN_Q3_K:
        READ_BLOCKS(q3_K, QUANT_K);
    case CN_Q4_K:
        READ_BLOCKS(q4_K, QUANT_K);
    case CN_Q5_K:
        READ_BLOCKS(q5_K, QUANT_K);
    case CN_Q6_K:
        READ_BLOCKS(q6_K, QUANT_K);
    case CN_NF4:
        for (size_t i = 0; i < n / 64; i++) {
            const block_nf4 *b = (const block_nf4 *)data + i;
            read_nf4(b->qs, b->absmax, out + 64 * i);
        }
        break;
    case CN_NF4_DQ:
        read_nf4_dq(data, n / 64, (m->row0 + row) * (n / 64), m->aux, out);
        break;
    default:
        CN_BUG_ON(!quant_is_weight_type(m->type));
    }
}

bool quant_is_weight_type(cn_dtype type)
{
    switch ((unsigned)type) {
    case CN_I8:
    case CN_I16:
    case CN_I32:
    case CN_I64:
    case CN_F64:
        return false;
    default:
        return cn_dtype_info_of((uint32_t)type) != NULL;
    }
}
