/* Rates computed by hand, and the counting of early stopping. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "schedule.h"

static void rates_are(const schedule *s, const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_float_equal(schedule_rate(s, i), want[i], 1e-12);
}

static void linear_goes_up_then_down(void **state)
{
    (void)state;
    const schedule s = {SCHEDULE_LINEAR, .peak = 8, .floor = 0.25, .n_steps = 7, .n_warmup = 4};
    /* Up by 2; then 8 to 2 in three steps; then as the last. */
    rates_are(&s, (const double[]){2, 4, 6, 8, 6, 4, 2, 2, 2}, 9);
}

static void cosine_is_half_way_at_the_middle(void **state)
{
    (void)state;
    const schedule s = {SCHEDULE_COSINE, .peak = 1, .floor = 0.1, .n_steps = 7, .n_warmup = 2};
    /* Steps 1 to 6 (five after the peak is at step 1): cos 0, 36, 72, 108, 144, 180 degrees. */
    rates_are(&s,
              (const double[]){0.5, 1, 0.1 + 0.45 * (1 + 0.80901699437494745),
                               0.1 + 0.45 * (1 + 0.30901699437494745),
                               0.1 + 0.45 * (1 - 0.30901699437494745),
                               0.1 + 0.45 * (1 - 0.80901699437494745), 0.1},
              7);
    assert_float_equal(schedule_rate(&s, UINT64_MAX), 0.1, 1e-12);
}

static void without_warm_up_the_first_step_has_the_peak(void **state)
{
    (void)state;
    schedule s = {SCHEDULE_LINEAR, .peak = 3, .n_steps = 4};
    rates_are(&s, (const double[]){3, 2, 1, 0, 0}, 5);
    s.kind = SCHEDULE_CONSTANT;
    rates_are(&s, (const double[]){3, 3, 3, 3, 3}, 5);
}

static void short_runs_have_a_rate(void **state)
{
    (void)state;
    const schedule one = {SCHEDULE_COSINE, .peak = 3, .n_steps = 1};
    rates_are(&one, (const double[]){3, 3}, 2);
    const schedule none = {SCHEDULE_COSINE, .peak = 3};
    rates_are(&none, (const double[]){3, 3}, 2);
    /* A warm-up longer than the run never arrives. */
    const schedule cut = {SCHEDULE_LINEAR, .peak = 10, .n_steps = 3, .n_warmup = 10};
    rates_are(&cut, (const double[]){1, 2, 3, 3}, 4);
}

static void names_are_known(void **state)
{
    (void)state;
    cn_err err = {0};
    schedule_kind k = SCHEDULE_CONSTANT;
    assert_int_equal(schedule_parse(&k, "cosine", &err), CN_OK);
    assert_int_equal(k, SCHEDULE_COSINE);
    assert_int_equal(schedule_parse(&k, "linear", &err), CN_OK);
    assert_int_equal(k, SCHEDULE_LINEAR);
    assert_int_equal(schedule_parse(&k, "constant", &err), CN_OK);
    assert_int_equal(k, SCHEDULE_CONSTANT);
    assert_int_equal(schedule_parse(&k, "Cosine", &err), CN_E_ARG);
    assert_non_null(strstr(err.why, "Cosine"));
    assert_non_null(strstr(err.next, "linear"));
}

static void patience_counts_what_is_no_gain(void **state)
{
    (void)state;
    patience p = {.limit = 3, .best = (double)INFINITY, .min_gain = 0.1};
    assert_false(patience_is_over(&p, 2.0));
    assert_false(patience_is_over(&p, 1.95)); /* too small a gain */
    assert_int_equal(p.waited, 1);
    assert_float_equal(p.best, 2.0, 0);
    assert_false(patience_is_over(&p, (double)NAN));
    assert_false(patience_is_over(&p, 1.85));
    assert_int_equal(p.waited, 0);
    assert_float_equal(p.best, 1.85, 0);
    assert_false(patience_is_over(&p, 3));
    assert_false(patience_is_over(&p, (double)INFINITY));
    assert_true(patience_is_over(&p, 1.8));
    assert_true(patience_is_over(&p, 1.8));
    assert_false(patience_is_over(&p, 1));
}

static void no_limit_never_stops(void **state)
{
    (void)state;
    patience p = {.best = (double)INFINITY};
    for (int i = 0; i < 100; i++)
        assert_false(patience_is_over(&p, 1.0 + i));
    assert_float_equal(p.best, 1.0, 0);
    assert_int_equal(p.waited, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_goes_up_then_down),
        cmocka_unit_test(cosine_is_half_way_at_the_middle),
        cmocka_unit_test(without_warm_up_the_first_step_has_the_peak),
        cmocka_unit_test(short_runs_have_a_rate),
        cmocka_unit_test(names_are_known),
        cmocka_unit_test(patience_counts_what_is_no_gain),
        cmocka_unit_test(no_limit_never_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
