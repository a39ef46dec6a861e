/* The typed option parser: every kind, every way to write it, every way to get it wrong. */
#include "testing.h"

#include <string.h>

#include "compiler.h"
#include "near.h"
#include "options.h"

typedef struct settings {
    bool flag, other;
    const char *text;
    cli_list list;
    int32_t count;
    float ratio;
    uint64_t seed;
} settings;

static const cli_option table[] = {
    {.name = "flag",
     .letter = 'f',
     .kind = CLI_FLAG,
     .offset = offsetof(settings, flag),
     .env = "TEST_CLI_FLAG"},
    {.name = "other", .letter = 'o', .kind = CLI_FLAG, .offset = offsetof(settings, other)},
    {.name = "text",
     .letter = 't',
     .kind = CLI_TEXT,
     .value = "TEXT",
     .offset = offsetof(settings, text)},
    {.name = "list", .kind = CLI_LIST, .value = "ITEM", .offset = offsetof(settings, list)},
    {.name = "count",
     .letter = 'c',
     .kind = CLI_INT,
     .value = "N",
     .offset = offsetof(settings, count),
     .min = -1,
     .max = 99,
     .env = "TEST_CLI_COUNT"},
    {.name = "ratio",
     .kind = CLI_NUM,
     .value = "X",
     .offset = offsetof(settings, ratio),
     .min = 0,
     .max = 2},
    {.name = "seed", .kind = CLI_SEED, .value = "N", .offset = offsetof(settings, seed)},
};

/* Parses the NULL-ended words; the words that are no option stay at their front. */
static cn_status parse(settings *s, char **words, size_t *n_words, cn_err *err)
{
    int argc = 0;
    while (words[argc])
        argc++;
    *s = (settings){0};
    *err = (cn_err){0};
    return cli_parse(table, CN_ARRAY_LEN(table), argc, words, s, n_words, err);
}

#define WORDS(...)                                                                             \
    (char *[])                                                                                 \
    {                                                                                          \
        __VA_ARGS__, NULL                                                                      \
    }

static void every_kind(void **state)
{
    (void)state;
    settings s;
    cn_err err;
    size_t n;
    char **w = WORDS("model", "--flag", "--text=a=b", "--list", "x", "prompt", "--list=y",
                     "--count", "-1", "--ratio", "0.5", "--seed", "18446744073709551615", "-");
    assert_int_equal(parse(&s, w, &n, &err), CN_OK);
    assert_true(s.flag);
    assert_false(s.other);
    assert_string_equal(s.text, "a=b");
    assert_int_equal(s.list.n, 2);
    assert_string_equal(s.list.items[1], "y");
    assert_int_equal(s.count, -1);
    assert_true(s.ratio == 0.5f);
    assert_true(s.seed == UINT64_MAX);
    assert_int_equal(n, 3);
    assert_string_equal(w[0], "model");
    assert_string_equal(w[1], "prompt");
    assert_string_equal(w[2], "-");
}

static void short_forms(void **state)
{
    (void)state;
    settings s;
    cn_err err;
    size_t n;
    assert_int_equal(parse(&s, WORDS("-fo", "-c7", "-t", "-x"), &n, &err), CN_OK);
    assert_true(s.flag && s.other);
    assert_int_equal(s.count, 7);
    assert_string_equal(s.text, "-x");
    assert_int_equal(parse(&s, WORDS("-fc", "8", "--", "--flag", "-z"), &n, &err), CN_OK);
    assert_int_equal(s.count, 8);
    assert_int_equal(n, 2);
}

static void fails_with(char **words, const char *part)
{
    settings s;
    cn_err err;
    size_t n;
    assert_int_equal(parse(&s, words, &n, &err), CN_E_ARG);
    assert_true(err.what[0] && err.why[0]);
    if (!strstr(err.what, part) && !strstr(err.why, part) && !strstr(err.next, part))
        fail_msg("\"%s\" is in none of \"%s\", \"%s\", \"%s\"", part, err.what, err.why,
                 err.next);
}

static void mistakes(void **state)
{
    (void)state;
    fails_with(WORDS("--cuont", "3"), "did you mean --count?");
    fails_with(WORDS("--rat", "1"), "did you mean --ratio?");
    fails_with(WORDS("--zzzzzz=4"), "no option --zzzzzz");
    fails_with(WORDS("-z"), "no option -z");
    fails_with(WORDS("--flag=1"), "takes no value");
    fails_with(WORDS("--text"), "takes a value: TEXT");
    fails_with(WORDS("-c"), "takes a value: N");
    fails_with(WORDS("--count", "3.5"), "a whole number");
    fails_with(WORDS("--count", ""), "a whole number");
    fails_with(WORDS("--count", "100"), "a whole number from -1 to 99");
    fails_with(WORDS("--count", "1e300"), "a whole number from -1 to 99");
    fails_with(WORDS("--ratio", "nan"), "a number");
    fails_with(WORDS("--ratio", "-0.1"), "a number from 0 to 2");
    fails_with(WORDS("--seed", "-1"), "from 0 to 18446744073709551615");
    fails_with(WORDS("--seed", "18446744073709551616"), "from 0 to");
    char *many[CLI_LIST_MAX + 2] = {0};
    for (size_t i = 0; i <= CLI_LIST_MAX; i++)
        many[i] = "--list=x";
    fails_with(many, "more than 64 times");
}

static void environment_is_weaker_than_flags(void **state)
{
    (void)state;
    settings s;
    cn_err err;
    size_t n;
    setenv("TEST_CLI_COUNT", "5", 1);
    setenv("TEST_CLI_FLAG", "yes", 1);
    assert_int_equal(parse(&s, WORDS("word"), &n, &err), CN_OK);
    assert_int_equal(s.count, 5);
    assert_true(s.flag);
    assert_int_equal(parse(&s, WORDS("--count=6"), &n, &err), CN_OK);
    assert_int_equal(s.count, 6);
    setenv("TEST_CLI_FLAG", "0", 1);
    setenv("TEST_CLI_COUNT", "", 1);
    assert_int_equal(parse(&s, WORDS("word"), &n, &err), CN_OK);
    assert_int_equal(s.count, 0);
    assert_false(s.flag);
    setenv("TEST_CLI_COUNT", "many", 1);
    assert_int_equal(parse(&s, WORDS("word"), &n, &err), CN_E_ARG);
    assert_non_null(strstr(err.what, "TEST_CLI_COUNT"));
    unsetenv("TEST_CLI_COUNT");
    setenv("TEST_CLI_FLAG", "perhaps", 1);
    assert_int_equal(parse(&s, WORDS("word"), &n, &err), CN_E_ARG);
    unsetenv("TEST_CLI_FLAG");
}

static void nearest_name(void **state)
{
    (void)state;
    assert_int_equal(cli_distance("kitten", "sitting"), 3);
    assert_int_equal(cli_distance("abcd", "ABDC"), 1);
    assert_int_equal(cli_distance("", "abc"), 3);
    const char *best = NULL;
    best = cli_nearer("tokenise", best, "template");
    assert_null(best);
    best = cli_nearer("tokenise", best, "tokenize");
    assert_string_equal(best, "tokenize");
    best = cli_nearer("tokenise", best, "tokens");
    assert_string_equal(best, "tokenize");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),   cmocka_unit_test(short_forms),
        cmocka_unit_test(mistakes),     cmocka_unit_test(environment_is_weaker_than_flags),
        cmocka_unit_test(nearest_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
