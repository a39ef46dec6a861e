/* From logits to the next token: penalties and biases, then the candidates that are left after
 * top-k, typical, top-p and min-p, then one draw at the temperature. Ties go to the lower id,
 * so that a seed means one text. */
#include <conatus/sampler.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "rng.h"

#define MAX_BIAS 1024
#define HISTORY 65536 /* most tokens that a window of penalties looks back on */

typedef struct candidate {
    int32_t id;
    float logit;
    float p; /* what the candidates are ordered by */
} candidate;

struct cn_sampler {
    cn_sampling p;
    cn_logit_bias *bias;
    int32_t n_vocab;
    cn_rng rng;
    candidate *candidates; /* (n_vocab) */
    uint32_t *counts;      /* (n_vocab): how often each token is in the window */
    int32_t *seen; /* distinct tokens with counts > 0, for penalties without a walk over all */
    size_t n_seen;
    int32_t *window; /* ring of the last penalty_last_n tokens; NULL: all count */
    size_t n_window, at;
};

cn_sampling cn_sampling_default(void)
{
    return (cn_sampling){
        .temperature = 0.8f,
        .top_k = 40,
        .top_p = 0.95f,
        .min_p = 0.05f,
        .typical_p = 1,
        .repeat_penalty = 1,
        .penalty_last_n = 64,
    };
}

static cn_status check_range(const char *field, double v, double low, double high, cn_err *err)
{
    if (v >= low && v <= high) return CN_OK;
    return cn_fail(err, CN_E_ARG, "%s is %g, want %g to %g", field, v, low, high);
}

static cn_status check_settings(const cn_sampling *p, int32_t n_vocab, cn_err *err)
{
    const double tiny = 1e-9;
    const struct {
        const char *field;
        double v, low, high;
    } ranges[] = {
        {"temperature", (double)p->temperature, 0, 100},
        {"top_k", p->top_k, 0, INT32_MAX},
        {"top_p", (double)p->top_p, tiny, 1},
        {"min_p", (double)p->min_p, 0, 1},
        {"typical_p", (double)p->typical_p, tiny, 1},
        {"repeat_penalty", (double)p->repeat_penalty, tiny, 100},
        {"frequency_penalty", (double)p->frequency_penalty, -2, 2},
        {"presence_penalty", (double)p->presence_penalty, -2, 2},
        {"penalty_last_n", p->penalty_last_n, -1, HISTORY},
        {"logit_bias entries", (double)p->n_bias, 0, MAX_BIAS},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(ranges); i++) {
        cn_status st =
            check_range(ranges[i].field, ranges[i].v, ranges[i].low, ranges[i].high, err);
        if (st) return st;
    }
    for (size_t i = 0; i < p->n_bias; i++)
        if (p->bias[i].id < 0 || p->bias[i].id >= n_vocab || isnan(p->bias[i].bias))
            return cn_fail(err, CN_E_ARG, "logit_bias of token %d, want 0 to %d and a number",
                           p->bias[i].id, n_vocab - 1);
    return CN_OK;
}

cn_status cn_sampler_new(cn_sampler **out, const cn_sampling *p, int32_t n_vocab, cn_err *err)
{
    *out = NULL;
    cn_status st = check_settings(p, n_vocab, err);
    if (st) return st;
    cn_sampler *s = cn_xcalloc(1, sizeof *s);
    s->p = *p;
    s->n_vocab = n_vocab;
    s->rng = cn_rng_seeded(p->seed);
    s->n_window = p->penalty_last_n > 0 ? (size_t)p->penalty_last_n : 0;
    s->candidates = cn_alloc_array((size_t)n_vocab, sizeof *s->candidates);
    s->counts = cn_alloc_array((size_t)n_vocab, sizeof *s->counts);
    s->seen = cn_alloc_array((size_t)n_vocab, sizeof *s->seen);
    s->window = cn_alloc_array(s->n_window, sizeof *s->window);
    s->bias = cn_alloc_array(p->n_bias, sizeof *s->bias);
    if (!s->candidates || !s->counts || !s->seen || !s->window || !s->bias) {
        cn_sampler_free(s);
        return cn_fail(err, CN_E_NOMEM, "sampler of %d tokens", n_vocab);
    }
    for (size_t i = 0; i < s->n_window; i++)
        s->window[i] = -1;
    if (p->n_bias) memcpy(s->bias, p->bias, p->n_bias * sizeof *s->bias);
    s->p.bias = s->bias;
    *out = s;
    return CN_OK;
}

