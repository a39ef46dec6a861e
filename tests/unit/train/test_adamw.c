/* The update against the paper's formulas in double, the norm, threads, and the 8-bit code and
 * state beside the f32 one. */
#include "testing.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "adamw_priv.h"
#include "rng.h"

#define BIG 70000 /* a row: a set over three parts of 2^15 values */

static const adamw_options usual = {
    .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0.1f};

/* Two matrices (decayed) around two vectors (not), none a multiple of 16 long. */
static void set_init(param_set *s, uint32_t n_cols)
{
    *s = (param_set){0};
    assert_non_null(params_add(s, "a", 2, n_cols, true));
    assert_non_null(params_add(s, "frozen", 5, 7, false));
    assert_non_null(params_add(s, "b", 1, 37, true));
    assert_non_null(params_add(s, "c", 1, 5, true));
    assert_non_null(params_add(s, "d", 3, 11, true));
    assert_int_equal(params_allocate(s, NULL), CN_OK);
}

static void randomise(const param_set *s, cn_rng *r, real *x, double deviation)
{
    for (size_t i = 0; i < s->n; i++) {
        const param *p = s->all[i];
        for (size_t k = 0; p->trained && k < (size_t)p->n_rows * p->n_cols; k++)
            x[p->at + k] = (float)(deviation * cn_rng_normal(r));
    }
}

static adamw *adamw_of(const param_set *s, adamw_options o, bool eight_bit)
{
    adamw *a;
    o.eight_bit = eight_bit;
    assert_int_equal(adamw_new(&a, s, &o, NULL), CN_OK);
    return a;
}

static cn_pool *pool_of(unsigned n_threads)
{
    cn_pool *p;
    assert_int_equal(cn_pool_new(&p, n_threads, NULL), CN_OK);
    return p;
}

static void twenty_steps_follow_the_formulas(void **state)
{
    (void)state;
    param_set s;
    set_init(&s, 300);
    cn_rng r = cn_rng_seeded(1);
    randomise(&s, &r, s.w, 1);
    size_t n = s.n_values;
    double *w = cn_xcalloc(n, sizeof *w), *m = cn_xcalloc(n, sizeof *m),
           *v = cn_xcalloc(n, sizeof *v);
    for (size_t i = 0; i < n; i++)
        w[i] = (double)s.w[i];
    adamw *a = adamw_of(&s, usual, false);
    cn_pool *pool = pool_of(2);
    size_t b_at = s.all[2]->at, d_at = s.all[4]->at;
    for (int t = 1; t <= 20; t++) {
        randomise(&s, &r, s.g, 0.01);
        double lr = 0.01 * t, scale = 1.0 / t;
        adamw_step(a, pool, (float)lr, (float)scale);
        for (size_t i = 0; i < n; i++) {
            double g = scale * (double)s.g[i];
            if (i < b_at || i >= d_at) w[i] -= lr * 0.1 * w[i];
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.95 * v[i] + 0.05 * g * g;
            double m_hat = m[i] / (1 - pow(0.9, t)), v_hat = v[i] / (1 - pow(0.95, t));
            w[i] -= lr * m_hat / (sqrt(v_hat) + 1e-8);
        }
    }
    assert_int_equal(adamw_steps(a), 20);
    /* Twenty sums in float of values up to 4, and the betas' own rounding. */
    for (size_t i = 0; i < n; i++)
        assert_true(fabs((double)s.w[i] - w[i]) < 20 * 4 * 2 * (double)FLT_EPSILON);
    for (size_t i = 600; i < s.all[2]->at; i++)
        assert_true(s.w[i] == 0); /* the gap stays */
    cn_pool_free(pool);
    adamw_free(a);
    cn_free(w), cn_free(m), cn_free(v);
    params_deinit(&s);
}

