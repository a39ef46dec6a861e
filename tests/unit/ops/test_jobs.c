/* Run folders and the registry, within one process. */
#include "run_folder.h"

#include <math.h>

static job *claim(const char *dir, bool resume)
{
    job *j;
    cn_err err = {0};
    if (job_claim(&j, dir, resume, &err)) fail_msg("%s: %s", err.what, err.why);
    return j;
}

static void a_whole_run(void **state)
{
    job_record r = job_record_new(), read;
    job_view v;
    cn_err err = {0};
    (void)state;
    job *j = claim(under("deep/er/first"), false);
    assert_string_equal(job_dir(j), under("deep/er/first"));
    assert_string_equal(job_id(j), "first");
    r.n_steps = 2;
    assert_int_equal(job_update(j, &r, &err), CN_OK);
    assert_int_equal(job_metrics_begin(j, 0, &err), CN_OK);
    for (uint64_t i = 1; i <= 2; i++) {
        job_metric m = job_metric_new(i);
        m.loss = 1.0 / (double)i;
        assert_int_equal(job_metric_append(j, &m, &err), CN_OK);
    }
    r.step = 2;
    assert_int_equal(job_finish(j, &r, CN_OK, NULL, &err), CN_OK);
    job_close(j);
    assert_int_equal(job_record_read(&read, under("deep/er/first"), &err), CN_OK);
    assert_int_equal(read.status, JOB_FINISHED);
    assert_string_equal(read.id, "first");
    assert_int_equal(strlen(read.started), 20);
    assert_non_null(read.ended);
    says(read.machine, "processors");
    job_record_deinit(&read);
    job_look(&v, under("deep/er/first"));
    assert_int_equal(v.status, JOB_FINISHED);
    assert_int_equal(v.pid, 0);
    assert_string_equal(v.id, "first");
    job_view_deinit(&v);
}

static void one_holder_and_one_run_a_folder(void **state)
{
    job *j, *second;
    job_record r = job_record_new();
    cn_err err = {0};
    (void)state;
    assert_int_equal(job_claim(&j, under("held"), true, &err), CN_E_NOT_FOUND);
    j = claim(under("held"), false);
    assert_int_equal(job_claim(&second, under("held"), false, &err), CN_E_BUSY);
    assert_null(second);
    says(err.next, "jobs cancel");
    assert_int_equal(job_update(j, &r, &err), CN_OK);
    assert_int_equal(job_claim(&second, under("held"), true, &err), CN_E_BUSY);
    job_close(j);
    assert_int_equal(job_claim(&second, under("held"), false, &err), CN_E_REFUSED);
    says(err.next, "--resume");
    j = claim(under("held"), true);
    job_close(j);
    put_file(under("file"), "x");
    assert_int_not_equal(job_claim(&j, under("file"), false, &err), CN_OK);
    job_close(NULL);
}

static void resuming_cuts_what_lies_behind(void **state)
{
    job_metrics m;
    job_metric three = job_metric_new(3);
    cn_err err = {0};
    (void)state;
    mkdir(under("resumed"), 0700);
    put_file(
        under("resumed/metrics.jsonl"),
        "{\"step\":1,\"loss\":5}\n{\"step\":2,\"loss\":4}\n{\"step\":3,\"loss\":9}\n{\"st");
    job *j = claim(under("resumed"), true);
    assert_int_equal(job_metrics_begin(j, 2, &err), CN_OK);
    three.loss = 3;
    assert_int_equal(job_metric_append(j, &three, &err), CN_OK);
    job_close(j);
    assert_int_equal(job_metrics_read(&m, under("resumed"), &err), CN_OK);
    assert_int_equal(m.n_train, 3);
    assert_int_equal(m.n_ignored, 0);
    assert_false(m.torn);
    assert_true(m.train[2].loss == 3);
    job_metrics_deinit(&m);
    j = claim(under("resumed"), true);
    assert_int_equal(job_metrics_begin(j, 0, &err), CN_OK);
    job_close(j);
    assert_int_equal(job_metrics_read(&m, under("resumed"), &err), CN_OK);
    assert_int_equal(m.n_train, 0);
    job_metrics_deinit(&m);
}

