/* Keys and values of one text, for every layer: (layer, key-value head, position, head_dim).
 * Pages come from the kernel zeroed and untouched, so that a long context costs memory only as
 * it fills. */
#ifndef MODEL_KV_CACHE_H
#define MODEL_KV_CACHE_H

#include "hparams.h"
#include "kernels.h"

typedef struct kv_cache {
    cn_dtype type; /* F16, Q8_0 or F32 */
    uint32_t n_ctx;
    size_t row_bytes;  /* head_dim numbers */
    size_t head_bytes; /* n_ctx rows */
    size_t layer_bytes;
    char *k, *v;
    size_t mapped; /* bytes at k, and at v */
} kv_cache;

/* CN_E_ARG for a type that is none of the three or does not fit head_dim; CN_E_NOMEM. */
cn_status kv_cache_init(kv_cache *c, const hparams *hp, cn_dtype type, uint32_t n_ctx,
                        cn_err *err);
void kv_cache_deinit(kv_cache *c);
/* Bytes of keys and values together; 0 for a type that does not fit. */
uint64_t kv_cache_bytes(const hparams *hp, cn_dtype type, uint32_t n_ctx);

static inline kern_cache kv_cache_head(const kv_cache *c, const char *base, uint32_t layer,
                                       uint32_t head)
{
    return (kern_cache){c->type, base + layer * c->layer_bytes + head * c->head_bytes,
                        c->row_bytes};
}

static inline void *kv_cache_row(const kv_cache *c, char *base, uint32_t layer, uint32_t head,
                                 uint32_t pos)
{
    return base + layer * c->layer_bytes + head * c->head_bytes + pos * c->row_bytes;
}

#endif
