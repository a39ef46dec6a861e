/* Reproducible random numbers: xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64.
 * The same seed gives the same numbers on every machine. Not for secrets. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

typedef struct cn_rng {
    uint64_t s[4];
} cn_rng;

cn_rng cn_rng_seeded(uint64_t seed);
uint64_t cn_rng_next(cn_rng *r);
double cn_rng_unit(cn_rng *r);                /* uniform in [0, 1), 53 bits */
uint64_t cn_rng_below(cn_rng *r, uint64_t n); /* uniform in [0, n), n > 0 */
double cn_rng_normal(cn_rng *r);              /* mean 0, deviation 1 */

#endif