static void the_first_step_moves_by_the_rate(void **state)
{
    (void)state;
    param_set s;
    set_init(&s, 16);
    s.w[0] = 2, s.g[0] = 0.5f, s.w[1] = 2, s.g[1] = -30, s.w[s.all[2]->at] = 2;
    adamw *a = adamw_of(&s, usual, false);
    cn_pool *pool = pool_of(1);
    adamw_step(a, pool, 0.1f, 1);
    /* m / sqrt(v) is the gradient's sign; 2 * 0.1 * 0.1 is decay. */
    assert_true(fabsf(s.w[0] - (2 - 0.02f - 0.1f)) < 1e-6f);
    assert_true(fabsf(s.w[1] - (2 - 0.02f + 0.1f)) < 1e-6f);
    assert_true(s.w[s.all[2]->at] == 2); /* a vector, without gradient */
    cn_pool_free(pool);
    adamw_free(a);
    params_deinit(&s);
}

/* Three steps from the same start on `n_threads`. */
static void run_on(unsigned n_threads, bool eight_bit, param_set *s, double *norm)
{
    set_init(s, BIG);
    cn_rng r = cn_rng_seeded(2);
    randomise(s, &r, s->w, 1);
    adamw *a = adamw_of(s, usual, eight_bit);
    cn_pool *pool = pool_of(n_threads);
    for (int t = 0; t < 3; t++) {
        randomise(s, &r, s->g, 1);
        *norm = adamw_grad_norm(a, pool);
        adamw_step(a, pool, 0.01f, (float)(1 / *norm));
    }
    cn_pool_free(pool);
    adamw_free(a);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    for (int eight_bit = 0; eight_bit < 2; eight_bit++) {
        param_set one, many;
        double norm1, norm;
        run_on(1, eight_bit, &one, &norm1);
        for (unsigned n = 2; n <= 7; n += 5) {
            run_on(n, eight_bit, &many, &norm);
            assert_memory_equal(&norm, &norm1, sizeof norm);
            assert_memory_equal(many.w, one.w, one.n_values * sizeof *one.w);
            params_deinit(&many);
        }
        params_deinit(&one);
    }
}

static void the_norm_tells_what_is_not_finite(void **state)
{
    (void)state;
    param_set s;
    set_init(&s, BIG);
    adamw *a = adamw_of(&s, usual, false);
    cn_pool *pool = pool_of(3);
    assert_true(adamw_grad_norm(a, pool) == 0);
    s.g[0] = 3, s.g[2 * BIG - 1] = -4;
    assert_true(adamw_grad_norm(a, pool) == 5);
    s.g[s.all[4]->at + 32] = FLT_MAX; /* its square is no float */
    assert_true(fabs(adamw_grad_norm(a, pool) / (double)FLT_MAX - 1) < 1e-12);
    s.g[17] = -INFINITY;
    assert_true(isinf(adamw_grad_norm(a, pool)));
    s.g[BIG] = NAN;
    assert_true(isnan(adamw_grad_norm(a, pool)));
    cn_pool_free(pool);
    adamw_free(a);
    params_deinit(&s);
}

static void a_resumed_run_is_the_same(void **state)
{
    (void)state;
    for (int eight_bit = 0; eight_bit < 2; eight_bit++) {
        param_set s;
        set_init(&s, 333);
        cn_rng r = cn_rng_seeded(3);
        randomise(&s, &r, s.w, 1);
        adamw *a = adamw_of(&s, usual, eight_bit), *b = adamw_of(&s, usual, eight_bit);
        cn_pool *pool = pool_of(2);
        randomise(&s, &r, s.g, 1);
        adamw_step(a, pool, 0.01f, 1);
        checkpoint_part from[ADAMW_PARTS], to[ADAMW_PARTS];
        size_t n = adamw_parts(a, from), bytes = 0;
        assert_int_equal(adamw_parts(b, to), n);
        for (size_t i = 0; i < n; i++) {
            assert_string_equal(to[i].name, from[i].name);
            assert_int_equal(to[i].size, from[i].size);
            memcpy(to[i].data, from[i].data, from[i].size);
            bytes += from[i].size;
        }
        assert_int_equal(bytes, adamw_state_bytes(s.n_values, eight_bit));
        adamw_set_steps(b, adamw_steps(a));
        size_t size = s.n_values * sizeof *s.w;
        float *start = cn_xcalloc(1, size), *end = cn_xcalloc(1, size);
        memcpy(start, s.w, size);
        adamw_step(a, pool, 0.01f, 1);
        memcpy(end, s.w, size);
        memcpy(s.w, start, size);
        adamw_step(b, pool, 0.01f, 1);
        assert_memory_equal(s.w, end, size);
        cn_free(start), cn_free(end);
        cn_pool_free(pool);
        adamw_free(a), adamw_free(b);
        params_deinit(&s);
    }
}

