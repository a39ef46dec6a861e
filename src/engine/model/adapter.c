/* Opening adapters: PEFT folders and GGUF files, every tensor matched to a linear layer of the
 * base. */
#include "adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "hf_names.h"
#include "mem.h"
#include "peft.h"
#include "quants.h"

/* A and B of one module, as the files have them. */
typedef struct found {
    char module[96]; /* "blk.3.attn_q" */
    const file_tensor *a, *b;
    float scale;
    bool halves; /* rows of q and k in half-rotation order (Hugging Face) */
} found;

typedef struct reader {
    cn_adapter *adapter;
    const cn_model *base;
    found *items;
    size_t n;
    cn_err *err;
} reader;

static found *find_or_add(reader *r, const char *module)
{
    for (size_t i = r->n; i-- > 0;) /* tensors of a module stand close together */
        if (strcmp(r->items[i].module, module) == 0) return &r->items[i];
    found *f = &r->items[r->n++];
    *f = (found){0};
    snprintf(f->module, sizeof f->module, "%s", module);
    return f;
}

/* ---- where a module's product is, and its shape in the base ---- */

typedef struct place {
    uint32_t layer;
    linear_site first, last; /* more than one for a fused q, k, v */
} place;

static bool parse_module(const cn_model *m, const char *module, place *out)
{
    static const struct {
        const char *name;
        linear_site first, last;
    } modules[] = {
        {"attn_q", SITE_Q, SITE_Q},      {"attn_k", SITE_K, SITE_K},
        {"attn_v", SITE_V, SITE_V},      {"attn_qkv", SITE_Q, SITE_V},
        {"attn_output", SITE_O, SITE_O}, {"ffn_gate", SITE_GATE, SITE_GATE},
        {"ffn_up", SITE_UP, SITE_UP},    {"ffn_down", SITE_DOWN, SITE_DOWN},
    };
    char part[64];
    if (sscanf(module, "blk.%u.%63s", &out->layer, part) != 2 || out->layer >= m->hp.n_layers)
        return false;
    for (size_t i = 0; i < CN_ARRAY_LEN(modules); i++)
        if (strcmp(modules[i].name, part) == 0) {
            out->first = modules[i].first;
            out->last = modules[i].last;
            return out->first != SITE_GATE || m->hp.family == FAMILY_LLAMA;
        }
    return false;
}

static const linear *linear_at(const cn_model *m, uint32_t layer_index, linear_site site)
{
    const model_layer *y = &m->layers[layer_index];
    const linear *sites[] = {
        [SITE_Q] = &y->q,       [SITE_K] = &y->k,   [SITE_V] = &y->v,      [SITE_O] = &y->o,
        [SITE_GATE] = &y->gate, [SITE_UP] = &y->up, [SITE_DOWN] = &y->down};
    return sites[site];
}

/* ---- numbers ---- */

/* For the places where adapter and base disagree, not the adapter with itself. */
static cn_status wrong_base(reader *r)
{
    return cn_next(r->err, CN_E_MISMATCH, "use the base that the adapter was trained on");
}

