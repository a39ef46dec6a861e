#include "measure.h"

#include "mem.h"

static double value_of(const eval_measure *m)
{
    double mean = eval_mean(m->items, m->n);
    return m->scale ? m->scale(mean) : mean;
}

cn_status eval_measure_work_out(eval_measure *m, uint64_t seed, cn_err *err)
{
    m->value = value_of(m);
    return eval_bootstrap(&m->interval, m->items, NULL, m->n, m->scale, seed, err);
}

void eval_measure_deinit(eval_measure *m)
{
    cn_free(m->items);
    *m = (eval_measure){0};
}

cn_status eval_compare(eval_difference *out, const eval_measure *a, const eval_measure *b,
                       uint64_t seed, cn_err *err)
{
    *out = (eval_difference){.by = value_of(a) - value_of(b)};
    cn_status st =
        eval_bootstrap(&out->interval, a->items, b->items, a->n, a->scale, seed, err);
    for (size_t i = 0; i < a->n; i++)
        out->pairs += a->items[i].weight > 0 && b->items[i].weight > 0;
    if (st || out->pairs < EVAL_MIN_PAIRS) return st;
    int more = (out->interval.low > 0) - (out->interval.high < 0);
    out->better = a->less_is_better ? -more : more;
    return st;
}
