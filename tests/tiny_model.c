#include "tiny_model.h"

#include "testing.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf_write.h"
#include "rng.h"
#include "safetensors.h"

enum { E = 32, HEADS = 4, F = 48, V = 96, CTX = 64, LAYERS = 2, RANK = 3, MAX_TENSORS = 64 };

/* How the two forms of a tensor differ, and what its numbers look like. */
enum { TURNED = 1, ROTARY = 2, NORM = 4, ADAPTED = 8 };

typedef struct tensor {
    char gguf[96], hf[144];
    int rows, cols; /* rows 0: a vector */
    unsigned flags;
    int heads; /* of rotary rows */
} tensor;

typedef struct family {
    const char *arch, *hf_arch, *model_type;
    int kv_heads, head; /* head: its dimension */
    tensor t[MAX_TENSORS];
    int n;
    const char *extra_config; /* more members of config.json */
} family;

static void add(family *f, const char *to, const char *hf, int rows, int cols, unsigned flags,
                int heads)
{
    tensor *t = &f->t[f->n++];
    assert_true(f->n <= MAX_TENSORS);
    snprintf(t->gguf, sizeof t->gguf, "%s", to);
    snprintf(t->hf, sizeof t->hf, "%s", hf);
    t->rows = rows;
    t->cols = cols;
    t->flags = flags;
    t->heads = heads;
}

static void add_layer(family *f, int layer, const char *to, const char *prefix, const char *hf,
                      int rows, int cols, unsigned flags, int heads)
{
    char g[80], h[128];
    snprintf(g, sizeof g, "blk.%d.%s", layer, to);
    snprintf(h, sizeof h, "%s%d.%s", prefix, layer, hf);
    add(f, g, h, rows, cols, flags, heads);
}

/* weight and bias of one linear layer of layer i */
static void add_linear(family *f, int i, const char *to, const char *prefix, const char *hf,
                       int rows, int cols, bool bias, unsigned flags, int heads)
{
    char g[64], h[96];
    snprintf(g, sizeof g, "%s.weight", to);
    snprintf(h, sizeof h, "%s.weight", hf);
    add_layer(f, i, g, prefix, h, rows, cols, flags | ADAPTED, heads);
    snprintf(g, sizeof g, "%s.bias", to);
    snprintf(h, sizeof h, "%s.bias", hf);
    if (bias) add_layer(f, i, g, prefix, h, 0, rows, 0, 0);
}

static void add_norm(family *f, int i, const char *to, const char *prefix, const char *hf,
                     bool bias)
{
    char g[64], h[96];
    snprintf(g, sizeof g, "%s.weight", to);
    snprintf(h, sizeof h, "%s.weight", hf);
    add_layer(f, i, g, prefix, h, 0, E, NORM, 0);
    snprintf(g, sizeof g, "%s.bias", to);
    snprintf(h, sizeof h, "%s.bias", hf);
    if (bias) add_layer(f, i, g, prefix, h, 0, E, 0, 0);
}

static void llama_tensors(family *f, const char *variant)
{
    static const char p[] = "model.layers.";
    bool bias = strcmp(variant, "qwen2") == 0, head_norms = strcmp(variant, "qwen3") == 0;
    unsigned rotary = bias || head_norms ? 0 : ROTARY;
    int kv = f->kv_heads * f->head;
    add(f, "token_embd.weight", "model.embed_tokens.weight", V, E, 0, 0);
    add(f, "output_norm.weight", "model.norm.weight", 0, E, NORM, 0);
    if (!head_norms)
        add(f, "output.weight", "lm_head.weight", V, E, 0, 0); /* qwen3 here: tied */
    for (int i = 0; i < LAYERS; i++) {
        add_norm(f, i, "attn_norm", p, "input_layernorm", false);
        add_linear(f, i, "attn_q", p, "self_attn.q_proj", HEADS * f->head, E, bias, rotary,
                   HEADS);
        add_linear(f, i, "attn_k", p, "self_attn.k_proj", kv, E, bias, rotary, f->kv_heads);
        add_linear(f, i, "attn_v", p, "self_attn.v_proj", kv, E, bias, 0, 0);
        add_linear(f, i, "attn_output", p, "self_attn.o_proj", E, HEADS * f->head, false, 0, 0);
        if (head_norms)
            add_layer(f, i, "attn_q_norm.weight", p, "self_attn.q_norm.weight", 0, f->head,
                      NORM, 0);
        if (head_norms)
            add_layer(f, i, "attn_k_norm.weight", p, "self_attn.k_norm.weight", 0, f->head,
                      NORM, 0);
        add_norm(f, i, "ffn_norm", p, "post_attention_layernorm", false);
        add_linear(f, i, "ffn_gate", p, "mlp.gate_proj", F, E, false, 0, 0);
        add_linear(f, i, "ffn_up", p, "mlp.up_proj", F, E, false, 0, 0);
        add_linear(f, i, "ffn_down", p, "mlp.down_proj", E, F, false, 0, 0);
    }
}

