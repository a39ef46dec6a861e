/* Which rogue turn is played, and its texts. A rogue keeps to one way of misbehaving most of
 * the time; an ordinary pupil only slips into the harmless ones. */
#include "rogue.h"

#include <stdio.h>
#include <string.h>

#include "noise.h"
#include "rogue_text.h"
#include "rubric.h"
#include "rubric_record.h"

enum { OF_ROGUE = 1, OF_SLIP = 2, OF_TALK = 4 };

typedef struct rogue_kind {
    const char *name;
    co_intent intent;
    unsigned events;
    unsigned rogue, slip,
        talk;   /* how often a rogue, an ordinary pupil, a small talker does it */
    bool later; /* needs something that Spinoza said */
} rogue_kind;

static const rogue_kind kinds[] = {
    {"rogue.insult", CO_RESISTANCE, CO_EV_INSULT, 14, 1, 6, false},
    {"rogue.contempt", CO_RESISTANCE, RUBRIC_CONTEMPT, 16, 2, 5, false},
    {"rogue.leave", CO_RESISTANCE, CO_EV_LEAVE, 7, 1, 2, true},
    {"rogue.refuse", CO_RESISTANCE, RUBRIC_WONT_PLAY, 9, 4, 5, false},
    {"rogue.giveup", CO_CONFUSION, CO_EV_GIVE_UP, 10, 6, 4, true},
    {"rogue.stuff", CO_ACCORD, CO_EV_STUFF, 12, 3, 5, false},
    {"rogue.yes", CO_ACCORD, CO_EV_BARE, 10, 10, 5, true},
    {"rogue.no", CO_RESISTANCE, CO_EV_BARE, 8, 8, 4, false},
    {"rogue.dunno", CO_CONFUSION, CO_EV_BARE, 8, 10, 5, false},
    {"rogue.huh", CO_CONFUSION, CO_EV_LOST, 3, 6, 2, false},
    {"rogue.bof", CO_NEUTRE, CO_EV_BARE, 9, 10, 4, false},
    {"rogue.copy", CO_ACCORD, CO_EV_COPY, 12, 6, 0, true},
    {"rogue.spam", CO_NEUTRE, CO_EV_OFFTOPIC, 7, 1, 5, false},
    {"rogue.off", CO_NEUTRE, CO_EV_OFFTOPIC, 10, 12, 10, false},
    {"rogue.english", CO_NEUTRE, CO_EV_OFFTOPIC, 3, 2, 6, false},
    {"rogue.spanish", CO_NEUTRE, CO_EV_OFFTOPIC, 2, 1, 4, false},
    {"rogue.german", CO_NEUTRE, CO_EV_OFFTOPIC, 1, 1, 3, false},
    {"rogue.italian", CO_NEUTRE, CO_EV_OFFTOPIC, 1, 1, 3, false},
    {"rogue.arabic", CO_NEUTRE, CO_EV_OFFTOPIC, 1, 1, 3, false},
    {"rogue.other", CO_NEUTRE, CO_EV_OFFTOPIC, 1, 1, 2, false},
    {"rogue.probe", CO_NEUTRE, CO_EV_PROMPT, 7, 2, 10, false},
    {"rogue.order", CO_NEUTRE, CO_EV_PROMPT, 5, 1, 7, false},
    {"rogue.cheat", CO_NEUTRE, CO_EV_PROMPT, 5, 2, 6, false},
    {"rogue.machine", CO_NEUTRE, CO_EV_PROMPT, 6, 5, 12, false},
    {"rogue.blame", CO_RESISTANCE, CO_EV_REFUSE, 4, 6, 2, true},
    {"talk", CO_NEUTRE, CO_EV_SMALLTALK, 8, 45, 90, false},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static unsigned weight(const rogue_kind *k, const co_game *g, unsigned who)
{
    if (k->later && (g->n == 0 || !g->idea[0]) && who != OF_TALK) return 0;
    if (k->later && g->n == 0) return 0;
    return who == OF_ROGUE ? k->rogue : who == OF_SLIP ? k->slip : k->talk;
}

static const rogue_kind *choose(co_game *g, unsigned who)
{
    unsigned sum = 0;
    for (size_t i = 0; i < N_KINDS; i++)
        sum += weight(&kinds[i], g, who);
    unsigned at = co_below(g->gen, sum);
    for (size_t i = 0; i < N_KINDS; i++) {
        unsigned w = weight(&kinds[i], g, who);
        if (at < w) return &kinds[i];
        at -= w;
    }
    return &kinds[N_KINDS - 1];
}

/* A rogue's bad habit, kept in a variable of the game. */
static const rogue_kind *habit(co_game *g)
{
    cn_str name = co_get(g->gen, "habit");
    for (size_t i = 0; i < N_KINDS; i++) {
        if (name.n && cn_str_is(name, kinds[i].name) && weight(&kinds[i], g, OF_ROGUE)) {
            if (co_chance(g->gen, 0.65)) return &kinds[i];
        }
    }
    const rogue_kind *k = choose(g, OF_ROGUE);
    if (!name.n) co_set(g->gen, "habit", cn_str_of(k->name));
    return k;
}

/* ---- what the rules need ---- */

static void set_words(co_game *g)
{
    co_gen *gen = g->gen;
    co_set(gen, "question", g->question);
    co_set(gen, "lower", rogue_lower_first(g, g->question));
    co_set(gen, "asked", g->asked.n ? g->asked : g->question);
    cn_str copied = g->n ? rogue_statement(cn_str_of(g->turns[g->n - 1].reply)) : (cn_str){0};
    co_set(gen, "copied", copied);
    co_set(gen, "copied_lower", rogue_lower_first(g, copied));
    co_bind(gen, "rogue.off.theme");
    co_set(gen, "thinker", co_draw(gen, "talk.others.name"));
    co_set(gen, "first", co_draw(gen, "talk.first"));
    co_set(gen, "noun2", co_draw(gen, "talk.hobby.thing"));
}

/* ---- texts ---- */

static cn_str draw(co_game *g, const char *kind, const char *part)
{
    char rule[96];
    snprintf(rule, sizeof rule, "%s.%s", kind, part);
    return co_draw(g->gen, rule);
}

static bool foreign(const char *kind)
{
    static const char *const languages[] = {"rogue.english", "rogue.spanish", "rogue.german",
                                            "rogue.italian", "rogue.arabic",  "rogue.other"};
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
        if (strcmp(kind, languages[i]) == 0) return true;
    }
    return false;
}

