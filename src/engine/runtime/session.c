/* Sessions: evaluating a growing text, going back, sliding, embeddings. */
#include <math.h>
#include <string.h>

#include "estimate.h"
#include "mem.h"
#include "session_priv.h"

static cn_status reserve_logits(cn_session *s, size_t rows, cn_err *err)
{
    if (rows <= s->logits_rows) return CN_OK;
    float *p = cn_alloc_array(rows, s->m->hp.n_vocab * sizeof *p);
    if (!p) return cn_fail(err, CN_E_NOMEM, "logits of %zu positions", rows);
    cn_free(s->logits);
    s->logits = p;
    s->logits_rows = rows;
    return CN_OK;
}

cn_status cn_session_new(cn_session **out, const cn_model *m, const cn_session_options *o,
                         cn_err *err)
{
    static const cn_session_options defaults = {0};
    cn_dtype cache;
    *out = NULL;
    if (!o) o = &defaults;
    cn_status st = parse_cache_type(&cache, m->files, o->cache_type, err);
    if (st) return st;
    if (o->n_ctx > m->hp.n_ctx_train)
        return cn_fail(err, CN_E_LIMIT, "a context of %u asked, the model was made for %u",
                       o->n_ctx, m->hp.n_ctx_train);
    cn_session *s = cn_xcalloc(1, sizeof *s);
    s->m = m;
    s->cancel = o->cancel;
    s->n_ctx = default_ctx(&m->hp, o->n_ctx);
    s->n_batch = CN_MIN(o->n_batch ? o->n_batch : DEFAULT_BATCH, s->n_ctx);
    if (m->hp.family == FAMILY_BERT)
        s->n_batch = s->n_ctx; /* every token sees the whole text */
    s->keep = o->keep;
    if (s->keep && s->keep + 2 > s->n_ctx)
        st = cn_fail(err, CN_E_ARG, "keep %u of a context of %u", s->keep, s->n_ctx);
    s->ids = cn_alloc_array(s->n_ctx, sizeof *s->ids);
    if (!st && !s->ids) st = cn_fail(err, CN_E_NOMEM, "context of %u", s->n_ctx);
    if (!st) st = kv_cache_init(&s->kv, &m->hp, cache, s->n_ctx, err);
    if (!st) st = workspace_new(&s->ws, m, s->n_batch, s->n_ctx, err);
    if (!st) st = reserve_logits(s, 1, err);
    if (st) {
        cn_session_free(s);
        return st;
    }
    *out = s;
    return CN_OK;
}

void cn_session_free(cn_session *s)
{
    if (!s) return;
    workspace_free(s->ws);
    kv_cache_deinit(&s->kv);
    cn_free(s->ids);
    cn_free(s->logits);
    cn_free(s);
}

cn_status cn_session_adapters(cn_session *s, const cn_adapter *const *a, const float *scales,
                              size_t n, cn_err *err)
{
    uint32_t rank = 0;
    if (n > MAX_ADAPTERS)
        return cn_fail(err, CN_E_LIMIT, "%zu adapters, at most %d", n, MAX_ADAPTERS);
    for (size_t i = 0; i < n; i++) {
        if (a[i]->base != s->m)
            return cn_fail(err, CN_E_MISMATCH, "adapter %zu was opened for another base", i);
        if (!isfinite(scales[i]))
            return cn_fail(err, CN_E_ARG, "scale of adapter %zu is no number", i);
        rank += a[i]->max_rank;
    }
    cn_status st = workspace_reserve_adapters(s->ws, rank, err);
    if (st) return st;
    for (size_t i = 0; i < n; i++)
        s->adapters[i] = (adapter_use){a[i], scales[i]};
    s->n_adapters = n;
    s->n = 0;
    return CN_OK;
}

size_t cn_session_length(const cn_session *s)
{
    return s->n;
}

const int32_t *cn_session_ids(const cn_session *s)
{
    return s->ids;
}

uint32_t cn_session_n_ctx(const cn_session *s)
{
    return s->n_ctx;
}

void cn_session_truncate(cn_session *s, size_t length)
{
    if (length < s->n) s->n = length;
}

/* One pass of at most n_batch tokens; the hidden states stay in the workspace. The model's lock
 * is taken once a pass: sessions of one model share its threads. */
static cn_status pass(cn_session *s, const int32_t *ids, size_t n, cn_err *err)
{
    fwd_run run = {.kv = &s->kv,
                   .pos0 = (uint32_t)s->n,
                   .n = (uint32_t)n,
                   .adapters = s->adapters,
                   .n_adapters = s->n_adapters};
    cn_status st = model_forward(s->m, s->ws, ids, &run, 1, s->cancel, err);
    if (st) return st;
    memmove(s->ids + s->n, ids, n * sizeof *ids);
    s->n += n;
    return CN_OK;
}

static void lock(const cn_session *s)
{
    pthread_mutex_lock(&((cn_model *)(uintptr_t)s->m)->turn);
}

