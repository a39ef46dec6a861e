/* The game: who the pupil is, how his understanding moves, turn after turn. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "sim_priv.h"

const char *const co_intent_names[4] = {"accord", "confusion", "résistance", "neutre"};

char *co_keep(co_game *g, cn_str text)
{
    return cn_arena_strndup(&g->gen->arena, text.n ? text.p : "", text.n);
}

const char *co_idea_rule(co_game *g, const char *idea, const char *part)
{
    char rule[64];
    int n = snprintf(rule, sizeof rule, "idea.%s.%s", idea, part);
    return co_keep(g, (cn_str){rule, (size_t)n});
}

static void choose_pupil(co_game *g)
{
    static const struct {
        co_bent bent;
        double weight, low, high;
    } bents[] = {{CO_PROGRESSIVE, .28, .15, .45}, {CO_STAGNATING, .2, .25, .55},
                 {CO_REGRESSING, .1, .5, .75},    {CO_STEADY_GOOD, .22, .7, .98},
                 {CO_STEADY_BAD, .12, .02, .2},   {CO_ROGUE, .08, 0, .2}};
    static const co_style styles[] = {CO_STYLE_GOOD,  CO_STYLE_GOOD, CO_STYLE_GOOD,
                                      CO_STYLE_SMS,   CO_STYLE_SMS,  CO_STYLE_SHORT,
                                      CO_STYLE_SHORT, CO_STYLE_LONG, CO_STYLE_BRILLIANT};
    double at = cn_rng_unit(&g->gen->rng);
    int i = 0;
    while (i < 5 && (at -= bents[i].weight) >= 0)
        i++;
    g->bent = bents[i].bent;
    g->level = bents[i].low + (bents[i].high - bents[i].low) * cn_rng_unit(&g->gen->rng);
    g->style = styles[co_below(g->gen, sizeof styles / sizeof *styles)];
    if (g->style == CO_STYLE_BRILLIANT && g->level < 0.5) g->style = CO_STYLE_GOOD;
    g->typographic = co_chance(g->gen, 0.3);
    g->gen->feminine = co_chance(g->gen, 0.5);
}

static void move_level(co_game *g)
{
    double step = g->bent == CO_PROGRESSIVE ? 0.15 : g->bent == CO_REGRESSING ? -0.14 : 0;
    g->level += step + 0.05 * (cn_rng_unit(&g->gen->rng) - 0.5);
    if (g->level < 0) g->level = 0;
    if (g->level > 1) g->level = 1;
}

static void start(co_game *g, co_gen *gen)
{
    *g = (co_game){.gen = gen};
    co_bind(gen, "questions");
    cn_str topic = co_get(gen, "topic");
    snprintf(g->topic, sizeof g->topic, "%.*s", (int)topic.n, topic.p);
    cn_buf b = {0};
    co_render(gen, co_get(gen, "question"), CO_TU, &b);
    g->question = cn_str_of(co_keep(g, cn_buf_view(&b)));
    cn_buf_clear(&b);
    co_say(gen, "persona", CO_TU, &b);
    g->persona = cn_str_of(co_keep(g, cn_buf_view(&b)));
    cn_buf_deinit(&b);
    choose_pupil(g);
    g->n_wanted =
        co_chance(gen, 0.75) ? CO_MAX_TURNS : 1 + (int)co_below(gen, CO_MAX_TURNS - 1);
}

static void play_turn(co_game *g)
{
    co_turn *t = &g->turns[g->n];
    bool first = g->n == 0, last = g->n + 1 == g->n_wanted;
    double slip = co_hooks_table.slip > 0 ? co_hooks_table.slip : 0.04;
    double rogue = g->bent == CO_ROGUE ? 0.75 : slip;
    t->level = g->level;
    bool done = co_hooks_table.rogue_turn && co_chance(g->gen, rogue) &&
                co_hooks_table.rogue_turn(g, t);
    if (!done) {
        /* After a rogue opening no idea was brought yet: the pupil still answers the question.
         */
        first = first || !g->idea[0];
        const co_act *act = co_pupil_turn(g, t, first);
        co_spinoza_turn(g, t, act, first, last);
    }
    g->n++;
    move_level(g);
}

void co_play(co_game *g, co_gen *gen)
{
    start(g, gen);
    while (g->n < g->n_wanted)
        play_turn(g);
}
