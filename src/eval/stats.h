/* The arithmetic of comparing: intervals, ranks, correlation. Pure functions of numbers; the
 * same seed gives the same interval. */
#ifndef EVAL_STATS_H
#define EVAL_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef struct eval_interval {
    double low, high; /* of 95 %; NaN where there is nothing to tell */
} eval_interval;

/* The share of hits in n trials. source  Wilson 1927, the score interval */
eval_interval eval_wilson(size_t hits, size_t n);

/* One unit of resampling (a case, a record, a window): the figure of a set of them is the sum
 * of `sum` over the sum of `weight`. */
typedef struct eval_item {
    double sum, weight;
} eval_item;

double eval_mean(const eval_item *items, size_t n); /* NaN without weight */

#define EVAL_RESAMPLES 10000u
/* Resamples for n items: EVAL_RESAMPLES while that is under 200 million picks, never under
 * 1000. */
size_t eval_resamples(size_t n);

/* The percentile bootstrap of scale(mean of a), or with `b` of scale(mean of a) - scale(mean of
 * b) where both are drawn alike (item i of both is the same case). `scale` NULL: as it is.
 *
 * errors  CN_E_NOMEM
 * source  Efron and Tibshirani 1993, chapters 13 and 8 */
CN_MUST_USE cn_status eval_bootstrap(eval_interval *out, const eval_item *a, const eval_item *b,
                                     size_t n, double (*scale)(double), uint64_t seed,
                                     cn_err *err);

/* The value below which the share q of the sorted x lies, between two of them by their
 * distance; n > 0. */
double eval_quantile(const double *sorted, size_t n, double q);

typedef struct eval_ranked {
    double value;
    size_t at;
} eval_ranked;
/* Ranks from 1; equal numbers share the mean of theirs. `scratch` has n elements. */
void eval_ranks(const double *x, size_t n, double *rank, eval_ranked *scratch);

/* Pearson's; NaN when n < 2 or one side does not vary. */
double eval_correlation(const double *x, const double *y, size_t n);
/* Spearman's: Pearson's of the ranks. errors  CN_E_NOMEM */
CN_MUST_USE cn_status eval_spearman(double *out, const double *x, const double *y, size_t n,
                                    cn_err *err);

#endif
