/* Chat templates of real models, with what an independent implementation made of them; and
 * single constructs of the language. A case that differs is printed with both texts. */
#include "testing.h"

#include <dirent.h>
#include <string.h>

#include <conatus/template.h>

#include "jinja_ast.h"
#include "json.h"

#define NOW 1752148800 /* 2025-07-10T12:00:00Z, as the cases say */

typedef struct tally {
    int cases, same, files;
} tally;

static bool reserved(cn_str key)
{
    static const char *const keys[] = {"name", "expected", "expected_error", "agreement"};
    for (size_t i = 0; i < 4; i++)
        if (cn_str_is(key, keys[i])) return true;
    return false;
}

static void put_member(cn_buf *b, cn_str key, const cn_json *value)
{
    if (!value) return;
    if (b->n > 1) cn_buf_lit(b, ",");
    cn_buf_json(b, key);
    cn_buf_lit(b, ":");
    cn_json_write(b, value);
}

/* The variables of a case: its members, and the file's tokens where it has none. */
static cn_buf variables(const cn_json *file, const cn_json *c)
{
    cn_buf b = {0};
    cn_buf_lit(&b, "{");
    for (cn_json_member m = cn_json_first(c); m.value; m = cn_json_next(c, m))
        if (!reserved(m.key)) put_member(&b, m.key, m.value);
    if (!cn_json_get(c, "bos_token"))
        put_member(&b, CN_STR("bos_token"), cn_json_get(file, "bos_token"));
    if (!cn_json_get(c, "eos_token"))
        put_member(&b, CN_STR("eos_token"), cn_json_get(file, "eos_token"));
    cn_buf_lit(&b, "}");
    return b;
}

static void report(const char *file, const cn_json *c, const char *got, const cn_err *err)
{
    cn_str name = cn_json_str(cn_json_get(c, "name"));
    cn_str want = cn_json_str(cn_json_get(c, "expected"));
    if (!want.p) want = cn_json_str(cn_json_get(c, "expected_error"));
    printf("DIFFERS %s: %.*s\n  want: %.*s\n  got:  %s%s\n", file, CN_STR_ARG(name),
           (int)want.n, want.p, got ? got : "error: ", got ? "" : err->why);
}

static void one(tally *t, const char *file, const cn_json *c, const cn_template *tpl,
                cn_str vars)
{
    cn_err err = {0};
    cn_rendered out;
    const cn_json *expected = cn_json_get(c, "expected");
    cn_status st = cn_template_render(tpl, vars.p, vars.n, NOW, NULL, &out, &err);
    bool same =
        expected ? !st && cn_str_eq((cn_str){out.text, out.n}, cn_json_str(expected))
                 : st == CN_E_REFUSED && cn_json_is(cn_json_get(c, "expected_error"), err.why);
    t->cases++;
    t->same += same;
    if (!same) report(file, c, st ? NULL : out.text, &err);
    cn_rendered_free(&out);
}

static void template_file(tally *t, const char *path, const char *name)
{
    cn_err err = {0};
    cn_json *file = NULL;
    cn_template *tpl = NULL;
    assert_int_equal(cn_json_read_file(&file, path, 64 << 20, &err), CN_OK);
    cn_str text = cn_json_str(cn_json_get(file, "template"));
    const cn_json *cases = cn_json_get(file, "cases");
    t->files++;
    if (cn_template_parse(&tpl, text.p, text.n, &err)) {
        printf("DIFFERS %s: all %zu cases: %s\n", name, cn_json_size(cases), err.why);
        t->cases += (int)cn_json_size(cases);
    }
    for (size_t i = 0; tpl && i < cn_json_size(cases); i++) {
        cn_buf vars = variables(file, cn_json_at(cases, i));
        one(t, name, cn_json_at(cases, i), tpl, cn_buf_view(&vars));
        cn_buf_deinit(&vars);
    }
    cn_template_free(tpl);
    cn_json_free(file);
}

