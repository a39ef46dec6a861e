/* The thread pool: every index runs once a job, the split covers the work exactly, and jobs
 * follow one another without a lost wake-up. */
#include "testing.h"

#include <stdatomic.h>
#include <unistd.h>

#include "pool.h"

typedef struct visits {
    unsigned count[256]; /* written by one thread each: no atomics, so that TSan sees a race */
    unsigned n_threads[256];
} visits;

static void visit(void *job, unsigned index, unsigned n_threads)
{
    visits *v = job;
    v->count[index]++;
    v->n_threads[index] = n_threads;
}

static cn_pool *pool_of(unsigned n)
{
    cn_pool *p;
    assert_int_equal(cn_pool_new(&p, n, NULL), CN_OK);
    assert_int_equal(cn_pool_size(p), n);
    return p;
}

static void test_every_thread_runs_once_a_job(void **state)
{
    (void)state;
    static const unsigned sizes[] = {1, 2, 3, 7};
    for (size_t s = 0; s < CN_ARRAY_LEN(sizes); s++) {
        visits v = {0};
        cn_pool *p = pool_of(sizes[s]);
        for (unsigned job = 1; job <= 200; job++) {
            cn_pool_run(p, visit, &v);
            for (unsigned i = 0; i < 256; i++)
                assert_int_equal(v.count[i], i < sizes[s] ? job : 0);
        }
        assert_int_equal(v.n_threads[sizes[s] - 1], sizes[s]);
        cn_pool_free(p);
    }
}

static void test_wakes_sleepers(void **state)
{
    (void)state;
    visits v = {0};
    cn_pool *p = pool_of(3);
    for (unsigned job = 1; job <= 5; job++) {
        usleep(20000); /* long enough for the workers to stop spinning and sleep */
        cn_pool_run(p, visit, &v);
        assert_int_equal(v.count[2], job);
    }
    usleep(20000);
    cn_pool_free(p); /* also wakes them */
}

typedef struct sum_job {
    const int *x;
    size_t n, unit;
    long partial[8];
} sum_job;

static void sum_part(void *job, unsigned index, unsigned n_threads)
{
    sum_job *s = job;
    size_t from, to;
    cn_pool_part(s->n, s->unit, index, n_threads, &from, &to);
    for (size_t i = from; i < to; i++)
        s->partial[index] += s->x[i];
}

static void test_results_reach_the_caller(void **state)
{
    (void)state;
    static int x[1000];
    cn_pool *p = pool_of(4);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 1000; i++)
            x[i] = i + round; /* the workers must see what was written just before */
        sum_job s = {.x = x, .n = 1000, .unit = 16};
        cn_pool_run(p, sum_part, &s);
        assert_int_equal(s.partial[0] + s.partial[1] + s.partial[2] + s.partial[3],
                         499500 + 1000L * round);
    }
    cn_pool_free(p);
}

static void test_parts_cover_the_work(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 4096};
    for (size_t s = 0; s < CN_ARRAY_LEN(sizes); s++)
        for (size_t unit = 1; unit <= 64; unit *= 4)
            for (unsigned n = 1; n <= 9; n++) {
                size_t at = 0, from, to;
                for (unsigned i = 0; i < n; i++) {
                    cn_pool_part(sizes[s], unit, i, n, &from, &to);
                    assert_int_equal(from, at);
                    assert_true(to >= from && (to % unit == 0 || to == sizes[s]));
                    at = to;
                }
                assert_int_equal(at, sizes[s]);
            }
}

static void test_limits(void **state)
{
    (void)state;
    cn_err err;
    cn_pool *p;
    assert_int_equal(cn_pool_new(&p, 257, &err), CN_E_ARG);
    assert_null(p);
    assert_string_equal(err.why, "257 threads, at most 256");
    assert_int_equal(cn_pool_new(&p, 0, &err), CN_OK);
    assert_true(cn_pool_size(p) >= 1);
    cn_pool_free(p);
    cn_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_thread_runs_once_a_job),
        cmocka_unit_test(test_wakes_sleepers),
        cmocka_unit_test(test_results_reach_the_caller),
        cmocka_unit_test(test_parts_cover_the_work),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
