/* Several processes: one folder, a holder that is killed, going on without the terminal. */
#include "run_folder.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* A process that claims `dir`, tells so through the pipe that is returned, and waits for a
 * signal. `stubborn`: SIGTERM does nothing. */
static pid_t start_holder(const char *dir, bool stubborn)
{
    int ends[2];
    char told = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        job *j;
        job_record r = job_record_new();
        if (stubborn) signal(SIGTERM, SIG_IGN);
        cn_status st = job_claim(&j, dir, false, NULL);
        if (!st) st = job_update(j, &r, NULL);
        if (!st) st = job_metrics_begin(j, 0, NULL);
        if (write(ends[1], st ? "n" : "y", 1) != 1) _exit(2);
        for (;;)
            pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &told, 1), 1);
    assert_int_equal(told, 'y');
    close(ends[0]);
    return child;
}

static void a_second_process_is_refused(void **state)
{
    job *j;
    job_view v;
    cn_err err = {0};
    char number[24];
    (void)state;
    pid_t holder = start_holder(under("two"), false);
    assert_int_equal(job_claim(&j, under("two"), true, &err), CN_E_BUSY);
    snprintf(number, sizeof number, "process %d", (int)holder);
    says(err.why, number);
    job_look(&v, under("two"));
    assert_int_equal(v.status, JOB_RUNNING);
    assert_int_equal(v.pid, holder);
    job_view_deinit(&v);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    job_look(&v, under("two")); /* the record still says running */
    assert_int_equal(v.status, JOB_INTERRUPTED);
    assert_int_equal(v.pid, 0);
    job_view_deinit(&v);
    assert_int_equal(job_claim(&j, under("two"), true, &err), CN_OK);
    job_close(j);
}

static void only_one_of_many_gets_the_folder(void **state)
{
    enum { N = 8 };
    int go[2], result[2], n_yes = 0;
    char answers[N];
    pid_t children[N];
    (void)state;
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(result), 0);
    for (int i = 0; i < N; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i]) continue;
        job *j;
        char c;
        close(go[1]);
        if (read(go[0], &c, 1) != 0) _exit(2); /* all begin when the pipe closes */
        cn_status st = job_claim(&j, under("many"), false, NULL);
        if (write(result[1], st == CN_OK ? "y" : st == CN_E_BUSY ? "b" : "?", 1) != 1) _exit(2);
        for (;;)
            pause();
    }
    close(go[1]);
    for (int i = 0; i < N; i++)
        assert_int_equal(read(result[0], &answers[i], 1), 1);
    for (int i = 0; i < N; i++)
        n_yes += answers[i] == 'y';
    assert_int_equal(n_yes, 1);
    assert_null(memchr(answers, '?', N));
    job_view v;
    job_look(&v, under("many"));
    assert_int_equal(v.status, JOB_RUNNING);
    job_view_deinit(&v);
    for (int i = 0; i < N; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    close(go[0]);
    close(result[0]);
    close(result[1]);
}

static void cancelling(void **state)
{
    cn_err err = {0};
    int how;
    (void)state;
    pid_t holder = start_holder(under("cancelled"), false);
    assert_int_equal(job_cancel(under("cancelled"), 20, &err), CN_OK);
    waitpid(holder, &how, 0);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGTERM);
    assert_int_equal(job_cancel(under("cancelled"), 20, &err), CN_E_NOT_FOUND);
    assert_int_equal(job_cancel(under("never was"), 20, &err), CN_E_NOT_FOUND);
}

static void one_that_does_not_listen(void **state)
{
    cn_err err = {0};
    (void)state;
    pid_t holder = start_holder(under("stubborn"), true);
    assert_int_equal(job_cancel(under("stubborn"), 0.1, &err), CN_E_BUSY);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
}