static void phi2_tensors(family *f)
{
    static const char p[] = "model.layers.";
    add(f, "token_embd.weight", "model.embed_tokens.weight", V, E, 0, 0);
    add(f, "output_norm.weight", "model.final_layernorm.weight", 0, E, NORM, 0);
    add(f, "output_norm.bias", "model.final_layernorm.bias", 0, E, 0, 0);
    add(f, "output.weight", "lm_head.weight", V, E, 0, 0);
    add(f, "output.bias", "lm_head.bias", 0, V, 0, 0);
    for (int i = 0; i < LAYERS; i++) {
        add_norm(f, i, "attn_norm", p, "input_layernorm", true);
        add_linear(f, i, "attn_q", p, "self_attn.q_proj", E, E, true, 0, 0);
        add_linear(f, i, "attn_k", p, "self_attn.k_proj", E, E, true, 0, 0);
        add_linear(f, i, "attn_v", p, "self_attn.v_proj", E, E, true, 0, 0);
        add_linear(f, i, "attn_output", p, "self_attn.dense", E, E, true, 0, 0);
        add_linear(f, i, "ffn_up", p, "mlp.fc1", F, E, true, 0, 0);
        add_linear(f, i, "ffn_down", p, "mlp.fc2", E, F, true, 0, 0);
    }
}

static void gpt2_tensors(family *f)
{
    static const char p[] = "transformer.h.";
    add(f, "token_embd.weight", "transformer.wte.weight", V, E, 0, 0);
    add(f, "position_embd.weight", "transformer.wpe.weight", CTX, E, 0, 0);
    add(f, "output_norm.weight", "transformer.ln_f.weight", 0, E, NORM, 0);
    add(f, "output_norm.bias", "transformer.ln_f.bias", 0, E, 0, 0);
    for (int i = 0; i < LAYERS; i++) {
        add_norm(f, i, "attn_norm", p, "ln_1", true);
        add_linear(f, i, "attn_qkv", p, "attn.c_attn", 3 * E, E, true, TURNED, 0);
        add_linear(f, i, "attn_output", p, "attn.c_proj", E, E, true, TURNED, 0);
        add_norm(f, i, "ffn_norm", p, "ln_2", true);
        add_linear(f, i, "ffn_up", p, "mlp.c_fc", F, E, true, TURNED, 0);
        add_linear(f, i, "ffn_down", p, "mlp.c_proj", E, F, true, TURNED, 0);
    }
}

