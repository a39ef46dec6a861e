/* Everything but the matrix product: every variant against sums and functions in double
 * precision, with all sizes up to a few vectors, off alignment, up to a forbidden page. */
#include "kern_testing.h"

#include <float.h>

#include "quants.h"

#define MAX_N 70

typedef struct arrays {
    guarded a, b, c, d;
    float *x, *y, *z, *out; /* each of n floats ends where its page ends */
    size_t n;
} arrays;

static arrays arrays_new(size_t n)
{
    cn_rng rng = cn_rng_seeded(n + 1);
    arrays s = {guarded_new(4 * n),
                guarded_new(4 * n),
                guarded_new(4 * n),
                guarded_new(4 * n),
                NULL,
                NULL,
                NULL,
                NULL,
                n};
    s.x = s.a.p, s.y = s.b.p, s.z = s.c.p, s.out = s.d.p;
    random_floats(&rng, s.x, n);
    random_floats(&rng, s.y, n);
    random_floats(&rng, s.z, n);
    return s;
}

static void arrays_free(arrays *s)
{
    guarded_free(&s->a);
    guarded_free(&s->b);
    guarded_free(&s->c);
    guarded_free(&s->d);
}

typedef void visit_fn(const kern_table *k, arrays *s);

static void for_each_size(visit_fn *visit)
{
    static const size_t large[] = {128, 255, 1000, 4096};
    const kern_table *k[4];
    size_t n_variants = kern_variants(k, CN_ARRAY_LEN(k));
    for (size_t v = 0; v < n_variants; v++)
        for (size_t i = 1; i <= MAX_N + CN_ARRAY_LEN(large); i++) {
            arrays s = arrays_new(i <= MAX_N ? i : large[i - MAX_N - 1]);
            visit(k[v], &s);
            arrays_free(&s);
        }
}

static void near(double got, double want, double bound)
{
    if (!(fabs(got - want) <= bound)) fail_msg("%.9g, want %.9g within %g", got, want, bound);
}

/* Rounding error of an n-term sum: as in test_kernels_matmul.c. */
static double sum_bound(size_t n, double size)
{
    return 4 * sqrt((double)n) * (double)FLT_EPSILON * size;
}

static void check_linear(const kern_table *k, arrays *s)
{
    double sum = 0, size = 0;
    for (size_t i = 0; i < s->n; i++) {
        sum += (double)s->x[i] * (double)s->y[i];
        size += fabs((double)s->x[i] * (double)s->y[i]);
    }
    near((double)k->dot(s->x, s->y, s->n), sum, sum_bound(s->n, size));
    memcpy(s->out, s->x, 4 * s->n);
    k->add(s->out, s->y, s->n);
    for (size_t i = 0; i < s->n; i++)
        assert_true(s->out[i] == s->x[i] + s->y[i]);
    memcpy(s->out, s->x, 4 * s->n);
    k->axpy(s->out, 0.3F, s->y, s->n);
    for (size_t i = 0; i < s->n; i++)
        assert_true(s->out[i] == fmaf(0.3F, s->y[i], s->x[i]));
    s->x[s->n / 2] = NAN;
    assert_true(isnan(k->dot(s->x, s->y, s->n)));
}

static void linear(void **state)
{
    (void)state;
    for_each_size(check_linear);
}

