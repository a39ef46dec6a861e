/* The pupil: chooses what to do by how well he follows, then says it. */
#include "sim_priv.h"

#include <stdio.h>
#include <string.h>

#define R CO_EV_RIGHT
#define EX CO_EV_EXAMPLE

static const co_act acts[] = {
    {"accord.right", CO_ACCORD, R, {1, 8, 11}, false, true, "say"},
    {"accord.precise", CO_ACCORD, R | CO_EV_PRECISE, {0, 2, 10}, false, true, "say"},
    {"accord.partial", CO_ACCORD, CO_EV_PARTIAL, {2, 7, 1}, false, true, "half"},
    {"accord.wrong", CO_ACCORD, CO_EV_WRONG, {5, 4, 0}, false, true, "wrong"},
    {"accord.life", CO_ACCORD, EX, {1, 6, 6}, false, true, NULL},
    {"accord.rightlife", CO_ACCORD, R | EX, {0, 3, 9}, false, true, "say"},
    {"accord.link", CO_ACCORD, CO_EV_LINK, {0, 2, 8}, false, true, "link"},
    {"accord.moral", CO_ACCORD, R | CO_EV_MORAL, {0, 1, 6}, false, true, "moral"},
    {"accord.bare", CO_ACCORD, CO_EV_BARE, {7, 3, 0}, false, true, NULL},
    {"accord.claim", CO_ACCORD, 0, {2, 3, 3}, true, false, NULL},
    {"confusion.term", CO_CONFUSION, CO_EV_LOST | CO_EV_QUESTION, {5, 7, 3}, false, true, NULL},
    {"confusion.say", CO_CONFUSION, CO_EV_LOST, {4, 6, 2}, false, true, NULL},
    {"confusion.life", CO_CONFUSION, CO_EV_LOST | EX, {3, 5, 3}, false, true, NULL},
    {"confusion.plain", CO_CONFUSION, CO_EV_LOST, {8, 3, 0}, false, true, NULL},
    {"confusion.question", CO_CONFUSION, CO_EV_LOST, {4, 2, 1}, true, false, NULL},
    {"resistance.object", CO_RESISTANCE, CO_EV_OBJECT, {3, 7, 7}, false, true, "object"},
    {"resistance.life", CO_RESISTANCE, CO_EV_OBJECT | EX, {4, 6, 5}, false, true, NULL},
    {"resistance.refuse", CO_RESISTANCE, CO_EV_REFUSE, {8, 2, 0}, false, true, NULL},
    {"resistance.claim", CO_RESISTANCE, CO_EV_OBJECT, {3, 3, 3}, true, true, NULL},
    {"neutre.claim", CO_NEUTRE, 0, {6, 8, 7}, true, false, NULL},
    {"neutre.claimlife", CO_NEUTRE, EX, {2, 7, 9}, true, false, NULL},
    {"neutre.life", CO_NEUTRE, EX, {4, 7, 6}, true, true, NULL},
    {"neutre.idea", CO_NEUTRE, 0, {2, 4, 3}, false, true, "half"},
    {"neutre.why", CO_NEUTRE, CO_EV_QUESTION, {1, 5, 8}, false, true, "why"},
    {"neutre.bare", CO_NEUTRE, CO_EV_BARE, {6, 3, 0}, true, true, NULL},
};

#undef R
#undef EX

static double weight(const co_game *g, const co_act *a, bool first)
{
    double l = g->level * 2, low = a->weight[0], mid = a->weight[1], high = a->weight[2];
    if (!(first ? a->first : a->later)) return 0;
    if (a->about && !co_has(g->gen, co_idea_rule((co_game *)(uintptr_t)g, g->idea, a->about)))
        return 0;
    double w = l < 1 ? low + (mid - low) * l : mid + (high - mid) * (l - 1);
    for (int i = 0; i < g->n; i++) /* the same move twice in a game is rare */
        if (strcmp(g->turns[i].act, a->name) == 0) w *= 0.4;
    return w;
}

