/* The forward pass of a batch: tokens of one or several texts ("runs") in one pass over the
 * weights. */
#ifndef MODEL_FORWARD_H
#define MODEL_FORWARD_H

#include <stdatomic.h>

#include "adapter.h"
#include "kv_cache.h"
#include "model_priv.h"

typedef struct adapter_use {
    const cn_adapter *adapter;
    float scale; /* the session's, on top of the adapter's own */
} adapter_use;

/* Consecutive tokens of one text: ids[first .. first + n) stand at positions pos0 .. pos0 + n
 * of its cache. */
typedef struct fwd_run {
    kv_cache *kv;
    size_t first;
    uint32_t pos0, n;
    const adapter_use *adapters;
    size_t n_adapters;
} fwd_run;

/* Memory of a pass, for up to n_batch tokens. One pass at a time. */
typedef struct workspace workspace;
cn_status workspace_new(workspace **out, const cn_model *m, uint32_t n_batch, uint32_t n_ctx,
                        cn_err *err);
void workspace_free(workspace *ws);
uint64_t workspace_bytes(const hparams *hp, uint32_t n_batch, uint32_t n_ctx,
                         unsigned n_threads);
/* Room for adapters whose ranks add up to `rank`; keeps what is there when it suffices. */
cn_status workspace_reserve_adapters(workspace *ws, uint32_t rank, cn_err *err);

/* Evaluates n tokens; keys and values go to the runs' caches; the last hidden states (n, E),
 * normalised for the output layer, stay in the workspace. Ids, positions and n are the caller's
 * promise. CN_E_CANCELLED when *cancel became true between two layers. */
cn_status model_forward(const cn_model *m, workspace *ws, const int32_t *ids,
                        const fwd_run *runs, size_t n_runs, const atomic_bool *cancel,
                        cn_err *err);
const float *workspace_hidden(const workspace *ws); /* (n, E) */
/* Logits of the hidden states [first, first + n): (n, V) into `out`. */
void model_logits(const cn_model *m, workspace *ws, size_t first, size_t n, float *out);

#endif
