/* The final message: a compliment on what the pupil really said, advice on the weakest mark, a
 * nickname. */
#include <stdio.h>
#include <string.h>

#include "noise.h"
#include "rogue_text.h"
#include "rubric.h"
#include "rubric_dialogue.h"
#include "rubric_record.h"

/* What a turn can be praised for, best first. */
static const struct {
    unsigned any;
    const char *praise;
    int worth;
} merits[] = {
    {CO_EV_INSULT | CO_EV_LEAVE, "hostile", 0},
    {CO_EV_GIVE_UP | CO_EV_REFUSE, "giveup", 2},
    {CO_EV_PRECISE | CO_EV_MORAL | CO_EV_RIGHT, "grasp", 9},
    {CO_EV_LINK | CO_EV_PARTIAL, "partial", 7},
    {CO_EV_OBJECT, "object", 6},
    {CO_EV_QUESTION, "question", 6},
    {CO_EV_LOST, "lost", 5},
    {CO_EV_OFFTOPIC | CO_EV_PROMPT | CO_EV_SMALLTALK, "aside", 2},
    {CO_EV_BARE | CO_EV_STUFF | CO_EV_COPY, "idle", 1},
};
enum { N_MERITS = sizeof merits / sizeof *merits };

static size_t merit(unsigned events)
{
    for (size_t i = 0; i < N_MERITS; i++) {
        if (events & merits[i].any) return i;
    }
    return N_MERITS; /* an opinion */
}

static int worth(const co_turn *t)
{
    size_t i = merit(t->events);
    int w = i < N_MERITS ? merits[i].worth : 4;
    return w * 2 + (t->events & CO_EV_EXAMPLE ? 1 : 0);
}

static int best_turn(const co_game *g, int n)
{
    int b = 0;
    for (int i = 1; i < n; i++) {
        if (worth(&g->turns[i]) >= worth(&g->turns[b])) b = i;
    }
    return b;
}

/* True when a sentence says something and can stand between « ». */
static bool worth_quoting(cn_str s, cn_str key)
{
    if (s.n < 24 || s.n > 80 || memmem(s.p, s.n, "«", 2)) return false;
    return key.n == 0 || memmem(s.p, s.n, key.p, key.n);
}

/* The pupil's sentence with the key word, or else the first that is long enough; no question.
 */
static cn_str quotable(const co_turn *t)
{
    cn_str text = cn_str_of(t->user), s;
    for (size_t at = 0; (s = rogue_sentence(text, at)).n > 0; at += s.n + 1) {
        cn_str bare = s;
        while (bare.n && strchr(".! ", bare.p[bare.n - 1]))
            bare.n--;
        if (s.p[s.n - 1] != '?' && worth_quoting(bare, t->key)) return bare;
        if (at + s.n + 1 > text.n) break;
    }
    return (cn_str){0};
}

static bool hostile(const co_game *g, int n)
{
    for (int i = 0; i < n; i++) {
        if (g->turns[i].events & (CO_EV_INSULT | CO_EV_LEAVE)) return true;
    }
    return false;
}

/* The rule of the compliment for turn `b` of the first `n`; *own: the words that it quotes. */
static const char *praise_of(co_game *g, int b, int n, cn_str *own)
{
    const co_turn *t = &g->turns[b];
    size_t i = merit(t->events);
    const char *praise = i < N_MERITS ? merits[i].praise : "claim";
    if (i < N_MERITS && merits[i].worth <= 3) return hostile(g, n) ? "hostile" : praise;
    *own = t->events & CO_EV_LOST ? (cn_str){0} : quotable(t);
    if (own->n && co_chance(g->gen, 0.35)) return "quote";
    *own = t->key;
    if (!t->key.n) return praise;
    if (t->events & CO_EV_EXAMPLE) return "example";
    if (strcmp(praise, "grasp") == 0) return co_chance(g->gen, 0.6) ? "grasp.key" : praise;
    return i == N_MERITS ? "word" : praise;
}

/* Appends `text` with the pupil's words where % stands. */
static void put_quoting(cn_buf *out, cn_str text, cn_str own)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%')
            cn_buf_str(out, own);
        else
            cn_buf_putc(out, text.p[i]);
    }
}

/* Who does not play along hears of that first. */
static const char *weakest(const rubric_marks *m)
{
    int least = m->comprehension < m->progression ? m->comprehension : m->progression;
    if (m->total >= 27) return "top";
    if (m->cooperation < least || (m->cooperation <= 2 && m->cooperation <= least + 1)) {
        return "cooperation";
    }
    return m->comprehension <= m->progression ? "comprehension" : "progression";
}

static void say(co_game *g, const char *part, const char *which, cn_str own, cn_buf *out)
{
    char rule[64];
    cn_buf text = {0};
    snprintf(rule, sizeof rule, "message.%s%s%s", part, which[0] ? "." : "", which);
    co_say(g->gen, rule, CO_TU, &text);
    if (g->typographic) co_curly(&text);
    if (out->n) cn_buf_putc(out, ' ');
    put_quoting(out, cn_buf_view(&text), own);
    cn_buf_deinit(&text);
}

static void compose(co_game *g, const rubric_dialogue *d, const rubric_marks *m, cn_buf *out)
{
    int b = best_turn(g, d->n);
    const char *idea =
        b > 0 && g->turns[b - 1].idea[0] ? g->turns[b - 1].idea : g->turns[b].idea;
    cn_str own = {0};
    const char *praise = praise_of(g, b, d->n, &own);
    co_set(g->gen, "mterm",
           idea[0] ? co_draw(g->gen, co_idea_rule(g, idea, "term")) : CN_STR("notre question"));
    say(g, "praise", praise, own, out);
    say(g, "advice", weakest(m), own, out);
    say(g, "sign", "", own, out);
}

void rubric_message(co_game *g, cn_buf *line)
{
    rubric_marks m;
    rubric_dialogue d = rubric_dialogue_draw(g, &m);
    rubric_record r = {.out = line};
    cn_buf text = {0};
    rubric_record_open(&r);
    co_say(g->gen, "message.system", CO_TU, &text);
    rubric_record_message(&r, "system", cn_buf_view(&text));
    cn_buf_clear(&text);
    rubric_dialogue_text(g, &d, &text);
    cn_buf_printf(&text, "%sNotes : compréhension %d, coopération %d, progression %d",
                  d.blank ? "\n\n" : "\n", m.comprehension, m.cooperation, m.progression);
    rubric_record_message(&r, "user", cn_buf_view(&text));
    cn_buf_clear(&text);
    compose(g, &d, &m, &text);
    rubric_record_message(&r, "assistant", cn_buf_view(&text));
    rubric_record_close(&r, "message", g, &m);
    cn_buf_deinit(&text);
}
