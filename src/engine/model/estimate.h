/* How much memory a model needs, told before it is loaded. */
#ifndef MODEL_ESTIMATE_H
#define MODEL_ESTIMATE_H

#include <conatus/model.h>

#include "weights.h"

/* The default context of a session: the model's own, at most this. */
#define DEFAULT_CTX 4096u
#define DEFAULT_BATCH 512u

uint32_t default_ctx(const hparams *hp, uint32_t asked);
/* F16; F32 for models of F32 weights, which are kept for exactness, and for embedders. */
cn_dtype default_cache_type(const weights *w);
/* "f16", "q8_0", "f32"; NULL for the default. CN_E_ARG otherwise. */
cn_status parse_cache_type(cn_dtype *out, const weights *w, const char *name, cn_err *err);
void estimate(cn_memory_estimate *out, const weights *w, uint32_t n_ctx, cn_dtype cache,
              unsigned n_threads);
/* CN_E_NOMEM with both numbers when it does not fit, and the context that would. */
cn_status estimate_fits(const cn_memory_estimate *e, uint32_t n_ctx, cn_err *err);

#endif