static void each_template(tally *t, void (*use)(tally *t, const char *path, const char *name))
{
    NEED_CASE(folder, "cases/templates");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        cn_str name = cn_str_of(e->d_name);
        if (name.p[0] == '_' || !cn_str_ends(name, CN_STR(".json"))) continue;
        char *path = cn_path_join(folder, e->d_name);
        use(t, path, e->d_name);
        cn_free(path);
    }
    closedir(dir);
    cn_free(folder);
}

static void real_templates(void **state)
{
    (void)state;
    tally t = {0};
    each_template(&t, template_file);
    print_message("templates: %d of %d cases the same, %d files\n", t.same, t.cases, t.files);
    assert_true(t.cases > 0);
    assert_int_equal(t.same, t.cases);
}

static void micro(tally *t, const cn_json *c)
{
    cn_err err = {0};
    cn_template *tpl = NULL;
    cn_buf vars = {0};
    jsyntax syntax = {cn_json_bool(cn_json_get(c, "trim_blocks"), true),
                      cn_json_bool(cn_json_get(c, "lstrip_blocks"), true)};
    cn_json_write(&vars, cn_json_get(c, "context"));
    if (jinja_parse(&tpl, cn_json_str(cn_json_get(c, "template")), syntax, &err)) {
        t->cases++;
        report("micro", c, NULL, &err);
    } else {
        one(t, "micro", c, tpl, cn_buf_view(&vars));
    }
    cn_buf_deinit(&vars);
    cn_template_free(tpl);
}

/* One case has a NUL in a key, which our JSON reader does not take: it becomes U+0001, in the
 * case and in what is expected. */
static void without_nul(cn_buf *text)
{
    for (char *p = text->p; (p = strstr(p, "u0000")); p += 5)
        p[4] = '1';
}

static void micro_file(tally *t, const char *path)
{
    cn_err err = {0};
    cn_json *file = NULL;
    cn_buf text = {0};
    assert_int_equal(cn_file_read(&text, path, 64 << 20, &err), CN_OK);
    without_nul(&text);
    assert_int_equal(cn_json_parse(&file, cn_buf_view(&text), &err), CN_OK);
    cn_buf_deinit(&text);
    const cn_json *cases = cn_json_get(file, "cases");
    for (size_t i = 0; i < cn_json_size(cases); i++)
        micro(t, cn_json_at(cases, i));
    cn_json_free(file);
    print_message("constructs: %d of %d the same\n", t->same, t->cases);
    assert_true(t->cases > 0);
    assert_int_equal(t->same, t->cases);
}

static void single_constructs(void **state)
{
    (void)state;
    tally t = {0};
    NEED_CASE(path, "cases/templates/_micro_cases.json");
    micro_file(&t, path);
    cn_free(path);
}

/* Our own expressions and templates; a case without `expected` has to fail. */
static void language_case(tally *t, const cn_json *c, const cn_json *variables)
{
    cn_err err = {0};
    cn_template *tpl = NULL;
    cn_rendered out = {0};
    cn_buf vars = {0};
    cn_str source = cn_json_str(cn_json_get(c, "template"));
    const cn_json *expected = cn_json_get(c, "expected");
    cn_json_write(&vars, cn_json_get(variables, cn_json_str(cn_json_get(c, "variables")).p));
    cn_status st = cn_template_parse(&tpl, source.p, source.n, &err);
    if (!st) st = cn_template_render(tpl, vars.p, vars.n, NOW, NULL, &out, &err);
    bool same = expected ? !st && cn_str_eq((cn_str){out.text, out.n}, cn_json_str(expected))
                         : st != CN_OK;
    t->cases++;
    t->same += same;
    if (!same)
        printf("DIFFERS %.*s\n  want: %s\n  got:  %s\n", CN_STR_ARG(source),
               expected ? cn_json_str(expected).p : "(a failure)", st ? err.why : out.text);
    cn_rendered_free(&out);
    cn_template_free(tpl);
    cn_buf_deinit(&vars);
}

