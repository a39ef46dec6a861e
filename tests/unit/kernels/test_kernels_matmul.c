/* The matrix product: the reference against sums in double precision, every variant against
 * the reference, bit by bit. */
#include "kern_testing.h"

#include <float.h>

#include "quants.h"

typedef struct problem {
    kern_mat w;
    kern_act a;
    guarded data, x, q, y, aux;
    void *scratch;
} problem;

static problem problem_new(cn_dtype type, size_t n_rows, size_t n_cols, size_t n_tokens)
{
    cn_rng rng = cn_rng_seeded(n_rows * 1000 + n_cols + n_tokens + (size_t)type);
    const cn_dtype_info *info = cn_dtype_info_of((uint32_t)type);
    size_t row_bytes = cn_dtype_row_bytes(type, n_cols), blocks = row_bytes / info->block_bytes;
    problem p = {.data = guarded_new(n_rows * row_bytes),
                 .x = guarded_new(n_tokens * n_cols * sizeof(float)),
                 .q = guarded_new(kern_act_bytes(n_tokens, n_cols)),
                 .y = guarded_new(n_tokens * n_rows * sizeof(float)),
                 .aux = guarded_new(4 + 4 * (n_rows * blocks / 256 + 1)),
                 .scratch = cn_alloc_array(KERN_SCRATCH, 1)};
    for (size_t i = 0; i < n_rows * blocks; i++)
        random_block(&rng, type, (uint8_t *)p.data.p + i * info->block_bytes,
                     info->block_bytes);
    random_floats(&rng, p.aux.p, 2 + n_rows * blocks / 256);
    random_floats(&rng, p.x.p, n_tokens * n_cols);
    p.w = (kern_mat){type, (uint32_t)n_rows, (uint32_t)n_cols, row_bytes, p.data.p, p.aux.p, 0};
    p.a = (kern_act){n_tokens, n_cols, p.x.p, p.q.p};
    return p;
}

static void problem_free(problem *p)
{
    guarded_free(&p->data);
    guarded_free(&p->x);
    guarded_free(&p->q);
    guarded_free(&p->y);
    guarded_free(&p->aux);
    cn_free(p->scratch);
}

/* The whole product, in a new array. */
static float *product(problem *p, const kern_table *k, kern_precision precision)
{
    size_t n = p->w.n_rows * p->a.n_tokens;
    for (size_t i = 0; i < n; i++)
        ((float *)p->y.p)[i] = -77;
    k->quantize(&p->a, p->w.type, 0, p->a.n_tokens);
    k->matmul(&p->w, &p->a, precision, p->y.p, p->w.n_rows, 0, p->w.n_rows, p->scratch);
    float *copy = cn_alloc_array(n, sizeof *copy);
    memcpy(copy, p->y.p, n * sizeof *copy);
    return copy;
}

typedef void visit_fn(problem *p);

/* Every type with shapes around the sizes that the kernels take at a time. */
static void for_each_problem(visit_fn *visit)
{
    static const size_t rows[] = {1, 7, 8, 16, 19, 40, 300},
                        tokens[] = {1, 2, 3, 4, 5, 8, 9, 15};
    static const size_t odd_cols[] = {1, 15, 16, 33, 500, 4103}, blocks[] = {1, 2, 5, 13};
    for (size_t i = 0; i < CN_ARRAY_LEN(weight_types); i++)
        for (size_t j = 0; j < 32; j++) {
            size_t block = cn_dtype_info_of((uint32_t)weight_types[i])->block;
            size_t n_cols =
                block == 1 ? odd_cols[j % 6] : block * blocks[j % 4] * (j % 5 ? 1 : 3);
            problem p = problem_new(weight_types[i], rows[j % 7], n_cols, tokens[j / 4]);
            visit(&p);
            problem_free(&p);
        }
}

static bool is_quantised(cn_dtype type)
{
    return type != CN_F32 && type != CN_F16 && type != CN_BF16 && type != CN_NF4 &&
           type != CN_NF4_DQ;
}

/* Activations as FAST rounds them, written down apart from the kernels. */
static void round_to_8_bits(float *x, size_t n)
{
    for (size_t b = 0; b < n; b += 32) {
        float max = 0;
        for (size_t i = 0; i < 32; i++)
            max = fmaxf(max, fabsf(x[b + i]));
        for (size_t i = 0; i < 32; i++)
            x[b + i] = max / 127 * rintf(x[b + i] * (127 / max));
    }
}

/* Rounding error of an n-term sum grows like sqrt(n) * eps * sum|w x| (Higham and Mary 2019);
 * 4 leaves room for both sides. A weight d * q - m is itself the difference of two terms, each
 * rounded: |x| times the largest such term of these blocks (31 * 0.05 * 63) covers that. */