static void too_much_is_refused(void **state)
{
    (void)state;
    const param_set s = {.n_values = (size_t)1 << 62};
    adamw *a;
    cn_err err = {0};
    assert_int_equal(adamw_new(&a, &s, &usual, &err), CN_E_NOMEM);
    assert_null(a);
    assert_non_null(strstr(err.why, "GB"));
}

/* ---- 8 bits ---- */

static float nearest_by_search(float x, const state8_code *c)
{
    float best = c->value[0];
    for (int i = 1; i < 256; i++)
        if (fabsf(x - c->value[i]) < fabsf(x - best)) best = c->value[i];
    return best;
}

static void codes_are_dynamic(void **state)
{
    (void)state;
    state8_code m, v;
    state8_code_init(&m, true);
    state8_code_init(&v, false);
    for (int i = 1; i < 256; i++)
        assert_true(v.value[i] > v.value[i - 1]);
    for (int i = 1; i < 128; i++) {
        assert_true(m.value[i] > m.value[i - 1]);
        assert_true(m.value[i + 128] == -m.value[i]);
    }
    assert_true(v.value[0] == 0 && v.value[255] == 1 && m.value[0] == 0 && m.value[127] == 1);
    /* Half of the codes in each decade, the last of which is its end. */
    assert_true(v.value[127] == 0.1f && v.value[63] == 0.01f && v.value[1] == 1e-7f);
    assert_true(m.value[63] == 0.1f && m.value[31] == 0.01f && m.value[1] == 1e-6f);
}

/* Codes and values survive, and anything between goes to the nearest (ties and their rounding
 * aside). */
static void rounding_is_to_the_nearest(void **state)
{
    (void)state;
    cn_rng r = cn_rng_seeded(4);
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        state8_code c;
        state8_code_init(&c, is_signed);
        float x[STATE8_BLOCK], y[STATE8_BLOCK];
        uint8_t q[STATE8_BLOCK], again[STATE8_BLOCK];
        for (int t = 0; t < 200; t++) {
            size_t n = t ? 1 + cn_rng_below(&r, STATE8_BLOCK) : STATE8_BLOCK;
            for (size_t i = 0; i < n; i++) {
                double value = t ? pow(10, -9 * cn_rng_unit(&r)) : (double)c.value[i];
                x[i] = 3 * (float)value * (is_signed && t && cn_rng_next(&r) >> 63 ? -1 : 1);
            }
            if (t) x[cn_rng_below(&r, n)] = 3;
            float scale =
                is_signed ? state8_encode_m(q, x, n, &c) : state8_encode_v(q, x, n, &c);
            assert_true(scale == 3);
            state8_decode(y, q, scale, n, &c);
            for (size_t i = 0; i < n; i++) {
                float want = nearest_by_search(x[i] / 3, &c), got = y[i] / 3;
                float worst = fabsf(x[i] / 3 - want) * 1.0001f + 1e-6f * fabsf(want);
                if (!is_signed && want == 0 && x[i] > 0) worst = 1e-7f; /* never to 0 */
                assert_true(fabsf(x[i] / 3 - got) <= worst);
                assert_true(is_signed || (q[i] == 0) == (x[i] == 0));
            }
            (void)(is_signed ? state8_encode_m(again, y, n, &c)
                             : state8_encode_v(again, y, n, &c));
            for (size_t i = 0; i < n; i++)
                assert_true(again[i] == q[i] || y[i] == 0);
        }
    }
}

