/* Random numbers against published values, element types, string views. */
#include "testing.h"

#include <conatus/dtype.h>
#include <math.h>

#include "rng.h"
#include "str.h"

/* First outputs of the authors' reference programs: splitmix64 from 0, xoshiro256** from 1 2
 * 3 4. */
static void test_rng_is_the_published_one(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f,
                                     0xf88bb8a8724c81ec};
    static const uint64_t numbers[] = {11520, 0, 1509978240, 1215971899390074240};
    cn_rng seeded = cn_rng_seeded(0), r = {{1, 2, 3, 4}};
    for (int i = 0; i < 4; i++) {
        assert_true(seeded.s[i] == seeds[i]);
        assert_true(cn_rng_next(&r) == numbers[i]);
    }
}

/* 100,000 draws: the mean lies within 5 standard errors, which fails by chance for one seed in
 * a million, and this seed is fixed. */
static void test_rng_distributions(void **state)
{
    (void)state;
    enum { N = 100000 };
    cn_rng r = cn_rng_seeded(42);
    double unit = 0, normal = 0, square = 0;
    unsigned die[6] = {0};
    for (int i = 0; i < N; i++) {
        double u = cn_rng_unit(&r), z = cn_rng_normal(&r);
        assert_true(u >= 0 && u < 1);
        unit += u;
        normal += z;
        square += z * z;
        die[cn_rng_below(&r, 6)]++;
    }
    assert_true(fabs(unit / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(normal / N) < 5 * sqrt(1.0 / N));
    assert_true(fabs(square / N - 1) < 5 * sqrt(2.0 / N));
    for (int i = 0; i < 6; i++)
        assert_true(fabs(die[i] - N / 6.0) < 5 * sqrt(N * 5 / 36.0));
}

static void test_types(void **state)
{
    (void)state;
    cn_dtype type;
    unsigned n_types = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        const cn_dtype_info *t = cn_dtype_info_of(i);
        if (!t) continue;
        n_types++;
        assert_int_equal(cn_dtype_parse(&type, t->name), CN_OK);
        assert_int_equal(type, i);
        assert_int_equal(cn_dtype_row_bytes(type, t->block * 3), t->block_bytes * 3);
        assert_int_equal(cn_dtype_row_bytes(type, UINT64_MAX - UINT64_MAX % t->block),
                         t->block >= t->block_bytes ? UINT64_MAX / t->block * t->block_bytes
                                                    : 0);
    }
    assert_int_equal(n_types, 21);
    assert_int_equal(cn_dtype_parse(&type, "q4_k"), CN_OK);
    assert_int_equal(type, CN_Q4_K);
    assert_int_equal(cn_dtype_parse(&type, "Q4_K_"), CN_E_NOT_FOUND);
    assert_null(cn_dtype_info_of(UINT32_MAX));
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(cn_dtype_row_bytes(CN_Q4_0, 64), 36);
    assert_int_equal(cn_dtype_row_bytes(CN_Q4_0, 63), 0);
    assert_int_equal(cn_dtype_tensor_bytes(CN_Q4_0, 10, 64), 360);
    assert_int_equal(cn_dtype_tensor_bytes(CN_F32, UINT64_MAX / 2, 4), 0);
    /* 300 blocks of 64: a code a weight's half byte, a byte a block, then the f32 offset and
     * two f32 scales (256 blocks each, the last short). */
    assert_int_equal(cn_dtype_tensor_bytes(CN_NF4_DQ, 100, 192), 300 * 33 + 4 + 2 * 4);
}

static void test_views(void **state)
{
    (void)state;
    cn_str s = CN_STR("tokenizer.model"), nothing = cn_str_of(NULL);
    assert_int_equal(nothing.n, 0);
    assert_true(cn_str_is(s, "tokenizer.model"));
    assert_false(cn_str_is(s, "tokenizer"));
    assert_true(cn_str_starts(s, CN_STR("token")));
    assert_false(cn_str_starts(CN_STR("to"), CN_STR("token")));
    assert_true(cn_str_ends(s, CN_STR(".model")));
    assert_true(cn_str_starts(nothing, nothing));
    assert_true(cn_str_eq(nothing, CN_STR("")));
    assert_true(cn_str_is(cn_str_skip(s, 10), "model"));
    assert_int_equal(cn_str_skip(s, 99).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_is_the_published_one),
        cmocka_unit_test(test_rng_distributions),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
