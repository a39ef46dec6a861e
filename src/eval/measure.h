/* A figure with its interval, and the difference of two that were measured on the same items.
 */
#ifndef EVAL_MEASURE_H
#define EVAL_MEASURE_H

#include "stats.h"

typedef struct eval_measure {
    const char *name; /* "pass_rate" */
    bool less_is_better;
    double (*scale)(double); /* of the items' mean; NULL: as it is */
    eval_item *items;        /* owned */
    size_t n;
    double value;
    eval_interval interval; /* of 95 %, by bootstrap over the items */
} eval_measure;

/* value and interval from the items. errors  CN_E_NOMEM */
CN_MUST_USE cn_status eval_measure_work_out(eval_measure *m, uint64_t seed, cn_err *err);
void eval_measure_deinit(eval_measure *m);

typedef struct eval_difference {
    double by; /* value of a - value of b */
    eval_interval interval;
    size_t pairs; /* items that weigh on both sides */
    int better;   /* 1: a is, -1: b is, 0: no difference is seen */
} eval_difference;

/* Fewer pairs cannot show a difference at 95 %: five that all point one way are a chance of 1
 * in 16. */
enum { EVAL_MIN_PAIRS = 6 };

/* a and b have the same n and items of the same cases. No difference is seen when the interval
 * holds zero. errors  CN_E_NOMEM */
CN_MUST_USE cn_status eval_compare(eval_difference *out, const eval_measure *a,
                                   const eval_measure *b, uint64_t seed, cn_err *err);

#endif
