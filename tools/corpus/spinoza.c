/* Spinoza: hears the pupil's move, answers it in his own words, brings one idea, asks. */
#include "sim_priv.h"

#include <stdio.h>
#include <string.h>

/* The idea of this reply: the next one of the path when the pupil follows, else the same. */
static void choose_idea(co_game *g, const co_act *a, bool first)
{
    char rule[64];
    bool forward = a->intent == CO_ACCORD ? !(a->events & CO_EV_WRONG)
                                          : a->intent == CO_NEUTRE && co_chance(g->gen, 0.5);
    if (first)
        snprintf(rule, sizeof rule, "q.%s.start", g->topic);
    else if (forward)
        snprintf(rule, sizeof rule, "idea.%s.next", g->idea);
    else
        return;
    cn_str name = co_draw(g->gen, rule);
    snprintf(g->idea, sizeof g->idea, "%.*s", (int)name.n, name.p);
}

static void set_idea_parts(co_game *g)
{
    static const char *const parts[] = {"say", "term", "image", "contra", "ask"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        co_set(g->gen, parts[i], co_draw(g->gen, co_idea_rule(g, g->idea, parts[i])));
}

/* How the reply ends: a question of the idea, of his example, or of something he told before.
 */
static cn_str closing(co_game *g, bool last)
{
    co_gen *gen = g->gen;
    if (last && co_chance(gen, 0.3)) return co_draw(gen, "close");
    if (g->n >= 2 && g->old_clause.n && co_chance(gen, 0.22)) {
        co_set(gen, "old", g->old_clause);
        return co_draw(gen, "ask.callback");
    }
    if (co_get(gen, "told").n && co_chance(gen, 0.3)) return co_draw(gen, "ask.life");
    return co_chance(gen, 0.85) ? co_get(gen, "ask") : co_draw(gen, "ask.any");
}

static const char *body_rule(co_game *g, const co_act *a)
{
    switch (a->intent) {
    case CO_CONFUSION:
        return "body.image";
    case CO_RESISTANCE:
        return co_chance(g->gen, 0.7) ? "body.contra" : "body.resist";
    case CO_NEUTRE:
        return co_chance(g->gen, 0.15) ? "body.none" : "body.say";
    default:
        return a->events & CO_EV_WRONG ? "body.none" : "body.say";
    }
}

/* "reply.NAME", or "reply.NAME.plain" which uses none of the pupil's words. */
static cn_str opening(co_game *g, const co_act *a)
{
    char rule[64];
    snprintf(rule, sizeof rule, "reply.%s.plain", a->name);
    if (!co_has(g->gen, rule) || !co_chance(g->gen, 0.12))
        snprintf(rule, sizeof rule, "reply.%s", a->name);
    return co_draw(g->gen, rule);
}

void co_spinoza_turn(co_game *g, co_turn *t, const co_act *a, bool first, bool last)
{
    co_gen *gen = g->gen;
    cn_str parts[3];
    if (first) choose_idea(g, a, first);
    parts[0] = opening(g, a); /* still speaks of the last idea */
    if (!first) choose_idea(g, a, first);
    set_idea_parts(g);
    parts[1] = co_draw(gen, body_rule(g, a));
    parts[2] = closing(g, last);
    cn_buf raw = {0}, text = {0};
    for (int i = 0; i < 3; i++) {
        if (raw.n && parts[i].n) cn_buf_putc(&raw, ' ');
        cn_buf_str(&raw, parts[i]);
    }
    co_render(gen, cn_buf_view(&raw), CO_TU, &text);
    if (g->typographic) co_curly(&text);
    t->reply = co_keep(g, cn_buf_view(&text));
    g->said = co_get(gen, "say");
    g->asked = parts[2];
    snprintf(t->idea, sizeof t->idea, "%s", g->idea);
    if (co_get(gen, "told").n) {
        g->old_clause = co_get(gen, "told");
        g->old_key = t->key;
    }
    cn_buf_deinit(&raw);
    cn_buf_deinit(&text);
}
