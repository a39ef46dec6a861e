/* Intervals, ranks and correlations against numbers worked out by hand. */
#include "testing.h"

#include <math.h>

#include "measure.h"

#define NEAR(a, b, within) assert_true(fabs((a) - (b)) <= (within))

static void wilson(void **state)
{
    (void)state;
    const double z2 = 1.959963984540054 * 1.959963984540054;
    eval_interval none = eval_wilson(0, 10), all = eval_wilson(10, 10),
                  half = eval_wilson(5, 10);
    NEAR(none.low, 0, 1e-12);
    NEAR(none.high, z2 / (10 + z2), 1e-12); /* 0.2775 */
    NEAR(all.low, 10 / (10 + z2), 1e-12);   /* 0.7225 */
    NEAR(all.high, 1, 1e-12);
    NEAR(half.low, 0.2365931, 1e-6);
    NEAR(half.high, 0.7634069, 1e-6);
    assert_true(isnan(eval_wilson(0, 0).low));
}

static void quantiles(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4};
    NEAR(eval_quantile(x, 4, 0), 1, 0);
    NEAR(eval_quantile(x, 4, 0.25), 1.75, 1e-12);
    NEAR(eval_quantile(x, 4, 0.5), 2.5, 1e-12);
    NEAR(eval_quantile(x, 4, 1), 4, 0);
    NEAR(eval_quantile(x, 1, 0.7), 1, 0);
}

static void ranks(void **state)
{
    (void)state;
    const double x[] = {10, 20, 20, 5, 20};
    const double want[] = {2, 4, 4, 1, 4};
    double got[5];
    eval_ranked scratch[5];
    eval_ranks(x, 5, got, scratch);
    for (int i = 0; i < 5; i++)
        NEAR(got[i], want[i], 0);
    eval_ranks(x, 0, got, scratch);
}

static void spearman(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, 5}, mixed[] = {2, 1, 4, 3, 5}, down[] = {9, 7, 6, 2, -1};
    const double ties[] = {1, 2, 2, 3}, flat[] = {4, 4, 4, 4, 4};
    double r;
    assert_int_equal(eval_spearman(&r, x, mixed, 5, NULL), CN_OK);
    NEAR(r, 0.8, 1e-12); /* 1 - 6 * 4 / (5 * 24) */
    assert_int_equal(eval_spearman(&r, x, down, 5, NULL), CN_OK);
    NEAR(r, -1, 1e-12);
    assert_int_equal(eval_spearman(&r, ties, x, 4, NULL), CN_OK);
    NEAR(r, 4.5 / sqrt(22.5), 1e-12);
    assert_int_equal(eval_spearman(&r, x, flat, 5, NULL), CN_OK);
    assert_true(isnan(r));
    assert_int_equal(eval_spearman(&r, x, x, 1, NULL), CN_OK);
    assert_true(isnan(r));
    assert_int_equal(eval_spearman(&r, x, x, 0, NULL), CN_OK);
    assert_true(isnan(r));
}

static eval_interval boot(const eval_item *a, const eval_item *b, size_t n)
{
    eval_interval v;
    assert_int_equal(eval_bootstrap(&v, a, b, n, NULL, 7, NULL), CN_OK);
    return v;
}

/* Few items: the distribution of resampled means is known exactly. */
static void bootstrap_of_few(void **state)
{
    (void)state;
    const eval_item two[] = {{0, 1}, {1, 1}};
    /* of four draws with one hit in four, 3 or more hits come with 5.1 %, 4 with 0.4 % */
    const eval_item four[] = {{0, 1}, {0, 1}, {4, 1}, {0, 1}};
    const eval_item same[] = {{3, 2}, {6, 4}, {1.5, 1}};
    const eval_item weightless[] = {{1, 1}, {0, 0}};
    eval_interval v = boot(two, NULL, 2);
    NEAR(v.low, 0, 0);
    NEAR(v.high, 1, 0);
    v = boot(four, NULL, 4);
    NEAR(v.low, 0, 0);
    NEAR(v.high, 3, 0);
    v = boot(same, NULL, 3);
    NEAR(v.low, 1.5, 1e-12);
    NEAR(v.high, 1.5, 1e-12);
    assert_true(isnan(boot(two, NULL, 1).low));
    assert_true(isnan(boot(two, NULL, 0).low));
    assert_true(isnan(boot(weightless, NULL, 2).low));
    NEAR(eval_mean(same, 3), 1.5, 1e-12);
    assert_true(isnan(eval_mean(two, 0)));
}

/* Many items: close to the normal approximation, 0.5 +- 1.96 * 0.5 / sqrt(400). */
static void bootstrap_of_many(void **state)
{
    (void)state;
    eval_item a[400], b[400];
    for (int i = 0; i < 400; i++) {
        a[i] = (eval_item){i % 2, 1};
        b[i] = (eval_item){i % 2 + 0.1, 1};
    }
    eval_interval v = boot(a, NULL, 400), again = boot(a, NULL, 400);
    NEAR(v.low, 0.451, 0.005);
    NEAR(v.high, 0.549, 0.005);
    NEAR(v.low, again.low, 0);
    NEAR(v.high, again.high, 0);
    v = boot(a, b, 400); /* paired: what both share cancels */
    NEAR(v.low, -0.1, 1e-12);
    NEAR(v.high, -0.1, 1e-12);
    assert_int_equal(eval_bootstrap(&v, a, NULL, 400, exp, 7, NULL), CN_OK);
    NEAR(v.low, exp(again.low), 1e-3);
    NEAR(v.high, exp(again.high), 1e-3);
}

static void resamples(void **state)
{
    (void)state;
    assert_int_equal(eval_resamples(10), EVAL_RESAMPLES);
    assert_int_equal(eval_resamples(40000), 5000);
    assert_int_equal(eval_resamples(10000000), 1000);
}

static void compare(void **state)
{
    (void)state;
    eval_item lower[8], higher[8], mixed[8];
    for (int i = 0; i < 8; i++) {
        lower[i] = (eval_item){i, 1};
        higher[i] = (eval_item){i + 1 + i % 2, 1};
        mixed[i] = (eval_item){i + (i % 2 ? 1 : -1), 1};
    }
    eval_measure a = {.name = "loss", .less_is_better = true, .items = lower, .n = 8}, b = a;
    eval_difference d;
    b.items = higher;
    assert_int_equal(eval_compare(&d, &a, &b, 1, NULL), CN_OK);
    assert_int_equal(d.better, 1);
    NEAR(d.by, -1.5, 1e-12);
    assert_true(d.interval.low >= -2 && d.interval.high <= -1 && d.pairs == 8);
    assert_int_equal(eval_compare(&d, &b, &a, 1, NULL), CN_OK);
    assert_int_equal(d.better, -1);
    a.less_is_better = b.less_is_better = false;
    assert_int_equal(eval_compare(&d, &b, &a, 1, NULL), CN_OK);
    assert_int_equal(d.better, 1);
    b.items = mixed;
    assert_int_equal(eval_compare(&d, &b, &a, 1, NULL), CN_OK);
    assert_int_equal(d.better, 0);
    assert_true(d.interval.low < 0 && d.interval.high > 0);
    b.items = higher;
    a.n = b.n = 5; /* too few to show anything */
    assert_int_equal(eval_compare(&d, &b, &a, 1, NULL), CN_OK);
    assert_int_equal(d.better, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(ranks),
        cmocka_unit_test(spearman),
        cmocka_unit_test(bootstrap_of_few),
        cmocka_unit_test(bootstrap_of_many),
        cmocka_unit_test(resamples),
        cmocka_unit_test(compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
