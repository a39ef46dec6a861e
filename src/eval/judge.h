/* A reply held against what its case expects. */
#ifndef EVAL_JUDGE_H
#define EVAL_JUDGE_H

#include "task.h"

typedef struct eval_verdict {
    unsigned failed; /* bits of eval_kind; 0: the case is passed */
    char why[240];   /* of the first failure */
} eval_verdict;

/* `marks` (t->n_marks) becomes the numbers that the reply gives, NaN where it gives none.
 * What cannot be judged (a regular expression over its steps) counts as failed.
 *
 * errors  CN_E_NOMEM */
CN_MUST_USE cn_status eval_judge(eval_verdict *out, const eval_task *t, const eval_case *c,
                                 cn_str reply, double *marks, cn_err *err);

#endif
