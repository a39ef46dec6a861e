/* The independent validator on the shared cases. */
#include "testing.h"

#include "cases.h"

static void one_case(const cn_json *c, tally *t)
{
    const cn_json *tests = cn_json_get(c, "tests");
    cn_str id = cn_json_str(cn_json_get(c, "id"));
    cn_buf source = text_of(cn_json_get(c, "schema"));
    bool refused = false;
    for (size_t i = 0; i < cn_json_size(tests); i++) {
        const cn_json *one = cn_json_at(tests, i);
        cn_buf data = text_of(cn_json_get(one, "data"));
        bool valid = cn_json_bool(cn_json_get(one, "valid"), false);
        cn_err err = {0};
        cn_status st = cn_schema_validate(source.p, source.n, data.p, data.n, &err);
        if (st != CN_OK && st != CN_E_REFUSED) {
            if (!refused) print_message("refused %.*s: %s\n", CN_STR_ARG(id), err.why);
            refused = true;
        } else {
            t->values++;
            if ((st == CN_OK) != valid) {
                print_message("wrong %.*s: %s %s: %s\n", CN_STR_ARG(id),
                              valid ? "valid" : "invalid", data.p, err.why);
                t->wrong++;
            }
            if (st) assert_true(err.why[0] != '\0');
        }
        cn_buf_deinit(&data);
    }
    if (refused)
        t->refused++;
    else
        t->compiled++;
    cn_buf_deinit(&source);
}

static void run_file(const char *path, const char *name)
{
    cn_json *all;
    tally t = {0};
    assert_int_equal(cn_json_read_file(&all, path, 64 << 20, NULL), CN_OK);
    const cn_json *cases = cn_json_get(all, "cases");
    for (size_t i = 0; i < cn_json_size(cases); i++)
        one_case(cn_json_at(cases, i), &t);
    print_message("%s: %u schemas, %u refused, %u values judged, %u wrong\n", name, t.compiled,
                  t.refused, t.values, t.wrong);
    assert_int_equal(t.wrong, 0);
    assert_true(t.compiled > 5 * t.refused);
    cn_json_free(all);
}

static void test_own(void **state)
{
    (void)state;
    char *path = fixture("grammar/schemas.json");
    run_file(path, "own schemas");
    cn_free(path);
}

static void test_bench(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/jsonschema/jsonschemabench.json");
    run_file(path, "jsonschemabench");
    cn_free(path);
}

static void test_suite(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/jsonschema/test_suite_2020-12.json");
    run_file(path, "test_suite_2020-12");
    cn_free(path);
}

static void test_where(void **state)
{
    (void)state;
    static const char source[] =
        "{\"properties\":{\"a/b\":{\"items\":{\"type\":\"integer\"}}}}";
    static const char text[] = "{\"a/b\":[1,2,\"x\"]}";
    cn_err err = {0};
    assert_int_equal(cn_schema_validate(source, sizeof source - 1, text, sizeof text - 1, &err),
                     CN_E_REFUSED);
    assert_string_equal(err.why, "/a~1b/2: type: another type");
    assert_int_equal(cn_schema_validate("{\"type\":\"null\"}", 15, "1", 1, &err), CN_E_REFUSED);
    assert_string_equal(err.why, "the document: type: another type");
    assert_int_equal(cn_schema_validate(source, sizeof source - 1, "{", 1, &err), CN_E_REFUSED);
    assert_int_equal(cn_schema_validate("{", 1, "{}", 2, &err), CN_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_where),
        cmocka_unit_test(test_bench),
        cmocka_unit_test(test_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
