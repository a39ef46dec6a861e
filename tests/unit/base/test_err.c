/* The four parts of an error: context from outside in, advice from inside out, no overflow. */
#include "testing.h"

#include <errno.h>

#include "err.h"

static void test_parts(void **state)
{
    (void)state;
    cn_err e = {.what = "old", .next = "old"};
    assert_int_equal(cn_fail(&e, CN_E_FORMAT, "%d columns, want %d", 3, 4), CN_E_FORMAT);
    assert_int_equal(e.status, CN_E_FORMAT);
    assert_string_equal(e.why, "3 columns, want 4");
    assert_string_equal(e.what, "");
    assert_string_equal(e.next, "");

    cn_ctx(&e, e.status, "reading %s", "x.gguf");
    assert_int_equal(cn_ctx(&e, e.status, "opening the model"), CN_E_FORMAT);
    assert_string_equal(e.what, "opening the model: reading x.gguf");

    cn_next(&e, e.status, "convert it again");
    cn_next(&e, e.status, "give another file");
    assert_string_equal(e.next, "convert it again");
}

static void test_nobody_asks(void **state)
{
    (void)state;
    assert_int_equal(cn_fail(NULL, CN_E_IO, "x"), CN_E_IO);
    assert_int_equal(cn_ctx(NULL, CN_E_IO, "x"), CN_E_IO);
    assert_int_equal(cn_next(NULL, CN_E_IO, "x"), CN_E_IO);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int n = 200; n < 300; n++) { /* around the sizes of the fields */
        cn_err e;
        cn_fail(&e, CN_E_IO, "%s", text);
        cn_ctx(&e, CN_E_IO, "%.*s", n, text);
        cn_ctx(&e, CN_E_IO, "%.*s", n / 2, text);
        cn_next(&e, CN_E_IO, "%s", text);
        assert_int_equal(strlen(e.why), sizeof e.why - 1);
        assert_true(strlen(e.what) < sizeof e.what);
        assert_int_equal(strlen(e.next), sizeof e.next - 1);
    }
}

static void test_codes(void **state)
{
    (void)state;
    for (int s = CN_OK; s <= CN_E_CANCELLED; s++) {
        const char *code = cn_status_code((cn_status)s);
        assert_string_not_equal(code, "unknown");
        for (int t = CN_OK; t < s; t++)
            assert_string_not_equal(code, cn_status_code((cn_status)t));
    }
    assert_string_equal(cn_status_code((cn_status)1000), "unknown");
    assert_int_equal(cn_status_of_errno(ENOENT), CN_E_NOT_FOUND);
    assert_int_equal(cn_status_of_errno(EACCES), CN_E_REFUSED);
    assert_int_equal(cn_status_of_errno(ENOSPC), CN_E_DISK);
    assert_int_equal(cn_status_of_errno(ENOMEM), CN_E_NOMEM);
    assert_int_equal(cn_status_of_errno(EIO), CN_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_nobody_asks),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
