#include "score.h"

#include "compiler.h"
#include "mem.h"

#define PASS_FLOATS ((size_t)16 << 20) /* of logits held at once */

cn_status eval_score_ids(eval_score *out, cn_session *s, const cn_model *m, const int32_t *ids,
                         size_t n, size_t first, const uint8_t *mask, cn_err *err)
{
    size_t n_vocab = cn_model_info_of(m)->n_vocab;
    size_t pass = CN_MIN(CN_MAX(PASS_FLOATS / CN_MAX(n_vocab, 1), 1), (size_t)512);
    *out = (eval_score){0};
    while (mask && first < n && !mask[first])
        first++;
    /* Logits that foresee nothing which counts are not worked out. */
    size_t at = CN_MIN(first - 1, n);
    cn_status st = at ? cn_session_eval(s, ids, at, false, &out->logits, err) : CN_OK;
    while (at < n && !st) {
        const float *logits;
        size_t count = CN_MIN(pass, n - at);
        st = cn_session_eval(s, ids + at, count, true, &logits, err);
        if (st) break;
        for (size_t i = 0; i < count; i++) {
            size_t next = at + i + 1;
            if (next >= n || (mask && !mask[next])) continue;
            double p = (double)cn_logprob_of(logits + i * n_vocab, (int32_t)n_vocab, ids[next]);
            out->nll -= p;
            out->nll_squares += p * p;
            out->n++;
        }
        out->logits = logits + (count - 1) * n_vocab;
        at += count;
    }
    return st;
}

static cn_status score_window(eval_text *t, cn_session *session, const cn_model *m,
                              int32_t *ids, int32_t bos, cn_err *err)
{
    eval_score s;
    int32_t kept = ids[0];
    if (bos >= 0 && t->n > 0) ids[0] = bos;
    cn_session_truncate(session, 0);
    cn_status st = eval_score_ids(&s, session, m, ids, t->window, t->window / 2 + 1, NULL, err);
    ids[0] = kept;
    if (st) return st;
    t->windows[t->n++] = (eval_item){s.nll, (double)s.n};
    t->nll += s.nll;
    t->nll_squares += s.nll_squares;
    t->tokens += s.n;
    return CN_OK;
}

cn_status eval_text_score(eval_text *out, cn_session *s, const cn_model *m, int32_t *ids,
                          size_t n, size_t window, int32_t bos, size_t most,
                          eval_progress_fn *progress, void *user, cn_err *err)
{
    size_t windows = n / window;
    *out = (eval_text){.window = window};
    if (windows == 0) {
        cn_status st =
            cn_fail(err, CN_E_ARG, "the text has %zu tokens, a window needs %zu", n, window);
        return cn_next(err, st, "use a longer text or a smaller --ctx");
    }
    if (most) windows = CN_MIN(windows, most);
    out->windows = cn_alloc_array(windows, sizeof *out->windows);
    if (!out->windows) return cn_fail(err, CN_E_NOMEM, "%zu windows", windows);
    cn_status st = CN_OK;
    for (size_t i = 0; i < windows && !st; i++) {
        st = score_window(out, s, m, ids + i * window, bos, err);
        if (progress) progress(user, i + 1, windows);
    }
    if (st) eval_text_deinit(out);
    return st;
}

void eval_text_deinit(eval_text *t)
{
    cn_free(t->windows);
    *t = (eval_text){0};
}

uint64_t eval_fingerprint(uint64_t so_far, const int32_t *ids, size_t n)
{
    uint64_t h = so_far ^ 0xcbf29ce484222325u; /* FNV-1a, an id at a time */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint32_t)ids[i]) * 0x100000001b3u;
    return h ^ n;
}
