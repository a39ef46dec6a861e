/* Logits of whole models against what an independent engine computed (shared cases "logits").
 *
 * EXACT: weights are expanded to f32 and meet f32 activations, so both sides differ only in the
 * order of their sums. A sum of n terms is off by about sqrt(n) eps of its size (n <= 1024, eps
 * = 6e-8: 2e-6); some twenty such products follow one another, errors add in squares: relative
 * 1e-5, NMSE 1e-10. Bound 1e-9. The reference looks GELU up in a table of half-precision
 * numbers, 2^-12 relative at the argument and again at the result: each feed-forward part is
 * off by some 3e-4 of its size, squared 1e-7; bound 2e-7 for phi2 and gpt2. (With the same
 * rounding put into our GELU, the difference falls under 1e-11.)
 * FAST: activations are rounded to 8 bits in blocks of 32 as the reference's are, though not
 * bit by bit the same; its own error is written beside its logits. Bound: 4 times that, and
 * never under 1e-9. */
#include "testing.h"

#include <conatus/session.h>
#include <math.h>
#include <string.h>

#include "json.h"
#include "kernels.h"

typedef struct stats {
    double worst_exact, worst_fast;
    int cases;
} stats;

static double nmse(const float *got, const cn_json *want)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < cn_json_size(want); i++) {
        double w = cn_json_num(cn_json_at(want, i), 0), d = (double)got[i] - w;
        error += d * d;
        power += w * w;
    }
    return error / power;
}

static int32_t argmax(const float *l, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (l[i] > l[best]) best = i;
    return (int32_t)best;
}

/* Greedy tokens agree up to the first step whose margin is within the noise of both sides. */
static void check_greedy(cn_session *s, const cn_json *c, const float *logits, double rms_error)
{
    const cn_json *greedy = cn_json_get(c, "greedy_f32"),
                  *margins = cn_json_get(c, "margins_f32");
    cn_err err;
    if (!greedy) {
        greedy = cn_json_get(c, "greedy");
        margins = cn_json_get(c, "margins");
    }
    for (size_t i = 0; i < cn_json_size(greedy); i++) {
        if (cn_json_num(cn_json_at(margins, i), 0) < 8 * rms_error) return;
        int32_t id = argmax(logits, cn_json_size(cn_json_get(c, "logits")));
        assert_int_equal(id, cn_json_int(cn_json_at(greedy, i), -1));
        assert_int_equal(cn_session_eval(s, &id, 1, false, &logits, &err), CN_OK);
    }
}

static void check_case(cn_session *s, const cn_json *c, double bound, double *worst)
{
    int32_t ids[512];
    const cn_json *tokens = cn_json_get(c, "tokens"), *want = cn_json_get(c, "logits_f32");
    const float *logits;
    cn_err err;
    if (!want) want = cn_json_get(c, "logits");
    size_t n = cn_json_size(tokens);
    assert_in_range(n, 1, 512);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)cn_json_int(cn_json_at(tokens, i), -1);
    cn_session_truncate(s, 0);
    assert_int_equal(cn_session_eval(s, ids, n, false, &logits, &err), CN_OK);
    double e = nmse(logits, want), power = 0;
    if (e > *worst) *worst = e;
    if (!(e <= bound)) print_error("NMSE %g, bound %g\n", e, bound);
    assert_true(e <= bound);
    for (size_t i = 0; i < cn_json_size(want); i++)
        power += pow(cn_json_num(cn_json_at(want, i), 0), 2);
    check_greedy(s, c, logits, sqrt(bound * power / (double)cn_json_size(want)));
}

static void check_model(const char *path, const cn_json *cases, const char *kernels, bool exact,
                        double *worst)
{
    cn_model *m;
    cn_session *s;
    cn_err err;
    cn_model_options o = {.n_threads = 2, .kernels = kernels, .exact = exact};
    if (cn_model_open(&m, path, &o, &err)) fail_msg("%s: %s: %s", path, err.what, err.why);
    cn_session_options so = {.cache_type = exact ? "f32" : "f16"};
    assert_int_equal(cn_session_new(&s, m, &so, &err), CN_OK);
    for (size_t i = 0; i < cn_json_size(cases); i++) {
        const cn_json *c = cn_json_at(cases, i);
        double own = cn_json_num(cn_json_get(c, "nmse"), 0);
        double exact_bound =
            strcmp(cn_model_info_of(m)->architecture, "llama") == 0 ? 1e-9 : 2e-7;
        check_case(s, c, exact ? exact_bound : fmax(4 * own, 1e-6), worst);
    }
    cn_session_free(s);
    cn_model_close(m);
}

static void check_file(const char *name, const char *kernels, stats *total)
{
    char relative[128];
    cn_json *doc;
    cn_err err;
    snprintf(relative, sizeof relative, "logits/%s.gguf", name);
    char *model = shared_case(relative);
    snprintf(relative, sizeof relative, "logits/%s.json", name);
    char *expected = shared_case(relative);
    if (!model || !expected) {
        print_message("skipped: no logits/%s\n", name);
        skip();
    }
    assert_int_equal(cn_json_read_file(&doc, expected, 1 << 20, &err), CN_OK);
    const cn_json *cases = cn_json_get(doc, "cases");
    stats one = {0};
    check_model(model, cases, kernels, true, &one.worst_exact);
    check_model(model, cases, kernels, false, &one.worst_fast);
    print_message("%-10s %-7s NMSE exact %.2g, fast %.2g\n", name, kernels, one.worst_exact,
                  one.worst_fast);
    total->cases += 2 * (int)cn_json_size(cases);
    cn_json_free(doc);
    cn_free(model);
    cn_free(expected);
}

static void test_reference_logits(void **state)
{
    static const char *const archs[] = {"llama", "phi2", "gpt2"};
    static const char *const types[] = {"f32", "f16", "q8_0", "q4_0", "q4_k"};
    const kern_table *variants[8];
    size_t n = kern_variants(variants, 8);
    stats total = {0};
    (void)state;
    for (size_t v = 0; v < n; v++)
        for (size_t a = 0; a < 3; a++)
            for (size_t t = 0; t < 5; t++) {
                char name[32];
                snprintf(name, sizeof name, "%s-%s", archs[a], types[t]);
                check_file(name, variants[v]->name, &total);
            }
    print_message("%d cases\n", total.cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference_logits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
