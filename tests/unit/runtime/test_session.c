/* Sessions on tiny models of every family: the same weights give the same logits whatever the
 * file, the cuts, the threads, the cache and the way an adapter is applied. */
#include "testing.h"

#include <conatus/session.h>
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "tiny_model.h"

enum { V = 96, N = 40 };

static const char *const archs[] = {"llama", "llama3", "mistral", "qwen2",
                                    "qwen3", "phi2",   "gpt2"};

typedef struct setup {
    cn_model *m;
    cn_session *s;
} setup;

static setup open_with(const char *path, const cn_model_options *mo,
                       const cn_session_options *so)
{
    setup u;
    cn_err err;
    if (cn_model_open(&u.m, path, mo, &err)) fail_msg("%s: %s", err.what, err.why);
    if (cn_session_new(&u.s, u.m, so, &err)) fail_msg("%s", err.why);
    return u;
}

static setup open_plain(const char *path)
{
    return open_with(path, &(cn_model_options){.n_threads = 2},
                     &(cn_session_options){.cache_type = "f32"});
}

static void done(setup *u)
{
    cn_session_free(u->s);
    cn_model_close(u->m);
}

static void make_ids(int32_t ids[N])
{
    for (int i = 0; i < N; i++)
        ids[i] = (i * 29 + 7) % V;
}

/* All positions' logits (N, V). */
static void all_logits(cn_session *s, float *out)
{
    int32_t ids[N];
    const float *logits;
    cn_err err;
    make_ids(ids);
    cn_session_truncate(s, 0);
    if (cn_session_eval(s, ids, N, true, &logits, &err)) fail_msg("%s", err.why);
    memcpy(out, logits, N * V * sizeof *out);
}

static double nmse(const float *a, const float *b, size_t n)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        power += (double)b[i] * (double)b[i];
    }
    assert_true(power > 0 && isfinite(power));
    return error / power;
}

static float want[N * V], got[N * V];

/* All is f32: only the order of sums may differ (rope's table in GGUF is rounded to f32). */
static void test_gguf_equals_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++) {
        tiny_model t;
        tiny_model_write(&t, archs[i]);
        setup a = open_plain(t.gguf), b = open_plain(t.folder);
        all_logits(a.s, want);
        all_logits(b.s, got);
        double e = nmse(got, want, N * V);
        print_message("%-8s GGUF against folder: NMSE %.2g\n", archs[i], e);
        assert_true(e < 1e-11);
        done(&a);
        done(&b);
        tiny_model_remove(&t);
    }
}

static void check_adapter(const char *base, const char *adapter, const float *merged)
{
    setup u = open_plain(base);
    cn_adapter *a;
    cn_err err;
    float one = 1;
    if (cn_adapter_open(&a, u.m, adapter, &err)) fail_msg("%s: %s", err.what, err.why);
    assert_int_equal(cn_session_adapters(u.s, (const cn_adapter *const[]){a}, &one, 1, &err),
                     CN_OK);
    all_logits(u.s, got);
    assert_true(nmse(got, merged, N * V) < 1e-10);
    /* Twice at half the scale is the same; at scale 0 it is the base. */
    float halves[] = {0.5f, 0.5f}, zero = 0;
    assert_int_equal(
        cn_session_adapters(u.s, (const cn_adapter *const[]){a, a}, halves, 2, &err), CN_OK);
    all_logits(u.s, got);
    assert_true(nmse(got, merged, N * V) < 1e-10);
    assert_int_equal(cn_session_adapters(u.s, (const cn_adapter *const[]){a}, &zero, 1, &err),
                     CN_OK);
    all_logits(u.s, got);
    assert_true(nmse(got, merged, N * V) > 1e-2);
    assert_int_equal(cn_session_adapters(u.s, NULL, NULL, 0, &err), CN_OK);
    float base_logits[V];
    memcpy(base_logits, got, sizeof base_logits);
    all_logits(u.s, got);
    assert_memory_equal(got, base_logits, sizeof base_logits);
    cn_adapter_close(a);
    done(&u);
}

static void test_adapters_equal_merged(void **state)
{
    static float merged[N * V];
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++) {
        tiny_model t;
        tiny_model_write(&t, archs[i]);
        setup m = open_plain(t.merged);
        all_logits(m.s, merged);
        done(&m);
        check_adapter(t.gguf, t.peft, merged);
        check_adapter(t.folder, t.peft, merged);
        check_adapter(t.gguf, t.adapter, merged);
        check_adapter(t.folder, t.adapter, merged);
        tiny_model_remove(&t);
    }
}

