#include "rng.h"

#include <math.h>

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

cn_rng cn_rng_seeded(uint64_t seed)
{
    cn_rng r;
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        r.s[i] = z ^ z >> 31;
    }
    return r;
}

uint64_t cn_rng_next(cn_rng *r)
{
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

double cn_rng_unit(cn_rng *r)
{
    return (double)(cn_rng_next(r) >> 11) * 0x1p-53;
}

uint64_t cn_rng_below(cn_rng *r, uint64_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;
    do {
        x = cn_rng_next(r);
    } while (x >= limit);
    return x % n;
}

double cn_rng_normal(cn_rng *r)
{
    double u = 1.0 - cn_rng_unit(r), v = cn_rng_unit(r); /* Box and Muller 1958 */
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}
