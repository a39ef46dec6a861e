/* The parts of the measuring; each adds its figures to the report. */
#ifndef MEASURE_MEASURE_H
#define MEASURE_MEASURE_H

#include <stdio.h>

#include "judge.h"
#include "records.h"
#include "report.h"
#include "speaker.h"
#include "words.h"

typedef struct ms_run {
    ms_speaker speaker;
    ms_source source;
    co_grammar *grammar;
    ms_judge *judge;
    ms_words words; /* that exist: the corpus' and the word list's */
    ms_report report;
    size_t games, grades, messages, intents; /* how many of each */
    size_t show;                             /* games to print */
    const char *calibration;                 /* labelled dialogues; NULL: none */
    FILE *out;                               /* where games are printed */
    size_t shortened;                        /* questions that had to be cut to fit */
} ms_run;

/* The judge on what the corpus itself answers, in records that it has not seen. */
cn_status ms_measure_judge(ms_run *r, cn_err *err);
/* Games in which the model writes every reply, and the question for the intent alone. */
cn_status ms_measure_games(ms_run *r, cn_err *err);
cn_status ms_measure_intents(ms_run *r, cn_err *err);
/* Marks of held-out dialogues; final messages. */
cn_status ms_measure_grades(ms_run *r, cn_err *err);
cn_status ms_measure_messages(ms_run *r, cn_err *err);
/* Marks of the labelled dialogues. */
cn_status ms_measure_calibration(ms_run *r, cn_err *err);
cn_status ms_measure_speed(ms_run *r, cn_err *err);

/* hits / n, NaN when n is 0 */
double ms_share(size_t hits, size_t n);

#endif
