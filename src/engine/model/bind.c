/* Binding tensors to their places, each shape checked with both numbers told. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "model_priv.h"
#include "quants.h"

_Static_assert(MODEL_MAX_WIDTH <= KERN_MAX_COLS && MODEL_MAX_HEAD <= KERN_MAX_HEAD,
               "the kernels take every model that passes the checks");

/* Tensors that belong to one layer, or (layer < 0) to the model. */
typedef struct binder {
    cn_model *m;
    int layer;
    cn_err *err;
    cn_status st; /* the first failure; later calls do nothing */
} binder;

static const char *tensor_name(const binder *b, const char *part, const char *suffix, char *out,
                               size_t size)
{
    if (b->layer < 0)
        snprintf(out, size, "%s%s", part, suffix);
    else
        snprintf(out, size, "blk.%d.%s%s", b->layer, part, suffix);
    return out;
}

static const weight *find(const binder *b, const char *part, const char *suffix)
{
    char name[96];
    return weights_find(b->m->files, tensor_name(b, part, suffix, name, sizeof name));
}

static const weight *need(binder *b, const char *part, const char *suffix)
{
    char name[96];
    const weight *t = find(b, part, suffix);
    if (!t && !b->st)
        b->st = cn_fail(b->err, CN_E_FORMAT, "a %s model needs the tensor %s", b->m->hp.arch,
                        tensor_name(b, part, suffix, name, sizeof name));
    return t;
}

static bool shape_is(binder *b, const weight *t, uint64_t rows, uint64_t cols)
{
    if (t->n_rows == rows && t->n_cols == cols) return true;
    b->st = cn_fail(b->err, CN_E_MISMATCH, "tensor %s: shape %llux%llu, want %llux%llu",
                    t->name, (unsigned long long)t->n_rows, (unsigned long long)t->n_cols,
                    (unsigned long long)rows, (unsigned long long)cols);
    return false;
}

/* A vector (or any small tensor) as f32 in the model's arena: aligned, whatever the file holds.
 */
static const float *vector(binder *b, const weight *t, uint64_t n)
{
    if (b->st || !t || !shape_is(b, t, 1, n)) return NULL;
    if (!quant_is_weight_type(t->type)) {
        b->st = cn_fail(b->err, CN_E_UNSUPPORTED, "tensor %s has type %s", t->name,
                        cn_dtype_info_of((uint32_t)t->type)->name);
        return NULL;
    }
    float *v = cn_arena_alloc(&b->m->arena, n, sizeof *v);
    if (!v)
        b->st = cn_fail(b->err, CN_E_NOMEM, "tensor %s", t->name);
    else
        weight_rows_to_f32(t, 0, 1, v);
    return v;
}

/* GPT-2, phi-2 and BERT have a bias everywhere in their layers: a file without one is not
 * whole. */
static const float *bind_bias(binder *b, const char *part, uint64_t n)
{
    bool needed = b->layer >= 0 && b->m->hp.family != FAMILY_LLAMA;
    const weight *bias = needed ? need(b, part, ".bias") : find(b, part, ".bias");
    return bias ? vector(b, bias, n) : NULL;
}

static norm bind_norm(binder *b, const char *part, uint64_t n)
{
    return (norm){.weight = vector(b, need(b, part, ".weight"), n),
                  .bias = bind_bias(b, part, n)};
}

static bool is_f32_like(cn_dtype type)
{
    return type == CN_F32 || type == CN_F16 || type == CN_BF16;
}

#define SQUARE 64 /* rows and columns turned at a time, so that both sides stay in cache */

static void transpose_square(const weight *t, size_t item, size_t r0, size_t c0, char *copy)
{
    for (size_t c = c0; c < CN_MIN(c0 + SQUARE, t->n_cols); c++)
        for (size_t r = r0; r < CN_MIN(r0 + SQUARE, t->n_rows); r++)
            memcpy(copy + (r * t->n_cols + c) * item,
                   (const char *)t->data + (c * t->n_rows + r) * item, item);
}

