#include "loss.h"

#include "compiler.h"
#include "mem.h"

static cn_status score_record(eval_loss *l, cn_session *session, const cn_model *m,
                              const dataset_record *r, cn_err *err)
{
    eval_score s;
    cn_session_truncate(session, 0);
    cn_status st = eval_score_ids(&s, session, m, r->ids, r->n, 1, r->loss, err);
    if (st) return cn_ctx(err, st, "the record on line %llu", (unsigned long long)r->line);
    l->records[l->n++] = (eval_item){s.nll, (double)s.n};
    l->tokens += s.n;
    l->fingerprint = eval_fingerprint(l->fingerprint ^ s.n, r->ids, r->n);
    return CN_OK;
}

cn_status eval_loss_score(eval_loss *out, cn_session *s, const cn_model *m, const dataset *d,
                          size_t most, eval_progress_fn *progress, void *user, cn_err *err)
{
    size_t n = dataset_n(d, false);
    if (most) n = CN_MIN(n, most);
    *out = (eval_loss){.records = cn_alloc_array(CN_MAX(n, (size_t)1), sizeof(eval_item))};
    if (!out->records) return cn_fail(err, CN_E_NOMEM, "%zu records", n);
    cn_status st = CN_OK;
    for (size_t i = 0; i < n && !st; i++) {
        dataset_record r = dataset_at(d, false, i);
        st = score_record(out, s, m, &r, err);
        if (progress) progress(user, i + 1, n);
    }
    if (st) eval_loss_deinit(out);
    return st;
}

void eval_loss_deinit(eval_loss *l)
{
    cn_free(l->records);
    *l = (eval_loss){0};
}