static cn_status check_pair(reader *r, const found *f, uint64_t rows, uint64_t cols)
{
    if (!f->a || !f->b)
        return cn_fail(r->err, CN_E_FORMAT, "%s has lora_%c but no lora_%c", f->module,
                       f->a ? 'A' : 'B', f->a ? 'B' : 'A');
    const file_tensor *pair[] = {f->a, f->b};
    for (int i = 0; i < 2; i++)
        if (!quant_is_weight_type(pair[i]->type) || pair[i]->n_dims != 2)
            return cn_fail(r->err, CN_E_UNSUPPORTED,
                           "%.*s: type %s with %u dimensions, want a matrix",
                           CN_STR_ARG(pair[i]->name),
                           cn_dtype_info_of((uint32_t)pair[i]->type)->name, pair[i]->n_dims);
    uint64_t rank = f->a->dims[1];
    if (f->a->dims[0] != cols) {
        cn_fail(r->err, CN_E_MISMATCH, "%s: the adapter takes %llu inputs, the base has %llu",
                f->module, (unsigned long long)f->a->dims[0], (unsigned long long)cols);
        return wrong_base(r);
    }
    if (f->b->dims[1] != rows) {
        cn_fail(r->err, CN_E_MISMATCH, "%s: the adapter gives %llu outputs, the base has %llu",
                f->module, (unsigned long long)f->b->dims[1], (unsigned long long)rows);
        return wrong_base(r);
    }
    if (f->b->dims[0] != rank || rank == 0 || rank > 4096)
        return cn_fail(r->err, CN_E_MISMATCH,
                       "%s: lora_A has rank %llu, lora_B %llu (1 to 4096, the same)", f->module,
                       (unsigned long long)rank, (unsigned long long)f->b->dims[0]);
    return CN_OK;
}

static float *matrix_f32(cn_arena *arena, const file_tensor *t)
{
    size_t rows = t->dims[1], cols = t->dims[0];
    kern_mat m = {.type = t->type,
                  .n_rows = (uint32_t)rows,
                  .n_cols = (uint32_t)cols,
                  .row_bytes = cn_dtype_row_bytes(t->type, cols),
                  .data = t->data};
    m.aux = (const char *)t->data + m.row_bytes * rows;
    float *out = cn_arena_alloc(arena, rows, cols * sizeof *out);
    for (size_t i = 0; out && i < rows; i++)
        quant_row_to_f32(&m, i, out + i * cols);
    return out;
}

/* Turns the rows of each head from halves to pairs, or back. */
static cn_status reorder_rows(float *b, size_t rows, size_t rank, size_t n_heads, bool to_pairs,
                              cn_err *err)
{
    size_t dim = rows / n_heads;
    float *copy = cn_alloc_array(rows, rank * sizeof *copy);
    if (!copy) return cn_fail(err, CN_E_NOMEM, "%zu adapter rows", rows);
    memcpy(copy, b, rows * rank * sizeof *b);
    for (size_t i = 0; i < rows; i++) {
        size_t half = i / dim * dim + i % 2 * (dim / 2) +
                      i % dim / 2; /* where pair row i is among halves */
        memcpy(b + (to_pairs ? i : half) * rank, copy + (to_pairs ? half : i) * rank,
               rank * sizeof *b);
    }
    cn_free(copy);
    return CN_OK;
}

static kern_mat f32_mat(const float *data, uint64_t rows, uint64_t cols)
{
    return (kern_mat){.type = CN_F32,
                      .n_rows = (uint32_t)rows,
                      .n_cols = (uint32_t)cols,
                      .row_bytes = cols * sizeof *data,
                      .data = data};
}

static cn_status take(reader *r, const found *f)
{
    const cn_model *m = r->base;
    place at;
    if (!parse_module(m, f->module, &at)) {
        cn_fail(r->err, CN_E_MISMATCH,
                "%s is no adaptable layer of this %s base with %u layers", f->module,
                m->hp.arch, m->hp.n_layers);
        return wrong_base(r);
    }
    uint64_t rows = 0, rank, row = 0;
    for (linear_site s = at.first; s <= at.last; s++)
        rows += linear_at(m, at.layer, s)->w.n_rows;
    cn_status st = check_pair(r, f, rows, linear_at(m, at.layer, at.first)->w.n_cols);
    if (st) return st;
    rank = f->a->dims[1];
    float *a = matrix_f32(&r->adapter->arena, f->a), *b = matrix_f32(&r->adapter->arena, f->b);
    if (!a || !b) return cn_fail(r->err, CN_E_NOMEM, "adapter tensors of %s", f->module);
    bool rotary =
        strcmp(m->hp.arch, "llama") == 0 && (at.first == SITE_Q || at.first == SITE_K);
    if (rotary && f->halves != m->hp.rope_neox)
        st = reorder_rows(b, rows, rank, at.first == SITE_Q ? m->hp.n_heads : m->hp.n_kv_heads,
                          f->halves, r->err);
    for (linear_site s = at.first; s <= at.last && !st; s++) {
        const linear *l = linear_at(m, at.layer, s);
        r->adapter->parts[l->site] =
            (adapter_part){.rank = (uint32_t)rank,
                           .scale = f->scale,
                           .a = f32_mat(a, rank, l->w.n_cols),
                           .b = f32_mat(b + row * rank, l->w.n_rows, rank)};
        row += l->w.n_rows;
    }
    r->adapter->max_rank = CN_MAX(r->adapter->max_rank, (uint32_t)rank);
    return st;
}

