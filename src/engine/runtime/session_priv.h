/* Inside of a session. */
#ifndef RUNTIME_SESSION_PRIV_H
#define RUNTIME_SESSION_PRIV_H

#include <conatus/session.h>

#include "forward.h"

#define MAX_ADAPTERS 16

struct cn_session {
    const cn_model *m;
    workspace *ws;
    kv_cache kv;
    uint32_t n_ctx, n_batch, keep;
    const atomic_bool *cancel;
    int32_t *ids; /* (n_ctx): the evaluated text */
    size_t n;
    adapter_use adapters[MAX_ADAPTERS];
    size_t n_adapters;
    float *logits; /* (logits_rows, V) */
    size_t logits_rows;
};

#endif
