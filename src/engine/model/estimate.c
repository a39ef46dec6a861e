#include "estimate.h"

#include <strings.h>

#include "forward.h"
#include "sysinfo.h"

uint32_t default_ctx(const hparams *hp, uint32_t asked)
{
    return CN_MIN(asked ? asked : DEFAULT_CTX, hp->n_ctx_train);
}

cn_dtype default_cache_type(const weights *w)
{
    const weight *t = weights_find(w, "blk.0.ffn_up.weight");
    return weights_hparams(w)->family == FAMILY_BERT || (t && t->type == CN_F32) ? CN_F32
                                                                                 : CN_F16;
}

cn_status parse_cache_type(cn_dtype *out, const weights *w, const char *name, cn_err *err)
{
    *out = default_cache_type(w);
    if (!name) return CN_OK;
    if (cn_dtype_parse(out, name) == CN_OK &&
        (*out == CN_F16 || *out == CN_F32 || *out == CN_Q8_0))
        return CN_OK;
    return cn_fail(err, CN_E_ARG, "cache type \"%s\", want f16, q8_0 or f32", name);
}

void estimate(cn_memory_estimate *out, const weights *w, uint32_t n_ctx, cn_dtype cache,
              unsigned n_threads)
{
    const hparams *hp = weights_hparams(w);
    cn_sys_memory memory = cn_sys_memory_now();
    n_ctx = default_ctx(hp, n_ctx);
    *out = (cn_memory_estimate){
        .weights = weights_bytes(w),
        .prepared = model_prepared_bytes(w),
        .cache = kv_cache_bytes(hp, cache, n_ctx),
        .work = workspace_bytes(hp, CN_MIN(DEFAULT_BATCH, n_ctx), n_ctx, n_threads),
    };
    out->total = out->weights + out->prepared + out->cache + out->work;
    out->available = cn_sys_memory_left(&memory, &out->limit);
    /* The address space already holds the mapping that the estimate was read from. */
    if (memory.address_limit != UINT64_MAX && weights_is_mapped(w))
        out->available += out->weights;
}

cn_status estimate_fits(const cn_memory_estimate *e, uint32_t n_ctx, cn_err *err)
{
    const double gib = 1 << 30;
    if (e->total <= e->available) return CN_OK;
    cn_fail(err, CN_E_NOMEM,
            "needs %.2f GiB (weights %.2f, cache %.2f, work %.2f), %.2f GiB may be used (%s)",
            (double)e->total / gib, (double)(e->weights + e->prepared) / gib,
            (double)e->cache / gib, (double)e->work / gib, (double)e->available / gib,
            e->limit);
    uint64_t rest = e->total - e->cache, a_position = e->cache / n_ctx + 1;
    uint64_t fitting = e->available > rest ? (e->available - rest) / a_position / 256 * 256 : 0;
    if (fitting)
        return cn_next(err, CN_E_NOMEM, "a context of %llu fits: --ctx %llu",
                       (unsigned long long)fitting, (unsigned long long)fitting);
    return cn_next(err, CN_E_NOMEM,
                   "take a smaller model or type (conatus quantize), or raise the limit");
}

cn_status cn_estimate_memory(cn_memory_estimate *out, const char *path, uint32_t n_ctx,
                             const char *cache_type, cn_err *err)
{
    weights *w;
    cn_dtype cache;
    *out = (cn_memory_estimate){0};
    cn_status st = weights_open_head(&w, path, err);
    if (st) return st;
    st = parse_cache_type(&cache, w, cache_type, err);
    if (!st) estimate(out, w, n_ctx, cache, cn_sys_n_cpus());
    weights_close(w);
    return st;
}
