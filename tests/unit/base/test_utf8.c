/* UTF-8: every code there and back, every broken form refused, prefixes that may be shown. */
#include "testing.h"

#include <string.h>

#include "utf8.h"

static void test_every_code(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x110000; code++) {
        char text[4];
        uint32_t back = 0;
        size_t n = cn_utf8_encode(code, text);
        bool real = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
        if (cn_utf8_decode(text, n, &back) != (real ? n : 0) || (real && back != code))
            fail_msg("U+%04X is not itself", code);
        for (size_t cut = 1; real && cut < n; cut++)
            if (cn_utf8_decode(text, cut, &back) || cn_utf8_complete(text, cut) != 0)
                fail_msg("U+%04X cut to %zu bytes", code, cut);
    }
}

static void test_broken_forms(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",     "\xc0\xaf",         "\xc1\xbf",         "\xe0\x80\xaf",
        "\xff",     "\xf0\x80\x80\xaf", "\xed\xa0\x80",     "\xed\xbf\xbf",
        "\xc3\x28", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x28\xa1",
    };
    uint32_t code;
    for (size_t i = 0; i < CN_ARRAY_LEN(bad); i++) {
        assert_int_equal(cn_utf8_decode(bad[i], strlen(bad[i]), &code), 0);
        assert_false(cn_utf8_valid(bad[i], strlen(bad[i])));
    }
    assert_int_equal(cn_utf8_decode("", 0, &code), 0);
    assert_true(cn_utf8_valid("", 0));
    assert_true(cn_utf8_valid("a\0\xc3\xa9", 4));
}

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t complete;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"ab\xc3", 2},
        {"ab\xc3\xa9", 4},
        {"\xe2\x82", 0},
        {"x\xf0\x9f\x98", 1},
        {"x\xf0\x9f\x98\x80", 5},
        {"x\xff", 2},         /* never becomes a character */
        {"x\xed\xa0", 3},     /* nor does a surrogate */
        {"x\x80\x80\x80", 4}, /* nor do continuations without a lead */
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++)
        assert_int_equal(cn_utf8_complete(cases[i].text, strlen(cases[i].text)),
                         cases[i].complete);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code),
        cmocka_unit_test(test_broken_forms),
        cmocka_unit_test(test_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
