/* Games of the held-out half: the pupil says what he says there, the model answers. */
#include <math.h>

#include "measure.h"
#include "mem.h"
#include "sim.h"
#include "stats.h"
#include "text.h"

enum { MAX_REPLY = 120, LEAK_WORDS = 6, JUDGED = 400 };

/* One reply's place in its game. */
typedef struct place {
    const ms_record *game;
    const ms_words *own; /* words of the game's pupil and of the question */
    size_t turn;
    bool last;
} place;

typedef struct tally {
    size_t n, heard, unheard, sentences, before_end, asks, keyed, copied, same, known, tu,
        first, kept, confused[MS_INTENTS][MS_INTENTS + 1];
    ms_words said;
    cn_buf *invented; /* examples go here; NULL: nowhere */
    unsigned n_invented;
} tally;

static cn_str reference_of(const place *p)
{
    return ms_content(p->game, 2 + 2 * p->turn);
}

/* The persona: the system text without its last line, the question. */
static cn_str persona_of(const ms_record *game)
{
    cn_str s = ms_content(game, 0);
    const char *line = s.n ? memchr(s.p, '\n', s.n) : NULL;
    return line ? (cn_str){s.p, (size_t)(line - s.p)} : s;
}

static bool says_vous(cn_str reply, const ms_words *own)
{
    static const char *const forms[] = {"vous", "votre", "vos"};
    char word[96];
    size_t n;
    while ((n = ms_word(&reply, word)))
        for (int i = 0; i < 3; i++)
            if (cn_str_is((cn_str){word, n}, forms[i]) && !ms_words_has(own, (cn_str){word, n}))
                return true;
    return false;
}

/* "Spinoza pense que ..." */
static bool third_person(cn_str reply)
{
    static const char *const verbs[] = {"pense",  "dit",    "croit",    "affirme", "soutient",
                                        "veut",   "répond", "explique", "appelle", "pensait",
                                        "disait", "est",    "était",    "montre",  "écrit"};
    char word[96];
    bool named = false;
    size_t n;
    while ((n = ms_word(&reply, word))) {
        for (size_t i = 0; named && i < sizeof verbs / sizeof *verbs; i++)
            if (cn_str_is((cn_str){word, n}, verbs[i])) return true;
        named = cn_str_is((cn_str){word, n}, "spinoza");
    }
    return false;
}

static void tally_words(tally *t, const ms_words *words, const place *p, cn_str reply)
{
    char word[96];
    bool invented = ms_words_unknown(words, p->own, reply, word);
    t->known += !invented;
    if (invented && t->invented && t->n_invented++ < 24)
        cn_buf_printf(t->invented, "%s%s", t->invented->n ? ", " : "", word);
}

static void tally_reply(tally *t, const ms_run *r, const place *p, cn_str reply)
{
    cn_str key = ms_turn(p->game, p->turn, "key");
    int truth = ms_intent_of(ms_turn(p->game, p->turn, "intent"));
    int heard = ms_judge_intent(r->judge, reply), sentences = co_sentences(reply);
    bool asks = cn_str_ends(reply, CN_STR("?")), keyed = ms_holds(reference_of(p), key);
    t->n++;
    t->heard += heard == truth;
    t->unheard += heard == MS_UNHEARD;
    if (truth < MS_INTENTS) t->confused[truth][heard]++;
    t->sentences += sentences >= 1 && sentences <= 3;
    t->before_end += !p->last;
    t->asks += !p->last && asks;
    t->keyed += keyed;
    t->copied += keyed && ms_holds(reply, key);
    t->same += !ms_words_add(&t->said, reply);
    t->tu += !says_vous(reply, p->own);
    t->first += !third_person(reply);
    t->kept += !ms_shares_run(reply, persona_of(p->game), LEAK_WORDS);
    tally_words(t, &r->words, p, reply);
}

/* ---- playing ---- */