static void how_a_run_ends(void **state)
{
    job_record r = job_record_new(), read;
    cn_err why = {0}, err = {0};
    (void)state;
    job *j = claim(under("ends"), false);
    cn_fail(&why, CN_E_DISK, "no space for 7 MiB");
    cn_ctx(&why, CN_E_DISK, "writing checkpoint-9");
    assert_int_equal(job_finish(j, &r, CN_E_DISK, &why, &err), CN_OK);
    assert_int_equal(job_record_read(&read, under("ends"), &err), CN_OK);
    assert_int_equal(read.status, JOB_FAILED);
    assert_string_equal(read.error, "writing checkpoint-9: no space for 7 MiB");
    job_record_deinit(&read);
    r.ended = r.error =
        "before"; /* resumed: neither the end nor the error of the part before */
    assert_int_equal(job_update(j, &r, &err), CN_OK);
    assert_int_equal(job_record_read(&read, under("ends"), &err), CN_OK);
    assert_null(read.ended);
    assert_null(read.error);
    job_record_deinit(&read);
    assert_int_equal(job_finish(j, &r, CN_E_CANCELLED, NULL, &err), CN_OK);
    assert_int_equal(job_record_read(&read, under("ends"), &err), CN_OK);
    assert_int_equal(read.status, JOB_STOPPED);
    job_record_deinit(&read);
    job_close(j);
}

static void what_the_metrics_say_since(void **state)
{
    job_view v;
    (void)state;
    mkdir(under("since"), 0700);
    put_file(under("since/run.json"), "{\"status\":\"running\",\"step\":2,\"loss\":2,"
                                      "\"heldout_loss\":3}");
    put_file(under("since/metrics.jsonl"),
             "{\"step\":1,\"heldout_loss\":9}\n{\"step\":9,\"loss\":1,\"tokens\":90}\n");
    job_look(&v, under("since"));
    assert_int_equal(v.status, JOB_INTERRUPTED);
    assert_int_equal(v.record.step, 9);
    assert_int_equal(v.record.tokens, 90);
    assert_true(v.record.loss == 1);
    assert_true(v.record.heldout_loss == 3);
    job_view_deinit(&v);
    put_file(under("since/run.json"), "{\"status\":");
    job_look(&v, under("since"));
    assert_true(v.problem[0]);
    job_view_deinit(&v);
    job_look(&v, under("not there"));
    assert_true(v.missing);
    assert_false(v.problem[0]);
    job_view_deinit(&v);
}

static void ids(void **state)
{
    char a[96], b[96], c[96], *dir;
    cn_err err = {0};
    (void)state;
    assert_int_equal(jobs_enter(a, "/data/my run", &err), CN_OK);
    assert_string_equal(a, "my-run");
    assert_int_equal(jobs_enter(b, "/other/my run", &err), CN_OK);
    assert_string_equal(b, "my-run-2");
    assert_int_equal(jobs_enter(c, "/data/my run", &err), CN_OK);
    assert_string_equal(c, a);
    assert_int_equal(jobs_enter(c, "/data/../..", &err), CN_OK);
    assert_string_equal(c, "run");
    assert_int_equal(jobs_enter(c, "/x/a\nb", &err), CN_E_ARG);
    assert_int_equal(jobs_find(&dir, "my-run", &err), CN_OK); /* whole before begun */
    assert_string_equal(dir, "/data/my run");
    cn_free(dir);
    assert_int_equal(jobs_find(&dir, "my", &err), CN_E_ARG);
    assert_null(dir);
    assert_int_equal(jobs_find(&dir, "my-run-", &err), CN_OK);
    assert_string_equal(dir, "/other/my run");
    cn_free(dir);
    assert_int_equal(jobs_find(&dir, "yours", &err), CN_E_NOT_FOUND);
    says(err.why, "my-run");
    assert_int_equal(jobs_find(&dir, "", &err), CN_E_NOT_FOUND);
    assert_int_equal(jobs_find(&dir, "../jobs", &err), CN_E_NOT_FOUND);
    assert_int_equal(jobs_remove("/data/my run", true, &err),
                     CN_OK); /* only the entry is left */
    assert_int_equal(jobs_find(&dir, "my-run", &err), CN_OK);
    assert_string_equal(dir, "/other/my run");
    cn_free(dir);
}

