/* What sim.c, pupil.c and spinoza.c share. */
#ifndef CORPUS_SIM_PRIV_H
#define CORPUS_SIM_PRIV_H

#include "sim.h"

/* A kind of pupil message: rules "pupil.NAME" and "reply.NAME" belong to it. */
typedef struct co_act {
    const char *name;
    co_intent intent;
    unsigned events;
    unsigned char weight[3]; /* for a weak, a middling, a strong pupil */
    bool first, later;       /* may answer the opening question; may answer a reply */
    const char *about;       /* part of the last idea that becomes $re, NULL when none */
} co_act;

/* Draws what the pupil says next; sets the variables that the reply needs. */
const co_act *co_pupil_turn(co_game *g, co_turn *t, bool first);
/* Answers it. */
void co_spinoza_turn(co_game *g, co_turn *t, const co_act *act, bool first, bool last);

#endif
