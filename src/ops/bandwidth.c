#include "bandwidth.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "pool.h"
#include "sysinfo.h"

#define MIB ((size_t)1 << 20)

typedef struct reading {
    uint64_t *words;
    size_t n;          /* a multiple of 8 */
    bool fill;         /* write instead: every thread touches the pages that it will read */
    uint64_t sum[256]; /* of each thread, so that the reads are not dropped */
} reading;

static void part(void *job, unsigned index, unsigned n_threads)
{
    reading *r = job;
    size_t from, to;
    cn_pool_part(r->n, 4096, index, n_threads, &from, &to);
    if (r->fill) {
        memset(r->words + from, 1, (to - from) * sizeof *r->words);
        return;
    }
    const uint64_t *w = r->words;
    uint64_t s[8] = {0};
    for (size_t i = from; i < to; i += 8)
        for (size_t k = 0; k < 8; k++)
            s[k] += w[i + k];
    for (size_t k = 1; k < 8; k++)
        s[0] += s[k];
    r->sum[index] = s[0];
}

static double best_pass(cn_pool *pool, reading *r)
{
    uint64_t start = cn_now_ns();
    double best = 0;
    for (int pass = 0; pass < 3 || (pass < 64 && cn_seconds_since(start) < 0.4); pass++) {
        uint64_t begin = cn_now_ns();
        cn_pool_run(pool, part, r);
        double rate = (double)(r->n * sizeof *r->words) / cn_seconds_since(begin);
        if (rate > best) best = rate;
    }
    return best;
}

cn_status cn_memory_bandwidth(double *bytes_per_second, unsigned n_threads, cn_err *err)
{
    cn_sys_memory memory = cn_sys_memory_now();
    const char *limit;
    cn_pool *pool = NULL;
    reading *r = cn_xcalloc(1, sizeof *r);
    size_t bytes = CN_MIN(512 * MIB, (size_t)cn_sys_memory_left(&memory, &limit) / 4);
    bytes = CN_MAX(bytes / MIB * MIB, 32 * MIB);
    r->n = bytes / sizeof *r->words;
    r->words = cn_alloc_array(r->n, sizeof *r->words);
    cn_status st = CN_OK;
    if (!r->words)
        st = cn_fail(err, CN_E_NOMEM, "%zu MiB to measure with (%s)", bytes / MIB, limit);
    if (!st) st = cn_pool_new(&pool, n_threads, err);
    if (!st) {
        r->fill = true;
        cn_pool_run(pool, part, r);
        r->fill = false;
        *bytes_per_second = best_pass(pool, r);
    }
    cn_pool_free(pool);
    cn_free(r->words);
    cn_free(r);
    return st;
}
