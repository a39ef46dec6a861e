/* Sampling: settings, ties, masks, distributions. */
#include "testing.h"

#include <conatus/sampler.h>
#include <math.h>
#include <string.h>

#include "rng.h"

#define V 1000

static cn_sampler *sampler(cn_sampling p, int32_t n)
{
    cn_sampler *s;
    cn_err err;
    if (cn_sampler_new(&s, &p, n, &err)) fail_msg("%s", err.why);
    return s;
}

static cn_sampling plain(float temperature)
{
    return (cn_sampling){
        .temperature = temperature, .top_p = 1, .typical_p = 1, .repeat_penalty = 1};
}

static int32_t once(cn_sampling p, const float *logits, int32_t n, const uint32_t *mask)
{
    float copy[V];
    cn_sampler *s = sampler(p, n);
    memcpy(copy, logits, (size_t)n * sizeof *copy);
    int32_t id = cn_sampler_next(s, copy, mask);
    cn_sampler_free(s);
    return id;
}

static void test_greedy_is_argmax(void **state)
{
    float logits[V];
    cn_rng rng = cn_rng_seeded(1);
    (void)state;
    for (int round = 0; round < 100; round++) {
        int32_t best = 0;
        for (int i = 0; i < V; i++) {
            logits[i] = (float)cn_rng_normal(&rng);
            if (logits[i] > logits[best]) best = i;
        }
        assert_int_equal(once(plain(0), logits, V, NULL), best);
    }
    const float ties[] = {1, 3, NAN, 3, -INFINITY};
    assert_int_equal(once(plain(0), ties, 5, NULL), 1);
}

static void test_mask_and_nan(void **state)
{
    const float logits[] = {NAN, 5, INFINITY, 1, -INFINITY};
    (void)state;
    uint32_t mask = 1u << 3 | 1u << 0;
    assert_int_equal(once(plain(0), logits, 5, &mask), 3);
    assert_int_equal(once(plain(1), logits, 5, &mask), 3);
    assert_int_equal(once(plain(1), logits, 5, NULL), 2);
    mask = 1u << 0 | 1u << 4;
    assert_int_equal(once(plain(0), logits, 5, &mask), -1);
    assert_int_equal(once(plain(1), logits, 5, &mask), -1);
}

/* How often each token is drawn, against its probability: within 6 standard deviations. */
static void check_frequencies(cn_sampling p, const float *logits, const double *want, int n)
{
    enum { DRAWS = 40000 };
    int count[16] = {0};
    cn_sampler *s = sampler(p, n);
    for (int i = 0; i < DRAWS; i++) {
        float copy[16];
        memcpy(copy, logits, (size_t)n * sizeof *copy);
        int32_t id = cn_sampler_next(s, copy, NULL);
        assert_in_range(id, 0, n - 1);
        count[id]++;
    }
    for (int i = 0; i < n; i++) {
        double sigma = sqrt(want[i] * (1 - want[i]) * DRAWS) + 1e-9;
        if (fabs(count[i] - want[i] * DRAWS) > 6 * sigma)
            fail_msg("token %d: %d of %d, want %g", i, count[i], DRAWS, want[i]);
    }
    cn_sampler_free(s);
}

static void test_distributions(void **state)
{
    const float logits[] = {logf(0.4f), logf(0.05f), logf(0.3f), logf(0.25f)};
    cn_sampling p = plain(1);
    (void)state;
    check_frequencies(p, logits, (double[]){0.4, 0.05, 0.3, 0.25}, 4);
    p.top_k = 2;
    check_frequencies(p, logits, (double[]){4.0 / 7, 0, 3.0 / 7, 0}, 4);
    p = plain(1);
    p.top_p = 0.71f; /* the best two make 0.7 */
    check_frequencies(p, logits, (double[]){0.4 / 0.95, 0, 0.3 / 0.95, 0.25 / 0.95}, 4);
    p = plain(1);
    p.min_p = 0.5f;
    check_frequencies(p, logits, (double[]){0.4 / 0.95, 0, 0.3 / 0.95, 0.25 / 0.95}, 4);
    p = plain(0.5f);
    check_frequencies(
        p, logits, (double[]){0.16 / 0.315, 0.0025 / 0.315, 0.09 / 0.315, 0.0625 / 0.315}, 4);
    p = plain(1);
    p.typical_p =
        0.2f; /* entropy 1.22; surprises 0.92, 3.0, 1.20, 1.39: token 2 is the most typical */
    check_frequencies(p, logits, (double[]){0, 0, 1, 0}, 4);
}

/* top_p over many candidates takes the partial ordering through several rounds. */
static void test_top_p_of_many(void **state)
{
    float logits[V];
    cn_sampling p = plain(1);
    cn_rng rng = cn_rng_seeded(7);
    (void)state;
    for (int i = 0; i < V; i++)
        logits[i] = (float)(0.01 * (double)cn_rng_below(&rng, V));
    p.top_p = 0.5f;
    double total = 0, above = 0;
    for (int i = 0; i < V; i++)
        total += exp((double)logits[i]);
    cn_sampler *s = sampler(p, V);
    float lowest = INFINITY;
    for (int i = 0; i < 20000; i++) {
        float copy[V];
        memcpy(copy, logits, sizeof copy);
        int32_t id = cn_sampler_next(s, copy, NULL);
        lowest = fminf(lowest, logits[id]);
    }
    for (int i = 0; i < V; i++)
        if (logits[i] > lowest) above += exp((double)logits[i]);
    assert_true(above < 0.5 * total); /* all strictly better ones do not yet reach the share */
    cn_sampler_free(s);
}

