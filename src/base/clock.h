/* Monotonic time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

uint64_t cn_now_ns(void);
static inline double cn_seconds_since(uint64_t start_ns)
{
    return (double)(cn_now_ns() - start_ns) * 1e-9;
}

#endif
