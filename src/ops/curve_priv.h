/* The points of a curve, smoothed, thinned and in range: what both drawings start from. */
#ifndef OPS_CURVE_PRIV_H
#define OPS_CURVE_PRIV_H

#include "curve.h"

typedef struct curve_point {
    double x, y; /* step, loss (or its decimal logarithm) */
} curve_point;

typedef struct curve_data {
    curve_point *raw, *smooth, *heldout; /* thinned */
    size_t n_raw, n_smooth, n_heldout;
    double x0, x1, y0, y1; /* what the axes show; x0 < x1, y0 < y1 */
    bool log_scale;
    size_t n_not_finite; /* losses that cannot be drawn */
} curve_data;

/* At most `most` (and one) smoothed and held-out points and twice as many raw ones. */
cn_status curve_prepare(curve_data *out, const job_metrics *m, bool log_scale, size_t most,
                        cn_err *err);
void curve_data_deinit(curve_data *d);

#define CURVE_MAX_TICKS 16
typedef struct curve_tick {
    double at;      /* on the axis */
    char label[24]; /* the number it stands for */
} curve_tick;

/* Round numbers (1, 2, 5 times a power of ten), about `wanted` of them, within [lo, hi] of the
 * axis. */
size_t curve_ticks(curve_tick out[static CURVE_MAX_TICKS], double lo, double hi, bool log_scale,
                   unsigned wanted);

#endif
