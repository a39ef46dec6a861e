/* The adapter of a LoRA run as a PEFT folder. Names, order of rows and shapes are those of
 * transformers' model, whatever file the base came from:
 *
 * - A Llama base from GGUF has the rows of q and k interleaved: B's rows go back to halves.
 * - GPT-2 has one module c_attn (3E outputs) where the net has q, k and v with a pair each. The
 *   same product is one pair of the rank of all of them together: A is theirs one above the
 *   other, B has each B in its own rows and columns, 0 elsewhere. Its rank is m times as great,
 *   so its alpha is m times as great too (sqrt(m) with rslora), which keeps the scale;
 *   rank_pattern and alpha_pattern say so for this module alone. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "export.h"
#include "export_folder.h"
#include "export_tensors.h"
#include "file.h"
#include "hf_names.h"
#include "mem.h"
#include "safetensors.h"

/* The two matrices of one module of transformers: `n` pairs of the net. */
typedef struct module {
    char name[160]; /* "model.layers.3.self_attn.q_proj" */
    char a_name[208], b_name[208];
    const net_linear *parts[3]; /* of the sites that the module spans; some may lack a pair */
    uint32_t turned[3];
    uint32_t n_parts;
    uint32_t rank, n_out, n_in; /* of all parts together */
} module;

typedef struct peft_job {
    const net *net;
    const export_source *src;
    module *modules;
    size_t n;
    safetensors_item *items; /* A and B of each module in turn */
    cn_err *err;
} peft_job;

static bool is_fused(const net *n, linear_site site)
{
    return n->hp.family == FAMILY_GPT2 && site <= SITE_V;
}

/* Adds the module that begins with this site, unless no part of it is adapted. */
static void add_module(peft_job *j, uint32_t layer, linear_site first)
{
    bool fused = is_fused(j->net, first);
    linear_site last = fused ? SITE_V : first;
    module *m = &j->modules[j->n];
    char own[64];
    *m = (module){0};
    for (linear_site s = first; s <= last; s++) {
        const net_linear *l = export_linear(&j->net->layers[layer], s);
        if (!l->w) return;
        m->turned[m->n_parts] = export_turned_heads(j->net, s, true);
        m->parts[m->n_parts++] = l;
        m->n_out += l->w->n_rows;
        m->n_in = l->w->n_cols;
        if (l->a) m->rank += l->a->n_rows;
    }
    if (!m->rank) return;
    snprintf(own, sizeof own, "blk.%u.%s", layer, fused ? "attn_qkv" : export_site_name(first));
    CN_BUG_ON(!hf_file_name(j->net->hp.family, cn_str_of(own), m->name, sizeof m->name));
    snprintf(m->a_name, sizeof m->a_name, "base_model.model.%s.lora_A.weight", m->name);
    snprintf(m->b_name, sizeof m->b_name, "base_model.model.%s.lora_B.weight", m->name);
    j->n++;
}

static cn_status list_modules(peft_job *j)
{
    size_t most = (size_t)j->net->hp.n_layers * SITES_PER_LAYER;
    j->modules = cn_alloc_array(most, sizeof *j->modules);
    j->items = cn_alloc_array(most * 2, sizeof *j->items);
    if (!j->modules || !j->items) return cn_fail(j->err, CN_E_NOMEM, "%zu modules", most);
    for (uint32_t i = 0; i < j->net->hp.n_layers; i++)
        for (linear_site s = SITE_Q; s < SITES_PER_LAYER; s++)
            if (s == SITE_Q || !is_fused(j->net, s)) add_module(j, i, s);
    for (size_t i = 0; i < j->n; i++) {
        const module *m = &j->modules[i];
        j->items[2 * i] = (safetensors_item){m->a_name, CN_F32, 2, {m->n_in, m->rank}, NULL};
        j->items[2 * i + 1] =
            (safetensors_item){m->b_name, CN_F32, 2, {m->rank, m->n_out}, NULL};
    }
    return j->n ? CN_OK : cn_fail(j->err, CN_E_ARG, "the model has no low-rank pairs");
}

/* ---- numbers ---- */

static void a_row(const module *m, uint64_t row, float *out)
{
    for (uint32_t i = 0; i < m->n_parts; i++) {
        const param *a = m->parts[i]->a;
        if (!a) continue;
        if (row < a->n_rows) {
            for (uint32_t c = 0; c < a->n_cols; c++)
                out[c] = (float)a->w[row * a->n_cols + c];
            return;
        }
        row -= a->n_rows;
    }
}

static void b_row(const module *m, uint64_t row, float *out)
{
    memset(out, 0, m->rank * sizeof *out);
    for (uint32_t i = 0; i < m->n_parts; i++) {
        const net_linear *l = m->parts[i];
        uint32_t n_rows = l->w->n_rows, rank = l->a ? l->a->n_rows : 0;
        if (row < n_rows) {
            if (m->turned[i]) row = export_turned_row(row, n_rows / m->turned[i], true);
            for (uint32_t k = 0; k < rank; k++)
                out[k] = (float)l->b->w[row * rank + k];
            return;
        }
        row -= n_rows;
        out += rank;
    }
}

