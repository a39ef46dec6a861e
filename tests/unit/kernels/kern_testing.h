/* What the tests of kernels share: buffers that end at a page nobody may touch, and weights. */
#ifndef KERN_TESTING_H
#define KERN_TESTING_H

#include "testing.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels.h"
#include "quants.h"
#include "rng.h"

typedef struct guarded {
    void *base;
    size_t mapped;
    void *p; /* `size` bytes, the last one just before the forbidden page */
} guarded;

static inline guarded guarded_new(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded g = {.mapped = (size + page - 1) / page * page + page};
    g.base = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.base != MAP_FAILED);
    g.p = (char *)g.base + g.mapped - page - size;
    assert_int_equal(mprotect((char *)g.base + g.mapped - page, page, PROT_NONE), 0);
    return g;
}

static inline void guarded_free(guarded *g)
{
    munmap(g->base, g->mapped);
}

static inline float random_float(cn_rng *rng)
{
    return (float)cn_rng_normal(rng);
}

static inline void random_floats(cn_rng *rng, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = random_float(rng);
}

static const cn_dtype weight_types[] = {CN_F32,  CN_F16,  CN_BF16,   CN_Q4_0,  CN_Q4_1, CN_Q5_0,
                                        CN_Q5_1, CN_Q8_0, CN_Q2_K,   CN_Q3_K,  CN_Q4_K, CN_Q5_K,
                                        CN_Q6_K, CN_NF4,  CN_IQ4_NL, CN_NF4_DQ};

/* Bytes at which blocks of a type hold halves; the rest of a block may be any bytes. */
static inline size_t half_fields(cn_dtype type, size_t at[2])
{
    switch (type) {
    case CN_Q4_1:
    case CN_Q5_1:
    case CN_Q4_K:
    case CN_Q5_K:
        at[0] = 0, at[1] = 2;
        return 2;
    case CN_Q2_K:
        at[0] = 80, at[1] = 82;
        return 2;
    case CN_Q3_K:
        at[0] = 108;
        return 1;
    case CN_Q6_K:
        at[0] = 208;
        return 1;
    default:
        at[0] = 0;
        return 1;
    }
}

static inline void random_block(cn_rng *rng, cn_dtype type, uint8_t *block, size_t size)
{
    float f = random_float(rng);
    size_t at[2], fields = half_fields(type, at);
    uint16_t h = type == CN_BF16 ? quant_f32_to_bf16(f) : quant_f32_to_f16(f);
    for (size_t i = 0; i < size; i++)
        block[i] = (uint8_t)cn_rng_next(rng);
    if (type == CN_F32 || type == CN_NF4)
        memcpy(block, &f, 4);
    else if (type == CN_F16 || type == CN_BF16)
        memcpy(block, &h, 2);
    else if (type != CN_NF4_DQ)
        for (size_t i = 0; i < fields; i++) {
            h = quant_f32_to_f16(random_float(rng) / 100);
            memcpy(block + at[i], &h, 2);
        }
}

/* The distance between two floats in units of the last place of `want`. */
static inline double ulps(double got, double want)
{
    double ulp = ldexp(1, ilogb(want) - 23);
    if (want == 0 || ulp < ldexp(1, -149)) ulp = ldexp(1, -149);
    return fabs(got - want) / ulp;
}

#endif
