/* What conatus eval found, for people and as JSON. */
#ifndef CLI_EVAL_REPORT_H
#define CLI_EVAL_REPORT_H

#include "eval_side.h"

typedef struct eval_comparison {
    const char *name; /* of the figure */
    eval_difference d;
} eval_comparison;

/* The figure that a script decides by. */
typedef struct eval_decision {
    const char *name;
    double value;
    float under, over; /* missed when the value is; NaN: no such threshold */
    bool missed;
} eval_decision;

typedef struct eval_report {
    const eval_job *job;
    const eval_side *sides;
    size_t n_sides;
    eval_comparison comparisons[EVAL_MAX_MEASURES];
    size_t n_comparisons;
    eval_decision decision;
    size_t show_failures;
} eval_report;

void eval_report_text(const eval_report *r);
void eval_report_json(const eval_report *r);

#endif