static void test_adapter_of_another_base(void **state)
{
    tiny_model llama, gpt2;
    cn_adapter *a;
    cn_err err;
    (void)state;
    tiny_model_write(&llama, "llama");
    tiny_model_write(&gpt2, "gpt2");
    setup u = open_plain(llama.gguf);
    assert_int_equal(cn_adapter_open(&a, u.m, gpt2.peft, &err), CN_E_MISMATCH);
    assert_int_equal(cn_adapter_open(&a, u.m, gpt2.adapter, &err), CN_E_MISMATCH);
    assert_null(a);
    assert_int_equal(cn_adapter_open(&a, u.m, llama.gguf, &err), CN_E_FORMAT);
    assert_int_equal(cn_adapter_open(&a, u.m, "/nowhere", &err), CN_E_NOT_FOUND);
    done(&u);
    tiny_model_remove(&llama);
    tiny_model_remove(&gpt2);
}

/* One pass, token by token, in uneven parts, with any number of threads: bit for bit the same.
 */
static void test_cuts_and_threads(void **state)
{
    int32_t ids[N];
    const float *logits;
    cn_err err;
    (void)state;
    make_ids(ids);
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++) {
        tiny_model t;
        tiny_model_write(&t, archs[i]);
        setup u = open_plain(t.gguf);
        all_logits(u.s, want);
        cn_session_truncate(u.s, 0);
        for (size_t at = 0; at < N; at++) {
            assert_int_equal(cn_session_eval(u.s, ids + at, 1, false, &logits, &err), CN_OK);
            assert_memory_equal(logits, want + at * V, V * sizeof *want);
        }
        cn_session_truncate(u.s, 11);
        assert_int_equal(cn_session_eval(u.s, ids + 11, N - 11, false, &logits, &err), CN_OK);
        assert_memory_equal(logits, want + (N - 1) * V, V * sizeof *want);
        done(&u);
        for (unsigned n = 1; n <= 5; n += 2) {
            u = open_with(t.gguf, &(cn_model_options){.n_threads = n},
                          &(cn_session_options){.cache_type = "f32", .n_batch = 7 * n});
            all_logits(u.s, got);
            assert_memory_equal(got, want, sizeof want);
            done(&u);
        }
        tiny_model_remove(&t);
    }
}

static void test_cache_types(void **state)
{
    tiny_model t;
    (void)state;
    tiny_model_write(&t, "llama");
    setup u = open_plain(t.gguf);
    all_logits(u.s, want);
    done(&u);
    u = open_with(t.gguf, NULL, &(cn_session_options){.cache_type = "f16"});
    all_logits(u.s, got);
    assert_true(nmse(got, want, N * V) < 1e-5); /* 2^-11 relative in keys and values */
    done(&u);
    cn_model *m;
    cn_session *s;
    cn_err err;
    assert_int_equal(cn_model_open(&m, t.gguf, NULL, &err), CN_OK);
    assert_int_equal(cn_session_new(&s, m, &(cn_session_options){.cache_type = "q8_0"}, &err),
                     CN_E_ARG);
    assert_non_null(strstr(err.why, "multiple of 32")); /* heads of 8 */
    assert_int_equal(cn_session_new(&s, m, &(cn_session_options){.cache_type = "q4_0"}, &err),
                     CN_E_ARG);
    cn_model_close(m);
    tiny_model_remove(&t);

    tiny_model_write(&t, "qwen3");
    u = open_plain(t.gguf);
    all_logits(u.s, want);
    done(&u);
    u = open_with(t.gguf, NULL, &(cn_session_options){.cache_type = "q8_0"});
    all_logits(u.s, got);
    double e = nmse(got, want, N * V);
    assert_true(e > 0 &&
                e < 1e-3); /* 8 bits: each number within 1/254 of its block's largest */
    done(&u);
    tiny_model_remove(&t);
}

static void test_context_limits(void **state)
{
    tiny_model t;
    int32_t ids[N];
    const float *logits;
    cn_err err;
    (void)state;
    make_ids(ids);
    tiny_model_write(&t, "llama");
    setup u = open_with(t.gguf, NULL, &(cn_session_options){.n_ctx = 32});
    assert_int_equal(cn_session_eval(u.s, ids, N, false, &logits, &err), CN_E_LIMIT);
    assert_non_null(strstr(err.why, "32"));
    assert_int_equal(cn_session_eval(u.s, ids, 32, false, &logits, &err), CN_OK);
    assert_int_equal(cn_session_eval(u.s, ids, 1, false, &logits, &err), CN_E_LIMIT);
    assert_int_equal(cn_session_length(u.s), 32);
    ids[3] = V;
    cn_session_truncate(u.s, 0);
    assert_int_equal(cn_session_eval(u.s, ids, 8, false, &logits, &err), CN_E_ARG);
    assert_int_equal(cn_session_eval(u.s, ids, 0, false, &logits, &err), CN_E_ARG);
    cn_session *s;
    assert_int_equal(cn_session_new(&s, u.m, &(cn_session_options){.n_ctx = 65}, &err),
                     CN_E_LIMIT);
    done(&u);
    tiny_model_remove(&t);
}