static void bert_tensors(family *f)
{
    static const char p[] = "encoder.layer.";
    add(f, "token_embd.weight", "embeddings.word_embeddings.weight", V, E, 0, 0);
    add(f, "position_embd.weight", "embeddings.position_embeddings.weight", CTX, E, 0, 0);
    add(f, "token_types.weight", "embeddings.token_type_embeddings.weight", 2, E, 0, 0);
    add(f, "token_embd_norm.weight", "embeddings.LayerNorm.weight", 0, E, NORM, 0);
    add(f, "token_embd_norm.bias", "embeddings.LayerNorm.bias", 0, E, 0, 0);
    for (int i = 0; i < LAYERS; i++) {
        add_linear(f, i, "attn_q", p, "attention.self.query", E, E, true, 0, 0);
        add_linear(f, i, "attn_k", p, "attention.self.key", E, E, true, 0, 0);
        add_linear(f, i, "attn_v", p, "attention.self.value", E, E, true, 0, 0);
        add_linear(f, i, "attn_output", p, "attention.output.dense", E, E, true, 0, 0);
        add_norm(f, i, "attn_output_norm", p, "attention.output.LayerNorm", true);
        add_linear(f, i, "ffn_up", p, "intermediate.dense", F, E, true, 0, 0);
        add_linear(f, i, "ffn_down", p, "output.dense", E, F, true, 0, 0);
        add_norm(f, i, "layer_output_norm", p, "output.LayerNorm", true);
    }
}

static void describe(family *f, const char *name)
{
    static const family families[] = {
        {.arch = "llama", .model_type = "llama", .kv_heads = 2, .head = 8},
        {.arch = "llama",
         .model_type = "llama",
         .kv_heads = 2,
         .head = 8,
         .extra_config = "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_"
                         "factor\":1.0,"
                         "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":32}"},
        {.arch = "llama",
         .model_type = "mistral",
         .kv_heads = 2,
         .head = 8,
         .extra_config = "\"sliding_window\":5"},
        {.arch = "qwen2",
         .model_type = "qwen2",
         .kv_heads = 2,
         .head = 8,
         .extra_config = "\"use_sliding_window\":false,\"sliding_window\":5"},
        {.arch = "qwen3",
         .model_type = "qwen3",
         .kv_heads = 2,
         .head = 32,
         .extra_config = "\"head_dim\":32"},
        {.arch = "phi2",
         .model_type = "phi",
         .kv_heads = HEADS,
         .head = 8,
         .extra_config = "\"partial_rotary_factor\":0.5,\"hidden_act\":\"gelu_new\""},
        {.arch = "gpt2",
         .model_type = "gpt2",
         .kv_heads = HEADS,
         .head = 8,
         .extra_config = "\"activation_function\":\"gelu_new\""},
        {.arch = "bert",
         .model_type = "bert",
         .kv_heads = HEADS,
         .head = 8,
         .extra_config = "\"hidden_act\":\"gelu\""},
    };
    static const char *const names[] = {"llama", "llama3", "mistral", "qwen2",
                                        "qwen3", "phi2",   "gpt2",    "bert"};
    size_t i = 0;
    while (strcmp(names[i], name) != 0)
        assert_true(++i < CN_ARRAY_LEN(names));
    *f = families[i];
    if (strcmp(f->arch, "phi2") == 0)
        phi2_tensors(f);
    else if (strcmp(f->arch, "gpt2") == 0)
        gpt2_tensors(f);
    else if (strcmp(f->arch, "bert") == 0)
        bert_tensors(f);
    else
        llama_tensors(f, f->arch);
}

/* ---- numbers: a name always means the same ones ---- */

static void fill(float *x, size_t n, const char *name, double mean, double deviation)
{
    uint64_t seed = 1469598103934665603u; /* FNV-1a */
    for (const char *c = name; *c; c++)
        seed = (seed ^ (unsigned char)*c) * 1099511628211u;
    cn_rng rng = cn_rng_seeded(seed);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(mean + deviation * cn_rng_normal(&rng));
}

static size_t size_of(const tensor *t)
{
    return (size_t)(t->rows ? t->rows : 1) * (size_t)t->cols;
}

/* In Hugging Face's row order, (rows, cols). */
static void base_values(const tensor *t, float *x)
{
    bool norm = t->flags & NORM;
    fill(x, size_of(t), t->hf, norm ? 1 : 0,
         norm || !t->rows     ? 0.1
         : t->flags & ADAPTED ? 0.25
                              : 1);
}

static void adapter_values(const tensor *t, float *a, float *b)
{
    char name[160];
    snprintf(name, sizeof name, "%s A", t->hf);
    fill(a, (size_t)RANK * (size_t)t->cols, name, 0, 0.3);
    snprintf(name, sizeof name, "%s B", t->hf);
    fill(b, (size_t)t->rows * RANK, name, 0, 0.3);
}

