/* Fields of a JSON line: present, absent, null, of another kind, out of range, misspelt. */
#include "testing.h"

#include <string.h>

#include "jsonl.h"
#include "mem.h"

static cn_json *parse(const char *text)
{
    cn_json *j;
    assert_int_equal(cn_json_parse(&j, cn_str_of(text), NULL), CN_OK);
    return j;
}

static void values_and_defaults(void **state)
{
    (void)state;
    cn_json *j = parse("{\"t\":\"x\",\"b\":true,\"i\":3.0,\"f\":2,\"n\":null}");
    cn_str t = {0};
    bool b = false;
    int64_t i = 0;
    float f = 0, kept = 7;
    assert_int_equal(cli_field_text(j, "t", true, &t, NULL), CN_OK);
    assert_true(cn_str_is(t, "x"));
    assert_int_equal(cli_field_bool(j, "b", &b, NULL), CN_OK);
    assert_true(b);
    assert_int_equal(cli_field_int(j, "i", 0, 3, &i, NULL), CN_OK);
    assert_int_equal(i, 3);
    assert_int_equal(cli_field_float(j, "f", &f, NULL), CN_OK);
    assert_true(f == 2.0f);
    assert_int_equal(cli_field_float(j, "n", &kept, NULL), CN_OK);
    assert_int_equal(cli_field_float(j, "absent", &kept, NULL), CN_OK);
    assert_true(kept == 7.0f);
    cn_json_free(j);
}

static void wrong_values(void **state)
{
    (void)state;
    cn_json *j = parse("{\"t\":5,\"b\":\"true\",\"i\":2.5,\"big\":9,\"f\":\"1\",\"n\":null}");
    cn_err err = {0};
    cn_str t;
    bool b;
    int64_t i;
    float f;
    assert_int_equal(cli_field_text(j, "t", true, &t, &err), CN_E_ARG);
    assert_string_equal(err.why, "\"t\" must be a text, is a whole number");
    assert_int_equal(cli_field_text(j, "n", true, &t, &err), CN_E_ARG);
    assert_string_equal(err.why, "\"n\" is missing");
    assert_int_equal(cli_field_bool(j, "b", &b, &err), CN_E_ARG);
    assert_int_equal(cli_field_int(j, "i", 0, 9, &i, &err), CN_E_ARG);
    assert_int_equal(cli_field_int(j, "big", 0, 8, &i, &err), CN_E_ARG);
    assert_string_equal(err.why, "\"big\" is 9, allowed is 0 to 8");
    assert_int_equal(cli_field_float(j, "f", &f, &err), CN_E_ARG);
    cn_json_free(j);
}

static void token_ids(void **state)
{
    (void)state;
    cn_json *j = parse("{\"ids\":[1,2,3],\"none\":[],\"minus\":[1,-1],\"text\":[\"1\"],"
                       "\"huge\":[2147483648],\"number\":4}");
    int32_t *ids = NULL;
    size_t n = 0;
    assert_int_equal(cli_field_ids(j, "ids", &ids, &n, NULL), CN_OK);
    assert_int_equal(n, 3);
    assert_int_equal(ids[2], 3);
    cn_free(ids);
    assert_int_equal(cli_field_ids(j, "none", &ids, &n, NULL), CN_OK);
    assert_int_equal(n, 0);
    cn_free(ids);
    const char *const bad[] = {"minus", "text", "huge", "number", "absent"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(cli_field_ids(j, bad[i], &ids, &n, NULL), CN_E_ARG);
    cn_json_free(j);
}

static void unknown_fields(void **state)
{
    (void)state;
    static const char *const known[] = {"text", "max_tokens", NULL};
    cn_err err = {0};
    cn_json *good = parse("{\"text\":\"\"}"), *bad = parse("{\"max_token\":5}");
    assert_int_equal(cli_fields_known(good, known, &err), CN_OK);
    assert_int_equal(cli_fields_known(bad, known, &err), CN_E_ARG);
    assert_string_equal(err.why, "unknown field \"max_token\"");
    assert_string_equal(err.next, "did you mean \"max_tokens\"?");
    cn_json_free(good);
    cn_json_free(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_defaults),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(token_ids),
        cmocka_unit_test(unknown_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