/* The conversation up to the pupil's turn `turn`, from exchange `from` on. */
static void chat_of(ms_chat *c, const ms_record *game, cn_buf *replies, size_t from,
                    size_t turn)
{
    ms_chat_clear(c);
    ms_chat_add(c, "system", ms_content(game, 0));
    for (size_t i = from; i <= turn; i++) {
        ms_chat_add(c, "user", ms_content(game, 1 + 2 * i));
        if (i < turn) ms_chat_add(c, "assistant", cn_buf_view(&replies[i]));
    }
}

/* Where the context is too small, the oldest exchanges are forgotten. */
static cn_status answer(ms_run *r, const ms_record *game, cn_buf *replies, size_t turn,
                        uint64_t seed, cn_err *err)
{
    ms_how how = {.temperature = 0.7f, .top_p = 0.9f, .seed = seed, .max_tokens = MAX_REPLY};
    ms_chat chat = {0};
    cn_status st = CN_E_LIMIT;
    for (size_t from = 0; st == CN_E_LIMIT && from <= turn; from++) {
        chat_of(&chat, game, replies, from, turn);
        st = ms_say(&r->speaker, &chat, &how, err);
        if (from == 0 && st == CN_E_LIMIT) r->shortened++;
    }
    if (!st) cn_buf_str(&replies[turn], cn_buf_view(&r->speaker.text));
    cn_buf_deinit(&chat.json);
    return st;
}

static void show(const ms_run *r, const ms_record *game, size_t turn, cn_str reply)
{
    if (turn == 0) fprintf(r->out, "## %s\n", ms_content(game, 0).p);
    cn_str intent = ms_turn(game, turn, "intent");
    int heard = ms_judge_intent(r->judge, reply);
    fprintf(r->out, "Élève: %s\nSpinoza [%.*s%s%s]: %.*s\n", ms_content(game, 1 + 2 * turn).p,
            CN_STR_ARG(intent), heard == ms_intent_of(intent) ? "" : " -> ",
            heard == ms_intent_of(intent) ? ""
            : heard == MS_UNHEARD         ? "?"
                                          : co_intent_names[heard],
            (int)reply.n, reply.n ? reply.p : "");
}

static cn_status play(ms_run *r, const ms_record *game, size_t number, tally *model,
                      tally *corpus, cn_err *err)
{
    cn_buf replies[CO_MAX_TURNS] = {0};
    ms_words own = {0};
    size_t turns = (ms_n_messages(game) - 1) / 2;
    cn_status st = CN_OK;
    for (size_t i = 0; i <= turns; i++)
        ms_words_learn(&own, ms_content(game, i ? 2 * i - 1 : 0));
    for (size_t i = 0; i < turns && i < CO_MAX_TURNS && !st; i++) {
        place p = {.game = game, .own = &own, .turn = i, .last = i + 1 == turns};
        tally_reply(corpus, r, &p, reference_of(&p));
        st = answer(r, game, replies, i, r->source.seed * 100000 + number * 8 + i, err);
        if (st) break;
        tally_reply(model, r, &p, cn_buf_view(&replies[i]));
        if (number < r->show) show(r, game, i, cn_buf_view(&replies[i]));
    }
    if (number < r->show) fputc('\n', r->out);
    for (int i = 0; i < CO_MAX_TURNS; i++)
        cn_buf_deinit(&replies[i]);
    ms_words_deinit(&own);
    return st;
}

/* ---- figures ---- */

static void note_confusion(cn_buf *out, const tally *t)
{
    cn_buf_lit(out, "\nintent of the pupil, and what the reply shows:\n            ");
    for (int i = 0; i <= MS_INTENTS; i++)
        ms_pad(out, cn_str_of(i < MS_INTENTS ? co_intent_names[i] : "none"), 12, true);
    for (int i = 0; i < MS_INTENTS; i++) {
        cn_buf_putc(out, '\n');
        ms_pad(out, cn_str_of(co_intent_names[i]), 12, false);
        for (int k = 0; k <= MS_INTENTS; k++)
            cn_buf_printf(out, "%12zu", t->confused[i][k]);
    }
    cn_buf_putc(out, '\n');
}

static void add(ms_report *to, const char *name, const char *what, double model, double corpus,
                size_t n, ms_want want, double target)
{
    ms_report_add(to, (ms_figure){.name = name,
                                  .what = what,
                                  .value = model,
                                  .corpus = corpus,
                                  .n = n,
                                  .want = want,
                                  .target = target,
                                  .unit = MS_SHARE});
}

