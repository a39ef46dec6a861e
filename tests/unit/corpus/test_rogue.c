/* The records beside the games, on the real grammar: what a reader of the corpus relies on. */
#include "testing.h"

#include <string.h>

#include "grammar_priv.h"
#include "json.h"
#include "noise.h"
#include "rogue.h"
#include "rogue_text.h"
#include "rubric.h"

enum { ROUNDS = 400 };

static co_grammar *grammar;

static int open_grammar(void **state)
{
    (void)state;
    cn_err err = {0};
    return co_grammar_open(&grammar, CORPUS_GRAMMAR, &err) ? -1 : 0;
}

static int close_grammar(void **state)
{
    (void)state;
    co_grammar_free(grammar);
    return 0;
}

/* One record of a kind, parsed. */
static cn_json *record(co_gen *gen, uint64_t seed, char kind)
{
    cn_buf line = {0};
    cn_json *root = NULL;
    co_game g;
    co_gen_reset(gen, seed);
    if (kind == 't') {
        rogue_talk(gen, &line);
    } else {
        co_play(&g, gen);
        kind == 'e' ? rubric_evaluate(&g, &line) : rubric_message(&g, &line);
    }
    assert_int_equal(cn_json_parse(&root, cn_buf_view(&line), NULL), 0);
    cn_buf_deinit(&line);
    return root;
}

static cn_str content(const cn_json *root, size_t i)
{
    return cn_json_str(cn_json_get(cn_json_at(cn_json_get(root, "messages"), i), "content"));
}

static bool has(cn_str text, const char *what)
{
    return text.n && memmem(text.p, text.n, what, strlen(what));
}

static size_t sentences(cn_str text)
{
    size_t n = 0;
    for (size_t at = 0; at < text.n; n++)
        at += rogue_sentence(text, at).n + 1;
    return n;
}

static void assert_clean_french(cn_str text)
{
    static const char *const never[] = {"@", "{", "}", "^", "|", "%", "  ", " ,", " .", ".."};
    assert_true(text.n > 0);
    assert_true(strchr(".?!", text.p[text.n - 1]) != NULL);
    assert_in_range(sentences(text), 1, 3);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        if (!has(text, never[i])) continue;
        print_error("\"%s\" in: %.*s\n", never[i], (int)text.n, text.p);
        fail();
    }
}

static void test_every_subject_has_its_rules(void **state)
{
    (void)state;
    const co_rule *topics = co_rule_find(grammar, CN_STR("talk.topics"));
    assert_non_null(topics);
    assert_true(topics->n > 40);
    for (unsigned i = 0; i < topics->n; i++) {
        char rule[64];
        cn_str topic = topics->alts[i].text;
        int n = snprintf(rule, sizeof rule, "talk.%.*s.user", (int)topic.n, topic.p);
        assert_non_null(co_rule_find(grammar, (cn_str){rule, (size_t)n}));
        n = snprintf(rule, sizeof rule, "talk.%.*s.reply", (int)topic.n, topic.p);
        assert_non_null(co_rule_find(grammar, (cn_str){rule, (size_t)n}));
    }
}

static void test_talk(void **state)
{
    (void)state;
    co_gen gen;
    assert_int_equal(co_gen_init(&gen, grammar, 1, false, NULL), 0);
    size_t asked = 0, replies = 0;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        cn_json *root = record(&gen, seed, 't');
        size_t n = cn_json_size(cn_json_get(root, "messages"));
        assert_true(n == 3 || n == 5 || n == 7);
        assert_true(has(content(root, 0), "\nQuestion : "));
        for (size_t i = 2; i < n; i += 2) {
            cn_str reply = content(root, i);
            assert_true(content(root, i - 1).n > 0);
            assert_clean_french(reply);
            asked += reply.p[reply.n - 1] == '?';
            replies++;
        }
        cn_json_free(root);
    }
    assert_true(asked * 100 > replies * 92);
    co_gen_deinit(&gen);
}

static void test_evaluate(void **state)
{
    (void)state;
    co_gen gen;
    assert_int_equal(co_gen_init(&gen, grammar, 1, false, NULL), 0);
    unsigned seen[3] = {0};
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        cn_json *root = record(&gen, seed, 'e'), *marks = NULL;
        assert_true(has(content(root, 1), "Élève: "));
        assert_int_equal(cn_json_parse(&marks, content(root, 2), NULL), 0);
        static const char *const names[] = {"comprehension", "cooperation", "progression"};
        int64_t total = 0;
        for (size_t i = 0; i < 3; i++) {
            int64_t mark = cn_json_int(cn_json_get(marks, names[i]), -1);
            const cn_json *truth = cn_json_get(cn_json_get(root, "meta"), "marks");
            assert_int_equal(mark, cn_json_int(cn_json_at(truth, i), -2));
            assert_in_range(mark, 0, 10);
            seen[i] |= 1u << mark;
            total += mark;
        }
        assert_int_equal(cn_json_int(cn_json_get(marks, "total"), -1), total);
        cn_json_free(marks);
        cn_json_free(root);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(seen[i], 0x7FF);
    co_gen_deinit(&gen);
}

/* Letters as somebody without accents, capitals and apostrophes would type them. */
static cn_buf folded(cn_str text)
{
    cn_rng rng = cn_rng_seeded(1);
    cn_buf out = {0};
    noise_write(&out, text, (cn_str){0},
                &(noise_hand){.lower = true, .no_accent = true, .no_apostrophe = true}, &rng);
    return out;
}

/* What stands between « and » was said in the dialogue. */
static bool quotes_the_dialogue(cn_str message, cn_str dialogue)
{
    const char *open = memmem(message.p, message.n, "« ", 3);
    if (!open) return false;
    cn_str rest = cn_str_skip(message, (size_t)(open - message.p) + 3);
    const char *close = memmem(rest.p, rest.n, " »", 3);
    if (!close) return false;
    cn_buf said = folded(dialogue), quoted = folded((cn_str){rest.p, (size_t)(close - rest.p)});
    bool found = memmem(said.p, said.n, quoted.p, quoted.n) != NULL;
    cn_buf_deinit(&said);
    cn_buf_deinit(&quoted);
    return found;
}

static void test_message(void **state)
{
    (void)state;
    co_gen gen;
    size_t quoting = 0;
    assert_int_equal(co_gen_init(&gen, grammar, 1, false, NULL), 0);
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        cn_json *root = record(&gen, seed, 'm');
        cn_str message = content(root, 2);
        assert_true(has(content(root, 1), "\nNotes : compréhension "));
        assert_true(has(message, " ") && !has(message, "%") && !has(message, "@"));
        assert_in_range(sentences(message), 2, 3);
        quoting += quotes_the_dialogue(message, content(root, 1));
        cn_json_free(root);
    }
    assert_true(quoting * 100 > ROUNDS * 35);
    co_gen_deinit(&gen);
}

static void test_pieces(void **state)
{
    (void)state;
    cn_str reply = CN_STR("Bien. La joie augmente ta force... un peu. Et toi ?");
    assert_true(cn_str_is(rogue_sentence(reply, 0), "Bien."));
    assert_true(cn_str_starts(rogue_statement(reply), CN_STR("La joie augmente")));
    assert_int_equal(rogue_statement(CN_STR("Pourquoi ?")).n, 0);
    assert_int_equal(rogue_statement((cn_str){0}).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_subject_has_its_rules),
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_evaluate),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, open_grammar, close_grammar);
}
