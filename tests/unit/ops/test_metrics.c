/* Metrics and records: what is written reads back; torn, hostile and doubled lines. */
#include "run_folder.h"

#include <math.h>

static job_metrics parse(const char *text)
{
    job_metrics m;
    assert_int_equal(job_metrics_parse(&m, cn_str_of(text), NULL), CN_OK);
    return m;
}

static void a_line_reads_back(void **state)
{
    cn_buf b = {0};
    (void)state;
    job_metric m = job_metric_new(7), held = job_metric_heldout(7, 1.25);
    m.loss = 2.0 / 3;
    m.lr = 1e-4;
    m.tokens = 12345;
    m.grad_norm = (double)INFINITY; /* JSON has no such number */
    job_metric_write(&b, &m);
    job_metric_write(&b, &held);
    job_metrics r = parse(b.p);
    assert_int_equal(r.n_train, 1);
    assert_int_equal(r.n_heldout, 1);
    assert_int_equal(r.n_ignored, 0);
    assert_false(r.torn);
    assert_int_equal(r.train[0].step, 7);
    assert_true(r.train[0].loss == m.loss);
    assert_true(r.train[0].lr == m.lr);
    assert_int_equal(r.train[0].tokens, 12345);
    assert_true(isnan(r.train[0].grad_norm));
    assert_true(isnan(r.train[0].epoch));
    assert_true(r.heldout[0].heldout_loss == 1.25);
    job_metrics_deinit(&r);
    cn_buf_deinit(&b);
}

static void a_loss_that_is_no_number(void **state)
{
    cn_buf b = {0};
    (void)state;
    job_metric m = job_metric_new(3), held = job_metric_heldout(3, (double)NAN);
    job_metric_write(&b, &m);
    job_metric_write(&b, &held);
    job_metrics r = parse(b.p);
    assert_int_equal(r.n_train, 1);
    assert_int_equal(r.n_heldout, 1);
    assert_true(isnan(r.train[0].loss));
    assert_true(isnan(r.heldout[0].heldout_loss));
    job_metrics_deinit(&r);
    cn_buf_deinit(&b);
}

static void torn_doubled_and_foreign_lines(void **state)
{
    (void)state;
    job_metrics r = parse("{\"step\":1,\"loss\":3}\n"
                          "not json\n\n"
                          "[1,2]\n"
                          "{\"loss\":3}\n"
                          "{\"step\":-4,\"loss\":3}\n"
                          "{\"step\":\"2\",\"loss\":3}\n"
                          "{\"step\":2,\"loss\":\"low\"}\n"
                          "{\"step\":2,\"loss\":2.5}\n" /* again */
                          "{\"step\":1,\"loss\":9}\n"   /* back */
                          "{\"step\":2,\"heldout_loss\":2.75}\n"
                          "{\"step\":3,\"loss\":2,\"later\":{\"field\":[]}}\n"
                          "{\"step\":4,\"loss\":1");
    assert_int_equal(r.n_train, 3);
    assert_int_equal(r.n_heldout, 1);
    assert_int_equal(r.n_ignored, 7);
    assert_true(r.torn);
    assert_true(isnan(r.train[1].loss));
    assert_true(r.train[2].loss == 2);
    job_metrics_deinit(&r);
    r = parse("");
    assert_int_equal(r.n_train + r.n_heldout + r.n_ignored, 0);
    assert_false(r.torn);
    job_metrics_deinit(&r);
}

static void a_line_that_is_too_long(void **state)
{
    cn_buf b = {0};
    (void)state;
    cn_buf_printf(&b, "{\"step\":1,\"loss\":2,\"x\":\"%*s\"}\n{\"step\":2,\"loss\":1}\n", 5000,
                  "");
    job_metrics r = parse(b.p);
    assert_int_equal(r.n_train, 1);
    assert_int_equal(r.n_ignored, 1);
    assert_int_equal(r.train[0].step, 2);
    job_metrics_deinit(&r);
    cn_buf_deinit(&b);
}

static void cutting_behind_a_checkpoint(void **state)
{
    cn_buf kept = {0};
    (void)state;
    const char *text =
        "{\"step\":1,\"loss\":3}\n{\"step\":1,\"heldout_loss\":3}\nrubbish\n"
        "{\"step\":2,\"loss\":2}\n{\"step\":2,\"loss\":2}\n{\"step\":3,\"loss\":1}\n"
        "{\"step\":2,\"heldout_loss\":2}\n{\"step\":2,";
    job_metrics_keep(&kept, cn_str_of(text), 2);
    assert_string_equal(kept.p, "{\"step\":1,\"loss\":3}\n{\"step\":1,\"heldout_loss\":3}\n"
                                "{\"step\":2,\"loss\":2}\n{\"step\":2,\"heldout_loss\":2}\n");
    cn_buf_deinit(&kept);
}