/* Rows of each head from halves to pairs. */
static void rotary_order(float *x, int rows, int cols, int heads)
{
    int dim = rows / heads;
    float *copy = cn_xmalloc((size_t)(rows * cols) * sizeof *copy);
    memcpy(copy, x, (size_t)(rows * cols) * sizeof *copy);
    for (int i = 0; i < rows; i++) {
        int from = i / dim * dim + i % 2 * (dim / 2) + i % dim / 2;
        memcpy(x + i * cols, copy + from * cols, (size_t)cols * sizeof *x);
    }
    cn_free(copy);
}

static void transpose(const float *x, int rows, int cols, float *out)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            out[c * rows + r] = x[r * cols + c];
}

static float *values(const tensor *t, bool merged)
{
    float *x = cn_xmalloc(size_of(t) * sizeof *x);
    base_values(t, x);
    if (!merged || !(t->flags & ADAPTED)) return x;
    float a[RANK * 128], b[128 * RANK];
    adapter_values(t, a, b);
    for (int r = 0; r < t->rows; r++)
        for (int c = 0; c < t->cols; c++) {
            double sum = 0; /* scale = alpha / rank = 6 / 3 */
            for (int k = 0; k < RANK; k++)
                sum += 2.0 * (double)b[r * RANK + k] * (double)a[k * t->cols + c];
            x[r * t->cols + c] = (float)((double)x[r * t->cols + c] + sum);
        }
    return x;
}

/* ---- files ---- */

static void must(cn_status st, const cn_err *err)
{
    if (st) fail_msg("%s: %s", err->what, err->why);
}