void cn_sampler_free(cn_sampler *s)
{
    if (!s) return;
    cn_free(s->candidates);
    cn_free(s->counts);
    cn_free(s->seen);
    cn_free(s->window);
    cn_free(s->bias);
    cn_free(s);
}

static void forget(cn_sampler *s, int32_t id)
{
    if (id < 0 || --s->counts[id]) return;
    size_t i = 0;
    while (s->seen[i] != id)
        i++;
    s->seen[i] = s->seen[--s->n_seen];
}

void cn_sampler_saw(cn_sampler *s, int32_t id)
{
    if (id < 0 || id >= s->n_vocab || s->p.penalty_last_n == 0) return;
    if (s->n_window) {
        forget(s, s->window[s->at]);
        s->window[s->at] = id;
        s->at = (s->at + 1) % s->n_window;
    }
    if (s->counts[id]++ == 0) s->seen[s->n_seen++] = id;
}

static void penalise(const cn_sampler *s, float *logits)
{
    const cn_sampling *p = &s->p;
    for (size_t i = 0; i < s->n_seen; i++) {
        float *l = &logits[s->seen[i]];
        float count = (float)s->counts[s->seen[i]];
        *l = *l > 0 ? *l / p->repeat_penalty : *l * p->repeat_penalty;
        *l -= count * p->frequency_penalty + p->presence_penalty;
    }
}

static bool allowed(const uint32_t *mask, int32_t id)
{
    return !mask || (mask[id / 32] >> (id % 32) & 1);
}

static int32_t argmax(const float *logits, int32_t n, const uint32_t *mask)
{
    int32_t best = -1;
    float top = -INFINITY;
    for (int32_t i = 0; i < n; i++)
        if (logits[i] > top && allowed(mask, i)) {
            best = i;
            top = logits[i];
        }
    return best;
}

/* ---- the candidates, ordered by falling p (then rising id) as far as needed ---- */

static bool before(const candidate *a, const candidate *b)
{
    return a->p > b->p || (a->p == b->p && a->id < b->id);
}

static void swap(candidate *a, candidate *b)
{
    candidate t = *a;
    *a = *b;
    *b = t;
}

/* Quickselect (Hoare 1961): the k best come first, unordered. */
static void select_best(candidate *c, size_t n, size_t k)
{
    while (k > 0 && k < n) {
        candidate pivot =
            c[(n - 1) / 2]; /* never the last: both parts are smaller than the whole */
        size_t i = SIZE_MAX, j = n;
        for (;;) {
            do
                i++;
            while (before(&c[i], &pivot));
            do
                j--;
            while (before(&pivot, &c[j]));
            if (i >= j) break;
            swap(&c[i], &c[j]);
        }
        size_t border = j + 1; /* none of c[0..border) comes after one of the rest */
        if (k < border) {
            n = border;
        } else {
            c += border;
            n -= border;
            k -= border;
        }
    }
}

/* Heapsort: in place, as the token loop allocates nothing. */
static void sort_best(candidate *c, size_t n)
{
    for (size_t built = n / 2, size = n; size > 1;) {
        if (built)
            built--;
        else
            swap(&c[0], &c[--size]);
        for (size_t i = built, child; (child = 2 * i + 1) < size; i = child) {
            if (child + 1 < size && before(&c[child], &c[child + 1])) child++;
            if (!before(&c[i], &c[child])) break;
            swap(&c[i], &c[child]);
        }
    }
}

static double weight_of(const candidate *c, float top)
{
    return exp((double)c->logit - (double)top);
}

/* The shortest run of best candidates whose share of all weights reaches `share`. */
static size_t keep_share(candidate *c, size_t n, float top, double share)
{
    double total = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        total += weight_of(&c[i], top);
    for (size_t done = 0, part = 64; done < n; part *= 4) {
        size_t end = CN_MIN(n, done + part);
        select_best(c + done, n - done, end - done);
        sort_best(c + done, end - done);
        for (; done < end; done++) {
            sum += weight_of(&c[done], top);
            if (sum >= share * total) return done + 1;
        }
    }
    return n;
}

static float top_logit(const candidate *c, size_t n)
{
    float top = c[0].logit;
    for (size_t i = 1; i < n; i++)
        top = CN_MAX(top, c[i].logit);
    return top;
}

