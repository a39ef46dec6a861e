/* A whole model as GGUF. The work is cn_quantize()'s, with the net for its source: an F32 file
 * that is quantised later and a file written as that type at once hold the same bytes. */
#include <string.h>

#include "export.h"
#include "export_tensors.h"
#include "mem.h"
#include "quantize_meta.h"
#include "quantize_source.h"

typedef struct gguf_job {
    const net *net;
    const export_source *src;
    export_list list;
    const gguf *base;  /* metadata to take over, or NULL */
    float *rope_freqs; /* divisors of the angles, (n_rot / 2), or NULL */
} gguf_job;

/* ---- tensors: those of the list, then the table of angles ---- */

static source_tensor tensor_at(void *user, size_t i)
{
    const gguf_job *j = user;
    uint64_t n_freqs = j->net->hp.n_rot / 2;
    if (i == j->list.n)
        return (source_tensor){.name = CN_STR("rope_freqs.weight"),
                               .type = CN_F32,
                               .n_dims = 1,
                               .dims = {n_freqs, 1, 1, 1},
                               .n_rows = 1,
                               .n_cols = n_freqs,
                               .size = (size_t)n_freqs * sizeof(float),
                               .index = i};
    const export_tensor *t = &j->list.items[i];
    return (source_tensor){.name = cn_str_of(t->name),
                           .type = CN_F32,
                           .n_dims = t->n_dims,
                           .dims = {t->n_cols, t->n_rows, 1, 1},
                           .n_rows = t->n_rows,
                           .n_cols = t->n_cols,
                           .size = (size_t)(t->n_rows * t->n_cols) * sizeof(float),
                           .index = i};
}

static void tensor_row(void *user, size_t i, uint64_t row, float *out)
{
    const gguf_job *j = user;
    if (i == j->list.n)
        memcpy(out, j->rope_freqs, j->net->hp.n_rot / 2 * sizeof *out);
    else
        export_row(&j->list, &j->list.items[i], row, out);
}

/* Llama 3's scaling is a table in GGUF: the base's own, or made from config.json's numbers. */
static cn_status find_rope_freqs(gguf_job *j, cn_err *err)
{
    const hparams *hp = &j->net->hp;
    const weight *table =
        j->net->base ? weights_find(j->net->base->files, "rope_freqs.weight") : NULL;
    if (!table && hp->rope_factor == 0) return CN_OK;
    j->rope_freqs = cn_alloc_array(hp->n_rot / 2, sizeof *j->rope_freqs);
    if (!j->rope_freqs) return cn_fail(err, CN_E_NOMEM, "table of %u angles", hp->n_rot / 2);
    if (table)
        weight_rows_to_f32(table, 0, 1, j->rope_freqs); /* its length was checked on opening */
    else
        quantize_rope_freqs(hp, j->rope_freqs);
    return CN_OK;
}

/* ---- metadata ---- */

/* Everything that the base says, but for what was true of its own quantisation only. */
static void copy_metadata(const gguf_job *j, gguf_writer *w)
{
    for (size_t i = 0; i < gguf_n_values(j->base); i++) {
        const gguf_value *v = gguf_value_at(j->base, i);
        if (!cn_str_starts(v->key, CN_STR("quantize."))) gguf_put_value(w, v);
    }
}

static cn_status make_metadata(const gguf_job *j, gguf_writer *w, cn_err *err)
{
    const cn_model *base = j->net->base;
    const char *tokens = base ? weights_path(base->files) : j->src->tokenizer_path;
    gguf_put_string(w, "general.type", CN_STR("model"));
    quantize_put_hparams(w, &j->net->hp);
    return tokens ? quantize_put_vocab(w, tokens, j->net->hp.n_vocab, err) : CN_OK;
}

static void put_text(gguf_writer *w, const char *key, const char *text)
{
    if (text) gguf_put_string(w, key, cn_str_of(text));
}

static cn_status put_metadata(void *user, gguf_writer *w, cn_err *err)
{
    const gguf_job *j = user;
    cn_status st = CN_OK;
    if (j->base)
        copy_metadata(j, w);
    else
        st = make_metadata(j, w, err);
    put_text(w, "general.name", j->src->name);
    put_text(w, "general.description", j->src->description);
    put_text(w, "tokenizer.chat_template", j->src->chat_template);
    return st;
}

/* ---- */

/* GPT-2's files always have q, k and v in one; others have it as their base has it. */
static bool is_fused(const net *n)
{
    return n->hp.family == FAMILY_GPT2 ||
           (n->base && weights_find(n->base->files, "blk.0.attn_qkv.weight"));
}

cn_status export_gguf(const net *n, const export_source *src, const char *path, cn_dtype type,
                      cn_err *err)
{
    const cn_dtype_info *info = cn_dtype_info_of((uint32_t)type);
    const quant_mix *mix = info ? quant_mix_find(info->name) : NULL;
    gguf_job j = {.net = n, .src = src, .base = n->base ? weights_gguf(n->base->files) : NULL};
    if (!mix) return cn_fail(err, CN_E_ARG, "type %d is not one of weights", (int)type);
    cn_status st = export_list_init(&j.list, n, is_fused(n), false, err);
    if (!st) st = find_rope_freqs(&j, err);
    quantize_feed feed = {.user = &j,
                          .n = j.list.n + (j.rope_freqs ? 1 : 0),
                          .at = tensor_at,
                          .row = tensor_row,
                          .put_metadata = put_metadata,
                          .n_layers = n->hp.n_layers,
                          .gqa = n->hp.n_heads / n->hp.n_kv_heads,
                          .tied = n->tied};
    quantize_source *source = quantize_source_over(&feed);
    cn_quantize_options o = {.n_threads = n->base ? cn_pool_size(n->base->pool) : 0};
    if (!st) st = quantize_write(source, path, mix, &o, err);
    quantize_source_close(source);
    export_list_deinit(&j.list);
    cn_free(j.rope_freqs);
    return st ? cn_ctx(err, st, "writing the model %s", path) : CN_OK;
}