static cn_status fill_row(void *user, size_t i, uint64_t row, void *out, cn_err *err)
{
    const peft_job *j = user;
    (void)err;
    (i % 2 ? b_row : a_row)(&j->modules[i / 2], row, out);
    return CN_OK;
}

/* ---- adapter_config.json ---- */

/* "self_attn.q_proj" of "model.layers.0.self_attn.q_proj". Only its last word where that is
 * enough: GPT-2 has two modules c_proj. */
static const char *target_name(const peft_job *j, const module *m)
{
    const char *inside = strstr(m->name, ".0.") + 3;
    const char *dot = strrchr(inside, '.');
    return j->net->hp.family == FAMILY_GPT2 || !dot ? inside : dot + 1;
}

/* The modules of the first layer stand for all. */
static size_t n_in_first_layer(const peft_job *j)
{
    return j->n / j->net->hp.n_layers;
}

/* {"attn.c_attn": 24}, or {} where every module has the run's rank. */
static void put_pattern(const peft_job *j, cn_buf *b, bool alphas)
{
    const lora_options *o = &j->net->lora;
    const char *comma = "";
    cn_buf_putc(b, '{');
    for (size_t i = 0; i < n_in_first_layer(j); i++) {
        const module *m = &j->modules[i];
        double times = (double)m->rank / o->rank;
        if (m->rank == o->rank) continue;
        cn_buf_printf(b, "%s\"%s\": ", comma, target_name(j, m));
        if (alphas)
            cn_buf_printf(b, "%.9g", (double)o->alpha * (o->rslora ? sqrt(times) : times));
        else
            cn_buf_printf(b, "%u", m->rank);
        comma = ", ";
    }
    cn_buf_putc(b, '}');
}

static void put_base(const peft_job *j, cn_buf *b)
{
    const char *base = j->src->base_path ? j->src->base_path : j->src->name;
    if (base)
        cn_buf_json(b, cn_str_of(base));
    else
        cn_buf_lit(b, "null");
}

static const char *truth(bool v)
{
    return v ? "true" : "false";
}

static void put_config(const peft_job *j, cn_buf *b)
{
    const lora_options *o = &j->net->lora;
    cn_buf_lit(b, "{\n  \"alpha_pattern\": ");
    put_pattern(j, b, true);
    cn_buf_lit(b, ",\n  \"auto_mapping\": null,\n  \"base_model_name_or_path\": ");
    put_base(j, b);
    cn_buf_printf(b,
                  ",\n  \"bias\": \"none\",\n  \"fan_in_fan_out\": %s,\n"
                  "  \"inference_mode\": true,\n  \"init_lora_weights\": true,\n"
                  "  \"layers_pattern\": null,\n  \"layers_to_transform\": null,\n"
                  "  \"lora_alpha\": %.9g,\n  \"lora_dropout\": %.9g,\n"
                  "  \"modules_to_save\": null,\n  \"peft_type\": \"LORA\",\n  \"r\": %u,\n"
                  "  \"rank_pattern\": ",
                  truth(j->net->hp.family == FAMILY_GPT2), (double)o->alpha, (double)o->dropout,
                  o->rank);
    put_pattern(j, b, false);
    cn_buf_lit(b, ",\n  \"revision\": null,\n  \"target_modules\": [");
    for (size_t i = 0; i < n_in_first_layer(j); i++)
        cn_buf_printf(b, "%s\"%s\"", i ? ", " : "", target_name(j, &j->modules[i]));
    cn_buf_printf(b,
                  "],\n  \"task_type\": \"CAUSAL_LM\",\n  \"use_dora\": false,\n"
                  "  \"use_rslora\": %s\n}\n",
                  truth(o->rslora));
}

static cn_status write_files(const peft_job *j, const export_folder *f, cn_err *err)
{
    cn_buf config = {0};
    char *path = cn_path_join(f->work, "adapter_model.safetensors");
    cn_status st =
        safetensors_write_rows(path, j->items, 2 * j->n, fill_row, (void *)(uintptr_t)j, err);
    put_config(j, &config);
    if (!st && config.failed) st = cn_fail(err, CN_E_NOMEM, "adapter_config.json");
    if (!st) st = export_folder_put(f, "adapter_config.json", cn_buf_view(&config), err);
    cn_buf_deinit(&config);
    cn_free(path);
    return st;
}

cn_status export_peft(const net *n, const export_source *src, const char *dir, cn_err *err)
{
    peft_job j = {.net = n, .src = src, .err = err};
    export_folder f = {0};
    cn_status st = list_modules(&j);
    if (!st) st = export_folder_open(&f, dir, err);
    if (!st) st = write_files(&j, &f, err);
    if (!st) st = export_folder_finish(&f, err);
    export_folder_abandon(&f);
    cn_free(j.modules);
    cn_free(j.items);
    return st ? cn_ctx(err, st, "writing the adapter %s", dir) : CN_OK;
}