/* (cols, rows) in memory becomes (rows, cols) in an array of our own, the element type kept. */
static const void *transpose(binder *b, const weight *t)
{
    size_t item = t->type == CN_F32 ? 4 : 2, row_bytes = (size_t)t->n_cols * item;
    char *copy = cn_alloc_array((size_t)t->n_rows, row_bytes);
    if (!copy) {
        b->st = cn_fail(b->err, CN_E_NOMEM, "transposing tensor %s", t->name);
        return NULL;
    }
    b->m->prepared[b->m->n_prepared++] = copy;
    b->m->prepared_bytes += t->size;
    for (size_t r = 0; r < t->n_rows; r += SQUARE)
        for (size_t c = 0; c < t->n_cols; c += SQUARE)
            transpose_square(t, item, r, c, copy);
    return copy;
}

static kern_mat matrix(binder *b, const weight *t, uint64_t rows, uint64_t cols)
{
    kern_mat none = {0};
    if (b->st || !t || !shape_is(b, t, rows, cols)) return none;
    if (!quant_is_weight_type(t->type) || (t->transposed && !is_f32_like(t->type))) {
        b->st = cn_fail(b->err, CN_E_UNSUPPORTED, "tensor %s has type %s", t->name,
                        cn_dtype_info_of((uint32_t)t->type)->name);
        return none;
    }
    size_t row_bytes = cn_dtype_row_bytes(t->type, cols);
    const void *data = t->transposed ? transpose(b, t) : t->data;
    return (kern_mat){.type = t->type,
                      .n_rows = (uint32_t)rows,
                      .n_cols = (uint32_t)cols,
                      .row_bytes = row_bytes,
                      .data = data,
                      .aux =
                          t->type == CN_NF4_DQ ? (const char *)data + row_bytes * rows : NULL};
}

static linear bind_linear(binder *b, const char *part, int site, uint64_t rows, uint64_t cols)
{
    linear l = {.w = matrix(b, need(b, part, ".weight"), rows, cols),
                .bias = bind_bias(b, part, rows),
                .site = b->layer < 0 ? -1 : b->layer * SITES_PER_LAYER + site};
    return l;
}

/* Rows [row0, row0 + n) of a fused linear layer. */
static linear slice(const linear *l, int site, uint32_t row0, uint32_t n)
{
    linear part = *l;
    part.w.n_rows = n;
    part.w.row0 = row0;
    part.w.data = (const char *)l->w.data + l->w.row_bytes * row0;
    if (l->bias) part.bias = l->bias + row0;
    part.site = l->site - l->site % SITES_PER_LAYER + site;
    return part;
}

static void bind_attention(binder *b, model_layer *y)
{
    const hparams *hp = &b->m->hp;
    uint32_t heads = hp->n_heads * hp->head_dim, kv = hp->n_kv_heads * hp->head_dim;
    if (find(b, "attn_qkv", ".weight")) {
        linear qkv = bind_linear(b, "attn_qkv", SITE_Q, heads + 2 * (uint64_t)kv, hp->n_embd);
        if (b->st) return;
        y->q = slice(&qkv, SITE_Q, 0, heads);
        y->k = slice(&qkv, SITE_K, heads, kv);
        y->v = slice(&qkv, SITE_V, heads + kv, kv);
    } else {
        y->q = bind_linear(b, "attn_q", SITE_Q, heads, hp->n_embd);
        y->k = bind_linear(b, "attn_k", SITE_K, kv, hp->n_embd);
        y->v = bind_linear(b, "attn_v", SITE_V, kv, hp->n_embd);
    }
    y->o = bind_linear(b, "attn_output", SITE_O, hp->n_embd, heads);
}

static void bind_layer(binder *b, model_layer *y)
{
    const hparams *hp = &b->m->hp;
    bool bert = hp->family == FAMILY_BERT;
    y->attn_norm = bind_norm(b, bert ? "attn_output_norm" : "attn_norm", hp->n_embd);
    bind_attention(b, y);
    if (strcmp(hp->arch, "qwen3") == 0) {
        y->q_norm = bind_norm(b, "attn_q_norm", hp->head_dim);
        y->k_norm = bind_norm(b, "attn_k_norm", hp->head_dim);
    }
    if (hp->family != FAMILY_PHI2) /* phi-2's attention and feed-forward part share one norm */
        y->ffn_norm = bind_norm(b, bert ? "layer_output_norm" : "ffn_norm", hp->n_embd);
    if (hp->family == FAMILY_LLAMA)
        y->gate = bind_linear(b, "ffn_gate", SITE_GATE, hp->n_ff, hp->n_embd);
    y->up = bind_linear(b, "ffn_up", SITE_UP, hp->n_ff, hp->n_embd);
    y->down = bind_linear(b, "ffn_down", SITE_DOWN, hp->n_embd, hp->n_ff);
}

