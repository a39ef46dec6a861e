/* Replies held against what is expected of them. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "judge.h"

static eval_verdict verdict;
static double marks[EVAL_MAX_MARKS];

/* Judges `reply` by a case with these expectations; true when it passes. */
static bool passes(const char *expectations, const char *reply)
{
    cn_buf b = {0};
    eval_task t;
    cn_err err = {0};
    cn_buf_printf(&b, "{\"prompt\": \"p\", %s}", expectations);
    if (eval_task_read(&t, cn_buf_view(&b), 0, &err)) fail_msg("%s: %s", expectations, err.why);
    assert_int_equal(eval_judge(&verdict, &t, &t.cases[0], cn_str_of(reply), marks, &err),
                     CN_OK);
    eval_task_deinit(&t);
    cn_buf_deinit(&b);
    assert_int_equal(verdict.failed == 0, verdict.why[0] == '\0');
    return verdict.failed == 0;
}

static void expect(void **state)
{
    (void)state;
    assert_true(passes("\"expect\": \"oui\"", " oui\n"));
    assert_false(passes("\"expect\": \"oui\"", "oui."));
    assert_false(passes("\"expect\": \"oui\", \"trim\": false", "oui "));
    assert_true(passes("\"expect\": \"oui \", \"trim\": false", "oui "));
    assert_false(passes("\"expect\": \"Élève\"", "élève"));
    assert_true(passes("\"expect\": \"Élève\", \"ignore_case\": true", "éLÈVE"));
    assert_true(passes("\"expect\": \"\\u00e9t\\u00e9\"", "e\xcc\x81te\xcc\x81")); /* NFD */
    assert_true(passes("\"expect\": [\"a\", \"b\"]", "b"));
    assert_false(passes("\"expect\": [\"a\", \"b\"]", "c"));
    assert_non_null(strstr(verdict.why, "or another"));
    assert_true(passes("\"expect\": \"\"", " "));
    assert_true(passes("\"expect\": \"\"", ""));
    assert_int_equal(verdict.failed, 0);
}

static void contains(void **state)
{
    (void)state;
    assert_true(passes("\"contains\": \"joie\"", "la joie passe"));
    assert_true(passes("\"contains\": [\"joie\", \"passe\"]", "la joie passe"));
    assert_false(passes("\"contains\": [\"joie\", \"reste\"]", "la joie passe"));
    assert_string_equal(verdict.why, "does not contain \"reste\"");
    assert_false(passes("\"contains\": \"JOIE\"", "la joie"));
    assert_true(passes("\"contains\": \"JOIE\", \"ignore_case\": true", "la joie"));
    assert_false(passes("\"contains\": \"a\"", ""));
}

static void regex(void **state)
{
    (void)state;
    assert_true(passes("\"regex\": \"\\\\?$\"", "Et toi ?"));
    assert_false(passes("\"regex\": \"^\\\\w+$\"", "deux mots"));
    assert_true(passes("\"regex\": \"^\\\\w+$\"", "élève")); /* letters of Unicode */
    assert_false(passes("\"regex\": \"a\"", ""));
    /* an expression that would never end is a failure, told as such */
    char long_text[64];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[63] = '\0';
    long_text[62] = '!';
    assert_false(passes("\"regex\": \"^(a+)+$\"", long_text));
    assert_non_null(strstr(verdict.why, "steps"));
}

static void schema(void **state)
{
    static const char s[] = "\"schema\": {\"type\": \"object\", \"required\": [\"n\"],"
                            "\"properties\": {\"n\": {\"type\": \"integer\"}}}";
    (void)state;
    assert_true(passes(s, " {\"n\": 4}\n"));
    assert_false(passes(s, "{\"n\": 4.5}"));
    assert_false(passes(s, "{}"));
    assert_false(passes(s, "here: {\"n\": 4}"));
    assert_false(passes(s, ""));
    assert_int_equal(verdict.failed, 1u << EVAL_SCHEMA);
}

static void marks_of_reply(void **state)
{
    static const char m[] = "\"marks\": {\"a\": 7, \"/in/b\": 3}";
    (void)state;
    assert_true(passes(m, "{\"a\": 8, \"in\": {\"b\": 2.5}}"));
    assert_true(marks[0] == 8 && marks[1] == 2.5);
    assert_true(passes(m, "Marks:\n```json\n{\"a\": 7, \"in\": {\"b\": 3}}\n```\n"));
    assert_false(passes(m, "{\"a\": 9, \"in\": {\"b\": 3}}"));
    assert_string_equal(verdict.why, "a is 9, expected 7");
    assert_true(marks[0] == 9 && marks[1] == 3);
    assert_true(passes("\"marks\": {\"a\": 7}, \"tolerance\": 2", "{\"a\": 9}"));
    assert_false(passes("\"marks\": {\"a\": 7}, \"tolerance\": 0", "{\"a\": 7.01}"));
    assert_false(passes(m, "{\"a\": \"7\", \"b\": 3}"));
    assert_true(isnan(marks[0]) && isnan(marks[1]));
    assert_false(passes(m, "no marks"));
    assert_string_equal(verdict.why, "the reply holds no JSON object");
    assert_false(passes(m, "} {"));
    assert_false(passes(m, "[7, 3]"));
    assert_false(passes(m, ""));
    assert_false(passes("\"marks\": {\"/\": 1, \"//\": 2}", "{\"\": {\"\": 2}}"));
    assert_true(isnan(marks[0]) && marks[1] == 2);
}

static void several(void **state)
{
    static const char all[] = "\"contains\": \"x\", \"regex\": \"^.$\", \"expect\": \"x\"";
    (void)state;
    assert_true(passes(all, "x"));
    assert_false(passes(all, "xx"));
    assert_int_equal(verdict.failed, 1u << EVAL_EXPECT | 1u << EVAL_REGEX);
    assert_string_equal(verdict.why, "not the expected text: \"x\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expect), cmocka_unit_test(contains),       cmocka_unit_test(regex),
        cmocka_unit_test(schema), cmocka_unit_test(marks_of_reply), cmocka_unit_test(several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