static void the_last_lines_of_a_long_file(void **state)
{
    cn_buf b = {0};
    job_metric step, held;
    (void)state;
    for (uint64_t i = 1; i <= 3000; i++) {
        job_metric m = job_metric_new(i);
        m.loss = 1.0 / (double)i;
        job_metric_write(&b, &m);
    }
    cn_buf_lit(&b, "{\"step\":3000,\"heldout_loss\":0.5}\n{\"step\":3001,\"lo");
    mkdir(under("long"), 0700);
    put_file(under("long/metrics.jsonl"), b.p);
    job_metrics_last(under("long"), &step, &held);
    assert_int_equal(step.step, 3000);
    assert_true(step.loss == 1.0 / 3000);
    assert_true(held.heldout && held.heldout_loss == 0.5);
    job_metrics_last(under("nowhere"), &step, &held);
    assert_int_equal(step.step, 0);
    assert_false(held.heldout);
    cn_buf_deinit(&b);
}

static void a_record_reads_back(void **state)
{
    job_record a = job_record_new(), b;
    cn_buf text = {0}, again = {0};
    (void)state;
    a.status = JOB_STOPPED;
    a.kind = "lora";
    a.command = "conatus train --data \"my file\"\n";
    a.settings = "{\"r\":16,\"targets\":[\"q\",\"v\"]}";
    a.step = 120;
    a.seed = UINT64_MAX; /* more than JSON readers agree on: the largest that they do */
    a.loss = 0.1;
    job_record_write(&text, &a);
    assert_int_equal(job_record_parse(&b, cn_buf_view(&text), NULL), CN_OK);
    assert_int_equal(b.status, JOB_STOPPED);
    assert_string_equal(b.kind, "lora");
    assert_string_equal(b.command, a.command);
    assert_string_equal(b.settings, a.settings);
    assert_null(b.error);
    assert_int_equal(b.step, 120);
    assert_true(b.seed == INT64_MAX);
    assert_true(b.loss == 0.1);
    assert_true(isnan(b.heldout_loss));
    job_record_write(&again, &b);
    assert_string_equal(text.p, again.p);
    job_record_deinit(&b);
    cn_buf_deinit(&text);
    cn_buf_deinit(&again);
}

static void a_record_takes_over_what_was_measured(void **state)
{
    job_record r = job_record_new();
    job_metric m = job_metric_new(4);
    (void)state;
    m.loss = 2;
    m.tokens = 400;
    m.elapsed_s = 12;
    job_record_note(&r, &m);
    static const double held[] = {3, 2.5, 2.75, (double)INFINITY};
    for (uint64_t i = 0; i < 4; i++) {
        job_metric h = job_metric_heldout(4 + i, held[i]);
        job_record_note(&r, &h);
    }
    assert_int_equal(r.step, 7);
    assert_int_equal(r.tokens, 400);
    assert_true(r.seconds == 12 && r.loss == 2);
    assert_true(isinf(r.heldout_loss));
    assert_true(r.best_heldout_loss == 2.5);
    assert_int_equal(r.best_step, 5);
}

static void hostile_records(void **state)
{
    static const char *const broken[] = {
        "", "{", "[]", "null", "7", "{\"step\":1}x", "{\"step\":1,\"step\":2}"};
    job_record r;
    cn_err err = {0};
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(broken); i++) {
        assert_int_equal(job_record_parse(&r, cn_str_of(broken[i]), &err), CN_E_FORMAT);
        assert_null(r.root);
    }
    const char *odd = "{\"status\":\"dancing\",\"step\":-5,\"n_steps\":1e300,\"loss\":\"low\","
                      "\"id\":7,\"settings\":[1],\"seconds\":null,\"error\":{},\"new\":true}";
    assert_int_equal(job_record_parse(&r, cn_str_of(odd), &err), CN_OK);
    assert_int_equal(r.status, JOB_RUNNING);
    assert_int_equal(r.step, 0);
    assert_int_equal(r.n_steps, 0);
    assert_true(isnan(r.loss) && isnan(r.seconds));
    assert_null(r.id);
    assert_null(r.settings);
    assert_null(r.error);
    job_record_deinit(&r);
    mkdir(under("odd"), 0700);
    mkdir(under("odd/run.json"), 0700); /* a folder of that name */
    assert_int_equal(job_record_read(&r, under("odd"), &err), CN_E_FORMAT);
    assert_int_equal(job_record_read(&r, under("nowhere"), &err), CN_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_reads_back),
        cmocka_unit_test(a_loss_that_is_no_number),
        cmocka_unit_test(torn_doubled_and_foreign_lines),
        cmocka_unit_test(a_line_that_is_too_long),
        cmocka_unit_test(cutting_behind_a_checkpoint),
        cmocka_unit_test(the_last_lines_of_a_long_file),
        cmocka_unit_test(a_record_reads_back),
        cmocka_unit_test(a_record_takes_over_what_was_measured),
        cmocka_unit_test(hostile_records),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
