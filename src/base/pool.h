/* cn_pool: compute threads that start once and share one job at a time. The caller's thread
 * takes part as thread 0. The split of work depends on the number of threads only, never on
 * timing. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#include "err.h"

typedef struct cn_pool cn_pool;

/* `index` runs from 0 to n_threads-1. */
typedef void cn_pool_fn(void *job, unsigned index, unsigned n_threads);

/* n_threads 1 to 256, the caller's included; 0 takes what the process may use. */
cn_status cn_pool_new(cn_pool **out, unsigned n_threads, cn_err *err);
void cn_pool_free(cn_pool *p);
unsigned cn_pool_size(const cn_pool *p);

/* Runs fn(job, i, n) on every thread and returns when all are done. One caller at a time.
 * Allocates nothing and takes no lock while the workers are awake. */
void cn_pool_run(cn_pool *p, cn_pool_fn *fn, void *job);

/* The part [*from, *to) of `n` units (of `unit` items each, the last may be short) for this
 * thread. */
static inline void cn_pool_part(size_t n, size_t unit, unsigned index, unsigned n_threads,
                                size_t *from, size_t *to)
{
    size_t units = (n + unit - 1) / unit, a = units * index / n_threads * unit,
           b = units * (index + 1) / n_threads * unit;
    *from = a < n ? a : n;
    *to = b < n ? b : n;
}

#endif
