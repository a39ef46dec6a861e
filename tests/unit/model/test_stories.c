/* A real trained model (stories260K) against its author's program: logits, likelihoods and
 * greedy text, from a GGUF file and from a Hugging Face folder, with and without adapters.
 *
 * Both sides compute in f32 and differ in the order of sums: a logit of size 10 after 5 layers
 * is known to about 1e-5 relative, and the reference prints 7 digits. Bound: 1e-3 absolute, and
 * greedy tokens agree up to the first step whose two best logits are nearer than that. */
#include "testing.h"

#include <conatus/session.h>
#include <math.h>
#include <string.h>

#include "json.h"

#define TOLERANCE 1e-3

typedef struct counts {
    int cases, logits, tokens;
} counts;

static void check_logits(const cn_json *c, const float *logits, counts *n)
{
    const cn_json *all = cn_json_get(c, "next_token_logits"),
                  *top = cn_json_get(c, "next_token_top");
    for (size_t i = 0; i < cn_json_size(all); i++, n->logits++)
        assert_true(fabs((double)logits[i] - cn_json_num(cn_json_at(all, i), (double)NAN)) <
                    TOLERANCE);
    for (size_t i = 0; i < cn_json_size(top); i++, n->logits++) {
        const cn_json *pair = cn_json_at(top, i);
        int64_t id = cn_json_int(cn_json_at(pair, 0), -1);
        assert_in_range(id, 0, 511);
        assert_true(fabs((double)logits[id] - cn_json_num(cn_json_at(pair, 1), (double)NAN)) <
                    TOLERANCE);
    }
}

static void check_likelihood(cn_session *s, const cn_json *c, const int32_t *ids, size_t n)
{
    const float *logits;
    cn_err err;
    double nll = 0;
    cn_session_truncate(s, 0);
    assert_int_equal(cn_session_eval(s, ids, n, true, &logits, &err), CN_OK);
    for (size_t i = 0; i + 1 < n; i++)
        nll -= (double)cn_logprob_of(logits + i * 512, 512, ids[i + 1]);
    assert_true(fabs(nll - cn_json_num(cn_json_get(c, "prompt_nll_sum"), (double)NAN)) <
                TOLERANCE * (double)n);
}

static void check_greedy(cn_session *s, const cn_json *c, const float *logits, counts *n)
{
    const cn_json *greedy = cn_json_get(c, "greedy_ids");
    cn_err err;
    for (size_t i = 0; i < cn_json_size(greedy); i++, n->tokens++) {
        cn_logprob top[2];
        cn_top_logprobs(logits, 512, top, 2);
        int32_t id = (int32_t)cn_json_int(cn_json_at(greedy, i), -1);
        if (top[0].id != id && (double)(top[0].logprob - top[1].logprob) < TOLERANCE) return;
        assert_int_equal(top[0].id, id);
        assert_int_equal(cn_session_eval(s, &id, 1, false, &logits, &err), CN_OK);
    }
}

static void check_case(cn_session *s, const cn_json *c, counts *n)
{
    int32_t ids[64];
    const cn_json *prompt = cn_json_get(c, "prompt_ids");
    const float *logits;
    cn_err err;
    size_t count = cn_json_size(prompt);
    assert_in_range(count, 1, 64);
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)cn_json_int(cn_json_at(prompt, i), -1);
    check_likelihood(s, c, ids, count);
    cn_session_truncate(s, 0);
    assert_int_equal(cn_session_eval(s, ids, count, false, &logits, &err), CN_OK);
    check_logits(c, logits, n);
    check_greedy(s, c, logits, n);
    n->cases++;
}

static void check(const char *model, const char *adapter, const char *expected)
{
    cn_model *m;
    cn_session *s;
    cn_adapter *a = NULL;
    cn_json *doc;
    cn_err err;
    float one = 1;
    counts n = {0};
    assert_int_equal(cn_json_read_file(&doc, expected, 1 << 20, &err), CN_OK);
    if (cn_model_open(&m, model, NULL, &err)) fail_msg("%s: %s", err.what, err.why);
    assert_int_equal(cn_session_new(&s, m, &(cn_session_options){.cache_type = "f32"}, &err),
                     CN_OK);
    if (adapter && cn_adapter_open(&a, m, adapter, &err)) fail_msg("%s: %s", err.what, err.why);
    if (a)
        assert_int_equal(cn_session_adapters(s, (const cn_adapter *const[]){a}, &one, 1, &err),
                         CN_OK);
    const cn_json *cases = cn_json_get(doc, "cases");
    for (size_t i = 0; i < cn_json_size(cases); i++)
        check_case(s, cn_json_at(cases, i), &n);
    print_message("%d cases, %d logits, %d greedy tokens agree\n", n.cases, n.logits, n.tokens);
    assert_true(n.cases > 0 && n.logits > 0 && n.tokens > 0);
    cn_session_free(s);
    cn_adapter_close(a);
    cn_model_close(m);
    cn_json_free(doc);
}

static void test_base(void **state)
{
    (void)state;
    NEED_CASE(expected, "cases/weights/stories260K/expected.json");
    NEED_CASE(gguf, "cases/weights/stories260K/stories260K.gguf");
    NEED_CASE(folder, "cases/weights/stories260K/hf");
    check(gguf, NULL, expected);
    check(folder, NULL, expected);
    cn_free(expected);
    cn_free(gguf);
    cn_free(folder);
}

static void check_adapter(const char *name)
{
    char relative[128];
    NEED_CASE(gguf, "cases/weights/stories260K/stories260K.gguf");
    NEED_CASE(folder, "cases/weights/stories260K/hf");
    snprintf(relative, sizeof relative, "cases/weights/lora/%s", name);
    char *adapter = shared_case(relative), *expected = cn_path_join(adapter, "expected.json");
    check(gguf, adapter, expected);
    check(folder, adapter, expected);
    cn_free(gguf);
    cn_free(folder);
    cn_free(adapter);
    cn_free(expected);
}

static void test_adapters(void **state)
{
    (void)state;
    check_adapter("qv-r4");
    check_adapter("all-linear-r8-rslora-f16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_base),
                                       cmocka_unit_test(test_adapters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
