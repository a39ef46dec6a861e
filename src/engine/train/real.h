/* The number type of training. The room is compiled twice from the same source: as float, with
 * fast products, for use; as double (TRAIN_DOUBLE), with plain products, so that tests check
 * every backward operation by finite differences. */
#ifndef TRAIN_REAL_H
#define TRAIN_REAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef TRAIN_DOUBLE

typedef double real;
static inline real real_exp(real x)
{
    return exp(x);
}
static inline real real_sqrt(real x)
{
    return sqrt(x);
}

#else

typedef float real;
static inline real real_sqrt(real x)
{
    return sqrtf(x);
}

/* exp without a call or a branch, so that loops over it become vectors; 2 ulp; 0 below -87, and
 * what is over 88 counts as 88. x = n ln 2 + r, exp(r) by its series to r^6. */
static inline real real_exp(real x)
{
    const float magic = 12582912.0F; /* 1.5 * 2^23: adding it rounds to a whole number */
    x = x < 88.0F ? x : 88.0F;
    float n = x * 1.44269504F + magic - magic;
    float r = x - n * 0.693359375F + n * 2.12194440e-4F;
    float p = 1.0F / 720;
    p = p * r + 1.0F / 120;
    p = p * r + 1.0F / 24;
    p = p * r + 1.0F / 6;
    p = p * r + 0.5F;
    p = p * r + 1.0F;
    p = p * r + 1.0F;
    n = n > -126.0F ? n : -126.0F;
    int32_t bits = ((int32_t)n + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return x > -87.0F ? p * scale : 0.0F;
}

#endif

static inline real real_sigmoid(real x)
{
    return 1 / (1 + real_exp(-x));
}

#endif