static void check_norms(const kern_table *k, arrays *s)
{
    double sum = 0, squares = 0, apart = 0, n = (double)s->n, eps = 1e-5;
    for (size_t i = 0; i < s->n; i++) {
        s->x[i] += 3; /* a mean that is not 0 */
        sum += (double)s->x[i];
        squares += (double)s->x[i] * (double)s->x[i];
    }
    for (size_t i = 0; i < s->n; i++)
        apart += pow((double)s->x[i] - sum / n, 2);
    double rms = 1 / sqrt(squares / n + eps), spread = 1 / sqrt(apart / n + eps);
    double bound = sum_bound(s->n, 1);

    k->rms_norm(s->out, s->x, s->y, s->n, 1e-5F);
    for (size_t i = 0; i < s->n; i++) {
        double want = (double)s->x[i] * rms * (double)s->y[i];
        near((double)s->out[i], want, bound * fabs(want));
    }
    k->rms_norm(s->out, s->x, NULL, s->n, 1e-5F);
    near((double)s->out[0], (double)s->x[0] * rms, bound * 10);
    k->layer_norm(s->out, s->x, s->y, s->z, s->n, 1e-5F);
    for (size_t i = 0; i < s->n; i++) {
        double normal = ((double)s->x[i] - sum / n) * spread;
        /* what is lost of x - mean is an error of x, seen through 1 / spread */
        near((double)s->out[i], normal * (double)s->y[i] + (double)s->z[i],
             bound *
                 (fabs((double)s->z[i]) + fabs((double)s->y[i]) * (fabs(normal) + 8 * spread)));
    }
    s->x[s->n - 1] = NAN;
    k->rms_norm(s->out, s->x, s->y, s->n, 1e-5F);
    assert_true(isnan(s->out[0]) && isnan(s->out[s->n - 1]));
    k->layer_norm(s->out, s->x, s->y, s->z, s->n, 1e-5F);
    assert_true(isnan(s->out[0]) && isnan(s->out[s->n - 1]));
    for (size_t i = 0; i < s->n; i++)
        s->x[i] = 2e25F; /* whose square is no float */
    k->rms_norm(s->out, s->x, s->y, s->n, 1e-5F);
    for (size_t i = 0; i < s->n; i++)
        near((double)s->out[i], (double)s->y[i], 1e-5);
}

static void norms(void **state)
{
    (void)state;
    for_each_size(check_norms);
}

static void check_softmax(const kern_table *k, arrays *s)
{
    double sum = 0, max = (double)-INFINITY;
    for (size_t i = 0; i < s->n; i++)
        s->x[i] = s->x[i] * 10 - 5000;
    if (s->n > 1) s->x[s->n / 2] = -INFINITY;
    for (size_t i = 0; i < s->n; i++)
        max = fmax(max, (double)s->x[i]);
    for (size_t i = 0; i < s->n; i++)
        sum += exp((double)s->x[i] - max);
    memcpy(s->out, s->x, 4 * s->n);
    k->softmax(s->out, s->n);
    for (size_t i = 0; i < s->n; i++) {
        double want = exp((double)s->x[i] - max) / sum;
        near((double)s->out[i], want, 8 * (double)FLT_EPSILON * want + 1e-44);
    }
    s->x[0] = NAN;
    k->softmax(s->x, s->n);
    for (size_t i = 0; i < s->n; i++)
        assert_true(isnan(s->x[i]));
}

static void softmax(void **state)
{
    (void)state;
    for_each_size(check_softmax);
}

static void check_activations(const kern_table *k, arrays *s)
{
    k->silu_mul(s->out, s->x, s->y, s->n);
    for (size_t i = 0; i < s->n; i++) {
        double x = (double)s->x[i];
        assert_true(ulps((double)s->out[i], x / (1 + exp(-x)) * (double)s->y[i]) <= 5);
    }
    s->x[s->n / 2] = NAN;
    k->silu_mul(s->out, s->x, s->y, s->n);
    assert_true(isnan(s->out[s->n / 2]));
    k->gelu(s->out, s->x, s->n);
    assert_true(isnan(s->out[s->n / 2]) && !isnan(s->out[0]) == (s->n / 2 > 0));
    k->gelu_erf(s->out, s->x, s->n);
    assert_true(isnan(s->out[s->n / 2]) && !isnan(s->out[0]) == (s->n / 2 > 0));
}

static double gelu_tanh_of(double x)
{
    double u = sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x);
    return x / (1 + exp(-2 * u));
}

static double gelu_erf_of(double x)
{
    return 0.5 * x * erfc(-x / sqrt(2));
}

static double silu_of(double x)
{
    return x / (1 + exp(-x));
}

