/* Buffers: growth, the cap, sticky failure, JSON strings. */
#include "testing.h"

#include "buf.h"

static void assert_text(const cn_buf *b, const char *text)
{
    assert_false(b->failed);
    assert_string_equal(b->p, text);
    assert_int_equal(b->n, strlen(text));
}

static void test_appends(void **state)
{
    (void)state;
    cn_buf b = {0};
    cn_buf_lit(&b, "one ");
    cn_buf_str(&b, CN_STR("two"));
    cn_buf_putc(&b, ' ');
    cn_buf_printf(&b, "%d %s", 3, "four");
    assert_text(&b, "one two 3 four");
    cn_buf_clear(&b);
    assert_text(&b, "");
    for (int i = 0; i < 10000; i++)
        cn_buf_putc(&b, (char)('a' + i % 26));
    assert_int_equal(b.n, 10000);
    assert_int_equal(b.p[9999], 'a' + 9999 % 26);
    cn_buf_deinit(&b);
}

static void test_failure_sticks(void **state)
{
    (void)state;
    cn_buf b = {.cap = 8};
    cn_buf_lit(&b, "12345678"); /* exactly the cap */
    assert_text(&b, "12345678");
    cn_buf_putc(&b, '9');
    assert_true(b.failed);
    cn_buf_clear(&b);
    cn_buf_printf(&b, "%s", "123456789");
    assert_true(b.failed);
    cn_buf_putc(&b, '1');
    assert_int_equal(b.n, 0); /* nothing is appended after a failure */
    assert_null(cn_buf_extend(&b, 1));
    assert_null(cn_buf_take(&b));
    cn_buf_lit(&b, "again");
    assert_text(&b, "again");
    cn_buf_deinit(&b);
    assert_int_equal(b.cap, 8);
}

static void test_sizes_that_overflow(void **state)
{
    (void)state;
    cn_buf b = {.cap = SIZE_MAX};
    cn_buf_lit(&b, "x");
    assert_null(cn_buf_extend(&b, SIZE_MAX - 1));
    assert_true(b.failed);
    cn_buf_deinit(&b);
}

static void test_take(void **state)
{
    (void)state;
    cn_buf b = {0};
    char *empty = cn_buf_take(&b);
    assert_string_equal(empty, "");
    cn_free(empty);
    cn_buf_lit(&b, "mine");
    char *taken = cn_buf_take(&b);
    assert_string_equal(taken, "mine");
    assert_null(b.p);
    cn_free(taken);
}

static void test_json_strings(void **state)
{
    (void)state;
    static const struct {
        cn_str in;
        const char *out;
    } cases[] = {
        {{"", 0}, "\"\""},
        {{"say \"hi\" \\ /", 12}, "\"say \\\"hi\\\" \\\\ /\""},
        {{"\n\r\t\x01\x7f", 5}, "\"\\n\\r\\t\\u0001\\u007f\""},
        {{"a\0b", 3}, "\"a\\u0000b\""},
        {{"\xc3\xa9\xf0\x9f\x98\x80", 6}, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {{"\xff\xc3", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
        cn_buf b = {0};
        cn_buf_json(&b, cases[i].in);
        assert_text(&b, cases[i].out);
        cn_buf_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),      cmocka_unit_test(test_failure_sticks),
        cmocka_unit_test(test_take),         cmocka_unit_test(test_sizes_that_overflow),
        cmocka_unit_test(test_json_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