static void hostile_registry(void **state)
{
    job_view *list;
    size_t n, before;
    (void)state;
    assert_int_equal(jobs_list(&list, &before, NULL), CN_OK);
    jobs_list_free(list, before);
    put_file(under("jobs/empty"), "");
    put_file(under("jobs/relative"), "etc/x\n");
    put_file(under("jobs/unended"), "/etc");
    put_file(under("jobs/.hidden"), "/etc\n");
    put_file(under("jobs/od d"), "/etc\n");
    mkdir(under("jobs/folder"), 0700);
    assert_int_equal(mkfifo(under("jobs/pipe"), 0600), 0);
    assert_int_equal(jobs_list(&list, &n, NULL), CN_OK);
    assert_int_equal(n, before);
    jobs_list_free(list, n);
}

static void a_run_that_never_began_is_not_listed(void **state)
{
    char *dir;
    (void)state;
    job *j = claim(under("never"), false);
    assert_int_equal(jobs_find(&dir, "never", NULL), CN_OK);
    cn_free(dir);
    job_close(j);
    assert_int_equal(jobs_find(&dir, "never", NULL), CN_E_NOT_FOUND);
}

static void a_registry_that_cannot_be_written(void **state)
{
    (void)state;
    setenv("CONATUS_HOME", "/proc/nowhere", 1);
    job *j = claim(under("unlisted"), false);
    assert_string_equal(job_id(j), "");
    job_close(j);
    setenv("CONATUS_HOME", run_root, 1);
}

static void removing(void **state)
{
    job_record r = job_record_new();
    char *dir;
    cn_err err = {0};
    (void)state;
    job *j = claim(under("gone"), false);
    assert_int_equal(job_update(j, &r, &err), CN_OK);
    assert_int_equal(job_metrics_begin(j, 0, &err), CN_OK);
    mkdir(under("gone/checkpoint-1"), 0700);
    put_file(under("gone/checkpoint-1/state"), "x");
    mkdir(under("gone/adapter"), 0700);
    put_file(under("mine"), "x");
    assert_int_equal(symlink(under("mine"), under("gone/checkpoint-link")), 0);
    assert_int_equal(jobs_remove(under("gone"), true, &err), CN_E_BUSY);
    assert_int_equal(jobs_remove(under("gone"), false, &err), CN_E_BUSY);
    job_close(j);
    assert_int_equal(jobs_remove(under("gone"), true, &err), CN_OK);
    assert_false(there(under("gone/run.json")));
    assert_false(there(under("gone/checkpoint-1")));
    assert_true(there(under("gone/adapter"))); /* what was exported stays */
    assert_true(there(under("mine")));         /* a link is removed, not what it points to */
    assert_int_equal(jobs_find(&dir, "gone", &err), CN_E_NOT_FOUND);

    j = claim(under("stays"), false);
    assert_int_equal(job_update(j, &r, &err), CN_OK);
    job_close(j);
    assert_int_equal(jobs_remove(under("stays"), false, &err), CN_OK);
    assert_true(there(under("stays/run.json")));
    assert_int_equal(jobs_remove(under("stays"), true, &err), CN_OK);
    assert_false(there(under("stays")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_run),
        cmocka_unit_test(one_holder_and_one_run_a_folder),
        cmocka_unit_test(resuming_cuts_what_lies_behind),
        cmocka_unit_test(how_a_run_ends),
        cmocka_unit_test(what_the_metrics_say_since),
        cmocka_unit_test(ids),
        cmocka_unit_test(hostile_registry),
        cmocka_unit_test(a_run_that_never_began_is_not_listed),
        cmocka_unit_test(a_registry_that_cannot_be_written),
        cmocka_unit_test(removing),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