static void check_against_double(problem *p, kern_precision precision)
{
    size_t n = p->w.n_cols;
    const kern_table *ref;
    assert_int_equal(kern_select(&ref, "ref", NULL), CN_OK);
    float *y = product(p, ref, precision), *w = cn_alloc_array(n, sizeof *w),
          *x = cn_alloc_array(n, sizeof *x);
    for (size_t r = 0; r < p->w.n_rows; r++) {
        quant_row_to_f32(&p->w, r, w);
        for (size_t t = 0; t < p->a.n_tokens; t++) {
            double sum = 0, size = 0;
            memcpy(x, p->a.x + t * n, n * sizeof *x);
            if (precision == KERN_FAST && is_quantised(p->w.type)) round_to_8_bits(x, n);
            for (size_t c = 0; c < n; c++) {
                sum += (double)w[c] * (double)x[c];
                size += fabs((double)w[c] * (double)x[c]);
                if (is_quantised(p->w.type)) size += 2 * fabs((double)x[c]);
            }
            double bound = 4 * sqrt((double)n) * (double)FLT_EPSILON * size;
            double diff = fabs((double)y[t * p->w.n_rows + r] - sum);
            if (!(diff <= bound))
                fail_msg("%s row %zu token %zu: %g, want %g within %g",
                         cn_dtype_info_of((uint32_t)p->w.type)->name, r, t,
                         (double)y[t * p->w.n_rows + r], sum, bound);
        }
    }
    cn_free(y);
    cn_free(w);
    cn_free(x);
}

static void check_reference(problem *p)
{
    check_against_double(p, KERN_EXACT);
    check_against_double(p, KERN_FAST);
}

static void reference_is_the_sum(void **state)
{
    (void)state;
    for_each_problem(check_reference);
}

/* Fails with the place of the first difference. */
static void same_bits(const problem *p, const kern_table *k, const char *what, const float *got,
                      const float *want)
{
    for (size_t i = 0; i < p->w.n_rows * p->a.n_tokens; i++)
        if (memcmp(&got[i], &want[i], 4) != 0)
            fail_msg("%s %s %s: %ux%u, %zu tokens, number %zu: %.9g, want %.9g", k->name,
                     cn_dtype_info_of((uint32_t)p->w.type)->name, what, p->w.n_rows,
                     p->w.n_cols, p->a.n_tokens, i, (double)got[i], (double)want[i]);
}

static void check_variants(problem *p)
{
    const kern_table *k[4];
    size_t n = kern_variants(k, CN_ARRAY_LEN(k));
    for (int precision = KERN_FAST; precision <= KERN_EXACT; precision++) {
        float *want = product(p, k[0], (kern_precision)precision);
        for (size_t v = 1; v < n; v++) {
            float *got = product(p, k[v], (kern_precision)precision);
            same_bits(p, k[v], precision ? "exact" : "fast", got, want);
            cn_free(got);
        }
        cn_free(want);
    }
}

static void variants_equal_reference(void **state)
{
    (void)state;
    for_each_problem(check_variants);
}

static void check_splits(problem *p)
{
    const kern_table *k[4];
    size_t n = kern_variants(k, CN_ARRAY_LEN(k)), rows = p->w.n_rows;
    for (size_t v = 0; v < n; v++) {
        float *want = product(p, k[v], KERN_FAST), *y = p->y.p;
        memset(y, 255, p->a.n_tokens * rows * sizeof *y);
        for (size_t r = 0, step; r < rows; r += step) {
            step = CN_MIN(rows - r, 1 + (r * 7 + 3) % 23);
            k[v]->matmul(&p->w, &p->a, KERN_FAST, y, rows, r, r + step, p->scratch);
        }
        same_bits(p, k[v], "in parts", y, want);
        for (size_t t = 0; t < p->a.n_tokens; t++) {
            kern_act one = {1, p->a.n_cols, p->a.x + t * p->a.n_cols, p->a.q};
            k[v]->quantize(&one, p->w.type, 0, 1);
            k[v]->matmul(&p->w, &one, KERN_FAST, y + t * rows, rows, 0, rows, p->scratch);
        }
        same_bits(p, k[v], "token by token", y, want);
        cn_free(want);
    }
}

static void results_depend_on_row_and_token_alone(void **state)
{
    (void)state;
    for_each_problem(check_splits);
}

