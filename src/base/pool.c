/* Fork and join over threads that spin for a moment before they sleep: between two products of
 * one token a worker waits a few microseconds, which a futex round trip would double. */
#include "pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem.h"
#include "sysinfo.h"

#define MAX_THREADS 256
#define SPINS 4000 /* some tens of microseconds */

typedef struct worker {
    pthread_t thread;
    cn_pool *pool;
    unsigned index;
} worker;

struct cn_pool {
    unsigned n;
    cn_pool_fn *fn;
    void *job;
    bool stop;
    _Alignas(64) atomic_uint epoch;    /* one more for each job; publishes fn, job and stop */
    _Alignas(64) atomic_uint sleepers; /* workers in the futex */
    _Alignas(64) atomic_uint done;     /* workers that finished the current job */
    worker workers[];                  /* n - 1 */
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static long futex(atomic_uint *word, int op, unsigned value)
{
    return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static unsigned wait_for_job(cn_pool *p, unsigned seen)
{
    unsigned now;
    for (int i = 0; i < SPINS; i++) {
        now = atomic_load_explicit(&p->epoch, memory_order_acquire);
        if (now != seen) return now;
        relax();
    }
    /* Sequentially consistent on both sides: either the caller sees the sleeper, or the sleeper
     * (in the futex's own comparison) sees the new epoch. */
    atomic_fetch_add(&p->sleepers, 1);
    while ((now = atomic_load(&p->epoch)) == seen)
        futex(&p->epoch, FUTEX_WAIT, seen);
    atomic_fetch_sub(&p->sleepers, 1);
    return now;
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    cn_pool *p = w->pool;
    unsigned seen = 0;
    for (;;) {
        seen = wait_for_job(p, seen);
        if (p->stop) return NULL;
        p->fn(p->job, w->index, p->n);
        atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
    }
}

static void publish(cn_pool *p)
{
    atomic_fetch_add(&p->epoch, 1);
    if (atomic_load(&p->sleepers)) futex(&p->epoch, FUTEX_WAKE, INT_MAX);
}

void cn_pool_run(cn_pool *p, cn_pool_fn *fn, void *job)
{
    if (p->n == 1) {
        fn(job, 0, 1);
        return;
    }
    p->fn = fn;
    p->job = job;
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    publish(p);
    fn(job, 0, p->n);
    for (int spins = 0; atomic_load_explicit(&p->done, memory_order_acquire) < p->n - 1;
         spins++) {
        relax();
        if (spins > SPINS)
            sched_yield(); /* fewer processors than threads: let the other one work */
    }
}

cn_status cn_pool_new(cn_pool **out, unsigned n_threads, cn_err *err)
{
    *out = NULL;
    if (n_threads == 0) n_threads = CN_MIN(cn_sys_n_cpus(), MAX_THREADS);
    if (n_threads > MAX_THREADS)
        return cn_fail(err, CN_E_ARG, "%u threads, at most %d", n_threads, MAX_THREADS);
    cn_pool *p = cn_alloc_array(1, sizeof *p + (n_threads - 1) * sizeof(worker));
    if (!p) return cn_fail(err, CN_E_NOMEM, "thread pool");
    p->n = 1;
    for (unsigned i = 1; i < n_threads; i++) {
        worker *w = &p->workers[i - 1];
        *w = (worker){.pool = p, .index = i};
        int e = pthread_create(&w->thread, NULL, worker_main, w);
        if (e) {
            cn_pool_free(p);
            return cn_fail(err, CN_E_NOMEM, "thread %u of %u: %s", i, n_threads, strerror(e));
        }
        p->n = i + 1;
    }
    *out = p;
    return CN_OK;
}

void cn_pool_free(cn_pool *p)
{
    if (!p) return;
    p->stop = true;
    publish(p);
    for (unsigned i = 1; i < p->n; i++)
        pthread_join(p->workers[i - 1].thread, NULL);
    cn_free(p);
}

unsigned cn_pool_size(const cn_pool *p)
{
    return p->n;
}