/* The whole range of floats, densely: the largest error is printed, the stated one is held. */
static void check_function(const char *name, double (*want_of)(double),
                           void (*fn)(const kern_table *, float *, const float *, size_t),
                           double floor_of_x, double limit)
{
    const kern_table *k[4];
    size_t n = kern_variants(k, CN_ARRAY_LEN(k));
    static float x[4096], y[4096];
    for (size_t v = 0; v < n; v++) {
        double worst = 0, at = 0;
        for (double from = -100; from < 100; from += 4096 * 1e-3 / 7) {
            for (size_t i = 0; i < 4096; i++)
                x[i] = (float)(from + (double)i * 1e-3 / 7);
            fn(k[v], y, x, 4096);
            for (size_t i = 0; i < 4096; i++) {
                double want = want_of((double)x[i]);
                double unit = fmax(fabs(want), fmax(fabs((double)x[i]) * floor_of_x, 1e-30));
                double error = fabs((double)y[i] - want) / ldexp(1, ilogb(unit) - 23);
                if (error > worst) worst = error, at = (double)x[i];
            }
        }
        print_message("%s %s: %.2f ulp at %g\n", k[v]->name, name, worst, at);
        assert_true(worst <= limit);
        x[0] = 3e38F, x[1] = -3e38F, x[2] = INFINITY, x[3] = -1e-40F, x[4] = 0;
        fn(k[v], y, x, 5);
        assert_true(y[0] == 3e38F && y[1] == 0 && y[2] == INFINITY && y[4] == 0);
        assert_true(fabsf(y[3] + 0.5e-40F) <= 2e-45F);
    }
}

static void run_silu(const kern_table *k, float *y, const float *x, size_t n)
{
    static float ones[4096];
    for (size_t i = 0; i < n; i++)
        ones[i] = 1;
    k->silu_mul(y, x, ones, n);
}

static void run_gelu(const kern_table *k, float *y, const float *x, size_t n)
{
    k->gelu(y, x, n);
}

static void run_gelu_erf(const kern_table *k, float *y, const float *x, size_t n)
{
    k->gelu_erf(y, x, n);
}

static void activations(void **state)
{
    (void)state;
    for_each_size(check_activations);
    check_function("silu", silu_of, run_silu, 0, 4);
    check_function("gelu", gelu_tanh_of, run_gelu, ldexp(1, -10), 12);
    check_function("gelu_erf", gelu_erf_of, run_gelu_erf, 0, 8);
}

static void check_rope(const kern_table *k, arrays *s)
{
    size_t half = s->n / 2;
    if (s->n > MAX_N || s->n % 2) return;
    for (int neox = 0; neox < 2; neox++) {
        memcpy(s->out, s->x, 4 * s->n);
        k->rope(s->out, s->y, s->n, neox);
        for (size_t i = 0; i < half; i++) {
            size_t p = neox ? i : 2 * i, q = neox ? i + half : 2 * i + 1;
            float a = s->x[p], b = s->x[q], c = s->y[2 * i], d = s->y[2 * i + 1];
            float ac = a * c, bd = b * d, ad = a * d, bc = b * c;
            assert_true(s->out[p] == ac - bd && s->out[q] == ad + bc);
        }
    }
}

static void rope(void **state)
{
    (void)state;
    for_each_size(check_rope);
}

static void check_store(const kern_table *k, arrays *s)
{
    uint8_t *out = (uint8_t *)s->out + (s->n * 4 - s->n * 2); /* ends at the page */
    s->x[0] = 1e6F;
    k->store(out, CN_F16, s->x, s->n);
    for (size_t i = 0; i < s->n; i++) {
        uint16_t h;
        memcpy(&h, out + 2 * i, 2);
        assert_int_equal(h, quant_f32_to_f16(s->x[i]));
    }
    k->store(s->out, CN_F32, s->x, s->n);
    assert_memory_equal(s->out, s->x, 4 * s->n);
    if (s->n % 32) return;

    float back[4096];
    size_t bytes = cn_dtype_row_bytes(CN_Q8_0, s->n);
    kern_mat row = {CN_Q8_0, 1, (uint32_t)s->n, bytes, (uint8_t *)s->out + 4 * s->n - bytes,
                    NULL,    0};
    s->x[0] = 1;
    k->store((uint8_t *)s->out + 4 * s->n - bytes, CN_Q8_0, s->x, s->n);
    quant_row_to_f32(&row, 0, back);
    for (size_t b = 0; b < s->n; b += 32) {
        double max = 0;
        for (size_t i = b; i < b + 32; i++)
            if (fabs((double)s->x[i]) > max) max = fabs((double)s->x[i]);
        /* half a step of max/127, and the half-precision scale's 2^-11 */
        for (size_t i = b; i < b + 32; i++)
            near((double)back[i], (double)s->x[i], max * (0.5 / 127 + ldexp(1, -11)) * 1.001);
    }
    s->x[5] = NAN;
    k->store((uint8_t *)s->out + 4 * s->n - bytes, CN_Q8_0, s->x, s->n);
    quant_row_to_f32(&row, 0, back);
    assert_true(isnan(back[5]));
}