/* A NaN or an infinity in token 0 shows in all its results and in no other token's. */
static void check_not_finite(problem *p)
{
    const kern_table *k[4];
    size_t n = kern_variants(k, CN_ARRAY_LEN(k)), rows = p->w.n_rows;
    float *x = p->x.p, bad[] = {NAN, INFINITY, -INFINITY};
    if (p->a.n_tokens < 2) return;
    for (size_t v = 0; v < n; v++) {
        float *want = product(p, k[v], KERN_FAST);
        for (size_t i = 0; i < 3; i++) {
            size_t at = (i * 5 + 1) % p->a.n_cols;
            float kept = x[at];
            x[at] = bad[i];
            float *got = product(p, k[v], KERN_FAST);
            for (size_t r = 0; r < rows; r++) {
                if (i == 0 || is_quantised(p->w.type))
                    assert_true(isnan(got[r]));
                else
                    assert_false(isfinite(got[r]));
            }
            memcpy(got, want, rows * sizeof *got);
            same_bits(p, k[v], "beside a NaN", got, want);
            x[at] = kept;
            cn_free(got);
        }
        cn_free(want);
    }
}

static void nan_and_infinity_show(void **state)
{
    (void)state;
    for_each_problem(check_not_finite);
}

/* The largest sums that a block can have, of either sign, which no narrow sum may lose: every
 * weight and every activation at an end of its range. */
static void extreme_blocks(void **state)
{
    (void)state;
    static const uint8_t ends[] = {0xFF, 0x80, 0x7F, 0};
    for (size_t i = 0; i < CN_ARRAY_LEN(weight_types); i++)
        for (size_t e = 0; e < 2 * CN_ARRAY_LEN(ends) && is_quantised(weight_types[i]); e++) {
            problem p = problem_new(weight_types[i], 20, 512, 1 + e % 5);
            size_t size = cn_dtype_info_of((uint32_t)weight_types[i])->block_bytes, at[2];
            size_t fields = half_fields(weight_types[i], at);
            uint16_t h = quant_f32_to_f16(0.01F);
            for (uint8_t *b = p.data.p; b < (uint8_t *)p.data.p + 20 * p.w.row_bytes;
                 b += size) {
                memset(b, ends[e / 2], size);
                for (size_t f = 0; f < fields; f++)
                    memcpy(b + at[f], &h, 2);
            }
            for (size_t c = 0; c < 512 * p.a.n_tokens; c++)
                ((float *)p.x.p)[c] = e % 2 ? -1 : 1;
            check_variants(&p);
            problem_free(&p);
        }
}

/* All-zero and very small activations round to zero, not to noise. */
static void zero_activations(void **state)
{
    (void)state;
    const kern_table *k[4];
    size_t n = kern_variants(k, CN_ARRAY_LEN(k));
    for (size_t v = 0; v < n; v++) {
        problem p = problem_new(CN_Q4_K, 16, 256, 2);
        for (size_t c = 0; c < 512; c++)
            ((float *)p.x.p)[c] = c < 256 ? 0 : 1e-38F;
        float *y = product(&p, k[v], KERN_FAST);
        for (size_t i = 0; i < 32; i++)
            assert_true(y[i] == 0);
        cn_free(y);
        problem_free(&p);
    }
}

/* Rounding to 8 bits costs what it costs llama.cpp: about 1e-4 of the energy for normally
 * distributed activations, as step/sqrt(12) with a step of max/127 and a max of 2.1 to 3. */
static void fast_is_near_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(weight_types); i++) {
        problem p = problem_new(weight_types[i], 300, 1024, 1);
        const kern_table *best;
        assert_int_equal(kern_select(&best, NULL, NULL), CN_OK);
        float *fast = product(&p, best, KERN_FAST), *exact = product(&p, best, KERN_EXACT);
        double error = 0, energy = 0;
        for (size_t r = 0; r < 300; r++) {
            error += pow((double)fast[r] - (double)exact[r], 2);
            energy += pow((double)exact[r], 2);
        }
        if (is_quantised(weight_types[i]))
            assert_true(error > 0 && error / energy < 1e-4);
        else
            assert_true(error == 0);
        cn_free(fast);
        cn_free(exact);
        problem_free(&p);
    }
}

static void selection(void **state)
{
    (void)state;
    const kern_table *k, *all[4];
    cn_err err = {0};
    size_t n = kern_variants(all, CN_ARRAY_LEN(all));
    assert_true(n >= 1);
    assert_string_equal(all[0]->name, "ref");
    assert_int_equal(kern_select(&k, "auto", &err), CN_OK);
    assert_ptr_equal(k, all[n - 1]);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(kern_select(&k, all[i]->name, &err), CN_OK);
        assert_ptr_equal(k, all[i]);
    }
    assert_int_equal(kern_select(&k, "sse9", &err), CN_E_ARG);
    assert_null(k);
    assert_non_null(strstr(err.why, "sse9"));
    assert_true(strlen(kern_cpu_features()) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection),
        cmocka_unit_test(reference_is_the_sum),
        cmocka_unit_test(variants_equal_reference),
        cmocka_unit_test(results_depend_on_row_and_token_alone),
        cmocka_unit_test(nan_and_infinity_show),
        cmocka_unit_test(extreme_blocks),
        cmocka_unit_test(zero_activations),
        cmocka_unit_test(fast_is_near_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
