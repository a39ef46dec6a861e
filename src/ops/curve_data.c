/* From metrics to points: smoothing over all steps first, then thinning, then the range. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "curve_priv.h"
#include "mem.h"

enum { SMOOTHED_PARTS = 60 }; /* the average reaches over a sixtieth of the run */

static bool drawable(double loss, bool log_scale)
{
    return isfinite(loss) && fabs(loss) < 1e100 && (!log_scale || loss > 0);
}

/* One bucket of the thinned curve: its lowest and highest raw point, its last smoothed one; the
 * curve begins with the first bucket's first. */
typedef struct bucket {
    bool any;
    curve_point low, high, first, smooth;
} bucket;

static void into_bucket(bucket *b, curve_point raw, double smooth)
{
    if (!b->any || raw.y < b->low.y) b->low = raw;
    if (!b->any || raw.y > b->high.y) b->high = raw;
    b->smooth = (curve_point){raw.x, smooth};
    if (!b->any) b->first = b->smooth;
    b->any = true;
}

static void empty_bucket(curve_data *d, bucket *b)
{
    if (!b->any) return;
    bool low_first = b->low.x <= b->high.x;
    d->raw[d->n_raw++] = low_first ? b->low : b->high;
    if (b->low.x != b->high.x) d->raw[d->n_raw++] = low_first ? b->high : b->low;
    bool begins = d->n_smooth == 0;
    if (begins) d->smooth[d->n_smooth++] = b->first;
    if (!begins || b->first.x != b->smooth.x) d->smooth[d->n_smooth++] = b->smooth;
    b->any = false;
}

/* An exponential average that starts unbiased: weights decay by `keep` a step. */
static void add_train(curve_data *d, const job_metrics *m, size_t most)
{
    double span = CN_MAX(1.0, (double)m->n_train / SMOOTHED_PARTS);
    double keep = 1 - 2 / (span + 1), sum = 0, weight = 0;
    bucket b = {0};
    size_t place = 0;
    for (size_t i = 0; i < m->n_train; i++) {
        double loss = m->train[i].loss;
        size_t here =
            most >= m->n_train ? i : (size_t)((double)i / (double)m->n_train * (double)most);
        if (here != place) empty_bucket(d, &b);
        place = here;
        if (!drawable(loss, d->log_scale)) {
            d->n_not_finite++;
            continue;
        }
        sum = sum * keep + loss;
        weight = weight * keep + 1;
        into_bucket(&b, (curve_point){(double)m->train[i].step, loss}, sum / weight);
    }
    empty_bucket(d, &b);
}

static void add_heldout(curve_data *d, const job_metrics *m, size_t most)
{
    size_t stride = m->n_heldout / most + 1; /* the last one always stays */
    for (size_t i = 0; i < m->n_heldout; i++) {
        double loss = m->heldout[i].heldout_loss;
        if (!drawable(loss, d->log_scale))
            d->n_not_finite++;
        else if ((m->n_heldout - 1 - i) % stride == 0)
            d->heldout[d->n_heldout++] = (curve_point){(double)m->heldout[i].step, loss};
    }
}

static void logarithms(curve_point *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i].y = log10(p[i].y);
}

static int by_y(const void *a, const void *b)
{
    double x = ((const curve_point *)a)->y, y = ((const curve_point *)b)->y;
    return (x > y) - (x < y);
}

static void include_step(curve_data *d, uint64_t step)
{
    d->x0 = fmin(d->x0, (double)step);
    d->x1 = fmax(d->x1, (double)step);
}

static void include(curve_data *d, const curve_point *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        d->x0 = fmin(d->x0, p[i].x);
        d->x1 = fmax(d->x1, p[i].x);
        d->y0 = fmin(d->y0, p[i].y);
        d->y1 = fmax(d->y1, p[i].y);
    }
}

/* All of the smoothed and held-out points; of the raw ones all but the outermost hundredths, so
 * that one bad batch does not flatten the rest. */
