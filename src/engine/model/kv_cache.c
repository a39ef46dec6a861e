#include "kv_cache.h"

#include <sys/mman.h>

#include "mem.h"

uint64_t kv_cache_bytes(const hparams *hp, cn_dtype type, uint32_t n_ctx)
{
    uint64_t row = cn_dtype_row_bytes(type, hp->head_dim);
    return 2 * row * n_ctx * hp->n_kv_heads * hp->n_layers;
}

static char *map_pages(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

cn_status kv_cache_init(kv_cache *c, const hparams *hp, cn_dtype type, uint32_t n_ctx,
                        cn_err *err)
{
    *c = (kv_cache){.type = type, .n_ctx = n_ctx};
    if (type != CN_F16 && type != CN_F32 && type != CN_Q8_0)
        return cn_fail(err, CN_E_ARG, "cache type %s, want f16, q8_0 or f32",
                       cn_dtype_info_of((uint32_t)type) ? cn_dtype_info_of((uint32_t)type)->name
                                                        : "?");
    c->row_bytes = cn_dtype_row_bytes(type, hp->head_dim);
    if (!c->row_bytes)
        return cn_fail(err, CN_E_ARG,
                       "cache type q8_0 needs a head dimension of a multiple of 32, not %u",
                       hp->head_dim);
    c->head_bytes = c->row_bytes * n_ctx;
    c->layer_bytes = c->head_bytes * hp->n_kv_heads;
    if (cn_mul_overflow(c->layer_bytes, hp->n_layers, &c->mapped) ||
        !(c->k = map_pages(c->mapped)) || !(c->v = map_pages(c->mapped))) {
        kv_cache_deinit(c);
        return cn_fail(err, CN_E_NOMEM, "keys and values of %u positions: %llu bytes", n_ctx,
                       (unsigned long long)kv_cache_bytes(hp, type, n_ctx));
    }
    return CN_OK;
}

void kv_cache_deinit(kv_cache *c)
{
    if (c->k) munmap(c->k, c->mapped);
    if (c->v) munmap(c->v, c->mapped);
    c->k = c->v = NULL;
}