static void store(void **state)
{
    (void)state;
    for_each_size(check_store);
}

/* A cache of `n` positions that ends at a forbidden page, and what it holds as f32. */
typedef struct cache {
    guarded g;
    kern_cache c;
    float *values;
} cache;

static cache cache_new(cn_rng *rng, cn_dtype type, size_t n, size_t head_dim)
{
    size_t bytes = cn_dtype_row_bytes(type, head_dim), stride = bytes + 6;
    cache c = {.g = guarded_new(n * stride - 6),
               .values = cn_alloc_array(n * head_dim, sizeof(float))};
    c.c = (kern_cache){type, c.g.p, stride};
    for (size_t p = 0; p < n; p++) {
        float *v = c.values + p * head_dim;
        random_floats(rng, v, head_dim);
        kern_table const *ref;
        assert_int_equal(kern_select(&ref, "ref", NULL), CN_OK);
        ref->store((uint8_t *)c.g.p + p * stride, type, v, head_dim);
        kern_mat row = {type, 1, (uint32_t)head_dim, bytes, (uint8_t *)c.g.p + p * stride,
                        NULL, 0};
        quant_row_to_f32(&row, 0, v);
    }
    return c;
}

static void cache_free(cache *c)
{
    guarded_free(&c->g);
    cn_free(c->values);
}

/* Attention in double precision. */
static void attend_double(double *out, const float *q, const cache *k, const cache *v,
                          size_t head_dim, size_t from, size_t to, double scale)
{
    double *w = cn_alloc_array(to - from + 1, sizeof *w), max = (double)-INFINITY, sum = 0;
    for (size_t p = from; p < to; p++) {
        double dot = 0;
        for (size_t i = 0; i < head_dim; i++)
            dot += (double)q[i] * (double)k->values[p * head_dim + i];
        w[p - from] = scale * dot;
        max = fmax(max, w[p - from]);
    }
    for (size_t p = from; p < to; p++)
        sum += exp(w[p - from] - max);
    for (size_t i = 0; i < head_dim; i++)
        out[i] = 0;
    for (size_t p = from; p < to; p++)
        for (size_t i = 0; i < head_dim; i++)
            out[i] += exp(w[p - from] - max) / sum * (double)v->values[p * head_dim + i];
    cn_free(w);
}

#define QUERIES 21 /* more than KERN_ATTEND_TOGETHER, and no multiple of anything */

typedef struct attention {
    cn_dtype type;
    size_t head_dim, n;
    float scale;
    cache k, v;
    guarded q, out, scores;
    size_t at[QUERIES], from[QUERIES], to[QUERIES];
} attention;

static attention attention_new(cn_rng *rng, cn_dtype type, size_t head_dim, size_t n)
{
    attention s = {.type = type, .head_dim = head_dim, .n = n};
    s.scale = 1 / sqrtf((float)head_dim);
    s.k = cache_new(rng, type, n, head_dim);
    s.v = cache_new(rng, type, n, head_dim);
    s.q = guarded_new(4 * QUERIES * head_dim);
    s.out = guarded_new(4 * QUERIES * head_dim);
    s.scores = guarded_new(4 * KERN_ATTEND_TOGETHER * n);
    random_floats(rng, s.q.p, QUERIES * head_dim);
    for (size_t i = 0; i < QUERIES; i++) {
        s.at[i] = (QUERIES - 1 - i) * head_dim;
        s.to[i] = 1 + cn_rng_below(rng, n);
        s.from[i] = cn_rng_below(rng, s.to[i] + 1); /* some are empty */
    }
    s.from[0] = 0, s.to[0] = n;
    return s;
}

