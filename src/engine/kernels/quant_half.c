/* 16-bit floats: IEEE half and bfloat16, without help of the processor. */
#include <math.h>
#include <string.h>

#include "quants.h"

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

float quant_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 0) /* zero and subnormal: exact multiples of 2^-24 */
        return copysignf((float)fraction * 0x1p-24f, sign ? -1.0f : 1.0f);
    if (exponent == 31) /* infinity, or NaN made quiet */
        return float_of(sign | 0x7f800000 | fraction << 13 | (fraction ? 0x400000 : 0));
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t quant_f32_to_f16(float f)
{
    uint32_t u = bits_of(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff, h;
    if (a > 0x7f800000)
        h = 0x7e00 | (a >> 13 & 0x3ff);
    else if (a >= 0x477ff000) /* 65520 and above round to infinity */
        h = 0x7c00;
    else if (a < 0x38800000) /* below 2^-14: adding 1/2 rounds to a multiple of 2^-24 */
        h = bits_of(float_of(a) + 0.5f) - 0x3f000000;
    else
        h = (a + 0xfff + (a >> 13 & 1) - 0x38000000) >> 13;
    return (uint16_t)(sign | h);
}

float quant_bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t quant_f32_to_bf16(float f)
{
    uint32_t u = bits_of(f);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
