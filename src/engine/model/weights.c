/* Opening a GGUF file or a Hugging Face folder as one table of named weights. */
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "file.h"
#include "hf_names.h"
#include "mem.h"
#include "quants.h"

#define MAX_CONFIG_BYTES ((size_t)4 << 20)

struct weights {
    char *path;
    gguf *gguf;
    safetensors *st;
    hparams hp;
    cn_arena arena;
    weight *items; /* sorted by name */
    size_t n;
    uint64_t bytes;
    bool is_head;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const weight *)a)->name, ((const weight *)b)->name);
}

const weight *weights_find(const weights *w, const char *name)
{
    weight key = {.name = name};
    return w->n ? bsearch(&key, w->items, w->n, sizeof key, by_name) : NULL;
}

static cn_status add(weights *w, cn_str name, const file_tensor *t, cn_err *err)
{
    weight *item = &w->items[w->n];
    *item = (weight){
        .name = cn_arena_strndup(&w->arena, name.p, name.n),
        .type = t->type,
        .n_cols = t->dims[0],
        .n_rows = file_tensor_rows(t),
        .n_dims = t->n_dims,
        .data = t->data,
        .size = t->size,
    };
    if (!item->name) return cn_fail(err, CN_E_NOMEM, "tensor names");
    w->bytes += t->size;
    w->n++;
    return CN_OK;
}

static cn_status sort_items(weights *w, cn_err *err)
{
    qsort(w->items, w->n, sizeof *w->items, by_name);
    for (size_t i = 1; i < w->n; i++)
        if (strcmp(w->items[i - 1].name, w->items[i].name) == 0)
            return cn_fail(err, CN_E_FORMAT, "tensor %s is there twice", w->items[i].name);
    return CN_OK;
}

static cn_status read_gguf(weights *w, const char *path, cn_err *err)
{
    cn_status st = (w->is_head ? gguf_open_head : gguf_open)(&w->gguf, path, err);
    if (!st) st = hparams_from_gguf(&w->hp, w->gguf, err);
    if (st) return st;
    size_t n = gguf_n_tensors(w->gguf);
    w->items = cn_alloc_array(n, sizeof *w->items);
    if (!w->items) return cn_fail(err, CN_E_NOMEM, "%zu tensor descriptions", n);
    for (size_t i = 0; i < n && !st; i++) {
        const file_tensor *t = gguf_tensor_at(w->gguf, i);
        st = add(w, t->name, t, err);
    }
    return st ? st : sort_items(w, err);
}

/* ---- Hugging Face ---- */

static bool is_linear_of(const char *name, const char *kind)
{
    const char *dot = strrchr(name, '.');
    size_t n = strlen(kind);
    return dot && strcmp(dot, ".weight") == 0 && (size_t)(dot - name) > n &&
           memcmp(dot - n, kind, n) == 0 && dot[-(ptrdiff_t)n - 1] == '.';
}

/* GPT-2 keeps its linear layers transposed, (inputs, outputs). */
static void mark_transposed(weight *t)
{
    static const char *const kinds[] = {"attn_qkv", "attn_output", "ffn_up", "ffn_down"};
    for (size_t i = 0; i < CN_ARRAY_LEN(kinds); i++)
        if (is_linear_of(t->name, kinds[i])) {
            uint64_t rows = t->n_rows;
            t->n_rows = t->n_cols;
            t->n_cols = rows;
            t->transposed = true;
            return;
        }
}

/* GGUF's "llama" files have the rows of q and k interleaved for RoPE; Hugging Face's have
 * halves. */
static void mark_rotary(const hparams *hp, weight *t)
{
    if (strcmp(hp->arch, "llama") != 0) return;
    const char *dot = strrchr(t->name, '.');
    size_t n = (size_t)(dot - t->name);
    if (n > 7 && memcmp(dot - 7, ".attn_q", 7) == 0) t->rotary_heads = hp->n_heads;
    if (n > 7 && memcmp(dot - 7, ".attn_k", 7) == 0) t->rotary_heads = hp->n_kv_heads;
}