/* Locally typical sampling (Meister et al. 2023): best is whose surprise is nearest to the
 * entropy. */
static size_t keep_typical(candidate *c, size_t n, float typical_p)
{
    float top = top_logit(c, n);
    double total = 0, entropy = 0;
    for (size_t i = 0; i < n; i++)
        total += weight_of(&c[i], top);
    for (size_t i = 0; i < n; i++) {
        double surprise = log(total) - ((double)c[i].logit - (double)top);
        entropy += exp(-surprise) * surprise;
    }
    for (size_t i = 0; i < n; i++) {
        double surprise = log(total) - ((double)c[i].logit - (double)top);
        c[i].p = -(float)fabs(surprise - entropy);
    }
    n = keep_share(c, n, top, (double)typical_p);
    for (size_t i = 0; i < n; i++)
        c[i].p = c[i].logit;
    return n;
}

static size_t keep_min_p(candidate *c, size_t n, float min_p)
{
    double floor = (double)top_logit(c, n) + log((double)min_p);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if ((double)c[i].logit >= floor) c[kept++] = c[i];
    return kept;
}

static size_t gather(cn_sampler *s, const float *logits, const uint32_t *mask)
{
    size_t n = 0;
    for (int32_t i = 0; i < s->n_vocab; i++)
        if (logits[i] > -INFINITY && allowed(mask, i)) { /* false for NaN */
            float l = CN_MIN(logits[i], FLT_MAX);
            s->candidates[n++] = (candidate){i, l, l};
        }
    return n;
}

static int32_t draw(cn_sampler *s, size_t n)
{
    candidate *c = s->candidates;
    float top = top_logit(c, n);
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        double w = exp(((double)c[i].logit - (double)top) / (double)s->p.temperature);
        c[i].p = (float)w;
        total += (double)c[i].p;
    }
    double left = cn_rng_unit(&s->rng) * total;
    for (size_t i = 0; i < n; i++) {
        left -= (double)c[i].p;
        if (left < 0) return c[i].id;
    }
    return c[n - 1].id;
}

int32_t cn_sampler_next(cn_sampler *s, float *logits, const uint32_t *mask)
{
    const cn_sampling *p = &s->p;
    candidate *c = s->candidates;
    for (size_t i = 0; i < p->n_bias; i++)
        logits[p->bias[i].id] += p->bias[i].bias;
    penalise(s, logits);
    if (p->temperature == 0) return argmax(logits, s->n_vocab, mask);
    size_t n = gather(s, logits, mask);
    if (n == 0) return -1;
    if (p->top_k && (size_t)p->top_k < n) {
        select_best(c, n, (size_t)p->top_k);
        n = (size_t)p->top_k;
    }
    if (p->typical_p < 1) n = keep_typical(c, n, p->typical_p);
    if (p->top_p < 1) n = keep_share(c, n, top_logit(c, n), (double)p->top_p);
    if (p->min_p > 0) n = keep_min_p(c, n, p->min_p);
    return draw(s, n);
}

/* ---- log-probabilities ---- */

static double log_sum_exp(const float *logits, int32_t n)
{
    double sum = 0;
    float top = -INFINITY;
    for (int32_t i = 0; i < n; i++)
        top = logits[i] > top ? logits[i] : top;
    for (int32_t i = 0; i < n; i++)
        if (logits[i] > -INFINITY) sum += exp((double)logits[i] - (double)top);
    return (double)top + log(sum);
}

float cn_logprob_of(const float *logits, int32_t n_vocab, int32_t id)
{
    return (float)((double)logits[id] - log_sum_exp(logits, n_vocab));
}

size_t cn_top_logprobs(const float *logits, int32_t n_vocab, cn_logprob *top, size_t n)
{
    if (n == 0) return 0;
    double norm = log_sum_exp(logits, n_vocab);
    size_t count = 0;
    for (int32_t i = 0; i < n_vocab; i++) {
        if (isnan(logits[i]) || (count == n && !(logits[i] > top[count - 1].logprob))) continue;
        size_t at = count < n ? count++ : count - 1;
        for (; at > 0 && logits[i] > top[at - 1].logprob; at--)
            top[at] = top[at - 1];
        top[at] = (cn_logprob){i, logits[i]};
    }
    for (size_t i = 0; i < count; i++)
        top[i].logprob = (float)((double)top[i].logprob - norm);
    return count;
}
