/* Task files: what they may hold, and every way to get a line wrong. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "task.h"

static void good(void **state)
{
    static const char text[] =
        "\n{\"defaults\": {\"max_tokens\": 9, \"system\": \"s\", \"schema\": true, \"seed\": "
        "4}}\n"
        "{\"id\": \"one\", \"prompt\": \"p\", \"expect\": [\"a\", \"\"], \"trim\": false}\r\n"
        "   \n"
        "{\"id\": 7, \"messages\": [{\"role\": \"user\", \"content\": \"c\"}], \"stop\": \"x\","
        " \"marks\": {\"m\": 3, \"n\": 4.5}, \"seed\": 0, \"note\": [1, 2]}\n"
        "{\"prompt\": \"q\", \"marks\": {\"n\": 1}, \"schema\": {\"type\": \"object\"},"
        " \"constrain\": true, \"max_tokens\": 30, \"temperature\": 0.5}";
    eval_task t;
    char name[96];
    (void)state;
    assert_int_equal(eval_task_read(&t, cn_str_of(text), 0, NULL), CN_OK);
    assert_int_equal(t.n, 3);
    const eval_case *c = t.cases;
    assert_int_equal(c[0].line, 3);
    assert_int_equal(c[0].max_tokens, 9);
    assert_int_equal(c[0].kinds, 1u << EVAL_EXPECT | 1u << EVAL_SCHEMA);
    assert_true(c[0].has_seed && c[0].seed == 4 && !c[0].trim && cn_str_is(c[0].system, "s"));
    assert_string_equal(eval_case_name(name, sizeof name, &c[0]), "one (line 3)");
    assert_int_equal(c[1].line, 5);
    assert_true(c[1].has_seed && c[1].seed == 0 && c[1].n_stop == 1 && c[1].trim);
    assert_string_equal(eval_case_name(name, sizeof name, &c[1]), "7 (line 5)");
    assert_true(c[0].schema == c[1].schema && c[1].schema != c[2].schema);
    assert_null(c[0].schema->grammar);
    assert_non_null(c[2].schema->grammar);
    assert_string_equal(eval_case_name(name, sizeof name, &c[2]), "line 6");
    assert_int_equal(t.n_marks, 2);
    assert_true(isnan(c[0].wanted[0]) && c[1].wanted[0] == 3 && c[1].wanted[1] == 4.5);
    assert_true(isnan(c[2].wanted[0]) && c[2].wanted[1] == 1);
    assert_true(c[2].max_tokens == 30 && c[2].temperature == 0.5F);
    eval_task_deinit(&t);
    assert_int_equal(eval_task_read(&t, cn_str_of(text), 2, NULL), CN_OK);
    assert_int_equal(t.n, 2);
    eval_task_deinit(&t);
}

#define CASE(more) "{\"prompt\": \"p\", \"expect\": \"e\", " more "}"

static void wrong_lines(void **state)
{
    static const struct {
        const char *line, *why;
    } wrong[] = {
        {"{", "line 1"},
        {"[1]", "JSON object"},
        {"{\"prompt\": \"p\"}", "nothing is expected"},
        {"{\"expect\": \"e\"}", "one of \"prompt\" and \"messages\""},
        {CASE("\"messages\": [{\"role\": \"user\", \"content\": \"c\"}]"), "one of"},
        {CASE("\"expct\": 1"), "unknown field \"expct\""},
        {CASE("\"max_tokens\": 0"), "allowed is 1"},
        {CASE("\"max_tokens\": 1.5"), "whole number"},
        {CASE("\"temperature\": -1"), "temperature"},
        {CASE("\"temperature\": \"warm\""), "must be a number"},
        {CASE("\"seed\": -1"), "seed"},
        {CASE("\"contains\": []"), "0 texts"},
        {CASE("\"contains\": [\"\"]"), "empty text"},
        {CASE("\"contains\": [1]"), "[0] is no text"},
        {CASE("\"stop\": \"a\\u0000b\""), "NUL"},
        {CASE("\"regex\": \"(\""), "at byte 1"},
        {CASE("\"regex\": 5"), "must be a text"},
        {CASE("\"schema\": {\"pattern\": \"(\"}, \"constrain\": true"), "schema"},
        {CASE("\"schema\": {\"$dynamicRef\": \"#x\"}, \"constrain\": true"), "dynamicRef"},
        {CASE("\"constrain\": true"), "needs a \"schema\""},
        {CASE("\"schema\": true, \"constrain\": true, \"stop\": \"x\""), "\"stop\""},
        {CASE("\"marks\": {}"), "empty"},
        {CASE("\"marks\": {\"m\": \"7\"}"), "\"m\" is no number"},
        {CASE("\"tolerance\": -0.5"), "tolerance"},
        {"{\"messages\": [], \"expect\": \"e\"}", "empty"},
        {"{\"messages\": [{\"role\": \"user\"}], \"expect\": \"e\"}", "message 1 of 1"},
        {"{\"defaults\": {\"expect\": \"e\"}}", "first line only"},
        {"{\"defaults\": 5}", "first line only"},
    };
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(wrong); i++) {
        cn_buf b = {0};
        eval_task t;
        cn_err err = {0};
        cn_buf_printf(&b, "%s\n%s\n", CASE("\"id\": 1"), wrong[i].line);
        cn_status st = eval_task_read(&t, cn_buf_view(&b), 0, &err);
        if (st == CN_OK || !strstr(err.what, "line 2") || !strstr(err.why, wrong[i].why))
            fail_msg("%s: %d, %s: %s", wrong[i].line, (int)st, err.what, err.why);
        eval_task_deinit(&t);
        cn_buf_deinit(&b);
    }
}

static cn_status read_only(const char *text, cn_err *err)
{
    eval_task t;
    cn_status st = eval_task_read(&t, cn_str_of(text), 0, err);
    eval_task_deinit(&t);
    return st;
}

static void wrong_files(void **state)
{
    cn_err err = {0};
    (void)state;
    assert_int_equal(read_only("", &err), CN_E_FORMAT);
    assert_int_equal(read_only("{\"defaults\": {}}", &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "no case"));
    assert_int_equal(read_only("{\"defaults\": null}", &err), CN_E_FORMAT);
    assert_int_equal(read_only("{\"defaults\": {\"prompt\": \"p\"}}", &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "no default"));
    assert_int_equal(read_only("{\"defaults\": {\"max\": 1}}", &err), CN_E_FORMAT);
    assert_non_null(strstr(err.next, "max_tokens"));
}

static void limits(void **state)
{
    eval_task t;
    cn_err err = {0};
    cn_buf b = {0};
    (void)state;
    for (int i = 0; i <= EVAL_MAX_CASES; i++)
        cn_buf_lit(&b, "{\"prompt\":\"\",\"expect\":\"\"}\n");
    assert_int_equal(eval_task_read(&t, cn_buf_view(&b), 0, &err), CN_E_LIMIT);
    assert_non_null(strstr(err.what, "line 100001"));
    assert_int_equal(eval_task_read(&t, cn_buf_view(&b), EVAL_MAX_CASES, &err), CN_OK);
    assert_int_equal(t.n, EVAL_MAX_CASES);
    eval_task_deinit(&t);
    cn_buf_clear(&b);
    cn_buf_lit(&b, "{\"prompt\":\"\",\"marks\":{");
    for (int i = 0; i <= EVAL_MAX_MARKS; i++)
        cn_buf_printf(&b, "%s\"m%d\":1", i ? "," : "", i);
    cn_buf_lit(&b, "}}");
    assert_int_equal(eval_task_read(&t, cn_buf_view(&b), 0, &err), CN_E_LIMIT);
    cn_buf_clear(&b);
    cn_buf_lit(&b, "{\"prompt\":\"");
    for (int i = 0; i < EVAL_MAX_LINE; i++)
        cn_buf_putc(&b, 'x');
    cn_buf_lit(&b, "\",\"expect\":\"\"}");
    assert_int_equal(eval_task_read(&t, cn_buf_view(&b), 0, &err), CN_E_LIMIT);
    cn_buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(wrong_lines),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
