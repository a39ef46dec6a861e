/* Rates by step, and when to stop. */
#include "schedule.h"

#include <math.h>
#include <string.h>

#include "compiler.h"

double schedule_rate(const schedule *s, uint64_t step)
{
    uint64_t last = s->n_steps ? s->n_steps - 1 : 0;
    uint64_t top = s->n_warmup ? s->n_warmup - 1 : 0; /* the first step that has the peak */
    if (step > last) step = last;
    if (step < top) return s->peak * (double)(step + 1) / (double)s->n_warmup;
    if (step == top || s->kind == SCHEDULE_CONSTANT) return s->peak;
    double done = (double)(step - top) / (double)(last - top);
    double left = s->kind == SCHEDULE_LINEAR ? 1 - done : 0.5 * (1 + cos(M_PI * done));
    return s->peak * (s->floor + (1 - s->floor) * left);
}

cn_status schedule_parse(schedule_kind *out, const char *name, cn_err *err)
{
    static const char *const names[] = {"cosine", "linear", "constant"};
    for (unsigned i = 0; i < CN_ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = (schedule_kind)i;
        return CN_OK;
    }
    return cn_next(err, cn_fail(err, CN_E_ARG, "no schedule is named '%.40s'", name),
                   "take cosine, linear or constant");
}

bool patience_is_over(patience *p, double heldout_loss)
{
    if (heldout_loss < p->best - p->min_gain) {
        p->best = heldout_loss;
        p->waited = 0;
    } else {
        p->waited++;
    }
    return p->limit && p->waited >= p->limit;
}