static cn_status add_hf(weights *w, const file_tensor *t, cn_err *err)
{
    char name[128];
    switch (hf_canonical_name(w->hp.family, t->name, name, sizeof name)) {
    case HF_IGNORED:
        return CN_OK;
    case HF_UNKNOWN:
        return cn_fail(err, CN_E_UNSUPPORTED,
                       "tensor %.*s belongs to no %s model that is known here",
                       CN_STR_ARG(t->name), w->hp.arch);
    default:
        break;
    }
    cn_status st = add(w, cn_str_of(name), t, err);
    if (st) return st;
    weight *added = &w->items[w->n - 1];
    if (w->hp.family == FAMILY_GPT2) mark_transposed(added);
    if (strchr(added->name, '.')) mark_rotary(&w->hp, added);
    return CN_OK;
}

/* sentence-transformers keeps the pooling in a folder of its own. */
static cn_status read_pooling(weights *w, const char *folder, cn_err *err)
{
    if (w->hp.family != FAMILY_BERT) return CN_OK;
    char *path = cn_path_join(folder, "1_Pooling/config.json");
    cn_json *c = NULL;
    cn_status st =
        cn_is_file(path) ? cn_json_read_file(&c, path, MAX_CONFIG_BYTES, err) : CN_OK;
    if (c && cn_json_bool(cn_json_get(c, "pooling_mode_cls_token"), false)) {
        w->hp.pool = POOL_CLS;
    } else if (c && !cn_json_bool(cn_json_get(c, "pooling_mode_mean_tokens"), false)) {
        st = cn_fail(err, CN_E_UNSUPPORTED, "pooling other than mean or cls");
    }
    cn_json_free(c);
    cn_free(path);
    return st;
}

static cn_status read_config(weights *w, const char *folder, cn_err *err)
{
    char *path = cn_path_join(folder, "config.json");
    cn_json *config = NULL;
    cn_status st = cn_json_read_file(&config, path, MAX_CONFIG_BYTES, err);
    if (st == CN_E_NOT_FOUND) cn_next(err, st, "give a GGUF file or a folder with config.json");
    if (!st) st = hparams_from_config(&w->hp, config, err);
    if (!st) st = read_pooling(w, folder, err);
    cn_json_free(config);
    cn_free(path);
    if (!st && !w->hp.name[0])
        snprintf(w->hp.name, sizeof w->hp.name, "%s", cn_path_base(folder));
    return st;
}

static cn_status read_folder(weights *w, const char *folder, cn_err *err)
{
    cn_status st = read_config(w, folder, err);
    if (!st) st = safetensors_open(&w->st, folder, err);
    if (st) return st;
    size_t n = safetensors_n(w->st);
    w->items = cn_alloc_array(n, sizeof *w->items);
    if (!w->items) return cn_fail(err, CN_E_NOMEM, "%zu tensor descriptions", n);
    for (size_t i = 0; i < n && !st; i++)
        st = add_hf(w, safetensors_at(w->st, i), err);
    return st ? st : sort_items(w, err);
}

/* More layers in the file than the model says would be left out without a word. */
static cn_status check_layers(const weights *w, cn_err *err)
{
    unsigned layer;
    for (size_t i = 0; i < w->n; i++)
        if (sscanf(w->items[i].name, "blk.%u.", &layer) == 1 && layer >= w->hp.n_layers)
            return cn_fail(err, CN_E_MISMATCH,
                           "tensor %s is there, but the model is said to have %u layers",
                           w->items[i].name, w->hp.n_layers);
    return CN_OK;
}

/* A vocabulary's size is the number of rows of the embedding table, whatever else is written.
 */
