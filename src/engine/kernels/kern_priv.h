/* What the variants of the kernels share: the 8-bit form of activations, the traits of the
 * quantised types, and the order of every sum. All variants follow that order, so that FAST and
 * EXACT products have the same bits on every processor (kernels.h). */
#ifndef KERNELS_KERN_PRIV_H
#define KERNELS_KERN_PRIV_H

#include <stddef.h>

#include "kernels.h"

/* 32 activations of one token: x is about d * q. A block with a NaN or an infinity has d = NaN;
 * one that is all but zero (below ACT_TINY) has d = 0. */
typedef struct act_block {
    float d;         /* max |x| / 127 */
    float d_sum;     /* d * sum of q */
    float d_half[2]; /* the same of the halves, columns 0..15 and 16..31 */
    int32_t neg_sum; /* -sum of q */
    int32_t neg_half[2];
    int8_t q[32]; /* -127..127; two bytes before and behind may be read, and are not used */
    int32_t pad;
} act_block;
_Static_assert(sizeof(act_block) == 64, "one cache line");

#define ACT_TINY 1e-30F /* 127 / max stays finite above this */

static inline size_t act_blocks(const kern_act *a)
{
    return (a->n_cols + 31) / 32;
}

static inline act_block *act_row(const kern_act *a, size_t token)
{
    return (act_block *)a->q + token * act_blocks(a);
}

/* Every quantised type as 32 unsigned bytes u, and for the block (or each of its halves) a
 * scale and perhaps a bias: w = scale * (u - 2^shift) + bias. One product is
 *     isum = sum u * q + (neg_sum << shift)                 exact
 *     y    = fma(isum * scale, d, y)
 *     y    = fma(bias, d_sum, y)                            where there is a bias
 * block after block, the halves of a block in turn. */
typedef struct kern_traits {
    bool quantised; /* false: taken as f32 */
    bool halves;    /* scales of 16 columns each */
    bool bias;
    int8_t shift; /* -1: nothing to subtract */
} kern_traits;

kern_traits kern_traits_of(cn_dtype type);

/* f32 products: lane l of 16 sums columns l, l + 16, ... by fma; then lanes l and l + 8, and so
 * on by halves. */
#define KERN_LANES 16

extern const kern_table kern_ref;
#ifdef HAVE_KERN_AVX2
extern const kern_table kern_avx2;
#endif
#ifdef HAVE_KERN_AVX512
extern const kern_table kern_avx512;
#endif
#ifdef HAVE_KERN_NEON
extern const kern_table kern_neon;
#endif

#endif
