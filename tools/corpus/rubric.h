/* The three marks of a dialogue, from what the pupil visibly did in it: comprehension,
 * cooperation, progression, 0 to 10 each. The same events give the same marks, so that a reader
 * of the dialogue can find them again. */
#ifndef CORPUS_RUBRIC_H
#define CORPUS_RUBRIC_H

#include "sim.h"

/* Two things that no event names alone. */
#define RUBRIC_CONTEMPT (CO_EV_GIVE_UP | CO_EV_INSULT) /* "j'en ai rien à faire" */
#define RUBRIC_WONT_PLAY (CO_EV_REFUSE | CO_EV_BARE)   /* "j'ai pas envie de répondre" */

typedef struct rubric_marks {
    int comprehension, cooperation, progression, total;
} rubric_marks;

/* The marks of a dialogue whose i-th message of the pupil has events[i] (a sum of co_event). */
rubric_marks rubric_grade(const unsigned *events, size_t n);

/* co_hooks.evaluate and co_hooks.message */
void rubric_evaluate(co_game *g, cn_buf *line);
void rubric_message(co_game *g, cn_buf *line);

#endif
