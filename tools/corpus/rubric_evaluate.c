/* The dialogue as the grader reads it, and its marks. */
#include <string.h>

#include "rogue_text.h"
#include "rubric.h"
#include "rubric_dialogue.h"
#include "rubric_record.h"

/* The first turns of the game that stay: mostly all, at least three when there are. */
static int turns_kept(co_game *g)
{
    if (g->n <= 3 || co_chance(g->gen, 0.6)) return g->n;
    return 3 + (int)co_below(g->gen, (unsigned)(g->n - 2));
}

static rubric_dialogue draw(co_game *g)
{
    rubric_dialogue d = {.n = turns_kept(g), .blank = co_chance(g->gen, 0.5)};
    unsigned at = co_below(g->gen, 100);
    d.opening = at < 55   ? OPENING_QUESTION
                : at < 65 ? OPENING_GREETING
                : at < 75 ? OPENING_PUPIL
                          : OPENING_NONE;
    d.terse = co_chance(g->gen, 0.35);
    d.unanswered = co_chance(g->gen, 0.3);
    return d;
}

/* Most pupils are middling; a grader must see the others as often. In percent, by total: how
 * many of the games that were played are kept. */
static unsigned kept_share(int total)
{
    static const unsigned char shares[31] = {100, 62, 100, 68, 51, 100, 100, 100, 33, 44, 19,
                                             20,  13, 8,   10, 14, 17,  18,  23,  22, 27, 27,
                                             41,  45, 51,  75, 93, 100, 100, 100, 100};
    return shares[total];
}

/* What a turn does, read from its text as well: to say an idea again and ask whether that is it
 * is a question. */
static unsigned events_of(const co_turn *t)
{
    size_t n = strlen(t->user);
    bool checks = t->events & (CO_EV_RIGHT | CO_EV_PARTIAL) && n && t->user[n - 1] == '?';
    return t->events | (checks ? CO_EV_QUESTION : 0u);
}

/* Another game with the same numbers going on. */
static void play_again(co_game *g)
{
    co_gen *gen = g->gen;
    gen->n_vars = gen->heldout_used = 0;
    gen->epoch++;
    co_play(g, gen);
}

rubric_dialogue rubric_dialogue_draw(co_game *g, rubric_marks *marks)
{
    enum { TRIES = 14 };
    for (int i = 1;; i++) {
        rubric_dialogue d = draw(g);
        unsigned events[CO_MAX_TURNS];
        for (int k = 0; k < d.n; k++)
            events[k] = events_of(&g->turns[k]);
        *marks = rubric_grade(events, (size_t)d.n);
        if (i == TRIES || co_below(g->gen, 100) < kept_share(marks->total)) return d;
        play_again(g);
    }
}

static void line(cn_buf *out, const rubric_dialogue *d, const char *who, cn_str text)
{
    if (!text.n) return;
    if (out->n) cn_buf_str(out, cn_str_of(d->blank ? "\n\n" : "\n"));
    cn_buf_printf(out, "%s: ", who);
    cn_buf_str(out, text);
}

static void opening(co_game *g, const rubric_dialogue *d, cn_buf *out)
{
    cn_buf said = {0};
    co_set(g->gen, "question", g->question);
    co_set(g->gen, "lower", rogue_lower_first(g, g->question));
    switch (d->opening) {
    case OPENING_QUESTION:
        line(out, d, "Spinoza", g->question);
        break;
    case OPENING_GREETING:
        co_say(g->gen, "evaluate.greeting", CO_TU, &said);
        line(out, d, "Spinoza", cn_buf_view(&said));
        break;
    case OPENING_PUPIL:
        co_say(g->gen, "evaluate.first.user", CO_JE, &said);
        line(out, d, "Élève", cn_buf_view(&said));
        cn_buf_clear(&said);
        co_say(g->gen, "evaluate.first.reply", CO_TU, &said);
        line(out, d, "Spinoza", cn_buf_view(&said));
        break;
    case OPENING_NONE:
        break;
    }
    cn_buf_deinit(&said);
}

void rubric_dialogue_text(co_game *g, const rubric_dialogue *d, cn_buf *out)
{
    opening(g, d, out);
    for (int i = 0; i < d->n; i++) {
        cn_str reply = cn_str_of(g->turns[i].reply), statement = rogue_statement(reply);
        if (d->terse && statement.n) reply = statement;
        line(out, d, "Élève", cn_str_of(g->turns[i].user));
        if (i + 1 < d->n || !d->unanswered) line(out, d, "Spinoza", reply);
    }
}

void rubric_evaluate(co_game *g, cn_buf *out)
{
    rubric_marks m;
    rubric_dialogue d = rubric_dialogue_draw(g, &m);
    rubric_record r = {.out = out};
    cn_buf text = {0};
    rubric_record_open(&r);
    co_say(g->gen, "evaluate.system", CO_TU, &text);
    rubric_record_message(&r, "system", cn_buf_view(&text));
    cn_buf_clear(&text);
    rubric_dialogue_text(g, &d, &text);
    rubric_record_message(&r, "user", cn_buf_view(&text));
    cn_buf_clear(&text);
    cn_buf_printf(&text,
                  "{\"comprehension\":%d,\"cooperation\":%d,\"progression\":%d,\"total\":%d}",
                  m.comprehension, m.cooperation, m.progression, m.total);
    rubric_record_message(&r, "assistant", cn_buf_view(&text));
    rubric_record_close(&r, "evaluate", g, &m);
    cn_buf_deinit(&text);
}