/* The parent of the detached process is a child of ours, so that the test itself stays. */
static cn_status detach_in_child(const char *dir, cn_status outcome, cn_err *err)
{
    int ends[2];
    struct {
        cn_status st;
        cn_err err;
    } said = {0};
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        job_detached d;
        cn_err own = {0};
        cn_status st = job_detach(&d, &own);
        if (d.parent) {
            said.st = st;
            said.err = own;
            _exit(write(ends[1], &said, sizeof said) != (ssize_t)sizeof said);
        }
        job *j = NULL;
        if (outcome == CN_E_IO) _exit(1); /* dies before it said anything */
        st = outcome ? cn_fail(&own, outcome, "needs 9 GiB") : job_claim(&j, dir, false, &own);
        if (job_detached_tell(&d, j, st, &own)) _exit(1);
        fprintf(stderr, "step 1\n");
        printf("a result\n");
        fflush(stdout);
        job_record r = job_record_new();
        job_finish(j, &r, CN_OK, NULL, NULL);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &said, sizeof said), sizeof said);
    close(ends[0]);
    waitpid(child, NULL, 0);
    *err = said.err;
    return said.st;
}

static void going_on_without_the_terminal(void **state)
{
    cn_err err = {0};
    cn_buf log = {0};
    job_view v = {0};
    (void)state;
    assert_int_equal(detach_in_child(under("away"), CN_OK, &err), CN_OK);
    for (int i = 0; i < 200 && v.status != JOB_FINISHED; i++) { /* it goes on by itself */
        job_view_deinit(&v);
        usleep(50000);
        job_look(&v, under("away"));
    }
    assert_int_equal(v.status, JOB_FINISHED);
    job_view_deinit(&v);
    assert_int_equal(cn_file_read(&log, under("away/log.txt"), 1000, NULL), CN_OK);
    assert_string_equal(log.p, "step 1\na result\n");
    cn_buf_deinit(&log);
}

static void errors_reach_the_one_who_asked(void **state)
{
    cn_err err = {0};
    (void)state;
    assert_int_equal(detach_in_child(under("too big"), CN_E_NOMEM, &err), CN_E_NOMEM);
    assert_string_equal(err.why, "needs 9 GiB");
    assert_int_equal(detach_in_child(under("away"), CN_OK, &err), CN_E_REFUSED);
    says(err.why, "holds a run already");
    assert_int_equal(detach_in_child(under("dies"), CN_E_IO, &err), CN_E_IO);
    says(err.why, "before it had begun");
    assert_false(there(under("dies")));
}

/* A limit on the size of files stands for a full disk: the write stops in the middle of a line.
 */
static void a_full_disk_leaves_whole_lines(void **state)
{
    job_metrics m;
    int how;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit most = {1000, 1000};
        job *j;
        job_metric step = job_metric_new(0);
        cn_err err = {0};
        cn_status st = job_claim(&j, under("full"), false, &err);
        if (!st) st = job_metrics_begin(j, 0, &err);
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &most);
        for (; !st && step.step < 100; step.step++)
            st = job_metric_append(j, &step, &err);
        _exit(st == CN_E_DISK && strstr(err.why, "metrics.jsonl") && step.step > 2 ? 0 : 1);
    }
    waitpid(child, &how, 0);
    assert_int_equal(how, 0);
    assert_int_equal(job_metrics_read(&m, under("full"), NULL), CN_OK);
    assert_false(m.torn);
    assert_int_equal(m.n_ignored, 0);
    assert_true(m.n_train > 2 && m.n_train < 20);
    job_metrics_deinit(&m);
}

static void not_detached_nothing_is_told(void **state)
{
    job_detached d = JOB_ATTACHED;
    (void)state;
    assert_int_equal(job_detached_tell(&d, NULL, CN_E_NOMEM, NULL), CN_OK);
}

static void politeness(void **state)
{
    (void)state;
    pid_t child = fork();
    int how;
    if (child == 0) {
        int before = getpriority(PRIO_PROCESS, 0), want = before < 19 ? before + 1 : 19;
        job_be_polite(want, true);
        bool good = getpriority(PRIO_PROCESS, 0) == want;
        job_be_polite(want - 1, false); /* never back */
        _exit(good && getpriority(PRIO_PROCESS, 0) == want ? 0 : 1);
    }
    waitpid(child, &how, 0);
    assert_int_equal(how, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_process_is_refused),
        cmocka_unit_test(only_one_of_many_gets_the_folder),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(one_that_does_not_listen),
        cmocka_unit_test(going_on_without_the_terminal),
        cmocka_unit_test(errors_reach_the_one_who_asked),
        cmocka_unit_test(a_full_disk_leaves_whole_lines),
        cmocka_unit_test(not_detached_nothing_is_told),
        cmocka_unit_test(politeness),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
