/* The JSON reader: values and their fallbacks, order of keys, and an outside suite of texts. */
#include "testing.h"

#include "json.h"

static cn_json *parse(const char *text)
{
    cn_json *j;
    cn_err err;
    if (cn_json_parse(&j, cn_str_of(text), &err)) fail_msg("%s: %s", text, err.why);
    return j;
}

static void test_values(void **state)
{
    (void)state;
    cn_json *j = parse("{\"i\":-7,\"r\":2.5,\"e\":1e3,\"big\":1e300,\"s\":\"x\\u0000y\","
                       "\"t\":true,\"n\":null,\"a\":[1,2,3],\"o\":{}}");
    assert_int_equal(cn_json_int(cn_json_get(j, "i"), 0), -7);
    assert_int_equal(cn_json_int(cn_json_get(j, "e"), 0), 1000);
    assert_int_equal(cn_json_int(cn_json_get(j, "r"), 42), 42); /* not whole */
    assert_int_equal(cn_json_int(cn_json_get(j, "big"), 42), 42);
    assert_int_equal(cn_json_int(cn_json_get(j, "s"), 42), 42);
    assert_true(cn_json_num(cn_json_get(j, "r"), 0) == 2.5);
    assert_true(cn_json_num(cn_json_get(j, "i"), 0) == -7.0);
    assert_true(cn_json_bool(cn_json_get(j, "t"), false));
    assert_true(cn_json_bool(cn_json_get(j, "i"), true));
    cn_str s = cn_json_str(cn_json_get(j, "s"));
    assert_int_equal(s.n, 3);
    assert_memory_equal(s.p, "x\0y", 3);
    assert_null(cn_json_str(cn_json_get(j, "i")).p);
    assert_true(cn_json_is_null(cn_json_get(j, "n")));
    assert_true(cn_json_is_null(cn_json_get(j, "absent")));
    assert_int_equal(cn_json_size(cn_json_get(j, "a")), 3);
    assert_int_equal(cn_json_int(cn_json_at(cn_json_get(j, "a"), 2), 0), 3);
    assert_null(cn_json_at(cn_json_get(j, "a"), 3));
    assert_int_equal(cn_json_kind_of(cn_json_get(j, "o")), CN_JSON_OBJECT);
    cn_json_free(j);
    cn_json_free(NULL);
}

static void test_keys_keep_their_order(void **state)
{
    (void)state;
    const char *text = "{\"z\":1,\"a\":[true,null,-0.5],\"\xc3\xa9\":\"\\n\",\"m\":{\"b\":{}}}";
    cn_json *j = parse(text);
    cn_buf keys = {0}, again = {0};
    for (cn_json_member m = cn_json_first(j); m.value; m = cn_json_next(j, m))
        cn_buf_str(&keys, m.key);
    assert_string_equal(keys.p, "za\xc3\xa9m");
    cn_json_write(&again, j);
    assert_string_equal(again.p, text);
    cn_buf_deinit(&keys);
    cn_buf_deinit(&again);
    cn_json_free(j);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",      "{\"a\":1,\"a\":2}", "\"\\ud800\"", "[1,]", "\"\xff\"",
        "[NaN]", "{\"a\":1} true",    "[01]"};
    for (size_t i = 0; i < CN_ARRAY_LEN(bad); i++) {
        cn_json *j;
        cn_err err;
        assert_int_equal(cn_json_parse(&j, cn_str_of(bad[i]), &err), CN_E_FORMAT);
        assert_null(j);
        assert_non_null(strstr(err.why, "line 1 column"));
    }
}

static void test_depth(void **state)
{
    (void)state;
    cn_buf deep = {0};
    for (int i = 0; i < 100000; i++)
        cn_buf_putc(&deep, '[');
    cn_json *j;
    assert_int_equal(cn_json_parse(&j, cn_buf_view(&deep), NULL), CN_E_FORMAT);
    cn_buf_deinit(&deep);
}

static size_t from_base64(const char *in, char *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    uint32_t bits = 0;
    for (int have = 0; *in && *in != '='; in++) {
        bits = bits << 6 | (uint32_t)(strchr(digits, *in) - digits);
        have += 6;
        if (have >= 8) out[n++] = (char)(bits >> (have -= 8));
    }
    return n;
}

/* Valid JSON that this reader refuses on purpose: which of two values counts, and where a key
 * ends, must not depend on who reads it. */
static bool refused_on_purpose(cn_str name)
{
    return cn_str_is(name, "y_object_duplicated_key.json") ||
           cn_str_is(name, "y_object_escaped_null_in_key.json");
}

static void test_suite(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/json/jsontestsuite.jsonl");
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    int n = 0, n_wrong = 0;
    while (getline(&line, &room, f) > 0) {
        cn_json *c = parse(line), *j;
        cn_str name = cn_json_str(cn_json_get(c, "name")),
               expect = cn_json_str(cn_json_get(c, "expect")),
               base64 = cn_json_str(cn_json_get(c, "base64"));
        char *text = cn_xmalloc(base64.n + 1);
        size_t n_text = from_base64(base64.p, text);
        bool accepted = cn_json_parse(&j, (cn_str){text, n_text}, NULL) == CN_OK;
        bool wrong = cn_str_is(expect, "accept") ? accepted == refused_on_purpose(name)
                                                 : cn_str_is(expect, "reject") && accepted;
        if (wrong) print_message("%s: %s\n", name.p, accepted ? "accepted" : "refused");
        n_wrong += wrong;
        n++;
        cn_json_free(j);
        cn_json_free(c);
        cn_free(text);
    }
    print_message("%d texts, %d judged otherwise than expected\n", n, n_wrong);
    assert_int_equal(n, 172);
    assert_int_equal(n_wrong, 0);
    free(line);
    fclose(f);
    cn_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_keys_keep_their_order),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
