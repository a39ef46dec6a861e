/* The simulator: a pupil with a character plays the Maïathon with Spinoza. What really happened
 * in each turn is recorded, so that the rubric can grade what a reader of the dialogue sees. */
#ifndef CORPUS_SIM_H
#define CORPUS_SIM_H

#include "grammar.h"

typedef enum co_intent { CO_ACCORD, CO_CONFUSION, CO_RESISTANCE, CO_NEUTRE } co_intent;
extern const char *const co_intent_names[4]; /* "accord", "confusion", "résistance", "neutre" */

/* What the pupil did in one turn; a turn may hold several. */
typedef enum co_event {
    CO_EV_RIGHT = 1 << 0,    /* reformulates Spinoza's last statement correctly */
    CO_EV_PRECISE = 1 << 1,  /* ... precisely: with the cause, or the concept's name */
    CO_EV_PARTIAL = 1 << 2,  /* ... half of it */
    CO_EV_WRONG = 1 << 3,    /* ... the contrary of it */
    CO_EV_MORAL = 1 << 4,    /* tells acting by reason from obeying an outer morality */
    CO_EV_QUESTION = 1 << 5, /* asks a real question */
    CO_EV_EXAMPLE = 1 << 6,  /* brings an example of his own life */
    CO_EV_LINK = 1 << 7,     /* draws a consequence, links two ideas */
    CO_EV_BARE = 1 << 8,     /* only yes, no, ok, I don't know */
    CO_EV_LOST = 1 << 9,     /* says that he does not understand */
    CO_EV_OBJECT = 1 << 10,  /* objects with a reason */
    CO_EV_REFUSE = 1 << 11,  /* refuses without a reason */
    CO_EV_INSULT = 1 << 12,
    CO_EV_GIVE_UP = 1 << 13, /* does not care any more */
    CO_EV_LEAVE = 1 << 14,   /* says goodbye in the middle */
    CO_EV_COPY = 1 << 15,    /* copies Spinoza's sentence */
    CO_EV_STUFF = 1 << 16,   /* stuffs key words, flatters to win points */
    CO_EV_OFFTOPIC = 1 << 17,
    CO_EV_CONTRARY = 1 << 18, /* changes his mind: admits what he denied */
    CO_EV_REPEAT = 1 << 19,   /* says again what he said before */
    CO_EV_PROMPT = 1 << 20,   /* asks for the instructions, plays with the machine */
    CO_EV_SMALLTALK = 1 << 21,
} co_event;

typedef enum co_style {
    CO_STYLE_GOOD,  /* writes well */
    CO_STYLE_SMS,   /* no accents, no capitals, abbreviations */
    CO_STYLE_SHORT, /* few words */
    CO_STYLE_LONG,  /* rambles */
    CO_STYLE_BRILLIANT,
} co_style;

typedef enum co_bent { /* where the pupil goes in the game */
                       CO_PROGRESSIVE,
                       CO_STAGNATING,
                       CO_REGRESSING,
                       CO_STEADY_GOOD,
                       CO_STEADY_BAD,
                       CO_ROGUE, /* misbehaves in most turns (rogue.c) */
} co_bent;

typedef struct co_turn {
    char *user, *reply; /* as shown; in the game's arena */
    co_intent intent;
    unsigned events; /* co_event */
    cn_str key;      /* key word of the pupil's message as typed, .n 0 when none */
    double level;    /* 0..1: how well he follows in this turn */
    char idea[24];   /* the idea that the reply brings ("cause") */
    char act[24];    /* rule that made the message, for reading the corpus */
} co_turn;

enum { CO_MAX_TURNS = 5 };

typedef struct co_game {
    co_gen *gen;
    cn_str persona;  /* the system text without its last line */
    cn_str question; /* the opening question */
    char topic[24];  /* "liberte": rules q.TOPIC.* */
    co_style style;
    co_bent bent;
    bool typographic; /* the pupil types ’ and so does Spinoza */
    double level;     /* now */
    int n_wanted, n;  /* exchanges */
    co_turn turns[CO_MAX_TURNS];
    char idea[24]; /* of Spinoza's last reply, "" before the first */
    cn_str said;   /* raw statement of Spinoza's last reply, .n 0 when there is none */
    cn_str asked;  /* raw question that ended it */
    cn_str old_clause, old_key; /* raw: something that the pupil told of his life earlier */
} co_game;

/* What the files rogue.c, rubric.c and noise.c add; a NULL is left out. */
typedef struct co_hooks {
    /* One badly behaving turn: fills user, reply, intent, events, act of `t` (texts through
     * co_keep). g->idea, g->said and g->asked are what Spinoza said last; update g->asked when
     * the reply asks again. False when it has nothing to say here (the simulator plays a normal
     * turn). */
    bool (*rogue_turn)(co_game *g, co_turn *t);
    /* Rewrites a pupil's message as his style types it; `key` (a word of it) stays as it is. */
    void (*noise)(co_game *g, cn_buf *text, cn_str key);
    /* One record each, as a JSON line, of a game that was played / of nothing. */
    void (*evaluate)(co_game *g, cn_buf *line);
    void (*message)(co_game *g, cn_buf *line);
    void (*talk)(co_gen *gen, cn_buf *line);
    /* The rule of chance that a turn of a normal pupil is a rogue one (0.04 when 0). */
    double slip;
} co_hooks;
extern const co_hooks co_hooks_table; /* hooks.c */

/* Plays a whole game on a generator that was just reset. */
void co_play(co_game *g, co_gen *gen);
/* Copies text into the game's arena. */
char *co_keep(co_game *g, cn_str text);
/* The idea's rule ("idea.cause.say"), in the arena. */
const char *co_idea_rule(co_game *g, const char *idea, const char *part);

/* JSON lines. */
void co_json_game(const co_game *g, cn_buf *line);
void co_json_meta(const co_game *g, cn_buf *line); /* the members of "meta", without braces */

#endif
