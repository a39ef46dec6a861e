/* The held-out loss: how well a model foresees what it is to learn of records. */
#ifndef EVAL_LOSS_H
#define EVAL_LOSS_H

#include "dataset.h"
#include "score.h"

typedef struct eval_loss {
    eval_item *records; /* owned: sum of -ln p, number of ids that count */
    size_t n, tokens;
    uint64_t fingerprint; /* of all ids and of which count */
} eval_loss;

/* The first `most` records (0: all) of the set, each for itself.
 *
 * errors  as cn_session_eval; CN_E_NOMEM */
CN_MUST_USE cn_status eval_loss_score(eval_loss *out, cn_session *s, const cn_model *m,
                                      const dataset *d, size_t most, eval_progress_fn *progress,
                                      void *user, cn_err *err);
void eval_loss_deinit(eval_loss *l);

#endif
