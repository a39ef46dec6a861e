/* The shared cases: every schema either compiles and then judges all its values rightly, or is
 * refused with a pointer. */
#include "testing.h"

#include "cases.h"

static void report(const char *file, const tally *t)
{
    print_message("%s: %u compiled, %u refused, %u values judged, %u wrong\n", file,
                  t->compiled, t->refused, t->values, t->wrong);
}

static void one_case(const cn_json *c, tally *t)
{
    cn_grammar_report why;
    const cn_json *tests = cn_json_get(c, "tests");
    cn_str id = cn_json_str(cn_json_get(c, "id"));
    cn_grammar *g = compile_schema(cn_json_get(c, "schema"), 0, &why);
    if (!g) {
        t->refused++;
        print_message("refused %.*s: %s: %s\n", CN_STR_ARG(id), why.pointer, why.reason);
        return;
    }
    t->compiled++;
    for (size_t i = 0; i < cn_json_size(tests); i++) {
        const cn_json *one = cn_json_at(tests, i), *data = cn_json_get(one, "data");
        bool valid = cn_json_bool(cn_json_get(one, "valid"), false);
        t->values++;
        if (accepts_value(g, data) == valid) continue;
        cn_buf text = text_of(data);
        print_message("wrong %.*s: %s value %s\n", CN_STR_ARG(id), valid ? "valid" : "invalid",
                      text.p);
        cn_buf_deinit(&text);
        t->wrong++;
    }
    cn_grammar_free(g);
}

static void run_cases(const char *path, const char *name)
{
    cn_json *all;
    tally t = {0};
    assert_int_equal(cn_json_read_file(&all, path, 64 << 20, NULL), CN_OK);
    const cn_json *cases = cn_json_get(all, "cases");
    for (size_t i = 0; i < cn_json_size(cases); i++)
        one_case(cn_json_at(cases, i), &t);
    report(name, &t);
    assert_int_equal(t.wrong, 0);
    assert_true(t.compiled > t.refused);
    cn_json_free(all);
}

static void test_bench(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/jsonschema/jsonschemabench.json");
    run_cases(path, "jsonschemabench");
    cn_free(path);
}

static void test_suite(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/jsonschema/test_suite_2020-12.json");
    run_cases(path, "test_suite_2020-12");
    cn_free(path);
}

static void test_own(void **state)
{
    (void)state;
    char *path = fixture("grammar/schemas.json");
    run_cases(path, "own schemas");
    cn_free(path);
}

static void judge_texts(const cn_grammar *g, const cn_json *list, bool accept, cn_str name,
                        tally *t)
{
    for (size_t i = 0; i < cn_json_size(list); i++) {
        const cn_json *o = cn_json_at(list, i);
        cn_str text = cn_json_str(o);
        if (!text.p) text = cn_json_str(cn_json_get(o, "text"));
        /* texts that are valid, and only refused by their peer, may be accepted */
        if (!accept && cn_json_bool(cn_json_get(o, "only_the_peer_rejects"), false)) continue;
        t->values++;
        if (cn_grammar_accepts(g, text.p, text.n) == accept) continue;
        print_message("wrong %.*s: %.*s\n", CN_STR_ARG(name), CN_STR_ARG(text));
        t->wrong++;
    }
}

static void test_peer_schemas(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/jsonschema/peer_schema_strings.json");
    cn_json *all;
    tally t = {0};
    cn_grammar_report why;
    assert_int_equal(cn_json_read_file(&all, path, 64 << 20, NULL), CN_OK);
    const cn_json *cases = cn_json_get(all, "cases");
    for (size_t i = 0; i < cn_json_size(cases); i++) {
        const cn_json *c = cn_json_at(cases, i);
        cn_str name = cn_json_str(cn_json_get(c, "name"));
        cn_grammar *g = compile_schema(cn_json_get(c, "schema"), 2, &why);
        if (!g) {
            t.refused++;
            print_message("refused %.*s: %s: %s\n", CN_STR_ARG(name), why.pointer, why.reason);
            continue;
        }
        t.compiled++;
        judge_texts(g, cn_json_get(c, "accept"), true, name, &t);
        judge_texts(g, cn_json_get(c, "reject"), false, name, &t);
        cn_grammar_free(g);
    }
    report("peer_schema_strings", &t);
    assert_int_equal(t.wrong, 0);
    cn_json_free(all);
    cn_free(path);
}

static void run_gbnf(const char *path, const char *file)
{
    cn_json *all;
    tally t = {0};
    assert_int_equal(cn_json_read_file(&all, path, 64 << 20, NULL), CN_OK);
    const cn_json *cases = cn_json_get(all, "cases");
    for (size_t i = 0; i < cn_json_size(cases); i++) {
        const cn_json *c = cn_json_at(cases, i);
        cn_str name = cn_json_str(cn_json_get(c, "name"));
        cn_str text = cn_json_str(cn_json_get(c, "grammar"));
        cn_grammar *g = NULL;
        cn_grammar_report why;
        if (cn_grammar_from_gbnf(&g, text.p, text.n, NULL, &why, NULL)) {
            print_message("refused %.*s: %s: %s\n", CN_STR_ARG(name), why.pointer, why.reason);
            t.refused++;
            continue;
        }
        t.compiled++;
        judge_texts(g, cn_json_get(c, "accept"), true, name, &t);
        judge_texts(g, cn_json_get(c, "reject"), false, name, &t);
        cn_grammar_free(g);
    }
    report(file, &t);
    assert_int_equal(t.wrong + t.refused, 0);
    cn_json_free(all);
}

static void test_peer_gbnf(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/jsonschema/peer_gbnf_strings.json");
    run_gbnf(path, "peer_gbnf_strings");
    cn_free(path);
}

static void test_own_gbnf(void **state)
{
    (void)state;
    char *path = fixture("grammar/gbnf.json");
    run_gbnf(path, "own grammars");
    cn_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),          cmocka_unit_test(test_own_gbnf),
        cmocka_unit_test(test_bench),        cmocka_unit_test(test_suite),
        cmocka_unit_test(test_peer_schemas), cmocka_unit_test(test_peer_gbnf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