static void test_same_seed_same_choice(void **state)
{
    float logits[V], copy[V];
    cn_sampling p = cn_sampling_default();
    int32_t first[50];
    (void)state;
    for (int i = 0; i < V; i++)
        logits[i] = (float)(i % 37);
    for (int round = 0; round < 3; round++) {
        p.seed = round == 2 ? 43 : 42;
        cn_sampler *s = sampler(p, V);
        int same = 0;
        for (int i = 0; i < 50; i++) {
            memcpy(copy, logits, sizeof copy);
            int32_t id = cn_sampler_next(s, copy, NULL);
            if (round == 0) first[i] = id;
            same += id == first[i];
        }
        cn_sampler_free(s);
        assert_true(round == 2 ? same < 50 : same == 50);
    }
}

static void test_penalties(void **state)
{
    const float logits[] = {2, 1.9f, -1};
    float copy[3];
    (void)state;
    cn_sampling p = plain(0);
    p.penalty_last_n = 2;
    p.repeat_penalty = 1.5f;
    cn_sampler *s = sampler(p, 3);
    cn_sampler_saw(s, 0);
    memcpy(copy, logits, sizeof copy);
    assert_int_equal(cn_sampler_next(s, copy, NULL), 1);
    cn_sampler_saw(s, 2); /* window: 0 2 */
    cn_sampler_saw(s, 2); /* window: 2 2, token 0 has left it */
    memcpy(copy, logits, sizeof copy);
    assert_int_equal(cn_sampler_next(s, copy, NULL), 0);
    assert_true(fabsf(copy[2] - -1.5f) <
                1e-6f); /* a negative logit is made smaller, once for two sightings */
    cn_sampler_free(s);

    p = plain(0);
    p.penalty_last_n = -1;
    p.frequency_penalty = 0.5f;
    p.presence_penalty = 0.25f;
    s = sampler(p, 3);
    for (int i = 0; i < 3; i++)
        cn_sampler_saw(s, 0);
    memcpy(copy, logits, sizeof copy);
    cn_sampler_next(s, copy, NULL);
    assert_true(fabsf(copy[0] - (2 - 1.5f - 0.25f)) < 1e-6f);
    assert_true(fabsf(copy[1] - 1.9f) < 1e-6f);
    cn_sampler_free(s);
}

static void test_bias(void **state)
{
    const float logits[] = {2, 1, 0};
    cn_logit_bias bias[] = {{0, -INFINITY}, {2, 5}};
    cn_sampling p = plain(0);
    (void)state;
    p.bias = bias;
    p.n_bias = 2;
    assert_int_equal(once(p, logits, 3, NULL), 2);
    uint32_t mask = 1;
    assert_int_equal(once(p, logits, 3, &mask), -1);
}

static void refused(cn_sampling p, const char *field)
{
    cn_sampler *s;
    cn_err err;
    assert_int_equal(cn_sampler_new(&s, &p, 10, &err), CN_E_ARG);
    assert_non_null(strstr(err.why, field));
    assert_null(s);
}

static void test_ranges(void **state)
{
    const cn_logit_bias far = {10, 1};
    cn_sampling p;
    (void)state;
#define REFUSED(name, value) (p = plain(1), p.name = (value), refused(p, #name))
    REFUSED(temperature, -0.1f);
    REFUSED(temperature, NAN);
    REFUSED(top_k, -1);
    REFUSED(top_p, 0);
    REFUSED(top_p, 1.1f);
    REFUSED(min_p, -0.5f);
    REFUSED(typical_p, 0);
    REFUSED(repeat_penalty, 0);
    REFUSED(frequency_penalty, 2.5f);
    REFUSED(presence_penalty, -3);
    REFUSED(penalty_last_n, -2);
    p = plain(1);
    p.bias = &far;
    p.n_bias = 1;
    refused(p, "logit_bias");
}

static void test_logprobs(void **state)
{
    const float logits[] = {1, 3, 2, 3, -INFINITY, NAN};
    cn_logprob top[6];
    (void)state;
    assert_int_equal(cn_top_logprobs(logits, 6, top, 3), 3);
    assert_int_equal(top[0].id, 1); /* ties: the lower id first */
    assert_int_equal(top[1].id, 3);
    assert_int_equal(top[2].id, 2);
    double sum = exp(1.0) + 2 * exp(3.0) + exp(2.0);
    assert_true(fabs((double)top[0].logprob - log(exp(3.0) / sum)) < 1e-6);
    assert_true(fabs((double)cn_logprob_of(logits, 6, 2) - log(exp(2.0) / sum)) < 1e-6);
    assert_int_equal(cn_top_logprobs(logits, 6, top, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy_is_argmax),
        cmocka_unit_test(test_mask_and_nan),
        cmocka_unit_test(test_distributions),
        cmocka_unit_test(test_top_p_of_many),
        cmocka_unit_test(test_same_seed_same_choice),
        cmocka_unit_test(test_penalties),
        cmocka_unit_test(test_bias),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_logprobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
