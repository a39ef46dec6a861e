#include "stats.h"

#include <math.h>
#include <stdlib.h>

#include "compiler.h"
#include "mem.h"
#include "rng.h"

#define Z95 1.959963984540054 /* of the normal distribution, 97.5 % */

eval_interval eval_wilson(size_t hits, size_t n)
{
    if (n == 0) return (eval_interval){(double)NAN, (double)NAN};
    double p = (double)hits / (double)n, z2 = Z95 * Z95 / (double)n;
    double middle = (p + z2 / 2) / (1 + z2);
    double half = Z95 / (1 + z2) * sqrt(p * (1 - p) / (double)n + z2 / (4 * (double)n));
    return (eval_interval){fmax(middle - half, 0), fmin(middle + half, 1)};
}

double eval_mean(const eval_item *items, size_t n)
{
    double sum = 0, weight = 0;
    for (size_t i = 0; i < n; i++) {
        sum += items[i].sum;
        weight += items[i].weight;
    }
    return weight > 0 ? sum / weight : (double)NAN;
}

size_t eval_resamples(size_t n)
{
    size_t fit = 200000000u / CN_MAX(n, (size_t)1);
    return CN_MIN(CN_MAX(fit, (size_t)1000), (size_t)EVAL_RESAMPLES);
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double eval_quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t low = (size_t)at, high = CN_MIN(low + 1, n - 1);
    return sorted[low] + (sorted[high] - sorted[low]) * (at - (double)low);
}

static size_t weighing(const eval_item *items, size_t n)
{
    size_t many = 0;
    for (size_t i = 0; i < n; i++)
        many += items[i].weight > 0;
    return many;
}

/* One draw of n items with replacement. */
static double resample(const eval_item *a, const eval_item *b, size_t n,
                       double (*scale)(double), cn_rng *rng)
{
    eval_item x = {0}, y = {0};
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)cn_rng_below(rng, n);
        x.sum += a[at].sum;
        x.weight += a[at].weight;
        if (!b) continue;
        y.sum += b[at].sum;
        y.weight += b[at].weight;
    }
    double of_a = eval_mean(&x, 1), of_b = b ? eval_mean(&y, 1) : 0;
    if (!scale) return of_a - of_b;
    return scale(of_a) - (b ? scale(of_b) : 0);
}

cn_status eval_bootstrap(eval_interval *out, const eval_item *a, const eval_item *b, size_t n,
                         double (*scale)(double), uint64_t seed, cn_err *err)
{
    size_t draws = eval_resamples(n), kept = 0;
    *out = (eval_interval){(double)NAN, (double)NAN};
    if (weighing(a, n) < 2) return CN_OK; /* one item says nothing of others */
    double *drawn = cn_alloc_array(draws, sizeof *drawn);
    if (!drawn) return cn_fail(err, CN_E_NOMEM, "%zu resamples", draws);
    cn_rng rng = cn_rng_seeded(seed);
    for (size_t i = 0; i < draws; i++) {
        double v = resample(a, b, n, scale, &rng);
        if (isfinite(v)) drawn[kept++] = v; /* a draw without weight has no mean */
    }
    if (kept) {
        qsort(drawn, kept, sizeof *drawn, by_number);
        *out = (eval_interval){eval_quantile(drawn, kept, 0.025),
                               eval_quantile(drawn, kept, 0.975)};
    }
    cn_free(drawn);
    return CN_OK;
}

static int by_value(const void *a, const void *b)
{
    const eval_ranked *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

void eval_ranks(const double *x, size_t n, double *rank, eval_ranked *scratch)
{
    for (size_t i = 0; i < n; i++)
        scratch[i] = (eval_ranked){x[i], i};
    if (n) qsort(scratch, n, sizeof *scratch, by_value);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && scratch[end].value <= scratch[i].value;)
            end++;
        for (size_t k = i; k < end; k++)
            rank[scratch[k].at] = (double)(i + 1 + end) / 2;
    }
}

double eval_correlation(const double *x, const double *y, size_t n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return n > 1 && xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

cn_status eval_spearman(double *out, const double *x, const double *y, size_t n, cn_err *err)
{
    double *rx = cn_alloc_array(CN_MAX(n, (size_t)1), 2 * sizeof *rx);
    eval_ranked *scratch = cn_alloc_array(CN_MAX(n, (size_t)1), sizeof *scratch);
    cn_status st = CN_OK;
    if (rx && scratch) {
        eval_ranks(x, n, rx, scratch);
        eval_ranks(y, n, rx + n, scratch);
        *out = eval_correlation(rx, rx + n, n);
    } else {
        st = cn_fail(err, CN_E_NOMEM, "the ranks of %zu numbers", n);
    }
    cn_free(scratch);
    cn_free(rx);
    return st;
}
