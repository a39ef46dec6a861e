/* What the benchmarks share: the order of times, and what a processor's multipliers do at most.
 */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include "clock.h"

/* For qsort. */
static inline int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

#if defined(__x86_64__)
/* Defines NAME(): the best rate, in 10^9 a second, of an instruction on twelve registers in
 * turn. */
#define PEAK(name, reg, instruction)                                                           \
    static double name(void)                                                                   \
    {                                                                                          \
        double best = 0;                                                                       \
        for (int round = 0; round < 5; round++) {                                              \
            uint64_t t = cn_now_ns();                                                          \
            for (int i = 0; i < 200000; i++)                                                   \
                __asm__ volatile(".irp r,0,1,2,3,4,5,6,7,8,9,10,11\n" instruction "\n.endr" :: \
                                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", \
                                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");              \
            double rate = 200000 * 12 / cn_seconds_since(t);                                   \
            best = rate > best ? rate : best;                                                  \
        }                                                                                      \
        return best;                                                                           \
    }
#endif

#endif
