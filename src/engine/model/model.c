/* Opening and closing models. */
#include <stdio.h>
#include <string.h>

#include "estimate.h"
#include "file.h"
#include "mem.h"
#include "model_priv.h"
#include "sysinfo.h"

static void fill_info(cn_model *m)
{
    const hparams *hp = &m->hp;
    uint64_t by_type[CN_BF16 + 3] = {0}, best = 0;
    cn_model_info *info = &m->info;
    *info = (cn_model_info){
        .weight_bytes = weights_bytes(m->files),
        .n_layers = hp->n_layers,
        .n_embd = hp->n_embd,
        .n_ff = hp->n_ff,
        .n_heads = hp->n_heads,
        .n_kv_heads = hp->n_kv_heads,
        .head_dim = hp->head_dim,
        .n_vocab = hp->n_vocab,
        .n_ctx_train = hp->n_ctx_train,
        .window = hp->window,
        .is_embedder = hp->family == FAMILY_BERT,
    };
    snprintf(info->architecture, sizeof info->architecture, "%s", hp->arch);
    snprintf(info->name, sizeof info->name, "%s", hp->name);
    for (size_t i = 0; i < weights_n(m->files); i++) {
        const weight *t = weights_at(m->files, i);
        uint32_t slot =
            t->type >= CN_NF4 ? CN_BF16 + 1 + (uint32_t)(t->type - CN_NF4) : (uint32_t)t->type;
        info->n_params += t->n_rows * t->n_cols;
        by_type[slot] += t->n_rows * t->n_cols;
        if (by_type[slot] <= best) continue;
        best = by_type[slot];
        snprintf(info->weights, sizeof info->weights, "%s",
                 cn_dtype_info_of((uint32_t)t->type)->name);
    }
}

static bool has_tokenizer(const cn_model *m, const char *path)
{
    static const char *const files[] = {"tokenizer.json", "tokenizer.model", "vocab.json",
                                        "vocab.txt"};
    const gguf *g = weights_gguf(m->files);
    if (g) {
        cn_str kind = gguf_string(g, "tokenizer.ggml.model");
        return kind.p && !cn_str_is(kind, "no_vocab") && !cn_str_is(kind, "none");
    }
    bool found = false;
    for (size_t i = 0; i < CN_ARRAY_LEN(files) && !found; i++) {
        char *file = cn_path_join(path, files[i]);
        found = cn_is_file(file);
        cn_free(file);
    }
    return found;
}

/* Without one the model still works on token ids. */
static cn_status open_tokenizer(cn_model *m, const char *path, cn_err *err)
{
    return has_tokenizer(m, path) ? cn_tokenizer_open(&m->tokenizer, path, err) : CN_OK;
}

/* The file cannot even be mapped: say what running it would take. */
static cn_status explain_too_large(const char *path, const cn_model_options *o, cn_err *err)
{
    weights *w;
    cn_memory_estimate e;
    if (weights_open_head(&w, path, NULL)) /* the first error stands */
        return cn_next(err, CN_E_NOMEM, "take a smaller model, or raise the limit");
    estimate(&e, w, o->n_ctx, default_cache_type(w), cn_sys_n_cpus());
    if (e.total > e.available)
        estimate_fits(&e, default_ctx(weights_hparams(w), o->n_ctx), err);
    weights_close(w);
    return CN_E_NOMEM;
}

static cn_status check_fits(const cn_model *m, const cn_model_options *o, cn_err *err)
{
    cn_memory_estimate e;
    if (o->ignore_memory_limit) return CN_OK;
    estimate(&e, m->files, o->n_ctx, default_cache_type(m->files), cn_pool_size(m->pool));
    return estimate_fits(&e, default_ctx(&m->hp, o->n_ctx), err);
}

cn_status cn_model_open(cn_model **out, const char *path, const cn_model_options *o,
                        cn_err *err)
{
    static const cn_model_options defaults = {0};
    cn_model *m = cn_xcalloc(1, sizeof *m);
    *out = NULL;
    if (!o) o = &defaults;
    pthread_mutex_init(&m->turn, NULL);
    m->precision = o->exact ? KERN_EXACT : KERN_FAST;
    cn_status st = kern_select(&m->kern, o->kernels, err);
    if (!st) st = weights_open(&m->files, path, err);
    if (st == CN_E_NOMEM) st = explain_too_large(path, o, err);
    if (!st) m->hp = *weights_hparams(m->files);
    if (!st) st = cn_pool_new(&m->pool, o->n_threads, err);
    if (!st) st = check_fits(m, o, err);
    if (!st) st = model_bind(m, err);
    if (!st) st = open_tokenizer(m, path, err);
    if (!st && o->progress && !o->progress(o->user, 1))
        st = cn_fail(err, CN_E_CANCELLED, "cancelled");
    if (st) {
        cn_model_close(m);
        return err && err->what[0] ? st : cn_ctx(err, st, "opening %s", cn_path_base(path));
    }
    fill_info(m);
    *out = m;
    return CN_OK;
}

void cn_model_close(cn_model *m)
{
    if (!m) return;
    cn_tokenizer_free(m->tokenizer);
    for (size_t i = 0; i < m->n_prepared; i++)
        cn_free(m->prepared[i]);
    cn_arena_deinit(&m->arena);
    cn_pool_free(m->pool);
    weights_close(m->files);
    pthread_mutex_destroy(&m->turn);
    cn_free(m);
}

const cn_model_info *cn_model_info_of(const cn_model *m)
{
    return &m->info;
}

const cn_tokenizer *cn_model_tokenizer(const cn_model *m)
{
    return m->tokenizer;
}