static void attention_free(attention *s)
{
    cache_free(&s->k);
    cache_free(&s->v);
    guarded_free(&s->q);
    guarded_free(&s->out);
    guarded_free(&s->scores);
}

/* Errors: those of the scores (at most 8 here) move the weights by as much, relatively; then
 * the sum over positions. Values are within 5 of 0. */
static void check_attention(const kern_table *k, attention *s)
{
    double want[512], bound = 5 * (sum_bound(s->head_dim, 8) + sum_bound(s->n, 1));
    for (size_t i = 0; i < QUERIES; i++) {
        const float *q = (float *)s->q.p + s->at[i];
        float *out = (float *)s->out.p + s->at[i];
        size_t len = s->to[i] - s->from[i];
        k->attend(out, q, &s->k.c, &s->v.c, s->head_dim, s->from[i], s->to[i], s->scale,
                  (float *)s->scores.p + KERN_ATTEND_TOGETHER * s->n - len);
        attend_double(want, q, &s->k, &s->v, s->head_dim, s->from[i], s->to[i],
                      (double)s->scale);
        for (size_t j = 0; j < s->head_dim; j++)
            near((double)out[j], want[j], bound);
    }
    float *one_by_one = cn_alloc_array(QUERIES * s->head_dim, sizeof(float));
    memcpy(one_by_one, s->out.p, 4 * QUERIES * s->head_dim);
    memset(s->out.p, 255, 4 * QUERIES * s->head_dim);
    kern_queries all = {QUERIES, s->q.p, s->out.p, s->at, s->at, s->from, s->to};
    k->attend_many(&all, &s->k.c, &s->v.c, s->head_dim, s->scale, s->scores.p);
    assert_memory_equal(one_by_one, s->out.p, 4 * QUERIES * s->head_dim);
    cn_free(one_by_one);
}

static void attend(void **state)
{
    (void)state;
    static const cn_dtype types[] = {CN_F32, CN_F16, CN_Q8_0};
    static const size_t dims[] = {1, 8, 24, 32, 64, 80, 96, 128, 160, 256},
                        lengths[] = {1, 2, 7, 16, 33, 200};
    const kern_table *k[4];
    size_t n = kern_variants(k, CN_ARRAY_LEN(k));
    cn_rng rng = cn_rng_seeded(7);
    for (size_t t = 0; t < CN_ARRAY_LEN(types); t++)
        for (size_t d = 0; d < CN_ARRAY_LEN(dims); d++)
            for (size_t l = 0; l < CN_ARRAY_LEN(lengths); l++) {
                if (types[t] == CN_Q8_0 && dims[d] % 32) continue;
                attention s = attention_new(&rng, types[t], dims[d], lengths[l]);
                for (size_t v = 0; v < n; v++)
                    check_attention(k[v], &s);
                attention_free(&s);
            }
}

static void attend_shows_nan(void **state)
{
    (void)state;
    const kern_table *k[4];
    size_t n = kern_variants(k, CN_ARRAY_LEN(k));
    cn_rng rng = cn_rng_seeded(8);
    for (size_t v = 0; v < n; v++) {
        attention s = attention_new(&rng, CN_F32, 64, 40);
        ((float *)s.q.p)[s.at[0] + 3] = NAN;
        float *out = (float *)s.out.p + s.at[0];
        k[v]->attend(out, (float *)s.q.p + s.at[0], &s.k.c, &s.v.c, 64, 0, 40, s.scale,
                     s.scores.p);
        for (size_t i = 0; i < 64; i++)
            assert_true(isnan(out[i]));
        attention_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear),  cmocka_unit_test(norms),
        cmocka_unit_test(softmax), cmocka_unit_test(activations),
        cmocka_unit_test(rope),    cmocka_unit_test(store),
        cmocka_unit_test(attend),  cmocka_unit_test(attend_shows_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
