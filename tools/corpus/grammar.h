/* The grammar engine of the corpus: text files of rules, expansion at random, French rendering.
 *
 * A file (grammar/NAME.txt, UTF-8, straight apostrophes) is a list of rules; the same name may
 * be opened in several files, its alternatives add up:
 *
 *     # comment
 *     = rule.name                      then one alternative a line
 *     *3 an alternative drawn three times as often
 *     ~ a held-out alternative: drawn only when the generator runs with `heldout`
 *     = record (first, second)         an alternative has fields: `some text || other text`
 *
 * Inside an alternative:
 *     {rule}  {$variable}              expanded in place ({rule} of a record: its first field)
 *     {x:je} {x:tu} {x:on}             ... with the person marks of x in that person
 *     {x:inf} {x:ger}                  ... as an infinitive ("ne pas jouer"), a gerund
 * ("jouant") (a|b|)                           inline choice, may nest, may be empty
 *     @je @me @moi @mon @ma @mes       person marks: je/tu/on, me/te/se, moi/toi/soi,
 * mon/ton/son ...
 *     @[jouer] @[être:i]               the verb in that person; :i imparfait, :f futur, :c
 * conditionnel
 *     @ne ... @pas|@plus|@jamais|@rien a negation that an infinitive pulls together
 *     énervé@e  @(heureux/heureuse)    agreement with the pupil
 *     ^téléphone                       the key word (shown without the mark)
 *     de_{x} à_{x}                     preposition contracted with an article: du, des, au,
 * aux, d'un
 *
 * Rendering elides (que il -> qu'il, je ai -> j'ai, ma envie -> mon envie), spaces the
 * punctuation and puts capitals at the start of sentences.
 */
#ifndef CORPUS_GRAMMAR_H
#define CORPUS_GRAMMAR_H

#include "arena.h"
#include "buf.h"
#include "err.h"
#include "rng.h"
#include "str.h"

typedef struct co_grammar co_grammar;

/* All *.txt files of `dir`. A reference to a rule that does not exist is CN_E_FORMAT. */
cn_status co_grammar_open(co_grammar **out, const char *dir, cn_err *err);
void co_grammar_free(co_grammar *g);

typedef struct co_var {
    char name[24];
    cn_str raw;
} co_var;

/* One stream of draws. "Raw" text is expanded but still carries its person marks, so that the
 * same clause can be said by the pupil (je) and back to him (tu). */
typedef struct co_gen {
    const co_grammar *g;
    cn_rng rng;
    cn_arena arena; /* raw texts, until co_gen_reset */
    co_var vars[48];
    unsigned n_vars;
    bool heldout;          /* held-out alternatives may be drawn */
    unsigned heldout_used; /* how many were, since co_gen_reset */
    bool feminine;         /* the pupil, for agreements */
    uint32_t epoch;        /* an alternative is not drawn twice in one epoch, if avoidable */
    uint32_t *used;
} co_gen;

typedef enum co_person { CO_JE, CO_TU, CO_ON } co_person;

cn_status co_gen_init(co_gen *gen, const co_grammar *g, uint64_t seed, bool heldout,
                      cn_err *err);
void co_gen_deinit(co_gen *gen);
void co_gen_reset(co_gen *gen,
                  uint64_t seed); /* a new game: variables, marks, arena, numbers */

bool co_chance(co_gen *gen, double p);
unsigned co_below(co_gen *gen, unsigned n);

void co_set(co_gen *gen, const char *var, cn_str raw); /* the text must outlive the game */
cn_str co_get(const co_gen *gen, const char *var);     /* .n 0 when unset */
bool co_has(const co_gen *gen, const char *rule);
cn_str co_draw(co_gen *gen, const char *rule);     /* raw */
cn_str co_expand(co_gen *gen, cn_str alternative); /* raw, of an alternative given here */
void co_bind(co_gen *gen,
             const char *rule); /* draws a record and sets its fields as variables */

/* Appends raw text as French: pupils speak as CO_JE, Spinoza says CO_TU. Straight apostrophes.
 */
void co_render(const co_gen *gen, cn_str raw, co_person person, cn_buf *out);
/* co_draw and co_render; returns the raw text. */
cn_str co_say(co_gen *gen, const char *rule, co_person person, cn_buf *out);
/* The first key word marked in raw text, .n 0 when there is none. */
cn_str co_key(cn_str raw);
/* Straight apostrophes become typographic ones. */
void co_curly(cn_buf *text);

/* French rendering (french.c). */
void co_french(cn_str plain, cn_buf *out);
/* The verb for `person` ('i'mparfait, 'f'utur, 'c'onditionnel, 'g'érondif, else present). */
void co_conjugate(const co_grammar *g, cn_str infinitive, co_person person, char tense,
                  cn_buf *out);
/* The line "stem..." of verbs.txt for this infinitive, .n 0 when it is regular. */
cn_str co_irregular(const co_grammar *g, cn_str infinitive);

#endif