static void put_metadata(gguf_writer *w, const family *f)
{
    char key[96];
    gguf_put_string(w, "general.architecture", cn_str_of(f->arch));
    gguf_put_string(w, "tokenizer.ggml.model", CN_STR("no_vocab"));
#define PUT(kind, rest, value)                                                                 \
    (snprintf(key, sizeof key, "%s.%s", f->arch, rest), gguf_put_##kind(w, key, value))
    PUT(uint, "block_count", LAYERS);
    PUT(uint, "embedding_length", E);
    PUT(uint, "feed_forward_length", F);
    PUT(uint, "vocab_size", V);
    PUT(uint, "attention.head_count", HEADS);
    PUT(uint, "attention.head_count_kv", (uint32_t)f->kv_heads);
    PUT(uint, "context_length", CTX);
    PUT(uint, "attention.key_length", (uint32_t)f->head);
    PUT(uint, "attention.value_length", (uint32_t)f->head);
    PUT(float,
        strchr("lq", f->arch[0]) ? "attention.layer_norm_rms_epsilon"
                                 : "attention.layer_norm_epsilon",
        1e-5f);
    if (strcmp(f->arch, "bert") == 0) {
        PUT(uint, "pooling_type", 1);
        PUT(bool, "attention.causal", false);
        gguf_put_uint(w, "tokenizer.ggml.token_type_count", 2);
    }
    if (strcmp(f->arch, "phi2") == 0) PUT(uint, "rope.dimension_count", 4);
    if (strcmp(f->model_type, "mistral") == 0) PUT(uint, "attention.sliding_window", 5);
#undef PUT
}

/* Llama 3's scaling as a table of divisors, which is how GGUF files carry it. */
static void llama3_divisors(float out[4])
{
    for (int i = 0; i < 4; i++) {
        double freq = pow(10000, -2.0 * i / 8), turns = 32 * freq / (2 * M_PI);
        double smooth = fmin(1, fmax(0, (turns - 1) / 3));
        out[i] = (float)(1 / ((1 - smooth) / 8 + smooth));
    }
}

static void write_gguf(const family *f, const char *path, bool merged)
{
    cn_err err = {0};
    gguf_writer *w;
    uint64_t dims[2] = {4, 1};
    float divisors[4];
    bool llama3 = f->extra_config && strstr(f->extra_config, "llama3");
    must(gguf_writer_new(&w, path, &err), &err);
    put_metadata(w, f);
    if (llama3) must(gguf_put_tensor(w, "rope_freqs.weight", CN_F32, 1, dims, &err), &err);
    for (int i = 0; i < f->n; i++) {
        const tensor *t = &f->t[i];
        dims[0] = (uint64_t)t->cols;
        dims[1] = (uint64_t)(t->rows ? t->rows : 1);
        must(gguf_put_tensor(w, t->gguf, CN_F32, t->rows ? 2 : 1, dims, &err), &err);
    }
    llama3_divisors(divisors);
    if (llama3) must(gguf_write_data(w, divisors, sizeof divisors, &err), &err);
    for (int i = 0; i < f->n; i++) {
        float *x = values(&f->t[i], merged);
        if (f->t[i].flags & ROTARY) rotary_order(x, f->t[i].rows, f->t[i].cols, f->t[i].heads);
        must(gguf_write_data(w, x, size_of(&f->t[i]) * sizeof *x, &err), &err);
        cn_free(x);
    }
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
}

static void write_config(const family *f, const char *folder)
{
    cn_err err = {0};
    cn_buf b = {0};
    char *path = cn_path_join(folder, "config.json");
    cn_buf_printf(
        &b,
        "{\"model_type\":\"%s\",\"num_hidden_layers\":%d,\"hidden_size\":%d,\"intermediate_"
        "size\":%d,"
        "\"num_attention_heads\":%d,\"num_key_value_heads\":%d,\"max_position_embeddings\":%d,"
        "\"vocab_size\":%d,\"%s\":1e-5%s%s}",
        f->model_type, LAYERS, E, F, HEADS, f->kv_heads, CTX, V,
        strchr("lq", f->arch[0]) ? "rms_norm_eps" : "layer_norm_eps",
        f->extra_config ? "," : "", f->extra_config ? f->extra_config : "");
    must(cn_file_write(path, cn_buf_view(&b), &err), &err);
    cn_buf_deinit(&b);
    cn_free(path);
}

static void write_folder(const family *f, const char *folder)
{
    cn_err err = {0};
    safetensors_item items[MAX_TENSORS];
    float *data[MAX_TENSORS];
    for (int i = 0; i < f->n; i++) {
        const tensor *t = &f->t[i];
        bool turned = t->flags & TURNED && t->rows;
        float *x = values(t, false);
        data[i] = x;
        if (turned) {
            data[i] = cn_xmalloc(size_of(t) * sizeof *x);
            transpose(x, t->rows, t->cols, data[i]);
            cn_free(x);
        }
        items[i] = (safetensors_item){
            .name = t->hf, .type = CN_F32, .n_dims = t->rows ? 2 : 1, .data = data[i]};
        items[i].dims[0] = (uint64_t)(turned ? t->rows : t->cols);
        items[i].dims[1] = (uint64_t)(turned ? t->cols : t->rows ? t->rows : 1);
    }
    char *path = cn_path_join(folder, "model.safetensors");
    must(safetensors_write(path, items, (size_t)f->n, &err), &err);
    cn_free(path);
    for (int i = 0; i < f->n; i++)
        cn_free(data[i]);
    write_config(f, folder);
}

static void write_peft(const family *f, const char *folder)
{
    static const char config[] =
        "{\"peft_type\":\"LORA\",\"r\":3,\"lora_alpha\":6,\"target_modules\":\"all-linear\","
        "\"bias\":\"none\",\"use_rslora\":false}";
    cn_err err = {0};
    safetensors_item items[2 * MAX_TENSORS];
    static char names[2 * MAX_TENSORS][192];
    static float a[MAX_TENSORS][RANK * 128], b[MAX_TENSORS][128 * RANK];
    size_t n = 0;
    for (int i = 0; i < f->n; i++) {
        const tensor *t = &f->t[i];
        if (!(t->flags & ADAPTED)) continue;
        adapter_values(t, a[i], b[i]);
        int module = (int)(strlen(t->hf) - strlen(".weight"));
        snprintf(names[n], sizeof names[n], "base_model.model.%.*s.lora_A.weight", module,
                 t->hf);
        items[n] = (safetensors_item){names[n], CN_F32, 2, {(uint64_t)t->cols, RANK}, a[i]};
        n++;
        snprintf(names[n], sizeof names[n], "base_model.model.%.*s.lora_B.weight", module,
                 t->hf);
        items[n] = (safetensors_item){names[n], CN_F32, 2, {RANK, (uint64_t)t->rows}, b[i]};
        n++;
    }
    char *path = cn_path_join(folder, "adapter_model.safetensors");
    must(safetensors_write(path, items, n, &err), &err);
    cn_free(path);
    path = cn_path_join(folder, "adapter_config.json");
    must(cn_file_write(path, CN_STR(config), &err), &err);
    cn_free(path);
}

static void put_adapter_tensor(gguf_writer *w, const tensor *t, char which)
{
    cn_err err = {0};
    char name[128];
    uint64_t a[] = {(uint64_t)t->cols, RANK}, b[] = {RANK, (uint64_t)t->rows};
    snprintf(name, sizeof name, "%s.lora_%c", t->gguf, which);
    must(gguf_put_tensor(w, name, CN_F32, 2, which == 'a' ? a : b, &err), &err);
}

static void write_adapter_gguf(const family *f, const char *path)
{
    cn_err err = {0};
    gguf_writer *w;
    float a[RANK * 128], b[128 * RANK];
    must(gguf_writer_new(&w, path, &err), &err);
    gguf_put_string(w, "general.type", CN_STR("adapter"));
    gguf_put_string(w, "general.architecture", cn_str_of(f->arch));
    gguf_put_string(w, "adapter.type", CN_STR("lora"));
    gguf_put_float(w, "adapter.lora.alpha", 6);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < f->n; i++) {
            const tensor *t = &f->t[i];
            if (!(t->flags & ADAPTED)) continue;
            if (pass == 0) {
                put_adapter_tensor(w, t, 'a');
                put_adapter_tensor(w, t, 'b');
                continue;
            }
            adapter_values(t, a, b);
            if (t->flags & ROTARY) rotary_order(b, t->rows, RANK, t->heads);
            must(gguf_write_data(w, a, (size_t)(RANK * t->cols) * sizeof *a, &err), &err);
            must(gguf_write_data(w, b, (size_t)(RANK * t->rows) * sizeof *b, &err), &err);
        }
    must(gguf_writer_finish(w, &err), &err);
    gguf_writer_free(w);
}