static void report(ms_report *to, const tally *m, const tally *c)
{
#define ADD(name, what, field, of, want, target)                                               \
    add(to, name, what, ms_share(m->field, m->of), ms_share(c->field, c->of), m->of, want,     \
        target)
    ADD("intent", "replies: intent right", heard, n, MS_AT_LEAST, 0.85);
    ADD("sentences", "replies: one to three sentences", sentences, n, MS_AT_LEAST, 0.99);
    ADD("question", "replies before the end: last is a question", asks, before_end, MS_AT_LEAST,
        0.85);
    ADD("key", "reformulations: the pupil's key word", copied, keyed, MS_AT_LEAST, 0.60);
    ADD("same", "replies that came before, word for word", same, n, MS_BELOW, 0.05);
    ADD("words", "replies without invented words", known, n, MS_AT_LEAST, 0.99);
    ADD("tu", "replies that say tu, not vous", tu, n, MS_AT_LEAST, 0.99);
    ADD("first_person", "replies without \"Spinoza pense\"", first, n, MS_AT_LEAST, 0.99);
    ADD("kept", "replies that keep the instructions", kept, n, MS_AT_LEAST, 0.99);
#undef ADD
    note_confusion(&to->notes, m);
}

cn_status ms_measure_judge(ms_run *r, cn_err *err)
{
    ms_records games;
    size_t n = 0, right = 0;
    cn_status st = ms_records_read(&games, &(ms_source){r->source.program, r->source.seed + 1},
                                   "game", true, JUDGED, err);
    for (size_t i = 0; i < games.n && !st; i++)
        for (size_t t = 0; 2 + 2 * t < ms_n_messages(&games.items[i]); t++, n++)
            right += ms_judge_intent(r->judge, ms_content(&games.items[i], 2 + 2 * t)) ==
                     ms_intent_of(ms_turn(&games.items[i], t, "intent"));
    if (!st)
        add(&r->report, "judge", "the judge of intents, on the corpus itself",
            ms_share(right, n), (double)NAN, n, MS_AT_LEAST, 0.97);
    ms_records_deinit(&games);
    return st;
}

cn_status ms_measure_games(ms_run *r, cn_err *err)
{
    ms_records games;
    cn_buf invented = {0};
    tally *t = cn_xcalloc(2, sizeof *t);
    t[0].invented = &invented;
    cn_status st = ms_records_read(&games, &r->source, "game", true, r->games, err);
    for (size_t i = 0; i < games.n && !st; i++)
        st = play(r, &games.items[i], i, &t[0], &t[1], err);
    if (!st) {
        report(&r->report, &t[0], &t[1]);
        if (invented.n) cn_buf_printf(&r->report.notes, "invented words: %s\n", invented.p);
    }
    ms_words_deinit(&t[0].said);
    ms_words_deinit(&t[1].said);
    cn_free(t);
    cn_buf_deinit(&invented);
    ms_records_deinit(&games);
    return st;
}

cn_status ms_measure_intents(ms_run *r, cn_err *err)
{
    ms_records records;
    ms_chat chat = {0};
    ms_how how = {.top_p = 1, .max_tokens = 12};
    size_t right = 0;
    cn_status st = ms_records_read(&records, &r->source, "intent", true, r->intents, err);
    for (size_t i = 0; i < records.n && !st; i++) {
        const ms_record *q = &records.items[i];
        ms_chat_clear(&chat);
        ms_chat_add(&chat, "system", ms_content(q, 0));
        ms_chat_add(&chat, "user", ms_content(q, 1));
        st = ms_say(&r->speaker, &chat, &how, err);
        right += cn_str_eq(cn_buf_view(&r->speaker.text), ms_content(q, 2));
    }
    if (!st)
        add(&r->report, "intent_word", "asked for the intent: the right word",
            ms_share(right, records.n), (double)NAN, records.n, MS_AT_LEAST, 0.85);
    cn_buf_deinit(&chat.json);
    ms_records_deinit(&records);
    return st;
}
