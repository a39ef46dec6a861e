/* How well a model foresees ids: evaluated in passes, so that the logits of all positions need
 * not be in memory at once; and a long text in windows of the context. */
#ifndef EVAL_SCORE_H
#define EVAL_SCORE_H

#include <conatus/session.h>

#include "stats.h"

typedef struct eval_score {
    const float *logits; /* after the last id; valid until the next call on the session */
    double nll;          /* sum of -ln p(ids[i] | ids[0..i)) for the i that count */
    double nll_squares;  /* sum of their squares */
    size_t n;            /* how many count */
} eval_score;

/* Evaluates n > 0 ids after what the session holds. Those from `first` (at least 1) on count,
 * or of them those whose `mask` is not 0 (NULL: all). */
CN_MUST_USE cn_status eval_score_ids(eval_score *out, cn_session *s, const cn_model *m,
                                     const int32_t *ids, size_t n, size_t first,
                                     const uint8_t *mask, cn_err *err);

typedef void eval_progress_fn(void *user, size_t done, size_t total);

typedef struct eval_text {
    eval_item *windows; /* owned: sum of -ln p, number of ids that count */
    size_t n, window;   /* how many, of how many ids */
    size_t tokens;      /* that count */
    double nll, nll_squares;
} eval_text;

/* Cuts ids into whole windows; the second half of each counts, as each of its ids then has at
 * least half a window before it. A window but the first begins with `bos` (-1: none) in place
 * of its first id. `most` 0: all windows.
 *
 * errors  as cn_session_eval; CN_E_ARG a text shorter than one window */
CN_MUST_USE cn_status eval_text_score(eval_text *out, cn_session *s, const cn_model *m,
                                      int32_t *ids, size_t n, size_t window, int32_t bos,
                                      size_t most, eval_progress_fn *progress, void *user,
                                      cn_err *err);
void eval_text_deinit(eval_text *t);

/* Tells lists of ids apart; `so_far` what the call before gave, at first any number. */
uint64_t eval_fingerprint(uint64_t so_far, const int32_t *ids, size_t n);

#endif
