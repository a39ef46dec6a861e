/* Whole games: reproducible, held-out material kept apart, every reply well formed. */
#include "testing.h"

#include <string.h>

#include "sim.h"
#include "stats.h"

static co_grammar *grammar;

static int open_grammar(void **state)
{
    cn_err err = {0};
    (void)state;
    cn_status st = co_grammar_open(&grammar, CORPUS_GRAMMAR, &err);
    if (st) print_error("%s: %s\n", err.what, err.why);
    return st;
}

static int close_grammar(void **state)
{
    (void)state;
    co_grammar_free(grammar);
    return 0;
}

static void play_lines(co_gen *gen, unsigned from, unsigned n, cn_buf *out)
{
    for (unsigned i = from; i < from + n; i++) {
        co_game g;
        co_gen_reset(gen, i);
        co_play(&g, gen);
        co_json_game(&g, out);
    }
}

static void test_same_seed_same_bytes(void **state)
{
    co_gen a, b;
    cn_buf one = {0}, two = {0};
    (void)state;
    assert_int_equal(co_gen_init(&a, grammar, 1, false, NULL), 0);
    assert_int_equal(co_gen_init(&b, grammar, 1, false, NULL), 0);
    play_lines(&b, 900, 7, &two); /* what was played before does not matter */
    cn_buf_clear(&two);
    play_lines(&a, 0, 40, &one);
    play_lines(&b, 0, 40, &two);
    assert_true(one.n > 40000 && cn_str_eq(cn_buf_view(&one), cn_buf_view(&two)));
    cn_buf_deinit(&one);
    cn_buf_deinit(&two);
    co_gen_deinit(&a);
    co_gen_deinit(&b);
}

/* Held-out material of several files, as it would be read. */
static const char *const unseen[] = {"saxophone",    "Bérénice",
                                     "Zineb",        "horoscope",
                                     "couci-couça",  "Le hasard existe-t-il",
                                     "montgolfière", "Permets-moi d'en douter"};

static unsigned count_unseen(cn_str text)
{
    unsigned n = 0;
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
        n += memmem(text.p, text.n, unseen[i], strlen(unseen[i])) != NULL;
    return n;
}

static void test_splits_are_disjoint(void **state)
{
    co_gen gen;
    cn_buf text = {0};
    (void)state;
    assert_int_equal(co_gen_init(&gen, grammar, 1, false, NULL), 0);
    for (unsigned i = 0; i < 3000; i++) {
        play_lines(&gen, i, 1, &text);
        assert_int_equal(gen.heldout_used, 0);
    }
    assert_int_equal(count_unseen(cn_buf_view(&text)), 0);
    co_gen_deinit(&gen);
    cn_buf_clear(&text);
    assert_int_equal(co_gen_init(&gen, grammar, 1, true, NULL), 0);
    unsigned with = 0;
    for (unsigned i = 0; i < 1000; i++) {
        play_lines(&gen, i, 1, &text);
        with += gen.heldout_used > 0;
    }
    assert_in_range(with, 900, 1000);
    assert_true(count_unseen(cn_buf_view(&text)) >= 6);
    cn_buf_deinit(&text);
    co_gen_deinit(&gen);
}

static bool holds(cn_str text, const char *what)
{
    return memmem(text.p, text.n, what, strlen(what)) != NULL;
}

/* Traces of a slot that stayed open, of missing elision or contraction, of bad spacing. */
static const char *fault_of(cn_str text)
{
    static const char *const faults[] = {
        "{",        "}",         "@",         "_",         "^",         "|",
        "  ",       " ,",        " .",        "??",        "!.",        "?.",
        ".?",       ",,",        " que il",   " que on ",  " si il",    " je ai",
        " je en",   " ma amie",  " ma envie", " de un ",   " que elle", " le ami",
        " la idée", " de aller", " de être",  " te énerv", " te endor", " ne arriv"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (holds(text, faults[i])) return faults[i];
    return NULL;
}

/* "de le" and "de les" are a fault before a noun, not before an infinitive ("de le rendre"). */
static bool uncontracted(cn_str text)
{
    static const char *const pairs[] = {" de le ", " de les "};
    for (size_t i = 0; i < 2; i++) {
        const char *at = memmem(text.p, text.n, pairs[i], strlen(pairs[i]));
        if (!at) continue;
        cn_str word = {at + strlen(pairs[i]), 0};
        word.n = strcspn(word.p, " .,?!:");
        if (!cn_str_ends(word, CN_STR("er")) && !cn_str_ends(word, CN_STR("re")) &&
            !cn_str_ends(word, CN_STR("ir")))
            return true;
    }
    return false;
}

static void check_reply(const co_game *g, const co_turn *t)
{
    cn_str reply = cn_str_of(t->reply);
    const char *fault = uncontracted(reply) ? "de le" : fault_of(reply);
    int sentences = co_sentences(reply);
    if (fault || sentences < 1 || sentences > 3 || !strchr(".?!", reply.p[reply.n - 1]))
        fail_msg("%s: \"%s\" (fault \"%s\", %d sentences)", t->act, t->reply,
                 fault ? fault : "", sentences);
    assert_true(t->user[0] != '\0');
    if (g->typographic && !holds(reply, "«")) assert_null(strchr(t->reply, '\''));
    if (!g->typographic) assert_false(holds(reply, "’"));
}

static void check_games(bool heldout, unsigned n)
{
    co_gen gen;
    assert_int_equal(co_gen_init(&gen, grammar, 1, heldout, NULL), 0);
    for (unsigned i = 0; i < n; i++) {
        co_game g;
        co_gen_reset(&gen, 5000 + i);
        co_play(&g, &gen);
        assert_in_range(g.n, 1, CO_MAX_TURNS);
        for (int k = 0; k < g.n; k++)
            check_reply(&g, &g.turns[k]);
    }
    co_gen_deinit(&gen);
}

static void test_replies_are_well_formed(void **state)
{
    (void)state;
    check_games(false, 4000);
    check_games(true, 2000);
}

/* The pupil's key word comes back in most replies, and nearly all of them ask. */
static void test_listens_and_asks(void **state)
{
    co_gen gen;
    unsigned keys = 0, taken = 0, asks = 0, before_end = 0;
    (void)state;
    assert_int_equal(co_gen_init(&gen, grammar, 1, false, NULL), 0);
    for (unsigned i = 0; i < 2000; i++) {
        co_game g;
        co_gen_reset(&gen, 90000 + i);
        co_play(&g, &gen);
        for (int k = 0; k < g.n; k++) {
            char *key = co_keep(&g, g.turns[k].key);
            size_t n = strlen(g.turns[k].reply);
            keys += key[0] != '\0';
            taken += key[0] && strstr(g.turns[k].reply, key);
            before_end += k + 1 < g.n;
            asks += k + 1 < g.n && g.turns[k].reply[n - 1] == '?';
        }
    }
    assert_true(keys > 4000 && taken * 100 > keys * 80);
    assert_true(asks * 100 > before_end * 90);
    co_gen_deinit(&gen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_splits_are_disjoint),
        cmocka_unit_test(test_replies_are_well_formed),
        cmocka_unit_test(test_listens_and_asks),
    };
    return cmocka_run_group_tests(tests, open_grammar, close_grammar);
}