static void put_user(co_game *g, co_turn *t, cn_str raw, bool verbatim)
{
    cn_buf text = {0};
    t->key = co_key(raw);
    if (verbatim) {
        noise_apostrophes(&text, raw, g->typographic);
    } else {
        co_render(g->gen, raw, CO_JE, &text);
        rogue_noise(g, &text, t->key);
    }
    t->user = co_keep(g, cn_buf_view(&text));
    cn_buf_deinit(&text);
}

static void put_reply(co_game *g, co_turn *t, cn_str raw)
{
    cn_buf text = {0};
    co_render(g->gen, raw, CO_TU, &text);
    if (g->typographic) co_curly(&text);
    t->reply = co_keep(g, cn_buf_view(&text));
    cn_buf_deinit(&text);
}

static bool play(co_game *g, co_turn *t, const rogue_kind *k)
{
    char kind[24];
    set_words(g);
    snprintf(kind, sizeof kind, "%s", k->name);
    if (strcmp(kind, "rogue.copy") == 0 && !co_get(g->gen, "copied").n) return false;
    if (strcmp(kind, "talk") == 0) {
        cn_str topic = co_draw(g->gen, "talk.topics");
        snprintf(kind, sizeof kind, "talk.%.*s", (int)(topic.n < 18 ? topic.n : 18), topic.p);
    }
    bool other = foreign(kind);
    if (other) co_set(g->gen, "lang", draw(g, kind, "open"));
    put_user(g, t, draw(g, kind, "user"), other);
    put_reply(g, t, draw(g, other ? "rogue.foreign" : kind, "reply"));
    t->intent = k->intent;
    t->events = k->events;
    snprintf(t->act, sizeof t->act, "%s", kind);
    snprintf(t->idea, sizeof t->idea, "%s", g->idea);
    if (k->events & CO_EV_LEAVE) g->n_wanted = g->n + 1; /* he has left */
    return true;
}

