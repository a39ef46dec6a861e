/* How well a model foresees a text: evaluated in passes, so that the logits of all positions
 * need not be in memory at once. */
#ifndef CLI_SCORING_H
#define CLI_SCORING_H

#include <conatus/session.h>

typedef struct score {
    const float *logits; /* after the last id; valid until the next call on the session */
    double nll;          /* sum of -ln p(ids[i] | ids[0..i)) for i in [first, n) */
    double nll_squares;  /* sum of their squares */
} score;

/* Evaluates n > 0 ids after what the session holds; `first` at least 1. */
cn_status cli_score(cn_session *s, const cn_model *m, const int32_t *ids, size_t n,
                    size_t first, score *out, cn_err *err);

#endif
