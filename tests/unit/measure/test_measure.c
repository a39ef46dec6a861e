/* The measures' own reading of French, and the judge of intents on replies that it must hear
 * right. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "judge.h"
#include "report.h"
#include "sim.h"
#include "text.h"
#include "words.h"

static void folded_text(void **state)
{
    cn_buf b = {0};
    (void)state;
    ms_fold(CN_STR("L’Œuvre  ÉTÉ,\n où ?"), &b);
    assert_string_equal(b.p, "l'oeuvre ete, ou ?");
    cn_buf_deinit(&b);
    assert_true(ms_holds(CN_STR("Ta Colère est là."), CN_STR("colere")));
    assert_false(ms_holds(CN_STR("Ta joie est là."), CN_STR("colère")));
    assert_false(ms_holds(CN_STR("Ta joie est là."), CN_STR("")));
}

static void words_of_a_text(void **state)
{
    static const char *const wanted[] = {"qu", "est", "ce", "que", "l", "âme", "d", "œdipe"};
    cn_str rest = CN_STR("« Qu’est-ce que l'ÂME d'Œdipe ? 12");
    char word[96];
    (void)state;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_int_equal(ms_word(&rest, word), strlen(wanted[i]));
        assert_string_equal(word, wanted[i]);
    }
    assert_int_equal(ms_word(&rest, word), 0);
}

static void runs_of_words(void **state)
{
    cn_str persona = CN_STR("Tu es Spinoza. Tu parles à un élève, tu finis par une question.");
    (void)state;
    assert_true(ms_shares_run(CN_STR("Je dis : tu parles à un élève tu vois."), persona, 6));
    assert_true(ms_shares_run(CN_STR("Tu finis par une question."), persona, 5));
    assert_false(ms_shares_run(CN_STR("Tu finis par une question."), persona, 6));
    assert_false(ms_shares_run(CN_STR("Tu parles à un ami, à un élève."), persona, 5));
    assert_false(ms_shares_run(CN_STR("oui"), CN_STR("oui"), 2));
}

static void known_words(void **state)
{
    ms_words known = {0}, own = {0};
    char word[96];
    (void)state;
    ms_words_learn(&known, CN_STR("La joie augmente ta puissance."));
    ms_words_learn(&own, CN_STR("mon skate"));
    assert_false(ms_words_unknown(&known, &own, CN_STR("ta JOIE, la skate"), word));
    assert_true(ms_words_unknown(&known, &own, CN_STR("la joie domingbé"), word));
    assert_string_equal(word, "domingbé");
    assert_false(ms_words_add(&known, CN_STR("joie")));
    assert_true(ms_words_add(&known, CN_STR("peur")));
    ms_words_deinit(&known);
    ms_words_deinit(&own);
}

/* A record that tells the acts of the grammar and their intents. */
static ms_records acts(void)
{
    static ms_record r;
    static const char text[] = "{\"messages\":[],\"meta\":{\"turns\":[{\"act\":\"accord."
                               "right\",\"intent\":\"accord\"},"
                               "{\"act\":\"confusion.plain\",\"intent\":\"confusion\"},"
                               "{\"act\":\"resistance.object\",\"intent\":\"résistance\"},"
                               "{\"act\":\"resistance.refuse\",\"intent\":\"résistance\"},"
                               "{\"act\":\"neutre.life\",\"intent\":\"neutre\"},"
                               "{\"act\":\"rogue.english\",\"intent\":\"neutre\"},"
                               "{\"act\":\"rogue.insult\",\"intent\":\"résistance\"}]}}";
    assert_int_equal(cn_json_parse(&r.root, (cn_str){text, sizeof text - 1}, NULL), CN_OK);
    r.messages = cn_json_get(r.root, "messages");
    r.meta = cn_json_get(r.root, "meta");
    return (ms_records){&r, 1};
}

static void the_judge_hears(void **state)
{
    static const struct {
        const char *reply;
        int intent;
    } cases[] = {
        {"Tu reformules bien : ta joie a une cause. Qu'en penses-tu ?", CO_ACCORD},
        {"Tu as raison de dire qu’on imite les autres. Et toi ?", CO_ACCORD},
        {"Reprenons autrement. Imagine une vague : elle se croit seule, et tout l'océan la "
         "pousse. "
         "Vois-tu ?",
         CO_CONFUSION},
        {"Ton objection est sérieuse : tu choisis tes amis. Est-ce sûr ?", CO_RESISTANCE},
        {"Tu n'es pas d'accord, et je te comprends. Pourquoi ?", CO_RESISTANCE},
        {"Insulter, ce n'est pas répondre. Qu'est-ce qui t'énerve ainsi ?", CO_RESISTANCE},
        {"Si je t'entends bien, tu joues au foot. Qu'y cherches-tu ?", CO_NEUTRE},
        {"Parlons français, si tu veux bien. Qu'en dis-tu ?", CO_NEUTRE},
        {"Bla bla.", MS_UNHEARD},
        {"", MS_UNHEARD},
    };
    co_grammar *g = NULL;
    ms_records seen = acts();
    (void)state;
    assert_int_equal(co_grammar_open(&g, CORPUS_GRAMMAR, NULL), CN_OK);
    ms_judge *j = ms_judge_new(g, &seen);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (ms_judge_intent(j, cn_str_of(cases[i].reply)) != cases[i].intent)
            fail_msg("%s: heard as %d", cases[i].reply,
                     ms_judge_intent(j, cn_str_of(cases[i].reply)));
    ms_judge_free(j);
    co_grammar_free(g);
    cn_json_free(seen.items[0].root);
}

static void figures_and_targets(void **state)
{
    ms_report r = {0};
    cn_buf out = {0};
    cn_json *j = NULL;
    (void)state;
    ms_report_add(
        &r, (ms_figure){"a", "reached", 0.9, (double)NAN, 0.9, MS_AT_LEAST, MS_SHARE, 10});
    ms_report_add(&r, (ms_figure){"b", "not below", 1.5, 1, 1.5, MS_BELOW, MS_NUMBER, 10});
    ms_report_add(&r, (ms_figure){"c", "nothing to measure", (double)NAN, (double)NAN, 0,
                                  MS_AT_MOST, 0, 0});
    ms_report_add(&r,
                  (ms_figure){"d", "told", (double)NAN, (double)NAN, 0, MS_TOLD, MS_RATE, 0});
    assert_int_equal(ms_report_missed(&r), 2);
    ms_report_json(&r, CN_STR("\"seed\":1,"), &out);
    assert_int_equal(cn_json_parse(&j, cn_buf_view(&out), NULL), CN_OK);
    const cn_json *b = cn_json_get(cn_json_get(j, "figures"), "b");
    assert_false(cn_json_bool(cn_json_get(b, "reached"), true));
    assert_null(cn_json_get(cn_json_get(cn_json_get(j, "figures"), "c"), "value"));
    cn_json_free(j);
    cn_buf_deinit(&out);
    ms_report_deinit(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_text),     cmocka_unit_test(words_of_a_text),
        cmocka_unit_test(runs_of_words),   cmocka_unit_test(known_words),
        cmocka_unit_test(the_judge_hears), cmocka_unit_test(figures_and_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
