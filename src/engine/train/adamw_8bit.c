/* Moments in 8 bits. The code is dynamic (Dettmers et al. 2022): the closer to the block's
 * largest, the finer. Half of the codes lie evenly in (0.1, 1], half of the rest in (0.01, 0.1]
 * and so on to a single one; each decade's last is its upper end, so that the largest value of
 * a block is kept exactly, of either sign, and the nearest code is found without a search. */
#include "adamw_priv.h"

#include <float.h>
#include <string.h>

#include "compiler.h"

void state8_code_init(state8_code *c, bool is_signed)
{
    unsigned n_codes = is_signed ? 128 : 256, n_decades = is_signed ? 7 : 8;
    double top = 1;
    unsigned code = n_codes; /* one over the decade's last */
    for (unsigned d = 0; d < STATE8_DECADES; d++) {
        bool lowest = d + 1 >= n_decades; /* from 0; the signed code repeats it */
        unsigned n = lowest ? 1 : n_codes >> (d + 1);
        double bottom = lowest ? 0 : 0.1 * top, slope = n / (top - bottom);
        if (d < n_decades)
            for (unsigned k = 0; k < n; k++)
                c->value[--code] = (float)(top - k / slope);
        c->lines.top[d] = (float)top;
        c->lines.slope[d] = (float)slope;
        c->lines.start[d] = (float)(code - 1 - bottom * slope + 0.5); /* truncation rounds */
        if (!lowest) top = bottom;
    }
    c->value[0] = 0;
    for (unsigned i = n_codes; i < 256; i++)
        c->value[i] = -c->value[i - n_codes];
}

CN_CLONES static void decode(float *restrict x, const uint8_t *restrict q, float scale,
                             size_t n, const state8_code *c)
{
    for (size_t i = 0; i < n; i++)
        x[i] = scale * c->value[q[i]];
}

CN_CLONES static float largest(const float *x, size_t n)
{
    uint32_t most = 0; /* of floats without sign the order is that of their bits */
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, x + i, sizeof u);
        u &= 0x7fffffff;
        most = u > most ? u : most;
    }
    float f;
    memcpy(&f, &most, sizeof f);
    return f;
}

/* The code nearest to `y` of [0, 1]; more, or NaN, counts as 1. */
static inline int32_t nearest(float y, const state8_lines *c)
{
    float slope = c->slope[0], start = c->start[0];
    y = y < 1 ? y : 1;
    for (int d = 1; d < STATE8_DECADES; d++) {
        slope = y <= c->top[d] ? c->slope[d] : slope;
        start = y <= c->top[d] ? c->start[d] : start;
    }
    return (int32_t)(y * slope + start);
}

CN_CLONES static float encode_m(uint8_t *restrict q, const float *restrict x, size_t n,
                                const state8_code *code)
{
    const state8_lines c = code->lines;
    float top = largest(x, n), inverse = top < FLT_MIN ? 0 : 1 / top;
    for (size_t i = 0; i < n; i++) {
        float size = x[i] < 0 ? -x[i] : x[i];
        q[i] = (uint8_t)(nearest(size * inverse, &c) + (x[i] < 0 ? 128 : 0));
    }
    return inverse > 0 ? top : 0;
}

CN_CLONES static float encode_v(uint8_t *restrict q, const float *restrict x, size_t n,
                                const state8_code *code)
{
    const state8_lines c = code->lines;
    float top = largest(x, n), inverse = top < FLT_MIN ? 0 : 1 / top;
    for (size_t i = 0; i < n; i++) {
        int32_t k = nearest(x[i] * inverse, &c), least = x[i] > 0 ? 1 : 0;
        q[i] = (uint8_t)(k > least ? k : least);
    }
    return inverse > 0 ? top : 0;
}

/* clang calls a function with clones from other files by another name: hence these. */
void state8_decode(float *restrict x, const uint8_t *restrict q, float scale, size_t n,
                   const state8_code *c)
{
    decode(x, q, scale, n, c);
}

float state8_encode_m(uint8_t *restrict q, const float *restrict x, size_t n,
                      const state8_code *c)
{
    return encode_m(q, x, n, c);
}

float state8_encode_v(uint8_t *restrict q, const float *restrict x, size_t n,
                      const state8_code *c)
{
    return encode_v(q, x, n, c);
}