static void bind_outer(binder *b)
{
    cn_model *m = b->m;
    const hparams *hp = &m->hp;
    m->token_embd = matrix(b, need(b, "token_embd", ".weight"), hp->n_vocab, hp->n_embd);
    if (hp->family == FAMILY_GPT2 || hp->family == FAMILY_BERT)
        m->position_embd =
            matrix(b, need(b, "position_embd", ".weight"), hp->n_ctx_train, hp->n_embd);
    if (hp->family == FAMILY_BERT) {
        const weight *types = need(b, "token_types", ".weight");
        m->token_types = matrix(b, types, types ? types->n_rows : 0, hp->n_embd);
        m->embd_norm = bind_norm(b, "token_embd_norm", hp->n_embd);
        return;
    }
    m->output_norm = bind_norm(b, "output_norm", hp->n_embd);
    if (find(b, "output", ".weight")) {
        m->output = bind_linear(b, "output", 0, hp->n_vocab, hp->n_embd);
    } else {
        m->output = (linear){.w = m->token_embd, .site = -1}; /* tied */
    }
}

/* Llama 3's rule (Dubey et al. 2024): wavelengths over original_ctx/low are stretched by
 * `factor`, those under original_ctx/high are kept, those between go over smoothly. */
static double llama3_divisor(const hparams *hp, double freq)
{
    double turns = hp->rope_original_ctx * freq / (2 * M_PI);
    double smooth = (turns - hp->rope_low) / (hp->rope_high - hp->rope_low);
    smooth = smooth < 0 ? 0 : smooth > 1 ? 1 : smooth;
    return 1 / ((1 - smooth) / hp->rope_factor + smooth);
}

/* A file may hold its own table of divisors. */
static void bind_rope(binder *b)
{
    cn_model *m = b->m;
    const hparams *hp = &m->hp;
    const weight *table = find(b, "rope_freqs", ".weight");
    const float *divisors = table && hp->n_rot ? vector(b, table, hp->n_rot / 2) : NULL;
    double *freqs = cn_arena_alloc(&m->arena, hp->n_rot / 2 + 1, sizeof *freqs);
    if (!freqs) b->st = cn_fail(b->err, CN_E_NOMEM, "rope table");
    if (b->st) return;
    for (uint32_t i = 0; i < hp->n_rot / 2; i++) {
        freqs[i] = pow(hp->rope_base, -2.0 * i / hp->n_rot);
        if (divisors)
            freqs[i] /= (double)divisors[i];
        else if (hp->rope_factor != 0)
            freqs[i] /= llama3_divisor(hp, freqs[i]);
    }
    m->rope_freqs = freqs;
}

uint64_t model_prepared_bytes(const weights *w)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < weights_n(w); i++)
        if (weights_at(w, i)->transposed) bytes += weights_at(w, i)->size;
    return bytes;
}

cn_status model_bind(cn_model *m, cn_err *err)
{
    binder b = {.m = m, .layer = -1, .err = err};
    m->layers = cn_arena_alloc(&m->arena, m->hp.n_layers, sizeof *m->layers);
    m->prepared = cn_arena_alloc(&m->arena, weights_n(m->files), sizeof *m->prepared);
    if (!m->layers || !m->prepared)
        return cn_fail(err, CN_E_NOMEM, "%u layer descriptions", m->hp.n_layers);
    bind_outer(&b);
    bind_rope(&b);
    for (uint32_t i = 0; i < m->hp.n_layers && !b.st; i++) {
        b.layer = (int)i;
        bind_layer(&b, &m->layers[i]);
    }
    return b.st;
}
