/* What a run says in numbers: how many cases are passed, how far marks are off, and the items
 * from which two runs of one task are compared. */
#ifndef EVAL_FIGURES_H
#define EVAL_FIGURES_H

#include "ask.h"

typedef struct eval_mark_figures {
    size_t asked, read; /* marks that are expected; those that replies gave */
    double mean_error, max_error, rank_correlation; /* of the read ones; NaN: none */
} eval_mark_figures;

typedef struct eval_figures {
    size_t n, passed;
    eval_interval pass_interval; /* Wilson's */
    struct {
        size_t n, passed;
    } kinds[EVAL_N_KINDS];
    eval_mark_figures marks[EVAL_MAX_MARKS];
    /* All marks together; the correlation is of their sums, over the cases whose every expected
     * mark was read. */
    eval_mark_figures all_marks;
} eval_figures;

/* errors  CN_E_NOMEM */
CN_MUST_USE cn_status eval_figures_of(eval_figures *out, const eval_task *t, const eval_run *r,
                                      cn_err *err);

/* items[i] of case i, t->n of them: passed or not. */
void eval_items_passed(eval_item *items, const eval_run *r);
/* The absolute errors of the marks that this run read, and that `other` (NULL: none) read too,
 * so that both are judged by the same marks. */
void eval_items_errors(eval_item *items, const eval_task *t, const eval_run *r,
                       const eval_run *other);

#endif
