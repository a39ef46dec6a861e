/* The chat templates of real models: what the assistant says is found in all of them. */
#include "fixture.h"

#include <dirent.h>

#include "chat.h"

static const char *const line =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"Qui es-tu ?\"}, {\"role\": "
    "\"assistant\", \"content\": \"Qui es-tu ? Moi, Baruch.\"}, {\"role\": \"user\", "
    "\"content\": \"Et ensuite\"}, {\"role\": \"assistant\", \"content\": \"Et ensuite "
    "rien\"}]}";

typedef struct tally {
    unsigned turns, located, refused;
} tally;

static bool span_holds(const chat_text *c, size_t i, const char *what)
{
    const chat_span *s = &c->spans[i];
    return memmem(c->text.text + s->from, s->to - s->from, what, strlen(what)) != NULL;
}

/* Nothing of the other side is learnt, and both answers are, whole. */
static void check_spans(const char *name, const chat_text *c)
{
    static const char *const said[] = {"Qui es-tu ? Moi, Baruch.", "Et ensuite rien"};
    if (c->n_spans != 2) fail_msg("%s: %zu spans", name, c->n_spans);
    for (size_t i = 0; i < 2; i++) {
        size_t n = c->spans[i].to - c->spans[i].from;
        if (!span_holds(c, i, said[i])) fail_msg("%s: answer %zu is not learnt", name, i);
        if (span_holds(c, i, said[1 - i]) || (i == 0 && span_holds(c, i, "Et ensuite")))
            fail_msg("%s: answer %zu reaches too far", name, i);
        /* behind the last one some write a note, which the loss leaves out by its end token */
        if (i == 0 && n > strlen(said[i]) + 120)
            fail_msg("%s: answer %zu has %zu bytes", name, i, n);
    }
}

static void check_template(const char *name, const char *text, const cn_tokenizer *t,
                           const record *r, tally *sum)
{
    cn_template *chat;
    chat_text c = {0};
    cn_err err = {0};
    if (cn_template_parse(&chat, text, strlen(text), NULL)) return;
    cn_status st = chat_render(&c, chat, t, r, 1700000000, false, &err);
    if (st) {
        print_message("%s: %s\n", name, err.why);
        sum->refused++;
    } else {
        check_spans(name, &c);
        sum->turns += c.spans[0].to - c.spans[0].from > strlen("Qui es-tu ? Moi, Baruch.");
        sum->located += c.spans[0].to - c.spans[0].from == strlen("Qui es-tu ? Moi, Baruch.");
    }
    chat_deinit(&c);
    cn_template_free(chat);
}

static void real_templates_give_both_answers(void **state)
{
    (void)state;
    NEED_CASE(folder, "cases/templates");
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    source_record from = {cn_str_of(line), 1, NULL};
    source s;
    record r = {0};
    tally sum = {0};
    assert_int_equal(source_begin(&s, from.bytes, NULL), CN_OK);
    assert_int_equal(record_read(&r, &s, &from, NULL), CN_OK);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '_' || !strstr(e->d_name, ".json")) continue;
        char *path = cn_path_join(folder, e->d_name);
        cn_json *j = NULL;
        assert_int_equal(cn_json_read_file(&j, path, 1 << 24, NULL), CN_OK);
        const char *text = cn_json_str(cn_json_get(j, "template")).p;
        if (text) check_template(e->d_name, text, t, &r, &sum);
        cn_json_free(j);
        cn_free(path);
    }
    closedir(dir);
    print_message("%u templates turn by turn, %u by content, %u refused\n", sum.turns,
                  sum.located, sum.refused);
    assert_true(sum.turns + sum.located > 40);
    record_deinit(&r);
    cn_tokenizer_free(t);
    cn_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_templates_give_both_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
