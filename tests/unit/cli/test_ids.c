/* Token ids written on the command line. */
#include "testing.h"

#include <string.h>

#include "input.h"

static void reads(const char *text, size_t n, int32_t last)
{
    cn_tokens ids = {0};
    assert_int_equal(cli_ids_in(cn_str_of(text), &ids, NULL), CN_OK);
    assert_int_equal(ids.n, n);
    if (n) assert_int_equal(ids.ids[n - 1], last);
    cn_tokens_free(&ids);
}

static void separators(void **state)
{
    (void)state;
    reads("", 0, 0);
    reads("  \n", 0, 0);
    reads("[]", 0, 0);
    reads("7", 1, 7);
    reads("1 403\t407\n", 3, 407);
    reads("1,403, 407", 3, 407);
    reads("[1, 403, 2147483647]", 3, INT32_MAX);
    reads(" [ 1 403 ] ", 2, 403);
}

static void refuses(const char *text, const char *word)
{
    cn_tokens ids = {0};
    cn_err err = {0};
    assert_int_equal(cli_ids_in(cn_str_of(text), &ids, &err), CN_E_ARG);
    if (!strstr(err.what, word)) fail_msg("\"%s\" is not in \"%s\"", word, err.what);
    assert_true(err.why[0] && err.next[0]);
    cn_tokens_free(&ids);
}

static void words_that_are_no_ids(void **state)
{
    (void)state;
    refuses("1 foo 403", "\"foo\"");
    refuses("1 403x", "\"403x\"");
    refuses("x", "\"x\"");
    refuses("403 zz 407", "\"zz\"");
    refuses("1e3", "\"1e3\"");
    refuses("-7", "\"-7\"");
    refuses("1.5", "\"1.5\"");
    refuses("[1 2", "\"[1\"");
    refuses("[1] [2]", "\"1]\"");
    refuses("2147483648", "\"2147483648\"");
    refuses("99999999999999999999", "\"9999");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(separators),
                                       cmocka_unit_test(words_that_are_no_ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