static cn_status take_all(reader *r)
{
    cn_status st =
        r->n ? CN_OK : cn_fail(r->err, CN_E_FORMAT, "the adapter holds no LoRA tensors");
    for (size_t i = 0; i < r->n && !st; i++)
        st = take(r, &r->items[i]);
    return st;
}

static cn_status reserve(reader *r, size_t n_tensors)
{
    r->items = cn_alloc_array(n_tensors + 1, sizeof *r->items);
    return r->items ? CN_OK : cn_fail(r->err, CN_E_NOMEM, "%zu adapter tensors", n_tensors);
}

/* ---- PEFT ---- */

/* "base_model.model.MODULE.lora_A.weight" or "...lora_A.default.weight" -> MODULE and which of
 * the two. */
static bool split_peft_name(cn_str name, cn_str *module, char *which)
{
    static const char prefix[] = "base_model.model.";
    if (cn_str_starts(name, cn_str_of(prefix))) name = cn_str_skip(name, sizeof prefix - 1);
    for (size_t i = 0; i + 8 < name.n; i++)
        if (memcmp(name.p + i, ".lora_A.", 8) == 0 || memcmp(name.p + i, ".lora_B.", 8) == 0) {
            *module = (cn_str){name.p, i};
            *which = name.p[i + 6];
            return cn_str_ends(name, CN_STR(".weight"));
        }
    return false;
}

static cn_status add_peft_tensor(reader *r, const peft_config *config, const file_tensor *t)
{
    cn_str module;
    char which, name[96];
    uint32_t rank;
    float scale;
    if (!split_peft_name(t->name, &module, &which))
        return cn_fail(r->err, CN_E_UNSUPPORTED,
                       "tensor %.*s is not lora_A or lora_B of a linear layer",
                       CN_STR_ARG(t->name));
    if (hf_canonical_name(r->base->hp.family, module, name, sizeof name) != HF_KNOWN) {
        cn_fail(r->err, CN_E_MISMATCH, "module %.*s does not exist in a %s model",
                CN_STR_ARG(module), r->base->hp.arch);
        return wrong_base(r);
    }
    if (!peft_targets(config, module, &rank, &scale))
        return cn_fail(r->err, CN_E_MISMATCH,
                       "adapter_config.json does not target %.*s, but its weights are there",
                       CN_STR_ARG(module));
    uint64_t found_rank = which == 'A' ? t->dims[1] : t->dims[0];
    if (found_rank != rank)
        return cn_fail(r->err, CN_E_MISMATCH,
                       "%.*s: rank %llu in the weights, %u in adapter_config.json",
                       CN_STR_ARG(module), (unsigned long long)found_rank, rank);
    found *f = find_or_add(r, name);
    f->scale = scale;
    f->halves = true;
    *(which == 'A' ? &f->a : &f->b) = t;
    return CN_OK;
}

