/* Memory of a pass. */
#include "workspace.h"

#include "mem.h"

typedef struct widths {
    size_t e, h, kv, f, act; /* numbers a token */
} widths;

static widths widths_of(const hparams *hp)
{
    size_t e = hp->n_embd, h = (size_t)hp->n_heads * hp->head_dim,
           kv = (size_t)hp->n_kv_heads * hp->head_dim;
    return (widths){e, CN_MAX(e, h), kv, hp->n_ff, CN_MAX(CN_MAX(e, h), hp->n_ff)};
}

uint64_t workspace_bytes(const hparams *hp, uint32_t n_batch, uint32_t n_ctx,
                         unsigned n_threads)
{
    widths w = widths_of(hp);
    uint64_t floats = (uint64_t)n_batch * (w.e + 3 * w.h + 2 * w.kv + 2 * w.f + hp->n_rot) +
                      (uint64_t)n_threads * KERN_ATTEND_TOGETHER * n_ctx + hp->n_vocab;
    return 4 * floats + kern_act_bytes(n_batch, w.act) + (uint64_t)n_threads * KERN_SCRATCH;
}

cn_status workspace_new(workspace **out, const cn_model *m, uint32_t n_batch, uint32_t n_ctx,
                        cn_err *err)
{
    const hparams *hp = &m->hp;
    widths w = widths_of(hp);
    workspace *ws = cn_xcalloc(1, sizeof *ws);
    *ws = (workspace){.n_batch = n_batch, .n_ctx = n_ctx, .n_threads = cn_pool_size(m->pool)};
    ws->widest = (uint32_t)CN_MAX(w.act, w.kv);
    ws->arena.cap = SIZE_MAX / 2;
    cn_arena *a = &ws->arena;
    size_t n = n_batch;
    bool ok = (ws->x = cn_arena_alloc(a, n * w.e, sizeof(float))) &&
              (ws->h = cn_arena_alloc(a, n * w.h, sizeof(float))) &&
              (ws->q = cn_arena_alloc(a, n * w.h, sizeof(float))) &&
              (ws->k = cn_arena_alloc(a, n * w.kv, sizeof(float))) &&
              (ws->v = cn_arena_alloc(a, n * w.kv, sizeof(float))) &&
              (ws->att = cn_arena_alloc(a, n * w.h, sizeof(float))) &&
              (ws->gate = cn_arena_alloc(a, n * w.f, sizeof(float))) &&
              (ws->up = cn_arena_alloc(a, n * w.f, sizeof(float))) &&
              (ws->rope = cn_arena_alloc(a, n * hp->n_rot, sizeof(float))) &&
              (ws->scores = cn_arena_alloc(
                   a, (size_t)ws->n_threads * KERN_ATTEND_TOGETHER * n_ctx, sizeof(float))) &&
              (ws->act = cn_alloc_array(kern_act_bytes(n, w.act), 1)) &&
              (ws->scratch = cn_alloc_array(ws->n_threads, KERN_SCRATCH));
    if (!ok) {
        workspace_free(ws);
        return cn_fail(err, CN_E_NOMEM, "activations of %u tokens", n_batch);
    }
    *out = ws;
    return CN_OK;
}

cn_status workspace_reserve_adapters(workspace *ws, uint32_t rank, cn_err *err)
{
    if (rank <= ws->adapter_rank) return CN_OK;
    float *low = cn_alloc_array((size_t)ws->n_batch * rank, sizeof *low);
    float *added =
        ws->added ? ws->added : cn_alloc_array((size_t)ws->n_batch * ws->widest, sizeof *added);
    if (!low || !added) {
        cn_free(low);
        if (!ws->added) cn_free(added);
        return cn_fail(err, CN_E_NOMEM, "adapters of rank %u", rank);
    }
    cn_free(ws->low);
    ws->low = low;
    ws->added = added;
    ws->adapter_rank = rank;
    return CN_OK;
}

void workspace_free(workspace *ws)
{
    if (!ws) return;
    cn_free(ws->act);
    cn_free(ws->scratch);
    cn_free(ws->low);
    cn_free(ws->added);
    cn_arena_deinit(&ws->arena);
    cn_free(ws);
}

const float *workspace_hidden(const workspace *ws)
{
    return ws->h;
}
