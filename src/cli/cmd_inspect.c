/* conatus inspect: what a file or folder is, what it holds and what it needs; nothing is
 * loaded. */
#include <inttypes.h>
#include <stdio.h>

#include <conatus/model.h>

#include "facts.h"
#include "file.h"
#include "gguf.h"
#include "kind.h"
#include "mem.h"
#include "peft.h"
#include "safetensors.h"
#include "store.h"
#include "verbs.h"

typedef struct inspect_settings {
    cli_common common;
    bool tensors, metadata;
    int32_t ctx;
    const char *cache_type;
} inspect_settings;

static const cli_option options[] = {
    {.name = "tensors",
     .kind = CLI_FLAG,
     .help = "list every tensor",
     .offset = offsetof(inspect_settings, tensors)},
    {.name = "metadata",
     .kind = CLI_FLAG,
     .help = "list every key of a GGUF file",
     .offset = offsetof(inspect_settings, metadata)},
    {.name = "ctx",
     .letter = 'c',
     .kind = CLI_INT,
     .value = "N",
     .help = "context that the memory is counted for",
     .offset = offsetof(inspect_settings, ctx),
     .max = 1 << 24,
     .env = "CONATUS_CTX"},
    {.name = "cache-type",
     .kind = CLI_TEXT,
     .value = "TYPE",
     .help = "keys and values as f32, f16 or q8_0",
     .offset = offsetof(inspect_settings, cache_type),
     .env = "CONATUS_CACHE_TYPE"},
    CLI_COMMON_OPTIONS(inspect_settings),
};

/* The tensors of a GGUF or of safetensors, whichever is open. */
typedef struct weights {
    gguf *g;
    safetensors *s;
} weights;

static size_t n_weights(const weights *w)
{
    return w->g ? gguf_n_tensors(w->g) : safetensors_n(w->s);
}

static const file_tensor *weight_at(const weights *w, size_t i)
{
    return w->g ? gguf_tensor_at(w->g, i) : safetensors_at(w->s, i);
}

static void close_weights(weights *w)
{
    if (w->g) gguf_close(w->g);
    if (w->s) safetensors_close(w->s);
}

typedef struct type_sum {
    cn_dtype type;
    uint64_t n, elements, bytes;
} type_sum;

/* Sums by type, the type with most bytes first; returns how many types. */
static size_t sum_types(const weights *w, type_sum *sums, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < n_weights(w); i++) {
        const file_tensor *t = weight_at(w, i);
        size_t k = 0;
        while (k < n && sums[k].type != t->type)
            k++;
        if (k == max) continue;
        if (k == n) sums[n++] = (type_sum){.type = t->type};
        sums[k].n++;
        sums[k].elements += t->dims[0] * file_tensor_rows(t);
        sums[k].bytes += t->size;
        for (; k > 0 && sums[k].bytes > sums[k - 1].bytes; k--) {
            type_sum above = sums[k - 1];
            sums[k - 1] = sums[k];
            sums[k] = above;
        }
    }
    return n;
}

static const char *type_name(cn_dtype type)
{
    const cn_dtype_info *info = cn_dtype_info_of(type);
    return info ? info->name : "?";
}

