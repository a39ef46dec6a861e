/* From the blocks of the file to the common form, in plain C. */
#include "unpack_ref.h"

#include "quant_blocks.h"
#include "quants.h"

static void nibbles(uint8_t u[32], const uint8_t qs[16])
{
    for (int i = 0; i < 16; i++) {
        u[i] = qs[i] & 15;
        u[i + 16] = qs[i] >> 4;
    }
}

static void fifth_bits(uint8_t u[32], uint32_t qh)
{
    for (int i = 0; i < 32; i++)
        u[i] |= (uint8_t)((qh >> i & 1) << 4);
}

static void q4_0(const block_q4_0 *b, unpacked *out)
{
    nibbles(out->u, b->qs);
    out->scale[0] = quant_f16_to_f32(b->d);
}

static void q4_1(const block_q4_1 *b, unpacked *out)
{
    nibbles(out->u, b->qs);
    out->scale[0] = quant_f16_to_f32(b->d);
    out->bias[0] = quant_f16_to_f32(b->m);
}

static void q5_0(const block_q5_0 *b, unpacked *out)
{
    nibbles(out->u, b->qs);
    fifth_bits(out->u, b->qh);
    out->scale[0] = quant_f16_to_f32(b->d);
}

static void q5_1(const block_q5_1 *b, unpacked *out)
{
    nibbles(out->u, b->qs);
    fifth_bits(out->u, b->qh);
    out->scale[0] = quant_f16_to_f32(b->d);
    out->bias[0] = quant_f16_to_f32(b->m);
}

static void q8_0(const block_q8_0 *b, unpacked *out)
{
    for (int i = 0; i < 32; i++)
        out->u[i] = (uint8_t)(b->qs[i] + 128);
    out->scale[0] = quant_f16_to_f32(b->d);
}

static void iq4_nl(const block_iq4_nl *b, unpacked *out)
{
    nibbles(out->u, b->qs);
    for (int i = 0; i < 32; i++)
        out->u[i] = (uint8_t)(quant_iq4_nl_values[out->u[i]] + 128);
    out->scale[0] = quant_f16_to_f32(b->d);
}

/* `part` is the block of 32 within the 256. */
static void q2_K(const block_q2_K *b, size_t part, unpacked *out)
{
    float d = quant_f16_to_f32(b->d), dmin = quant_f16_to_f32(b->dmin);
    for (size_t i = 0; i < 32; i++)
        out->u[i] = b->qs[part / 4 * 32 + i] >> (2 * (part % 4)) & 3;
    for (size_t h = 0; h < 2; h++) {
        uint8_t s = b->scales[2 * part + h];
        out->scale[h] = d * (float)(s & 15);
        out->bias[h] = -(dmin * (float)(s >> 4));
    }
}

static void q3_K(const block_q3_K *b, size_t part, unpacked *out)
{
    float d = quant_f16_to_f32(b->d);
    for (size_t i = 0; i < 32; i++) {
        int low = b->qs[part / 4 * 32 + i] >> (2 * (part % 4)) & 3;
        out->u[i] = (uint8_t)(low | (b->hmask[i] >> part & 1) << 2);
    }
    for (unsigned h = 0; h < 2; h++)
        out->scale[h] = d * (float)quant_q3_K_scale(b->scales, (unsigned)(2 * part) + h);
}

static void k4_scales(const uint8_t scales[12], float d, float dmin, size_t part, unpacked *out)
{
    uint8_t scale, min;
    quant_k4_scale(scales, (unsigned)part, &scale, &min);
    out->scale[0] = d * (float)scale;
    out->bias[0] = -(dmin * (float)min);
}

static void k4_nibbles(const uint8_t qs[128], size_t part, uint8_t u[32])
{
    for (size_t i = 0; i < 32; i++)
        u[i] = qs[part / 2 * 32 + i] >> (4 * (part % 2)) & 15;
}

static void q4_K(const block_q4_K *b, size_t part, unpacked *out)
{
    k4_nibbles(b->qs, part, out->u);
    k4_scales(b->scales, quant_f16_to_f32(b->d), quant_f16_to_f32(b->dmin), part, out);
}

static void q5_K(const block_q5_K *b, size_t part, unpacked *out)
{
    k4_nibbles(b->qs, part, out->u);
    for (size_t i = 0; i < 32; i++)
        out->u[i] |= (uint8_t)((b->qh[i] >> part & 1) << 4);
    k4_scales(b->scales, quant_f16_to_f32(b->d), quant_f16_to_f32(b->dmin), part, out);
}

static void q6_K(const block_q6_K *b, size_t part, unpacked *out)
{
    float d = quant_f16_to_f32(b->d);
    size_t half = part / 4, s = part % 4;
    for (size_t i = 0; i < 32; i++) {
        int low = b->ql[64 * half + 32 * (s & 1) + i] >> (s > 1 ? 4 : 0) & 15;
        out->u[i] = (uint8_t)(low | (b->qh[32 * half + i] >> (2 * s) & 3) << 4);
    }
    for (size_t h = 0; h < 2; h++)
        out->scale[h] = d * (float)b->scales[2 * part + h];
}

void unpack_block_ref(cn_dtype type, const void *row, size_t block, unpacked *out)
{
    size_t big = block / 8, part = block % 8;
    switch (type) {
    case CN_Q4_0:
        q4_0((const block_q4_0 *)row + block, out);
        break;
    case CN_Q4_1:
        q4_1((const block_q4_1 *)row + block, out);
        break;
    case CN_Q5_0:
        q5_0((const block_q5_0 *)row + block, out);
        break;
    case CN_Q5_1:
        q5_1((const block_q5_1 *)row + block, out);
        break;
    case CN_Q8_0:
        q8_0((const block_q8_0 *)row + block, out);
        break;
    case CN_IQ4_NL:
        iq4_nl((const block_iq4_nl *)row + block, out);
        break;
    case CN_Q2_K:
        q2_K((const block_q2_K *)row + big, part, out);
        break;
    case CN_Q3_K:
        q3_K((const block_q3_K *)row + big, part, out);
        break;
    case CN_Q4_K:
        q4_K((const block_q4_K *)row + big, part, out);
        break;
    case CN_Q5_K:
        q5_K((const block_q5_K *)row + big, part, out);
        break;
    case CN_Q6_K:
        q6_K((const block_q6_K *)row + big, part, out);
        break;
    default:
        break; /* not quantised: kern_traits_of() says so */
    }
}