static void odd_blocks_are_taken(void **state)
{
    (void)state;
    state8_code m, v;
    state8_code_init(&m, true);
    state8_code_init(&v, false);
    uint8_t q[20];
    float x[20] = {0}, y[20];
    assert_true(state8_encode_m(q, x, 20, &m) == 0);
    state8_decode(y, q, 0, 20, &m);
    assert_memory_equal(x, y, sizeof x);
    x[3] = 1e-42f; /* its inverse is infinite */
    assert_true(state8_encode_v(q, x, 20, &v) == 0);
    x[5] = NAN, x[6] = -INFINITY; /* whatever comes out, nothing else is touched */
    (void)state8_encode_m(q, x, 20, &m);
    (void)state8_encode_v(q, x, 20, &v);
    x[5] = 0, x[6] = -1;
    assert_true(state8_encode_m(q, x, 20, &m) == 1);
    assert_int_equal(q[6], 255);
    assert_int_equal(q[5], 0);
}

/* Losses of least squares: sum of h (w - aim)^2 / 2 with curvatures over three decades, the
 * gradient with noise. Mean over the last tenth of the steps. */
static double descend(bool eight_bit, double noise, int n_steps)
{
    param_set s;
    set_init(&s, 500);
    cn_rng r = cn_rng_seeded(5);
    size_t n = s.n_values;
    float *aim = cn_xcalloc(n, sizeof *aim), *h = cn_xcalloc(n, sizeof *h);
    for (size_t i = 0; i < n; i++) {
        aim[i] = (float)cn_rng_normal(&r);
        h[i] = (float)pow(10, -3 * cn_rng_unit(&r));
    }
    adamw_options o = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    adamw *a = adamw_of(&s, o, eight_bit);
    cn_pool *pool = pool_of(1);
    double mean = 0;
    for (int t = 0; t < n_steps; t++) {
        double loss = 0;
        for (size_t i = 0; i < n; i++) {
            double d = (double)(s.w[i] - aim[i]), k = (double)h[i];
            loss += k * d * d / 2 / (double)n;
            s.g[i] = (float)(k * (d + noise * cn_rng_normal(&r)));
        }
        if (t >= n_steps - n_steps / 10) mean += loss / (n_steps / 10);
        adamw_step(a, pool, 0.02f * (1 - 0.9f * (float)t / (float)n_steps), 1);
    }
    cn_free(aim), cn_free(h);
    cn_pool_free(pool);
    adamw_free(a);
    params_deinit(&s);
    return mean;
}

static void eight_bits_find_the_same_minimum(void **state)
{
    (void)state;
    /* On the way down, without noise; and where noise keeps it. */
    double f32 = descend(false, 0, 100), q8 = descend(true, 0, 100);
    print_message("on the way: %.6f, in 8 bits %.6f\n", f32, q8);
    assert_true(fabs(q8 / f32 - 1) < 0.03);
    f32 = descend(false, 1, 1000), q8 = descend(true, 1, 1000);
    print_message("with noise: %.6f, in 8 bits %.6f\n", f32, q8);
    assert_true(fabs(q8 / f32 - 1) < 0.05);
    assert_true(q8 < 0.1 * descend(true, 1, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_steps_follow_the_formulas),
        cmocka_unit_test(the_first_step_moves_by_the_rate),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(the_norm_tells_what_is_not_finite),
        cmocka_unit_test(a_resumed_run_is_the_same),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(codes_are_dynamic),
        cmocka_unit_test(rounding_is_to_the_nearest),
        cmocka_unit_test(odd_blocks_are_taken),
        cmocka_unit_test(eight_bits_find_the_same_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
