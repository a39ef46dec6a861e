/* What the tests of kernels share: buffers that end at a page nobody may touch, and weights. */
#ifndef KERN_TESTING_H
#define KERN_TESTING_H

#include "testing.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels.h"
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

/* The distance between two floats in units of the last place of `want`. */
static inline double ulps(double got, double want)
{
    double ulp = ldexp(1, ilogb(want) - 23);
    if (want == 0 || ulp < ldexp(1, -149)) ulp = ldexp(1, -149);
    return fabs(got - want) / ulp;
}

#endif