static cn_status settle_vocab(weights *w, cn_err *err)
{
    const weight *t = weights_find(w, "token_embd.weight");
    if (!t) return cn_fail(err, CN_E_FORMAT, "no token embeddings (token_embd.weight)");
    if (t->n_rows < 1 || t->n_rows > MODEL_MAX_VOCAB)
        return cn_fail(err, CN_E_FORMAT, "%llu tokens, want 1 to %u",
                       (unsigned long long)t->n_rows, MODEL_MAX_VOCAB);
    if (w->hp.n_vocab && w->hp.n_vocab != t->n_rows)
        return cn_fail(err, CN_E_MISMATCH,
                       "config.json says %u tokens, the embeddings have %llu", w->hp.n_vocab,
                       (unsigned long long)t->n_rows);
    w->hp.n_vocab = (uint32_t)t->n_rows;
    return CN_OK;
}

static cn_status open_any(weights **out, const char *path, bool head, cn_err *err)
{
    weights *w = cn_xcalloc(1, sizeof *w);
    w->is_head = head;
    w->path = cn_xstrndup(path, strlen(path));
    *out = NULL;
    cn_status st = cn_is_dir(path) ? read_folder(w, path, err) : read_gguf(w, path, err);
    if (!st) st = settle_vocab(w, err);
    if (!st) st = check_layers(w, err);
    if (st) {
        weights_close(w);
        return cn_ctx(err, st, "opening %s", cn_path_base(path));
    }
    *out = w;
    return CN_OK;
}

cn_status weights_open(weights **out, const char *path, cn_err *err)
{
    return open_any(out, path, false, err);
}

cn_status weights_open_head(weights **out, const char *path, cn_err *err)
{
    return open_any(out, path, true, err);
}

bool weights_is_mapped(const weights *w)
{
    return !w->is_head || w->st;
}

void weights_close(weights *w)
{
    if (!w) return;
    cn_free(w->items);
    cn_arena_deinit(&w->arena);
    safetensors_close(w->st);
    gguf_close(w->gguf);
    cn_free(w->path);
    cn_free(w);
}

const hparams *weights_hparams(const weights *w)
{
    return &w->hp;
}

const gguf *weights_gguf(const weights *w)
{
    return w->gguf;
}

const char *weights_path(const weights *w)
{
    return w->path;
}

uint64_t weights_bytes(const weights *w)
{
    return w->bytes;
}

size_t weights_n(const weights *w)
{
    return w->n;
}

const weight *weights_at(const weights *w, size_t i)
{
    return &w->items[i];
}

/* ---- rows as f32 ---- */

/* GGUF's row r of a head holds the pair member r%2 of rotation r/2; Hugging Face keeps the
 * members apart. */
static uint64_t stored_row(const weight *t, uint64_t row)
{
    if (!t->rotary_heads || t->n_rows % t->rotary_heads) return row;
    uint64_t dim = t->n_rows / t->rotary_heads, head = row / dim, r = row % dim;
    return head * dim + (r % 2) * (dim / 2) + r / 2;
}

static float element_to_f32(cn_dtype type, const void *data, uint64_t i)
{
    uint16_t h;
    float f;
    if (type == CN_F32) {
        memcpy(&f, (const char *)data + 4 * i, 4);
        return f;
    }
    memcpy(&h, (const char *)data + 2 * i, 2);
    return type == CN_F16 ? quant_f16_to_f32(h) : quant_bf16_to_f32(h);
}

void weight_rows_to_f32(const weight *t, uint64_t row0, uint64_t n, float *out)
{
    size_t row_bytes = cn_dtype_row_bytes(t->type, t->n_cols);
    kern_mat m = {.type = t->type,
                  .n_rows = (uint32_t)t->n_rows,
                  .n_cols = (uint32_t)t->n_cols,
                  .row_bytes = row_bytes,
                  .data = t->data,
                  .aux = (const char *)t->data + row_bytes * t->n_rows};
    for (uint64_t r = row0; r < row0 + n; r++, out += t->n_cols) {
        if (!t->transposed)
            quant_row_to_f32(&m, stored_row(t, r), out);
        else
            for (uint64_t c = 0; c < t->n_cols; c++)
                out[c] = element_to_f32(t->type, t->data, c * t->n_rows + r);
    }
}
