#include "scoring.h"

#include "compiler.h"

#define PASS_FLOATS ((size_t)16 << 20) /* of logits held at once */

cn_status cli_score(cn_session *s, const cn_model *m, const int32_t *ids, size_t n,
                    size_t first, score *out, cn_err *err)
{
    size_t n_vocab = cn_model_info_of(m)->n_vocab;
    size_t pass = CN_MIN(CN_MAX(PASS_FLOATS / CN_MAX(n_vocab, 1), 1), (size_t)512);
    *out = (score){0};
    for (size_t at = 0; at < n;) {
        const float *logits;
        size_t count = CN_MIN(pass, n - at);
        cn_status st = cn_session_eval(s, ids + at, count, true, &logits, err);
        if (st) return st;
        for (size_t i = 0; i < count; i++) {
            size_t next = at + i + 1;
            if (next < first || next >= n) continue;
            double p = (double)cn_logprob_of(logits + i * n_vocab, (int32_t)n_vocab, ids[next]);
            out->nll -= p;
            out->nll_squares += p * p;
        }
        out->logits = logits + (count - 1) * n_vocab;
        at += count;
    }
    return CN_OK;
}