static cn_status set_range(curve_data *d, const job_metrics *m, cn_err *err)
{
    d->x0 = d->y0 = (double)INFINITY;
    d->x1 = d->y1 = (double)-INFINITY;
    if (m->n_train) { /* also where thinning left them out */
        include_step(d, m->train[0].step);
        include_step(d, m->train[m->n_train - 1].step);
    }
    include(d, d->smooth, d->n_smooth);
    include(d, d->heldout, d->n_heldout);
    if (d->n_raw) {
        curve_point *sorted = cn_alloc_array(d->n_raw, sizeof *sorted);
        if (!sorted) return cn_fail(err, CN_E_NOMEM, "%zu points", d->n_raw);
        for (size_t i = 0; i < d->n_raw; i++)
            sorted[i] = d->raw[i];
        qsort(sorted, d->n_raw, sizeof *sorted, by_y);
        d->y0 = fmin(d->y0, sorted[d->n_raw / 100].y);
        d->y1 = fmax(d->y1, sorted[d->n_raw - 1 - d->n_raw / 100].y);
        cn_free(sorted);
    }
    if (!d->n_raw && !d->n_heldout) d->x0 = d->y0 = 0, d->x1 = d->y1 = 1;
    double margin = (d->y1 - d->y0) * 0.05;
    if (margin <= fabs(d->y1) * 1e-9) margin = fmax(fabs(d->y1) * 0.1, 1e-3);
    d->y0 -= margin;
    d->y1 += margin;
    if (d->x1 <= d->x0) d->x0 -= 0.5, d->x1 = d->x0 + 1;
    if (d->x1 <= d->x0) d->x1 = d->x0 * 2; /* steps so large that a half is nothing */
    return CN_OK;
}

cn_status curve_prepare(curve_data *out, const job_metrics *m, bool log_scale, size_t most,
                        cn_err *err)
{
    *out = (curve_data){.log_scale = log_scale};
    out->raw = cn_alloc_array(2 * most + 2, sizeof *out->raw);
    out->smooth = cn_alloc_array(most + 1, sizeof *out->smooth);
    out->heldout = cn_alloc_array(most + 1, sizeof *out->heldout);
    if (!out->raw || !out->smooth || !out->heldout) {
        curve_data_deinit(out);
        return cn_fail(err, CN_E_NOMEM, "a curve of %zu points", most);
    }
    add_train(out, m, most);
    add_heldout(out, m, most);
    if (log_scale) {
        logarithms(out->raw, out->n_raw);
        logarithms(out->smooth, out->n_smooth);
        logarithms(out->heldout, out->n_heldout);
    }
    cn_status st = set_range(out, m, err);
    if (st) curve_data_deinit(out);
    return st;
}

void curve_data_deinit(curve_data *d)
{
    cn_free(d->raw);
    cn_free(d->smooth);
    cn_free(d->heldout);
    *d = (curve_data){0};
}

/* ---- ticks */

static void put_tick(curve_tick *out, size_t *n, double at, double value)
{
    if (*n == CURVE_MAX_TICKS) return;
    out[*n].at = at;
    snprintf(out[*n].label, sizeof out[*n].label, "%.6g", value);
    (*n)++;
}

static double round_step(double range, unsigned wanted)
{
    double raw = range / wanted, power = pow(10, floor(log10(raw))), part = raw / power;
    return (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10) * power;
}

static size_t linear_ticks(curve_tick *out, double lo, double hi, unsigned wanted)
{
    double step = round_step(hi - lo, wanted), first = ceil(lo / step);
    size_t n = 0;
    for (double i = 0; n < CURVE_MAX_TICKS && (first + i) * step <= hi; i++) {
        double v = (first + i) * step;
        put_tick(out, &n, v, fabs(v) < step / 2 ? 0 : v);
        if (first + i + 1 == first + i) break; /* too near each other for a double */
    }
    return n;
}

size_t curve_ticks(curve_tick out[static CURVE_MAX_TICKS], double lo, double hi, bool log_scale,
                   unsigned wanted)
{
    static const double digits[] = {1, 2, 5};
    if (!log_scale) return linear_ticks(out, lo, hi, wanted);
    size_t n = 0;
    double stride = ceil((hi - lo) / wanted); /* whole decades only when there are many */
    if (hi - lo >= 1.2) {
        for (double k = floor(lo); k <= hi; k += fmax(stride, 1))
            for (size_t i = 0; i < (hi - lo <= 3 ? 3 : 1); i++) {
                double at = k + log10(digits[i]);
                if (at >= lo && at <= hi) put_tick(out, &n, at, pow(10, at));
            }
        return n;
    }
    n = linear_ticks(out, pow(10, lo), pow(10, hi), wanted);
    for (size_t i = 0; i < n; i++)
        out[i].at = log10(out[i].at);
    return n;
}