/* A session that slides computes what a fresh one does on the tokens that stayed. */
static void test_sliding(void **state)
{
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++) {
        tiny_model t;
        int32_t ids[N];
        const float *logits;
        float slid[V];
        cn_err err;
        make_ids(ids);
        tiny_model_write(&t, archs[i]);
        setup u = open_with(t.gguf, NULL,
                            &(cn_session_options){.n_ctx = 16, .keep = 3, .cache_type = "f32"});
        assert_int_equal(cn_session_eval(u.s, ids, 10, false, &logits, &err), CN_OK);
        for (int at = 10; at < N; at++)
            assert_int_equal(cn_session_eval(u.s, ids + at, 1, false, &logits, &err), CN_OK);
        memcpy(slid, logits, sizeof slid);
        size_t n = cn_session_length(u.s);
        int32_t kept[16];
        assert_in_range(n, 4, 16);
        memcpy(kept, cn_session_ids(u.s), n * sizeof *kept);
        assert_memory_equal(kept, ids, 3 * sizeof *ids);
        assert_memory_equal(kept + 3, ids + N - (n - 3), (n - 3) * sizeof *ids);
        cn_session_truncate(u.s, 0);
        assert_int_equal(cn_session_eval(u.s, kept, n, false, &logits, &err), CN_OK);
        assert_true(nmse(slid, logits, V) < 1e-11);
        done(&u);
        tiny_model_remove(&t);
    }
}

static void test_cancel(void **state)
{
    tiny_model t;
    int32_t ids[N];
    const float *logits;
    atomic_bool cancel = true;
    cn_err err;
    (void)state;
    make_ids(ids);
    tiny_model_write(&t, "qwen3");
    setup u = open_with(t.gguf, NULL, &(cn_session_options){.cancel = &cancel});
    assert_int_equal(cn_session_eval(u.s, ids, 5, false, &logits, &err), CN_E_CANCELLED);
    assert_int_equal(cn_session_length(u.s), 0);
    atomic_store(&cancel, false);
    assert_int_equal(cn_session_eval(u.s, ids, 5, false, &logits, &err), CN_OK);
    done(&u);
    tiny_model_remove(&t);
}

static void test_embeddings(void **state)
{
    tiny_model t;
    int32_t ids[N];
    float a[32], b[32];
    cn_err err;
    (void)state;
    make_ids(ids);
    tiny_model_write(&t, "bert");
    setup u = open_plain(t.gguf), f = open_plain(t.folder);
    const float *logits;
    assert_true(cn_model_info_of(u.m)->is_embedder);
    assert_int_equal(cn_session_eval(u.s, ids, 4, false, &logits, &err), CN_E_UNSUPPORTED);
    assert_int_equal(cn_embed(u.s, ids, N, a, &err), CN_OK);
    assert_int_equal(cn_embed(f.s, ids, N, b, &err), CN_OK);
    assert_true(nmse(a, b, 32) < 1e-11);
    double length = 0;
    for (int i = 0; i < 32; i++)
        length += (double)a[i] * (double)a[i];
    assert_true(fabs(length - 1) < 1e-5);
    /* Every token sees the last one: changing it changes the mean beyond its own share. */
    ids[N - 1] = (ids[N - 1] + 1) % V;
    assert_int_equal(cn_embed(u.s, ids, N, b, &err), CN_OK);
    assert_true(nmse(a, b, 32) > 1e-8);
    assert_int_equal(cn_embed(u.s, ids, 0, b, &err), CN_E_ARG);
    done(&u);
    done(&f);
    tiny_model_remove(&t);
}

typedef struct answer {
    int32_t ids[64];
    float logprobs[64];
    size_t n, stop_after;
} answer;

static bool collect(void *user, const cn_generated_token *t)
{
    answer *a = user;
    if (t->id < 0) return true;
    a->ids[a->n] = t->id;
    a->logprobs[a->n++] = t->logprob;
    assert_true(t->n_top == 0 || t->top[0].logprob >= t->logprob - 1e-6f);
    return a->n != a->stop_after;
}

