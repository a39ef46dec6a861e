/* Figures of replies that were written by hand. */
#include "testing.h"

#include <math.h>

#include "compiler.h"
#include "figures.h"

static const char task[] = "{\"prompt\":\"\",\"marks\":{\"a\":1,\"b\":5}}\n"
                           "{\"prompt\":\"\",\"marks\":{\"a\":2,\"b\":5}}\n"
                           "{\"prompt\":\"\",\"marks\":{\"a\":3}}\n"
                           "{\"prompt\":\"\",\"expect\":\"x\",\"regex\":\"y\"}\n";

typedef struct world {
    eval_task t;
    eval_reply replies[4];
    double marks[8];
    eval_run run;
} world;

static void make(world *w, const double marks[8], const unsigned failed[4])
{
    assert_int_equal(eval_task_read(&w->t, cn_str_of(task), 0, NULL), CN_OK);
    for (int i = 0; i < 4; i++)
        w->replies[i] = (eval_reply){.verdict.failed = failed[i]};
    for (int i = 0; i < 8; i++)
        w->marks[i] = marks[i];
    w->run = (eval_run){.replies = w->replies, .marks = w->marks, .n = 4};
}

static const double none = (double)NAN;

static void figures(void **state)
{
    world w;
    eval_figures f;
    eval_item items[4];
    const double marks[8] = {2, 5, 4, none, 3, none, none, none};
    const unsigned failed[4] = {0, 1u << EVAL_MARKS, 0, 1u << EVAL_REGEX};
    (void)state;
    make(&w, marks, failed);
    assert_int_equal(eval_figures_of(&f, &w.t, &w.run, NULL), CN_OK);
    assert_true(f.n == 4 && f.passed == 2);
    assert_true(f.kinds[EVAL_MARKS].n == 3 && f.kinds[EVAL_MARKS].passed == 2);
    assert_true(f.kinds[EVAL_EXPECT].n == 1 && f.kinds[EVAL_EXPECT].passed == 1);
    assert_true(f.kinds[EVAL_REGEX].n == 1 && f.kinds[EVAL_REGEX].passed == 0);
    assert_int_equal(f.kinds[EVAL_SCHEMA].n, 0);
    assert_true(f.marks[0].asked == 3 && f.marks[0].read == 3);
    assert_true(f.marks[0].mean_error == 1 && f.marks[0].max_error == 2);
    assert_true(fabs(f.marks[0].rank_correlation - 0.5) < 1e-12); /* 1 2 3 and 1 3 2 */
    assert_true(f.marks[1].asked == 2 && f.marks[1].read == 1 && f.marks[1].mean_error == 0);
    assert_true(isnan(f.marks[1].rank_correlation));
    assert_true(f.all_marks.asked == 5 && f.all_marks.read == 4);
    assert_true(f.all_marks.mean_error == 0.75 && f.all_marks.max_error == 2);
    /* the sums of the cases that were read whole: 6 and 3, given 7 and 3 */
    assert_true(fabs(f.all_marks.rank_correlation - 1) < 1e-12);
    eval_items_passed(items, &w.run);
    assert_true(eval_mean(items, 4) == 0.5);
    eval_items_errors(items, &w.t, &w.run, NULL);
    assert_true(eval_mean(items, 4) == 0.75);
    assert_true(items[0].sum == 1 && items[0].weight == 2 && items[3].weight == 0);
    eval_task_deinit(&w.t);
}

/* What only one of two runs read is no pair. */
static void common_marks(void **state)
{
    world a, b;
    eval_item items[4];
    const double of_a[8] = {2, none, 4, 5, 3, none, none, none};
    const double of_b[8] = {1, 5, none, 5, 3, none, none, none};
    const unsigned failed[4] = {0};
    (void)state;
    make(&a, of_a, failed);
    make(&b, of_b, failed);
    eval_items_errors(items, &a.t, &a.run, &b.run);
    assert_true(items[0].weight == 1 && items[0].sum == 1);
    assert_true(items[1].weight == 1 && items[1].sum == 0);
    eval_items_errors(items, &b.t, &b.run, &a.run);
    assert_true(items[0].weight == 1 && items[0].sum == 0);
    assert_true(items[1].weight == 1 && items[2].weight == 1);
    eval_task_deinit(&a.t);
    eval_task_deinit(&b.t);
}

/* No reply gave a mark: no error is known, rather than none made. */
static void nothing_read(void **state)
{
    world w;
    eval_figures f;
    const double marks[8] = {none, none, none, none, none, none, none, none};
    const unsigned failed[4] = {0};
    (void)state;
    make(&w, marks, failed);
    assert_int_equal(eval_figures_of(&f, &w.t, &w.run, NULL), CN_OK);
    assert_true(f.all_marks.asked == 5 && f.all_marks.read == 0);
    assert_true(isnan(f.all_marks.mean_error) && isnan(f.all_marks.max_error));
    eval_task_deinit(&w.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures),
        cmocka_unit_test(common_marks),
        cmocka_unit_test(nothing_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
