/* The learning rate at a step: warm-up from 0, then constant, linear or cosine down to a share
 * of the peak. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

typedef enum schedule_kind {
    SCHEDULE_COSINE,
    SCHEDULE_LINEAR,
    SCHEDULE_CONSTANT
} schedule_kind;

typedef struct schedule {
    schedule_kind kind;
    double peak, floor; /* floor: the last step's rate as a share of the peak */
    uint64_t n_steps, n_warmup;
} schedule;

/* Step 0 is the first update: it has rate peak / n_warmup when there is a warm-up; update
 * n_warmup is the first with the peak, n_steps the only one with the floor. Steps past the end
 * have the last rate. */
double schedule_rate(const schedule *s, uint64_t step);
cn_status schedule_parse(schedule_kind *out, const char *name,
                         cn_err *err); /* "cosine", "linear", "constant" */

/* Early stopping: counts evaluations without a new best by more than `min_gain`. */
typedef struct patience {
    uint32_t limit; /* 0: never stops */
    uint32_t waited;
    double best, min_gain; /* best starts at INFINITY */
} patience;
bool patience_is_over(patience *p, double heldout_loss); /* updates; NaN counts as no gain */

#endif
