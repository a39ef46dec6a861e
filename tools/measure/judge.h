/* Which intent did Spinoza hear? Told from what the grammar lets him say to each: how the reply
 * begins, and the analogy (confusion) or the contradiction (résistance) that it brings. */
#ifndef MEASURE_JUDGE_H
#define MEASURE_JUDGE_H

#include "grammar_priv.h"
#include "records.h"

enum { MS_INTENTS = 4, MS_UNHEARD = 4 };

typedef struct ms_judge ms_judge;

/* `seen`: records that tell which intent each act of a pupil has. */
ms_judge *ms_judge_new(const co_grammar *g, const ms_records *seen);
void ms_judge_free(ms_judge *j);
/* 0 to 3 (co_intent), MS_UNHEARD when the reply begins like none of them. */
int ms_judge_intent(const ms_judge *j, cn_str reply);
/* "résistance" -> CO_RESISTANCE; MS_UNHEARD for another word. */
int ms_intent_of(cn_str name);

#endif