static const co_act *choose(co_game *g, bool first)
{
    enum { N = sizeof acts / sizeof *acts };
    double sum = 0, w[N];
    for (int i = 0; i < N; i++)
        sum += w[i] = weight(g, &acts[i], first);
    double at = cn_rng_unit(&g->gen->rng) * sum;
    for (int i = 0; i < N; i++)
        if ((at -= w[i]) < 0) return &acts[i];
    return &acts[N - 1];
}

static void set_topic(co_game *g, const char *var, const char *part)
{
    char rule[64];
    snprintf(rule, sizeof rule, "q.%s.%s", g->topic, part);
    co_set(g->gen, var, co_draw(g->gen, rule));
}

/* "pupil.NAME", or the variant of his style where the grammar has one. */
static cn_str message(co_game *g, const co_act *a)
{
    static const char *const variants[] = {"", "", ".short", "", ".brilliant"};
    char rule[64];
    snprintf(rule, sizeof rule, "pupil.%s%s", a->name, variants[g->style]);
    if (!co_has(g->gen, rule) || co_chance(g->gen, 0.3))
        snprintf(rule, sizeof rule, "pupil.%s", a->name);
    return co_draw(g->gen, rule);
}

static cn_str first_key(cn_str *raws, int n)
{
    for (int i = 0; i < n; i++)
        if (co_key(raws[i]).n) return co_key(raws[i]);
    return (cn_str){0};
}

/* A strong pupil adds a question, a talkative one rambles. Adds to the events what it adds. */
static void add_tail(co_game *g, const co_act *a, cn_buf *text, unsigned *events)
{
    bool asks = strncmp(a->name, "accord", 6) == 0 && a->about && g->idea[0];
    if (asks && co_chance(g->gen, 0.45 * g->level)) {
        co_set(g->gen, "why", co_draw(g->gen, co_idea_rule(g, g->idea, "why")));
        cn_buf_putc(text, ' ');
        co_say(g->gen, "pupil.tail.why", CO_JE, text);
        *events |= CO_EV_QUESTION;
    } else if (g->style == CO_STYLE_LONG && co_chance(g->gen, 0.6)) {
        cn_buf_putc(text, ' ');
        co_say(g->gen, "pupil.tail.long", CO_JE, text);
    }
}

const co_act *co_pupil_turn(co_game *g, co_turn *t, bool first)
{
    co_gen *gen = g->gen;
    const co_act *a = choose(g, first);
    cn_buf text = {0};
    set_topic(g, "claim", "claim");
    set_topic(g, "life", "life");
    co_set(gen, "said", g->said);
    co_set(gen, "re", (cn_str){0});
    if (a->about) co_set(gen, "re", co_draw(gen, co_idea_rule(g, g->idea, a->about)));
    if (g->idea[0]) co_set(gen, "term", co_draw(gen, co_idea_rule(g, g->idea, "term")));
    if (first && g->style == CO_STYLE_LONG) {
        co_say(gen, "pupil.head", CO_JE, &text);
        cn_buf_putc(&text, ' ');
    }
    cn_str raw = message(g, a);
    co_render(gen, raw, CO_JE, &text);
    t->events = a->events;
    add_tail(g, a, &text, &t->events);
    cn_str raws[] = {co_get(gen, "life"), raw};
    bool tells = raw.n && raws[0].n && memmem(raw.p, raw.n, raws[0].p, raws[0].n);
    t->key = first_key(raws + !tells, 1 + tells);
    co_set(gen, "key", t->key);
    co_set(gen, "told", tells ? raws[0] : (cn_str){0});
    if (co_hooks_table.noise) co_hooks_table.noise(g, &text, t->key);
    t->user = co_keep(g, cn_buf_view(&text));
    t->intent = a->intent;
    snprintf(t->act, sizeof t->act, "%s", a->name);
    cn_buf_deinit(&text);
    return a;
}
