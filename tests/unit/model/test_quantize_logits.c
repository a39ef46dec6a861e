/* A quantised model computes what its weights, expanded to f32 again, compute.
 *
 * EXACT: the kernels expand the same blocks to the same f32 numbers, so that only the order of
 * sums differs: NMSE 1e-10 as derived in test_logits.c; bound 1e-9. FAST also rounds the
 * activations to 8 bits: uniform errors of 1/254 of a block's largest number, some 3 standard
 * deviations, are 3 / 254 / sqrt(3) = 0.007 of the deviation, NMSE 5e-5 for a product; some
 * twenty of them follow one another: 1e-3; 4 leaves room for one-block rows of the tiny models.
 */
#include "testing.h"

#include <conatus/quantize.h>
#include <conatus/session.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "quant_mix.h"
#include "tiny_model.h"

enum { MAX_VOCAB = 4096 };
static const int32_t ids[] = {1, 5, 7, 3, 90, 11, 42, 0, 17};

static size_t logits_of(const char *path, bool exact, float *out)
{
    cn_model *m;
    cn_session *s;
    cn_err err = {0};
    const float *logits;
    const cn_model_options mo = {.n_threads = 2, .exact = exact};
    const cn_session_options so = {.n_ctx = 32, .cache_type = "f32"};
    if (cn_model_open(&m, path, &mo, &err)) fail_msg("%s: %s", err.what, err.why);
    assert_int_equal(cn_session_new(&s, m, &so, &err), CN_OK);
    assert_int_equal(cn_session_eval(s, ids, CN_ARRAY_LEN(ids), false, &logits, &err), CN_OK);
    size_t n = cn_model_info_of(m)->n_vocab;
    assert_in_range(n, 1, MAX_VOCAB);
    memcpy(out, logits, n * sizeof *out);
    cn_session_free(s);
    cn_model_close(m);
    return n;
}

static double nmse(const float *got, const float *want, size_t n)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];
        error += d * d;
        power += (double)want[i] * (double)want[i];
    }
    return error / power;
}

static void check(const char *model, const char *folder)
{
    static float plain[MAX_VOCAB], exact[MAX_VOCAB], fast[MAX_VOCAB];
    char *small = cn_path_join(folder, "small.gguf"), *wide = cn_path_join(folder, "wide.gguf");
    for (size_t i = 0; quant_mix_at(i); i++) {
        const char *type = quant_mix_at(i)->name;
        cn_err err = {0};
        if (cn_quantize(model, small, type, NULL, &err)) fail_msg("%s: %s", type, err.why);
        if (cn_quantize(small, wide, "F32", NULL, &err)) fail_msg("%s: %s", type, err.why);
        size_t n = logits_of(wide, true, plain);
        assert_int_equal(logits_of(small, true, exact), n);
        assert_int_equal(logits_of(small, false, fast), n);
        double e = nmse(exact, plain, n), f = nmse(fast, plain, n);
        if (!(e <= 1e-9 && f <= 4e-3)) fail_msg("%s: NMSE %g exact, %g fast", type, e, f);
    }
    unlink(small);
    unlink(wide);
    cn_free(small);
    cn_free(wide);
}

static void tiny_models(void **state)
{
    (void)state;
    static const char *const archs[] = {"llama", "gpt2"};
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++) {
        tiny_model t;
        tiny_model_write(&t, archs[i]);
        check(t.gguf, t.dir);
        tiny_model_remove(&t);
    }
}

static void shared_models(void **state)
{
    (void)state;
    static const char *const models[] = {"logits/llama-f32.gguf", "logits/gpt2-f32.gguf",
                                         "logits/phi2-f32.gguf"};
    char folder[] = "/tmp/conatus-logits-XXXXXX";
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < CN_ARRAY_LEN(models); i++) {
        char *path = shared_case(models[i]);
        if (path)
            check(path, folder);
        else
            print_message("skipped: no %s beside the project\n", models[i]);
        cn_free(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiny_models),
        cmocka_unit_test(shared_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