static void types_json(json_out *j, const type_sum *sums, size_t n)
{
    json_key(j, "types");
    json_open(j, '[');
    for (size_t i = 0; i < n; i++) {
        json_open(j, '{');
        json_put_text(j, "type", type_name(sums[i].type));
        json_put_uint(j, "tensors", sums[i].n);
        json_put_uint(j, "elements", sums[i].elements);
        json_put_uint(j, "bytes", sums[i].bytes);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void types_text(const type_sum *sums, size_t n)
{
    char count[24], bytes[24];
    cli_table *t = cli_table_new("lrrr");
    printf("\n");
    for (size_t i = 0; i < n; i++) {
        cli_table_cell(t, "%s", type_name(sums[i].type));
        cli_table_cell(t, "%" PRIu64 " tensors", sums[i].n);
        cli_table_cell(t, "%s weights", cli_count(count, sizeof count, sums[i].elements));
        cli_table_cell(t, "%s", cli_bytes(bytes, sizeof bytes, sums[i].bytes));
    }
    cli_table_print(t, stdout);
    cli_table_free(t);
}

static void shape(char *out, size_t size, const file_tensor *t)
{
    int at = 0;
    out[0] = '\0';
    for (uint32_t d = t->n_dims; d-- > 0 && at >= 0 && (size_t)at < size;)
        at += snprintf(out + at, size - (size_t)at, "%s%" PRIu64, at ? " x " : "", t->dims[d]);
}

static void list_tensors(facts *f, const weights *w)
{
    cli_table *t = f->json ? NULL : cli_table_new("llrr");
    if (f->json) {
        json_key(&f->j, "tensors_list");
        json_open(&f->j, '[');
    }
    for (size_t i = 0; i < n_weights(w); i++) {
        const file_tensor *x = weight_at(w, i);
        char dims[128], bytes[24];
        if (f->json) {
            json_open(&f->j, '{');
            json_key(&f->j, "name");
            json_text(&f->j, x->name);
            json_put_text(&f->j, "type", type_name(x->type));
            json_key(&f->j, "shape");
            json_open(&f->j, '[');
            for (uint32_t d = x->n_dims; d-- > 0;)
                json_uint(&f->j, x->dims[d]);
            json_close(&f->j, ']');
            json_put_uint(&f->j, "bytes", x->size);
            json_close(&f->j, '}');
            continue;
        }
        shape(dims, sizeof dims, x);
        cli_table_cell(t, "%.*s", CN_STR_ARG(x->name));
        cli_table_cell(t, "%s", type_name(x->type));
        cli_table_cell(t, "%s", dims);
        cli_table_cell(t, "%s", cli_bytes(bytes, sizeof bytes, x->size));
    }
    if (f->json) {
        json_close(&f->j, ']');
        return;
    }
    printf("\n");
    cli_table_print(t, stdout);
    cli_table_free(t);
}

/* A scalar or short text as JSON; longer things by their size. */
static void value_json(json_out *j, const gguf_value *v)
{
    char text[48];
    switch (v->kind) {
    case GGUF_STRING:
        json_text(j, v->s);
        return;
    case GGUF_BOOL:
        json_bool(j, v->u != 0);
        return;
    case GGUF_F32:
        json_float(j, (float)v->f);
        return;
    case GGUF_F64:
        json_num(j, v->f);
        return;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        json_int(j, v->i);
        return;
    case GGUF_ARRAY:
        snprintf(text, sizeof text, "[%" PRIu64 " items]", v->n);
        json_text(j, cn_str_of(text));
        return;
    default:
        json_uint(j, v->u);
    }
}

static void list_metadata(facts *f, const gguf *g)
{
    json_out own = {0}, *j = f->json ? &f->j : &own;
    cli_table *t = cli_table_new("ll");
    json_key(j, "metadata");
    json_open(j, '{');
    for (size_t i = 0; i < gguf_n_values(g); i++) {
        const gguf_value *v = gguf_value_at(g, i);
        json_out one = {0};
        value_json(&one, v);
        json_text(j, v->key);
        cn_buf_putc(&j->b, ':');
        j->comma = false;
        json_raw(j, cn_buf_view(&one.b));
        cli_table_cell(t, "%.*s", CN_STR_ARG(v->key));
        cli_table_cell(t, "%.*s%s", (int)CN_MIN(one.b.n, 100), one.b.p,
                       one.b.n > 100 ? "..." : "");
        cn_buf_deinit(&one.b);
    }
    json_close(j, '}');
    if (!f->json) {
        printf("\n");
        cli_table_print(t, stdout);
    }
    cn_buf_deinit(&own.b);
    cli_table_free(t);
}

static void weight_facts(facts *f, const weights *w, const inspect_settings *s)
{
    type_sum sums[32];
    uint64_t elements = 0;
    size_t n = sum_types(w, sums, CN_ARRAY_LEN(sums));
    for (size_t i = 0; i < n; i++)
        elements += sums[i].elements;
    fact_count(f, "parameters", elements);
    fact_uint(f, "tensors", n_weights(w));
    facts_flush(f);
    if (f->json)
        types_json(&f->j, sums, n);
    else if (n)
        types_text(sums, n);
    if (s->tensors) list_tensors(f, w);
    if (s->metadata && w->g) list_metadata(f, w->g);
}

/* What running it needs, against what there is. */
static void memory_facts(facts *f, const char *path, const inspect_settings *s)
{
    cn_memory_estimate e;
    cn_err err = {0};
    if (cn_estimate_memory(&e, path, (uint32_t)s->ctx, s->cache_type, &err)) {
        fact_text(f, "cannot_run", "%s", err.why);
        return;
    }
    fact_bytes(f, "memory_weights", e.weights);
    if (e.prepared) fact_bytes(f, "memory_prepared", e.prepared);
    fact_bytes(f, "memory_cache", e.cache);
    fact_bytes(f, "memory_work", e.work);
    fact_bytes(f, "memory_needed", e.total);
    fact_bytes(f, "memory_available", e.available);
    fact_text(f, "memory_limit", "%s", e.limit);
    fact_bool(f, "fits", e.total <= e.available);
}

static void arch_uint(facts *f, const gguf *g, cn_str arch, const char *key, const char *suffix)
{
    char name[160];
    snprintf(name, sizeof name, "%.*s.%s", CN_STR_ARG(arch), suffix);
    uint64_t v = gguf_uint(g, name, UINT64_MAX);
    if (v != UINT64_MAX) fact_uint(f, key, v);
}

static void gguf_facts(facts *f, const gguf *g)
{
    cn_str arch = gguf_string(g, "general.architecture"), name = gguf_string(g, "general.name"),
           type = gguf_string(g, "general.type"),
           model = gguf_string(g, "tokenizer.ggml.model"),
           pre = gguf_string(g, "tokenizer.ggml.pre");
    const gguf_value *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    fact_uint(f, "version", gguf_version(g));
    fact_uint(f, "parts", gguf_n_parts(g));
    fact_bytes(f, "size", gguf_file_bytes(g));
    if (type.p) fact_text(f, "type", "%.*s", CN_STR_ARG(type));
    if (name.p) fact_text(f, "name", "%.*s", CN_STR_ARG(name));
    if (arch.p) {
        fact_text(f, "architecture", "%.*s", CN_STR_ARG(arch));
        arch_uint(f, g, arch, "context", "context_length");
        arch_uint(f, g, arch, "layers", "block_count");
        arch_uint(f, g, arch, "embedding", "embedding_length");
        arch_uint(f, g, arch, "feed_forward", "feed_forward_length");
        arch_uint(f, g, arch, "heads", "attention.head_count");
        arch_uint(f, g, arch, "kv_heads", "attention.head_count_kv");
        arch_uint(f, g, arch, "window", "attention.sliding_window");
    }
    if (model.p)
        fact_text(f, "tokenizer", "%.*s%s%.*s", CN_STR_ARG(model), pre.p ? ", " : "",
                  CN_STR_ARG(pre));
    if (tokens && tokens->kind == GGUF_ARRAY) fact_uint(f, "vocabulary", tokens->n);
    if (cn_str_is(arch, "bert"))
        fact_text(f, "pooling", "%s",
                  gguf_uint(g, "bert.pooling_type", 1) == 2 ? "cls" : "mean");
    if (model.p) fact_bool(f, "chat_template", gguf_find(g, "tokenizer.chat_template") != NULL);
}

static cn_status inspect_gguf(facts *f, const char *path, const inspect_settings *s,
                              cn_err *err)
{
    weights w = {0};
    cn_status st = gguf_open_head(&w.g, path, err);
    if (st) return st;
    bool adapter = cn_str_is(gguf_string(w.g, "general.type"), "adapter");
    gguf_facts(f, w.g);
    if (!adapter && gguf_n_tensors(w.g)) memory_facts(f, path, s);
    weight_facts(f, &w, s);
    close_weights(&w);
    return CN_OK;
}

static cn_status inspect_safetensors(facts *f, const char *path, const inspect_settings *s,
                                     cn_err *err)
{
    weights w = {0};
    cn_status st = safetensors_open(&w.s, path, err);
    if (st) return st;
    fact_bytes(f, "size", safetensors_file_bytes(w.s));
    weight_facts(f, &w, s);
    close_weights(&w);
    return CN_OK;
}

/* The first of the names (NULL-ended) that the configuration has. */
static void config_uint(facts *f, const cn_json *config, const char *key,
                        const char *const *names)
{
    for (; *names; names++) {
        int64_t v = cn_json_int(cn_json_get(config, *names), -1);
        if (v < 0) continue;
        fact_uint(f, key, (uint64_t)v);
        return;
    }
}

#define CONFIG_UINT(f, config, key, ...)                                                       \
    config_uint(f, config, key, (const char *const[]){__VA_ARGS__, NULL})

/* How an embedder makes one vector of many; sentence-transformers keeps it in a folder. */
static void pooling_fact(facts *f, const char *folder)
{
    cn_json *c = NULL;
    char *path = cn_path_join(folder, "1_Pooling/config.json");
    bool cls = cn_is_file(path) && !cn_json_read_file(&c, path, (size_t)1 << 20, NULL) &&
               cn_json_bool(cn_json_get(c, "pooling_mode_cls_token"), false);
    fact_text(f, "pooling", "%s", cls ? "cls" : "mean");
    cn_json_free(c);
    cn_free(path);
}

static cn_status config_facts(facts *f, const char *folder, cn_err *err)
{
    cn_json *c = NULL;
    char *path = cn_path_join(folder, "config.json");
    cn_status st = cn_json_read_file(&c, path, (size_t)16 << 20, err);
    cn_free(path);
    if (st) return st;
    cn_str type = cn_json_str(cn_json_get(c, "model_type")),
           dtype = cn_json_str(cn_json_get(c, "torch_dtype"));
    if (type.p) fact_text(f, "architecture", "%.*s", CN_STR_ARG(type));
    if (dtype.p) fact_text(f, "dtype", "%.*s", CN_STR_ARG(dtype));
    CONFIG_UINT(f, c, "context", "max_position_embeddings", "n_positions", "n_ctx");
    CONFIG_UINT(f, c, "layers", "num_hidden_layers", "n_layer");
    CONFIG_UINT(f, c, "embedding", "hidden_size", "n_embd");
    CONFIG_UINT(f, c, "feed_forward", "intermediate_size", "n_inner");
    CONFIG_UINT(f, c, "heads", "num_attention_heads", "n_head");
    CONFIG_UINT(f, c, "kv_heads", "num_key_value_heads");
    CONFIG_UINT(f, c, "vocabulary", "vocab_size");
    if (cn_str_is(type, "bert")) pooling_fact(f, folder);
    cn_json_free(c);
    return CN_OK;
}

/* `size`: of the vocabulary too, where no configuration told it. */
static cn_status tokenizer_facts(facts *f, const char *path, bool size, cn_err *err)
{
    cn_tokenizer *t;
    cn_status st = cn_tokenizer_open(&t, path, err);
    if (st) return st;
    fact_text(f, "tokenizer", "%s, %s", cn_tokenizer_kind(t), cn_tokenizer_pre(t));
    if (size) fact_uint(f, "vocabulary", (uint64_t)cn_n_vocab(t));
    fact_bool(f, "chat_template", cn_tokenizer_chat_template(t, NULL) != NULL);
    cn_tokenizer_free(t);
    return CN_OK;
}

static cn_status inspect_folder(facts *f, const char *path, const inspect_settings *s,
                                cn_err *err)
{
    cn_status st = config_facts(f, path, err);
    cn_err why = {0};
    if (st) return st;
    if (tokenizer_facts(f, path, false, &why)) fact_text(f, "tokenizer", "none: %s", why.why);
    memory_facts(f, path, s);
    return inspect_safetensors(f, path, s, err);
}

static cn_status inspect_adapter(facts *f, const char *folder, const inspect_settings *s,
                                 cn_err *err)
{
    peft_config *c = NULL;
    cn_err refused = {0};
    cn_status st = peft_open(&c, folder, &refused);
    if (st == CN_E_UNSUPPORTED) {
        fact_text(f, "cannot_apply", "%s", refused.why);
    } else if (st) {
        *err = refused;
        return st;
    } else {
        cn_str base = peft_base_name(c);
        if (base.p) fact_text(f, "base", "%.*s", CN_STR_ARG(base));
        peft_free(c);
    }
    char *path = cn_path_join(folder, "adapter_model.safetensors");
    st = inspect_safetensors(f, path, s, err);
    cn_free(path);
    return st;
}

/* A file whose name promises weights is judged as such, so that a damaged one is an error. */
static file_kind claimed_kind(const char *path, file_kind found)
{
    cn_str name = cn_str_of(path);
    if (cn_is_dir(path)) return found;
    if (cn_str_ends(name, CN_STR(".gguf"))) return KIND_GGUF;
    return cn_str_ends(name, CN_STR(".safetensors")) ? KIND_SAFETENSORS : found;
}

static cn_status inspect(facts *f, const char *path, const inspect_settings *s, cn_err *err)
{
    file_verdict v;
    cn_status st = file_kind_of(&v, path, err);
    if (st) return st;
    fact_text(f, "file", "%s", cn_path_base(path));
    fact_text(f, "kind", "%s", v.what);
    file_kind kind = claimed_kind(path, v.kind);
    switch (kind) {
    case KIND_GGUF:
        st = inspect_gguf(f, path, s, err);
        break;
    case KIND_SAFETENSORS:
        st = inspect_safetensors(f, path, s, err);
        break;
    case KIND_HF_FOLDER:
        return inspect_folder(f, path, s, err);
    case KIND_ADAPTER_FOLDER:
        return inspect_adapter(f, path, s, err);
    case KIND_TOKENIZER:
        return tokenizer_facts(f, path, true, err);
    default:
        if (v.advice) fact_text(f, "advice", "%s", v.advice);
        return CN_OK;
    }
    if (!st || kind == v.kind) return st;
    /* What it is says more than what is wrong with it. */
    err->next[0] = '\0';
    return cn_next(err, st, "it is: %s%s%s", v.what, v.advice ? "; " : "",
                   v.advice ? v.advice : "");
}

static cn_status run(const void *settings, cn_err *err)
{
    const inspect_settings *s = settings;
    cli_place place;
    facts f;
    cn_status st = cli_place_find(&place, s->common.words[0], err);
    if (st) return st;
    facts_begin(&f, s->common.json);
    st = inspect(&f, place.model, s, err);
    if (st) {
        facts_drop(&f);
        cn_ctx(err, st, "inspecting %s", cn_path_base(place.model));
        if (st == CN_E_NOT_FOUND)
            cn_next(err, st, "put all files that belong together into one folder");
        if (st == CN_E_FORMAT)
            cn_next(err, st, "the file is damaged or incomplete: fetch it again");
    } else {
        facts_end(&f);
    }
    cli_place_deinit(&place);
    return st;
}

const cli_verb verb_inspect = {
    .name = "inspect",
    .words = "PATH",
    .summary = "Say what a file or folder is, what it holds and what it needs.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 1,
    .max_words = 1,
    .settings_size = sizeof(inspect_settings),
    .run = run,
};