bool rogue_turn(co_game *g, co_turn *t)
{
    return play(g, t, g->bent == CO_ROGUE ? habit(g) : choose(g, OF_SLIP));
}

/* ---- the hand ---- */

static noise_hand draw_hand(co_game *g)
{
    static const unsigned char levels[][4] = {
        [CO_STYLE_GOOD] = {NOISE_CLEAN, NOISE_CLEAN, NOISE_LIGHT, NOISE_CLEAN},
        [CO_STYLE_SMS] = {NOISE_SMS, NOISE_SMS, NOISE_SMS, NOISE_HASTY},
        [CO_STYLE_SHORT] = {NOISE_CLEAN, NOISE_LIGHT, NOISE_HASTY, NOISE_SMS},
        [CO_STYLE_LONG] = {NOISE_CLEAN, NOISE_LIGHT, NOISE_LIGHT, NOISE_HASTY},
        [CO_STYLE_BRILLIANT] = {NOISE_CLEAN, NOISE_CLEAN, NOISE_CLEAN, NOISE_LIGHT},
    };
    noise_hand h = noise_draw(&g->gen->rng, levels[g->style][co_below(g->gen, 4)]);
    h.curly = g->typographic;
    return h;
}

void rogue_noise(co_game *g, cn_buf *text, cn_str key)
{
    noise_hand hand;
    cn_str kept = co_get(g->gen, "hand");
    if (kept.n == sizeof hand) {
        memcpy(&hand, kept.p, sizeof hand);
    } else {
        hand = draw_hand(g);
        char *copy = co_keep(g, (cn_str){(const char *)&hand, sizeof hand});
        co_set(g->gen, "hand", (cn_str){copy, sizeof hand});
    }
    cn_buf out = {0};
    noise_write(&out, cn_buf_view(text), key, &hand, &g->gen->rng);
    if (!out.n) cn_buf_str(&out, cn_buf_view(text)); /* "?" loses its only mark */
    cn_buf_deinit(text);
    *text = out;
}

/* ---- talk ---- */

static void start_talk(co_game *g, co_gen *gen)
{
    cn_buf b = {0};
    *g = (co_game){.gen = gen, .bent = CO_STEADY_BAD, .level = 0.3};
    co_bind(gen, "questions");
    co_render(gen, co_get(gen, "question"), CO_TU, &b);
    g->question = cn_str_of(co_keep(g, cn_buf_view(&b)));
    cn_buf_clear(&b);
    co_say(gen, "persona", CO_TU, &b);
    g->persona = cn_str_of(co_keep(g, cn_buf_view(&b)));
    cn_buf_deinit(&b);
    g->style = (co_style)co_below(gen, CO_STYLE_BRILLIANT);
    g->typographic = co_chance(gen, 0.3);
    gen->feminine = co_chance(gen, 0.5);
    g->n_wanted = 1 + (int)co_below(gen, 3);
}

void rogue_talk(co_gen *gen, cn_buf *line)
{
    co_game g;
    start_talk(&g, gen);
    while (g.n < g.n_wanted) {
        g.n += play(&g, &g.turns[g.n], choose(&g, OF_TALK));
    }
    rubric_record r = {.out = line};
    rubric_record_open(&r);
    cn_buf system = {0};
    cn_buf_str(&system, g.persona);
    cn_buf_lit(&system, "\nQuestion : ");
    cn_buf_str(&system, g.question);
    rubric_record_message(&r, "system", cn_buf_view(&system));
    for (int i = 0; i < g.n; i++) {
        rubric_record_message(&r, "user", cn_str_of(g.turns[i].user));
        rubric_record_message(&r, "assistant", cn_str_of(g.turns[i].reply));
    }
    rubric_record_close(&r, "talk", &g, NULL);
    cn_buf_deinit(&system);
}
