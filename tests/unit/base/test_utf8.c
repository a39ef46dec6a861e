/* UTF-8: every code there and back, every broken form refused, prefixes that may be shown. */
#include "testing.h"

#include <string.h>

#include "rng.h"
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

/* The grammar of RFC 3629, section 4, one alternative a line: low and high end of each byte. */
static size_t by_the_grammar(const unsigned char *p, size_t n)
{
    static const unsigned char forms[][8] = {
        {0x00, 0x7f},
        {0xc2, 0xdf, 0x80, 0xbf},
        {0xe0, 0xe0, 0xa0, 0xbf, 0x80, 0xbf},
        {0xe1, 0xec, 0x80, 0xbf, 0x80, 0xbf},
        {0xed, 0xed, 0x80, 0x9f, 0x80, 0xbf},
        {0xee, 0xef, 0x80, 0xbf, 0x80, 0xbf},
        {0xf0, 0xf0, 0x90, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
        {0xf1, 0xf3, 0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf},
        {0xf4, 0xf4, 0x80, 0x8f, 0x80, 0xbf, 0x80, 0xbf},
    };
    for (size_t f = 0; f < CN_ARRAY_LEN(forms); f++) {
        size_t i = 0;
        while (i < 4 && i < n && forms[f][2 * i + 1] && p[i] >= forms[f][2 * i] &&
               p[i] <= forms[f][2 * i + 1])
            i++;
        if (i > 0 && (i == 4 || forms[f][2 * i + 1] == 0)) return i;
    }
    return 0;
}

/* Random bytes, drawn so that leads and continuations meet often. */
static void test_random_bytes(void **state)
{
    (void)state;
    static const unsigned char likely[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                           0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xe2,
                                           0xed, 0xef, 0xf0, 0xf3, 0xf4, 0xf5, 0xff};
    cn_rng r = cn_rng_seeded(7);
    size_t n_valid = 0;
    for (int round = 0; round < 200000; round++) {
        unsigned char p[6];
        size_t n = cn_rng_below(&r, sizeof p + 1), at = 0;
        for (size_t i = 0; i < n; i++)
            p[i] = cn_rng_below(&r, 4) ? likely[cn_rng_below(&r, sizeof likely)]
                                       : (unsigned char)cn_rng_below(&r, 256);
        uint32_t code;
        for (size_t len; at < n && (len = by_the_grammar(p + at, n - at)); at += len)
            assert_int_equal(cn_utf8_decode((char *)p + at, n - at, &code), len);
        assert_int_equal(cn_utf8_valid((char *)p, n), at == n);
        if (at < n) assert_int_equal(cn_utf8_decode((char *)p + at, n - at, &code), 0);
        n_valid += at == n && n > 0;
    }
    assert_true(n_valid > 1000);
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
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
