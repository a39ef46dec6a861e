/* The manual page tells of every verb, every option, every variable. */
#include "testing.h"

#include <string.h>

#include "verb.h"

static cn_buf page;

static int read_page(void **state)
{
    (void)state;
    return cn_file_read(&page, MANUAL, 1 << 20, NULL) == CN_OK ? 0 : -1;
}

static int free_page(void **state)
{
    (void)state;
    cn_buf_deinit(&page);
    return 0;
}

static void says(const char *verb, const char *before, const char *name, const char *after)
{
    char want[96];
    snprintf(want, sizeof want, "%s%s%s", before, name, after);
    if (!strstr(page.p, want)) fail_msg("the manual says nothing of %s (%s)", want, verb);
}

static void every_verb_and_option(void **state)
{
    size_t n;
    const cli_verb *const *verbs = cli_verbs(&n);
    (void)state;
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        const cli_verb *v = verbs[i];
        says(v->name, "*", v->name, "*");
        for (size_t k = 0; k < v->n_options; k++) {
            char letter[2] = {v->options[k].letter, '\0'};
            says(v->name, "*--", v->options[k].name, "*");
            if (letter[0]) says(v->name, "*-", letter, "*, *--");
            if (v->options[k].env) says(v->name, "", v->options[k].env, "");
        }
    }
}

/* Within a verb no two options share a name or a letter, and all say what they do. */
static void options_are_distinct(void **state)
{
    size_t n;
    const cli_verb *const *verbs = cli_verbs(&n);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        const cli_verb *v = verbs[i];
        assert_true(v->summary && v->run && v->settings_size >= sizeof(cli_common));
        for (size_t k = 0; k < v->n_options; k++) {
            const cli_option *o = &v->options[k];
            assert_true(o->help && o->help[0]);
            assert_int_equal(o->kind == CLI_FLAG, o->value == NULL);
            assert_true(o->offset < v->settings_size);
            if (o->kind == CLI_INT || o->kind == CLI_NUM) assert_true(o->max > o->min);
            for (size_t other = 0; other < k; other++) {
                assert_string_not_equal(o->name, v->options[other].name);
                assert_true(!o->letter || o->letter != v->options[other].letter);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_and_option),
        cmocka_unit_test(options_are_distinct),
    };
    return cmocka_run_group_tests(tests, read_page, free_page);
}
