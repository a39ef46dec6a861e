/* Questions about a whole dialogue: they are asked with the dialogue's beginning cut away where
 * the context is too small. */
#ifndef MEASURE_DIALOGUE_H
#define MEASURE_DIALOGUE_H

#include "measure.h"

typedef struct ms_marks {
    double mark[3]; /* compréhension, coopération, progression; NaN: not read */
} ms_marks;
extern const char *const ms_mark_names[3]; /* as in the JSON */

double ms_total(const ms_marks *m); /* NaN when a mark is */
/* Reads {"comprehension":7,...}; false when it is not that or a mark is outside 0-10. */
bool ms_marks_read(ms_marks *out, cn_str json);
/* The automaton of the marks' JSON; free with cn_grammar_free. The grammar lets a space stand
 * before the JSON: SentencePiece writes one before the first word, and a model that may not
 * write it gives other marks. The schema does not. */
cn_status ms_marks_schema(cn_grammar **out, cn_err *err);
cn_status ms_marks_grammar(cn_grammar **out, cn_err *err);

cn_status ms_ask_dialogue(ms_run *r, cn_str system, cn_str dialogue, const ms_how *how,
                          cn_err *err);

#endif
