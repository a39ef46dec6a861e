/* Scores and replies of a tiny random model. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "ask.h"
#include "compiler.h"
#include "tiny_model.h"

enum { VOCAB = 96, CTX = 64 };

typedef struct world {
    tiny_model files;
    cn_model *model;
    cn_session *session;
    int32_t ids[200];
} world;

static int set_up(void **state)
{
    world *w = cn_xcalloc(1, sizeof *w);
    const cn_model_options o = {.n_threads = 1};
    tiny_model_write(&w->files, "llama");
    assert_int_equal(cn_model_open(&w->model, w->files.gguf, &o, NULL), CN_OK);
    assert_int_equal(cn_session_new(&w->session, w->model, NULL, NULL), CN_OK);
    for (int i = 0; i < 200; i++)
        w->ids[i] = (i * 37 + i / 7) % VOCAB;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    world *w = *state;
    cn_session_free(w->session);
    cn_model_close(w->model);
    tiny_model_remove(&w->files);
    cn_free(w);
    return 0;
}

/* -ln p(id | those before it), straight from one evaluation's logits. */
static double surprise(world *w, const int32_t *ids, size_t at)
{
    const float *logits;
    double sum = 0;
    cn_session_truncate(w->session, 0);
    assert_int_equal(cn_session_eval(w->session, ids, at, false, &logits, NULL), CN_OK);
    for (int i = 0; i < VOCAB; i++)
        sum += exp((double)logits[i]);
    return log(sum) - (double)logits[ids[at]];
}

static void score(void **state)
{
    world *w = *state;
    uint8_t mask[10] = {0, 0, 1, 0, 0, 1, 1, 0, 0, 1};
    double all = 0, masked = 0;
    eval_score s;
    for (size_t i = 1; i < 10; i++) {
        double x = surprise(w, w->ids, i);
        all += x;
        masked += mask[i] ? x : 0;
    }
    cn_session_truncate(w->session, 0);
    assert_int_equal(eval_score_ids(&s, w->session, w->model, w->ids, 10, 1, NULL, NULL),
                     CN_OK);
    assert_true(s.n == 9 && fabs(s.nll - all) < 1e-4 && s.nll_squares >= all * all / 9);
    cn_session_truncate(w->session, 0);
    assert_int_equal(eval_score_ids(&s, w->session, w->model, w->ids, 10, 1, mask, NULL),
                     CN_OK);
    assert_true(s.n == 4 && fabs(s.nll - masked) < 1e-4);
}

static void windows(void **state)
{
    world *w = *state;
    enum { BOS = 5, WINDOW = 20 };
    eval_text t;
    int32_t second[WINDOW];
    double want = 0;
    memcpy(second, w->ids + WINDOW, sizeof second);
    second[0] = BOS;
    for (size_t i = WINDOW / 2 + 1; i < WINDOW; i++)
        want += surprise(w, second, i);
    assert_int_equal(
        eval_text_score(&t, w->session, w->model, w->ids, 47, WINDOW, BOS, 0, NULL, NULL, NULL),
        CN_OK);
    assert_true(t.n == 2 && t.tokens == 18 && t.windows[1].weight == 9);
    assert_true(fabs(t.windows[1].sum - want) < 1e-4);
    assert_true(fabs(t.nll - t.windows[0].sum - t.windows[1].sum) < 1e-9);
    assert_int_equal(w->ids[WINDOW], WINDOW * 37 % VOCAB + WINDOW / 7); /* as it was */
    eval_text_deinit(&t);
    assert_int_equal(
        eval_text_score(&t, w->session, w->model, w->ids, 200, WINDOW, -1, 3, NULL, NULL, NULL),
        CN_OK);
    assert_int_equal(t.n, 3);
    eval_text_deinit(&t);
    assert_int_equal(
        eval_text_score(&t, w->session, w->model, w->ids, 19, WINDOW, -1, 0, NULL, NULL, NULL),
        CN_E_ARG);
}

static void fingerprints(void **state)
{
    const int32_t a[] = {1, 2, 3}, b[] = {1, 3, 2};
    (void)state;
    assert_true(eval_fingerprint(0, a, 3) == eval_fingerprint(0, a, 3));
    assert_true(eval_fingerprint(0, a, 3) != eval_fingerprint(0, b, 3));
    assert_true(eval_fingerprint(0, a, 3) != eval_fingerprint(0, a, 2));
    assert_true(eval_fingerprint(1, a, 3) != eval_fingerprint(2, a, 3));
}

/* The prompt's length is the question's: the tiny model has no tokenizer. */
static cn_status prompt(void *user, const eval_case *c, cn_tokens *out, cn_err *err)
{
    cn_status st = CN_OK;
    (void)user;
    if (cn_str_is(c->prompt, "broken")) return cn_fail(err, CN_E_FORMAT, "broken");
    for (size_t i = 0; i < c->prompt.n && !st; i++)
        st = cn_tokens_push(out, c->prompt.p[i] % VOCAB, err);
    return st;
}

static cn_status ask(world *w, eval_run *run, const char *task, cn_err *err)
{
    eval_task t;
    const eval_asking how = {.session = w->session, .prompt = prompt, .seed = 3};
    assert_int_equal(eval_task_read(&t, cn_str_of(task), 0, NULL), CN_OK);
    cn_status st = eval_ask(run, &t, &how, err);
    eval_task_deinit(&t);
    return st;
}

static void asking(void **state)
{
    world *w = *state;
    eval_run r;
    cn_buf b = {0};
    cn_buf_lit(&b, "{\"prompt\":\"abc\",\"expect\":\"\",\"max_tokens\":5}\n"
                   "{\"prompt\":\"");
    for (int i = 0; i <= CTX; i++)
        cn_buf_putc(&b, 'x');
    cn_buf_lit(&b,
               "\",\"expect\":\"\",\"regex\":\"x\"}\n"
               "{\"prompt\":\"abcd\",\"expect\":\"y\",\"max_tokens\":7,\"temperature\":1}\n");
    assert_int_equal(ask(w, &r, b.p, NULL), CN_OK);
    assert_int_equal(r.n, 3);
    assert_true(r.replies[0].verdict.failed == 0 && r.replies[0].n_tokens == 5);
    assert_int_equal(r.replies[0].finish, CN_FINISH_LENGTH);
    /* longer than the context: failed in all, and the next case is asked */
    assert_int_equal(r.replies[1].verdict.failed, 1u << EVAL_EXPECT | 1u << EVAL_REGEX);
    assert_non_null(strstr(r.replies[1].verdict.why, "no reply: "));
    assert_int_equal(r.replies[2].verdict.failed, 1u << EVAL_EXPECT);
    assert_true(r.tokens == 12 && r.prompt_tokens == 7);
    eval_run_deinit(&r);
    cn_buf_deinit(&b);
}

static void a_broken_question(void **state)
{
    eval_run r;
    cn_err err = {0};
    assert_int_equal(ask(*state, &r,
                         "{\"prompt\":\"a\",\"expect\":\"\",\"max_tokens\":1}\n"
                         "{\"id\":\"q\",\"prompt\":\"broken\",\"expect\":\"\"}\n",
                         &err),
                     CN_E_FORMAT);
    assert_non_null(strstr(err.what, "q (line 2)"));
    assert_int_equal(r.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score),
        cmocka_unit_test(windows),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(asking),
        cmocka_unit_test(a_broken_question),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