static void unlock(const cn_session *s)
{
    pthread_mutex_unlock(&((cn_model *)(uintptr_t)s->m)->turn);
}

/* Evaluates in batches; logits of the last token, or of all, go to s->logits. */
static cn_status evaluate(cn_session *s, const int32_t *ids, size_t n, bool all, cn_err *err)
{
    cn_status st = CN_OK;
    size_t before = s->n;
    for (size_t done = 0; done < n && !st;) {
        size_t part = CN_MIN(n - done, s->n_batch);
        lock(s);
        st = pass(s, ids + done, part, err);
        if (!st && all)
            model_logits(s->m, s->ws, 0, part, s->logits + done * s->m->hp.n_vocab);
        else if (!st && done + part == n)
            model_logits(s->m, s->ws, part - 1, 1, s->logits);
        unlock(s);
        done += part;
    }
    if (st) s->n = before; /* what a cancelled call left half done does not count */
    return st;
}

/* Room for n more: the first `keep` tokens stay, the older half of the rest goes, and what
 * remains is evaluated anew at its new positions. */
static cn_status slide(cn_session *s, size_t n, cn_err *err)
{
    while (s->n + n > s->n_ctx) {
        size_t rest = s->n - CN_MIN(s->n, s->keep), drop = (rest + 1) / 2;
        if (drop == 0 || s->keep + n > s->n_ctx)
            return cn_fail(err, CN_E_LIMIT,
                           "%zu tokens and %u to keep do not fit into a context of %u", n,
                           s->keep, s->n_ctx);
        memmove(s->ids + s->keep, s->ids + s->keep + drop, (rest - drop) * sizeof *s->ids);
        s->n -= drop;
        if (s->n + n > s->n_ctx) continue;
        size_t again = s->n - s->keep;
        s->n = s->keep;
        return evaluate(s, s->ids + s->keep, again, false, err);
    }
    return CN_OK;
}

static cn_status check_ids(const cn_session *s, const int32_t *ids, size_t n, cn_err *err)
{
    if (n == 0) return cn_fail(err, CN_E_ARG, "no tokens to evaluate");
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= s->m->hp.n_vocab)
            return cn_fail(err, CN_E_ARG, "token %d at %zu, want 0 to %u", ids[i], i,
                           s->m->hp.n_vocab - 1);
    return CN_OK;
}

cn_status cn_session_eval(cn_session *s, const int32_t *ids, size_t n, bool all,
                          const float **logits, cn_err *err)
{
    cn_status st = check_ids(s, ids, n, err);
    if (st) return st;
    if (s->m->hp.family == FAMILY_BERT)
        return cn_fail(err, CN_E_UNSUPPORTED, "an embedder predicts no next token");
    if (s->n + n > s->n_ctx && !s->keep) {
        cn_fail(err, CN_E_LIMIT,
                "%zu tokens are in the context and %zu more asked, it holds %u", s->n, n,
                s->n_ctx);
        if (s->n_ctx < s->m->hp.n_ctx_train)
            return cn_next(err, CN_E_LIMIT, "take a larger context: --ctx, the model allows %u",
                           s->m->hp.n_ctx_train);
        return cn_next(err, CN_E_LIMIT, "take a shorter text, or let it slide: --keep");
    }
    st = reserve_logits(s, all ? n : 1, err);
    if (!st && s->n + n > s->n_ctx) st = slide(s, n, err);
    if (!st) st = evaluate(s, ids, n, all, err);
    *logits = st ? NULL : s->logits;
    return st;
}

/* ---- embeddings ---- */

static void add_hidden(const cn_session *s, size_t n, float *out)
{
    uint32_t e = s->m->hp.n_embd;
    const float *h = workspace_hidden(s->ws);
    size_t used = s->m->hp.pool == POOL_CLS ? 1 : n;
    for (size_t t = 0; t < used; t++)
        s->m->kern->add(out, h + t * e, e);
}

static void normalise(float *v, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)v[i] * (double)v[i];
    double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (uint32_t i = 0; i < n; i++)
        v[i] = (float)((double)v[i] * scale);
}

cn_status cn_embed(cn_session *s, const int32_t *ids, size_t n, float *out, cn_err *err)
{
    cn_status st = check_ids(s, ids, n, err);
    if (st) return st;
    if (n > s->n_ctx)
        return cn_fail(err, CN_E_LIMIT, "%zu tokens, the context holds %u", n, s->n_ctx);
    memset(out, 0, s->m->hp.n_embd * sizeof *out);
    s->n = 0;
    lock(s);
    for (size_t done = 0; done < n && !st;) {
        size_t part = CN_MIN(n - done, s->n_batch);
        st = pass(s, ids + done, part, err);
        if (!st && (done == 0 || s->m->hp.pool != POOL_CLS)) add_hidden(s, part, out);
        done += part;
    }
    unlock(s);
    s->n = st ? 0 : s->n;
    normalise(out, s->m->hp.n_embd);
    return st;
}