static cn_generated generate(cn_session *s, const int32_t *prompt, size_t n,
                             cn_generate_options o, answer *a)
{
    cn_generated out;
    cn_err err;
    o.on_token = collect;
    o.user = a;
    a->n = 0;
    if (cn_generate(s, prompt, n, &o, &out, &err)) fail_msg("%s", err.why);
    assert_int_equal(a->n, out.n_tokens);
    return out;
}

static void test_generate(void **state)
{
    tiny_model t;
    int32_t ids[N];
    answer a = {0}, b = {0};
    (void)state;
    make_ids(ids);
    tiny_model_write(&t, "llama");
    setup u = open_plain(t.gguf);
    cn_generate_options o = {.sampling = cn_sampling_default(),
                             .max_tokens = 20,
                             .logprobs = true,
                             .n_top_logprobs = 3};
    o.sampling.temperature = 0;
    cn_generated g = generate(u.s, ids, 10, o, &a);
    assert_int_equal(g.finish, CN_FINISH_LENGTH);
    assert_int_equal(g.n_tokens, 20);
    /* Greedy is the argmax of the logits that eval gives for the same text. */
    int32_t text[30];
    memcpy(text, ids, 10 * sizeof *ids);
    memcpy(text + 10, a.ids, 20 * sizeof *ids);
    const float *logits;
    cn_err err;
    cn_session_truncate(u.s, 0);
    assert_int_equal(cn_session_eval(u.s, text, 30, true, &logits, &err), CN_OK);
    for (size_t i = 0; i < 20; i++) {
        cn_logprob top;
        cn_top_logprobs(logits + (9 + i) * V, V, &top, 1);
        assert_int_equal(top.id, a.ids[i]);
        assert_true(fabsf(top.logprob - a.logprobs[i]) < 1e-4f);
    }
    /* The same prompt again is taken from the cache but for its last token. */
    g = generate(u.s, ids, 10, o, &b);
    assert_int_equal(g.n_cached, 9);
    assert_memory_equal(a.ids, b.ids, sizeof a.ids);
    /* Same seed, same tokens; another seed, others. */
    o.sampling.temperature = 2;
    o.sampling.top_k = 0;
    o.sampling.seed = 5;
    generate(u.s, ids, 10, o, &a);
    generate(u.s, ids, 10, o, &b);
    assert_memory_equal(a.ids, b.ids, 20 * sizeof *ids);
    o.sampling.seed = 6;
    generate(u.s, ids, 10, o, &b);
    assert_memory_not_equal(a.ids, b.ids, 20 * sizeof *ids);
    /* The caller ends it; the context ends it; a full one answers nothing. */
    a.stop_after = 4;
    g = generate(u.s, ids, 10, o, &a);
    assert_int_equal(g.finish, CN_FINISH_CANCELLED);
    assert_int_equal(g.n_tokens, 4);
    a.stop_after = 0;
    o.max_tokens = 0;
    g = generate(u.s, ids, 30, o, &a);
    assert_int_equal(g.finish, CN_FINISH_LENGTH);
    assert_int_equal(g.n_tokens, 64 - 30);
    done(&u);
    tiny_model_remove(&t);
}

static void test_memory_is_estimated(void **state)
{
    tiny_model t;
    cn_memory_estimate e;
    cn_err err;
    (void)state;
    tiny_model_write(&t, "gpt2");
    assert_int_equal(cn_estimate_memory(&e, t.folder, 0, "f16", &err), CN_OK);
    setup u = open_plain(t.folder);
    assert_int_equal(e.weights, cn_model_info_of(u.m)->weight_bytes);
    assert_int_equal(e.cache, 2 * 2 * 64 * 32 * 2); /* k and v, layers, positions, width, F16 */
    assert_int_equal(e.prepared, 4 * 2 * (3 * 32 * 32 + 32 * 32 + 2 * 48 * 32));
    assert_int_equal(e.total, e.weights + e.prepared + e.cache + e.work);
    done(&u);
    tiny_model_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf_equals_folder),
        cmocka_unit_test(test_adapters_equal_merged),
        cmocka_unit_test(test_adapter_of_another_base),
        cmocka_unit_test(test_cuts_and_threads),
        cmocka_unit_test(test_cache_types),
        cmocka_unit_test(test_context_limits),
        cmocka_unit_test(test_sliding),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_embeddings),
        cmocka_unit_test(test_generate),
        cmocka_unit_test(test_memory_is_estimated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