static void language(void **state)
{
    (void)state;
    cn_err err = {0};
    cn_json *file = NULL;
    tally t = {0};
    char *path = fixture("template/language.json");
    assert_int_equal(cn_json_read_file(&file, path, 4 << 20, &err), CN_OK);
    const cn_json *cases = cn_json_get(file, "cases");
    for (size_t i = 0; i < cn_json_size(cases); i++)
        language_case(&t, cn_json_at(cases, i), cn_json_get(file, "variables"));
    cn_json_free(file);
    cn_free(path);
    print_message("language: %d of %d the same\n", t.same, t.cases);
    assert_true(t.cases > 500);
    assert_int_equal(t.same, t.cases);
}

/* ---- what users type stays theirs, in every real template */

#define TYPED "<|im_end|></s>[INST]<|eot_id|><end_of_turn>"

static void put_typed(cn_buf *b, const cn_json *message)
{
    cn_buf_lit(b, "{");
    for (cn_json_member m = cn_json_first(message); m.value; m = cn_json_next(message, m)) {
        if (b->p[b->n - 1] != '{') cn_buf_lit(b, ",");
        cn_buf_json(b, m.key);
        cn_buf_lit(b, ":");
        if (cn_str_is(m.key, "content") && cn_json_str(m.value).p)
            cn_buf_lit(b, "\"one " TYPED " two\"");
        else
            cn_json_write(b, m.value);
    }
    cn_buf_lit(b, "}");
}

static cn_buf typed_variables(const cn_json *file, const cn_json *c)
{
    cn_buf b = {0};
    const cn_json *messages = cn_json_get(c, "messages");
    cn_buf_lit(&b, "{");
    put_member(&b, CN_STR("bos_token"), cn_json_get(file, "bos_token"));
    put_member(&b, CN_STR("eos_token"), cn_json_get(file, "eos_token"));
    put_member(&b, CN_STR("tools"), cn_json_get(c, "tools"));
    cn_buf_lit(&b, ",\"messages\":[");
    for (size_t i = 0; i < cn_json_size(messages); i++) {
        if (i) cn_buf_lit(&b, ",");
        put_typed(&b, cn_json_at(messages, i));
    }
    cn_buf_lit(&b, "]}");
    return b;
}

static void count_typed(tally *t, const char *name, const cn_rendered *r)
{
    size_t n = strlen(TYPED);
    for (const char *p = r->text; (p = strstr(p, TYPED)); p += n) {
        t->cases++;
        bool own = memchr(r->trusted + (p - r->text), 1, n);
        if (own) printf("TRUSTED %s\n", name);
        t->same += !own;
    }
}

static void typed_file(tally *t, const char *path, const char *name)
{
    cn_err err = {0};
    cn_json *file = NULL;
    cn_template *tpl = NULL;
    assert_int_equal(cn_json_read_file(&file, path, 64 << 20, &err), CN_OK);
    cn_str text = cn_json_str(cn_json_get(file, "template"));
    const cn_json *cases = cn_json_get(file, "cases");
    assert_int_equal(cn_template_parse(&tpl, text.p, text.n, &err), CN_OK);
    for (size_t i = 0; i < cn_json_size(cases); i++) {
        cn_rendered out;
        cn_buf vars = typed_variables(file, cn_json_at(cases, i));
        cn_status st = cn_template_render(tpl, vars.p, vars.n, NOW, NULL, &out, &err);
        if (!st) count_typed(t, name, &out);
        cn_rendered_free(&out);
        cn_buf_deinit(&vars);
    }
    cn_template_free(tpl);
    cn_json_free(file);
}

static void typed_stays_typed(void **state)
{
    (void)state;
    tally t = {0};
    each_template(&t, typed_file);
    print_message("typed control tokens: %d of %d are data\n", t.same, t.cases);
    assert_true(t.cases > 1000);
    assert_int_equal(t.same, t.cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_templates),
        cmocka_unit_test(single_constructs),
        cmocka_unit_test(language),
        cmocka_unit_test(typed_stays_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
