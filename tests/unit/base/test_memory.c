/* Allocation of sizes that come from outside, and arenas. */
#include "testing.h"

#include <string.h>

#include "arena.h"

static void test_arrays(void **state)
{
    (void)state;
    size_t product;
    assert_null(cn_alloc_array(SIZE_MAX, 2));
    assert_null(cn_alloc_array(SIZE_MAX / 2, 1));
    assert_true(cn_mul_overflow(SIZE_MAX, 2, &product));
    assert_false(cn_mul_overflow(SIZE_MAX, 1, &product));
    assert_int_equal(product, SIZE_MAX);

    unsigned char *p = cn_alloc_array(100, 3);
    assert_int_equal((uintptr_t)p % 64, 0);
    for (int i = 0; i < 300; i++)
        assert_int_equal(p[i], 0);
    memset(p, 7, 300);
    assert_null(cn_realloc_array(p, SIZE_MAX, 4)); /* and p is kept */
    p = cn_realloc_array(p, 1000, 3);
    assert_int_equal(p[299], 7);
    cn_free(p);

    p = cn_alloc_array(0, 8);
    assert_non_null(p);
    cn_free(p);
    cn_free(NULL);
}

static void test_strndup(void **state)
{
    (void)state;
    char *s = cn_xstrndup("abcdef", 3);
    assert_string_equal(s, "abc");
    cn_free(s);
    s = cn_xstrndup(NULL, 0);
    assert_string_equal(s, "");
    cn_free(s);
}

static void test_arena(void **state)
{
    (void)state;
    cn_arena a = {0};
    char *blocks[500];
    for (size_t i = 0; i < 500; i++) { /* many chunks, one of them larger than a chunk */
        size_t n = i == 250 ? 300000 : i;
        blocks[i] = cn_arena_alloc(&a, n, 1);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], (int)i, n);
    }
    for (size_t i = 1; i < 500; i++)
        assert_int_equal((unsigned char)blocks[i][i - 1], (unsigned char)i);

    cn_arena_reset(&a);
    assert_int_equal(a.used, 0);
    char *again = cn_arena_alloc(&a, 100, 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(again[i], 0);
    assert_string_equal(cn_arena_strndup(&a, "text and more", 4), "text");
    assert_string_equal(cn_arena_str(&a, CN_STR("view")).p, "view");
    cn_arena_deinit(&a);
    assert_null(a.top);
}

static void test_arena_cap(void **state)
{
    (void)state;
    cn_arena a = {.cap = 1000};
    assert_non_null(cn_arena_alloc(&a, 600, 1));
    assert_null(cn_arena_alloc(&a, 401, 1));
    assert_non_null(cn_arena_alloc(&a, 400, 1));
    assert_null(cn_arena_alloc(&a, SIZE_MAX, 2));
    assert_null(cn_arena_strndup(&a, "x", SIZE_MAX));
    cn_arena_reset(&a);
    assert_non_null(cn_arena_alloc(&a, 1000, 1));
    cn_arena_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_strndup),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