static cn_status read_peft(reader *r, const char *folder)
{
    peft_config *config = NULL;
    safetensors *st_file = NULL;
    char *path = cn_path_join(folder, "adapter_model.safetensors");
    cn_status st = peft_open(&config, folder, r->err);
    if (!st) st = safetensors_open(&st_file, path, r->err);
    if (!st) st = reserve(r, safetensors_n(st_file));
    for (size_t i = 0; !st && i < safetensors_n(st_file); i++)
        st = add_peft_tensor(r, config, safetensors_at(st_file, i));
    if (!st) st = take_all(r);
    safetensors_close(st_file);
    peft_free(config);
    cn_free(path);
    return st;
}

/* ---- GGUF ---- */

static cn_status add_gguf_tensor(reader *r, const file_tensor *t, double alpha)
{
    static const char ending[] = ".weight.lora_x";
    size_t n = sizeof ending - 1;
    char which = t->name.n > n ? t->name.p[t->name.n - 1] : 0;
    if ((which != 'a' && which != 'b') ||
        memcmp(t->name.p + t->name.n - n, ending, n - 1) != 0 ||
        t->name.n - n >= sizeof(((found *)0)->module))
        return cn_fail(r->err, CN_E_UNSUPPORTED,
                       "tensor %.*s is not lora_a or lora_b of a linear layer",
                       CN_STR_ARG(t->name));
    char module[96];
    snprintf(module, sizeof module, "%.*s", (int)(t->name.n - n), t->name.p);
    found *f = find_or_add(r, module);
    *(which == 'a' ? &f->a : &f->b) = t;
    if (which == 'a') f->scale = (float)(alpha / (t->dims[1] ? (double)t->dims[1] : 1));
    return CN_OK;
}

static cn_status read_gguf(reader *r, const char *path)
{
    gguf *g = NULL;
    cn_status st = gguf_open(&g, path, r->err);
    if (st) return st;
    cn_str type = gguf_string(g, "adapter.type"), arch = gguf_string(g, "general.architecture");
    double alpha = gguf_float(g, "adapter.lora.alpha", 0);
    if (!cn_str_is(type, "lora"))
        st = cn_fail(r->err, CN_E_FORMAT, "the file is no LoRA adapter (adapter.type \"%.*s\")",
                     CN_STR_ARG(type));
    else if (!cn_str_is(arch, r->base->hp.arch)) {
        cn_fail(r->err, CN_E_MISMATCH, "the adapter is for a %.*s base, this one is %s",
                CN_STR_ARG(arch), r->base->hp.arch);
        st = wrong_base(r);
    } else if (!(alpha > 0 && alpha < 1e6))
        st = cn_fail(r->err, CN_E_FORMAT, "adapter.lora.alpha is %g", alpha);
    else
        st = reserve(r, gguf_n_tensors(g));
    for (size_t i = 0; !st && i < gguf_n_tensors(g); i++)
        st = add_gguf_tensor(r, gguf_tensor_at(g, i), alpha);
    if (!st) st = take_all(r);
    gguf_close(g);
    return st;
}

cn_status cn_adapter_open(cn_adapter **out, const cn_model *base, const char *path, cn_err *err)
{
    *out = NULL;
    cn_adapter *a = cn_xcalloc(1, sizeof *a);
    a->base = base;
    a->n_parts = (size_t)base->hp.n_layers * SITES_PER_LAYER;
    a->parts = cn_arena_alloc(&a->arena, a->n_parts, sizeof *a->parts);
    reader r = {.adapter = a, .base = base, .err = err};
    cn_status st = a->parts ? CN_OK : cn_fail(err, CN_E_NOMEM, "adapter");
    if (!st) st = cn_is_dir(path) ? read_peft(&r, path) : read_gguf(&r, path);
    cn_free(r.items);
    if (st) {
        cn_adapter_close(a);
        return cn_ctx(err, st, "opening adapter %s", cn_path_base(path));
    }
    *out = a;
    return CN_OK;
}

void cn_adapter_close(cn_adapter *a)
{
    if (!a) return;
    cn_arena_deinit(&a->arena);
    cn_free(a);
}