void tiny_model_write(tiny_model *t, const char *arch)
{
    static family f;
    snprintf(t->dir, sizeof t->dir, "/tmp/conatus-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->gguf, sizeof t->gguf, "%s/model.gguf", t->dir);
    snprintf(t->folder, sizeof t->folder, "%s/hf", t->dir);
    snprintf(t->peft, sizeof t->peft, "%s/adapter", t->dir);
    snprintf(t->adapter, sizeof t->adapter, "%s/adapter.gguf", t->dir);
    snprintf(t->merged, sizeof t->merged, "%s/merged.gguf", t->dir);
    assert_int_equal(mkdir(t->folder, 0700), 0);
    assert_int_equal(mkdir(t->peft, 0700), 0);
    describe(&f, arch);
    write_gguf(&f, t->gguf, false);
    write_gguf(&f, t->merged, true);
    write_folder(&f, t->folder);
    write_peft(&f, t->peft);
    write_adapter_gguf(&f, t->adapter);
}

void tiny_model_remove(tiny_model *t)
{
    static const char *const files[] = {"model.gguf",
                                        "merged.gguf",
                                        "adapter.gguf",
                                        "hf/config.json",
                                        "hf/model.safetensors",
                                        "adapter/adapter_config.json",
                                        "adapter/adapter_model.safetensors",
                                        "hf",
                                        "adapter",
                                        ""};
    for (size_t i = 0; i < CN_ARRAY_LEN(files); i++) {
        char *path = cn_path_join(t->dir, files[i]);
        remove(path);
        cn_free(path);
    }
}
