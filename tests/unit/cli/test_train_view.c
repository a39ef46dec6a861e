/* What a training run shows while it goes: the line and its parts, a log, silence. */
#include "testing.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "train_view.h"

static job_metric step(uint64_t n, double loss)
{
    job_metric m = job_metric_new(n);
    m.loss = loss;
    m.lr = 3e-4;
    m.tokens_per_s = 812.4;
    m.epoch = 0.5;
    return m;
}

static void line_is(const train_view *v, double elapsed_s, unsigned width, const char *want)
{
    cn_buf b = {0};
    train_view_line(&b, v, elapsed_s, width);
    assert_string_equal(b.p, want);
    cn_buf_deinit(&b);
}

static void all_parts_of_the_line(void **state)
{
    (void)state;
    train_view v = train_view_start(100, 500, true);
    job_metric m = step(120, 1.5), held = job_metric_heldout(120, 1.75);
    train_view_at(&v, &m);
    line_is(&v, 10, 200,
            "step 120/500  loss 1.5000  3 m 10 s left  812 tokens/s  lr 3.00e-04  epoch 0.50");
    train_view_at(&v, &held);
    line_is(&v, 10, 200,
            "step 120/500  loss 1.5000  held-out 1.7500  3 m 10 s left  812 tokens/s  "
            "lr 3.00e-04  epoch 0.50");
    line_is(&v, 10, 50, "step 120/500  loss 1.5000  held-out 1.7500");
    line_is(&v, 10, 30, "step 120/500  loss 1.5000");
    m = step(500, 1);
    train_view_at(&v, &m);
    line_is(&v, 10, 45, "step 500/500  loss 1.4500  held-out 1.7500"); /* smoothed; none left */
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    train_view v = train_view_start(0, 0, true);
    job_metric m = job_metric_new(3);
    m.loss = 2;
    train_view_at(&v, &m);
    line_is(&v, 10, 200, "step 3  loss 2.0000");
    m = job_metric_new(4); /* its loss is no number: told, and forgotten with the next */
    train_view_at(&v, &m);
    line_is(&v, 10, 200, "step 4  loss nan");
    m.step = 5;
    m.loss = 3;
    train_view_at(&v, &m);
    line_is(&v, 10, 200, "step 5  loss 3.0000");
}

/* What goes to stderr while `run` runs. */
static void stderr_of(void (*run)(void), char *out, size_t size)
{
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    run();
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    size_t n = fread(out, 1, size - 1, file);
    out[n] = '\0';
    fclose(file);
}

static void twenty_steps(bool quiet)
{
    train_view v = train_view_start(0, 20, quiet);
    for (uint64_t i = 1; i <= 20; i++) {
        job_metric m = job_metric_new(i), held = job_metric_heldout(i, 0.5);
        m.loss = 1;
        train_view_at(&v, &m);
        if (i == 10) train_view_at(&v, &held);
        if (i == 15) train_view_note(&v, "checkpoint-%d written", 15);
    }
    train_view_end(&v);
}

static void loud(void)
{
    twenty_steps(false);
}

static void quiet(void)
{
    twenty_steps(true);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

/* The first step, the measurement, the note, the last step; no bars, no colours. */
static void a_log_has_few_lines(void **state)
{
    char text[2000];
    (void)state;
    stderr_of(loud, text, sizeof text);
    assert_int_equal(count(text, "\n"), 4);
    assert_int_equal(count(text, "step 1/20"), 1);
    assert_int_equal(count(text, "step 10/20  loss 1.0000  held-out 0.5000"), 1);
    assert_int_equal(count(text, "checkpoint-15 written\n"), 1);
    assert_int_equal(count(text, "step 20/20"), 1);
    assert_null(strpbrk(text, "\r\033"));
    stderr_of(quiet, text, sizeof text);
    assert_string_equal(text, "");
}

static void durations(void **state)
{
    static const struct {
        double seconds;
        const char *want;
    } cases[] = {{0, "0 s"},          {-5, "0 s"},         {59.4, "59 s"},
                 {59.6, "1 m 0 s"},   {3599, "59 m 59 s"}, {7500, "2 h 5 m"},
                 {200000, "2 d 7 h"}, {(double)NAN, "0 s"}};
    char text[32];
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++)
        assert_string_equal(cli_duration(text, sizeof text, cases[i].seconds), cases[i].want);
    cli_duration(text, sizeof text, (double)INFINITY);
    assert_true(strlen(text) < 30);
}

static void locales(void **state)
{
    (void)state;
    unsetenv("LC_ALL");
    unsetenv("LC_CTYPE");
    setenv("LANG", "fr_FR.UTF-8", 1);
    assert_true(cli_locale_utf8());
    setenv("LC_ALL", "C", 1);
    assert_false(cli_locale_utf8());
    setenv("LC_ALL", "", 1);
    setenv("LC_CTYPE", "C.utf8", 1);
    assert_true(cli_locale_utf8());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_parts_of_the_line),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(a_log_has_few_lines),
        cmocka_unit_test(durations),
        cmocka_unit_test(locales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
