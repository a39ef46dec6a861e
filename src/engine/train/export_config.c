/* config.json and generation_config.json. */
#include <math.h>

#include "export_hf.h"
#include "export_json.h"
#include "file.h"
#include "mem.h"
#include "quantize_meta.h"

#define MAX_CONFIG ((size_t)4 << 20)

typedef struct config_job {
    const net *net;
    hparams hp; /* with Llama 3's scaling as numbers */
    cn_buf b;
    cn_err *err;
} config_job;

static const char *torch_name(cn_dtype type)
{
    return type == CN_F16 ? "float16" : type == CN_BF16 ? "bfloat16" : "float32";
}

/* ---- from the base's own ---- */

static bool is_replaced(cn_str key)
{
    return cn_str_is(key, "torch_dtype") || cn_str_is(key, "dtype") ||
           cn_str_is(key, "tie_word_embeddings");
}

static cn_status copy_config(config_job *j, const char *folder, cn_err *err)
{
    cn_json *root = NULL;
    char *path = cn_path_join(folder, "config.json");
    cn_status st = cn_json_read_file(&root, path, MAX_CONFIG, err);
    for (cn_json_member m = cn_json_first(root); m.value; m = cn_json_next(root, m)) {
        if (is_replaced(m.key)) continue;
        cn_buf_putc(&j->b, j->b.p[j->b.n - 1] == '{' ? '\n' : ',');
        cn_buf_json(&j->b, m.key);
        cn_buf_putc(&j->b, ':');
        cn_json_write(&j->b, m.value);
    }
    cn_json_free(root);
    cn_free(path);
    return st;
}

/* ---- from the hyper-parameters ---- */

/* GGUF has Llama 3's scaling as a table only. The numbers behind it are found again where they
 * are of the usual kind: low 1, high 4, an original context that is a power of two. */
static cn_status recover_scaling(config_job *j)
{
    const cn_model *base = j->net->base;
    const weight *t = base ? weights_find(base->files, "rope_freqs.weight") : NULL;
    size_t n = j->hp.n_rot / 2;
    if (!t || n == 0 || t->n_cols != n) return CN_OK;
    float *want = cn_alloc_array(2 * n, sizeof *want), *got = want + n;
    if (!want) return cn_fail(j->err, CN_E_NOMEM, "table of %zu angles", n);
    weight_rows_to_f32(t, 0, 1, want);
    bool found = false;
    j->hp.rope_low = 1;
    j->hp.rope_high = 4;
    for (size_t i = 0; i < n; i++)
        j->hp.rope_factor = fmax(j->hp.rope_factor, (double)want[i]);
    for (int bits = 3; bits <= 24 && !found; bits++) {
        j->hp.rope_original_ctx = 1 << bits;
        quantize_rope_freqs(&j->hp, got);
        found = true;
        for (size_t i = 0; i < n; i++)
            found = found && fabsf(got[i] - want[i]) <= 1e-5F * want[i];
    }
    cn_free(want);
    return found ? CN_OK
                 : cn_fail(j->err, CN_E_UNSUPPORTED,
                           "config.json has no words for this table of angles "
                           "(rope_freqs.weight)");
}

static void put_rope(config_job *j)
{
    const hparams *hp = &j->hp;
    cn_buf *b = &j->b;
    json_real(b, "rope_theta", hp->rope_base, true);
    json_key(b, "rope_scaling");
    if (hp->rope_factor != 0)
        cn_buf_printf(
            b,
            "{\"rope_type\": \"llama3\", \"factor\": %.9g, \"low_freq_factor\": %.9g, "
            "\"high_freq_factor\": %.9g, \"original_max_position_embeddings\": %.0f}",
            hp->rope_factor, hp->rope_low, hp->rope_high, hp->rope_original_ctx);
    else if (hp->rope_linear != 1)
        cn_buf_printf(b, "{\"type\": \"linear\", \"rope_type\": \"linear\", \"factor\": %.9g}",
                      hp->rope_linear);
    else
        cn_buf_lit(b, "null");
}

/* What Llama, Qwen and phi call by the same names. */
static void put_shapes(config_job *j)
{
    const hparams *hp = &j->hp;
    cn_buf *b = &j->b;
    json_int(b, "hidden_size", hp->n_embd);
    json_int(b, "intermediate_size", hp->n_ff);
    json_int(b, "num_hidden_layers", hp->n_layers);
    json_int(b, "num_attention_heads", hp->n_heads);
    json_int(b, "num_key_value_heads", hp->n_kv_heads);
    json_int(b, "max_position_embeddings", hp->n_ctx_train);
    put_rope(j);
}

static bool has(const param *p)
{
    return p != NULL;
}

static cn_status put_llama(config_job *j)
{
    const hparams *hp = &j->hp;
    cn_buf *b = &j->b;
    const net_layer *y = &j->net->layers[0];
    bool qwen2 = strcmp(hp->arch, "qwen2") == 0, qwen3 = strcmp(hp->arch, "qwen3") == 0;
    bool mistral = !qwen2 && !qwen3 && hp->window, bias = has(y->q.bias), ff = has(y->up.bias);
    const char *type = qwen2 ? "qwen2" : qwen3 ? "qwen3" : mistral ? "mistral" : "llama";
    cn_buf_printf(b, "\n  \"architectures\": [\"%sForCausalLM\"]",
                  qwen2     ? "Qwen2"
                  : qwen3   ? "Qwen3"
                  : mistral ? "Mistral"
                            : "Llama");
    json_str(b, "model_type", cn_str_of(type));
    json_str(b, "hidden_act", CN_STR("silu"));
    put_shapes(j);
    json_int(b, "head_dim", hp->head_dim);
    json_real(b, "rms_norm_eps", (double)hp->norm_eps, true);
    if (qwen2 || qwen3) {
        json_bool(b, "use_sliding_window", hp->window != 0);
        json_int(b, "max_window_layers", hp->window ? 0 : hp->n_layers);
    }
    if (hp->window) json_int(b, "sliding_window", hp->window);
    if (!qwen2 && !mistral) json_bool(b, "attention_bias", bias);
    if (!qwen2 && !qwen3 && !mistral) json_bool(b, "mlp_bias", ff);
    bool o = has(y->o.bias);
    if (bias == qwen2 && !o && !ff) return CN_OK;
    if (!qwen2 && !mistral && bias == o && (!ff || !qwen3)) return CN_OK;
    return cn_fail(j->err, CN_E_UNSUPPORTED,
                   "transformers' %s has no such biases (q %d, output %d, feed-forward %d)",
                   type, bias, o, ff);
}

/* The share of a head that is rotated, such that its product is n_rot again when cut off. */
static double rotated_share(const hparams *hp)
{
    double share = (double)hp->n_rot / hp->head_dim;
    while ((uint32_t)(share * hp->head_dim) < hp->n_rot)
        share = nextafter(share, 2);
    return share;
}

static cn_status put_phi(config_job *j)
{
    const hparams *hp = &j->hp;
    cn_buf *b = &j->b;
    cn_buf_lit(b, "\n  \"architectures\": [\"PhiForCausalLM\"]");
    json_str(b, "model_type", CN_STR("phi"));
    json_str(b, "hidden_act", cn_str_of(hp->gelu_erf ? "gelu" : "gelu_new"));
    put_shapes(j);
    json_real(b, "partial_rotary_factor", rotated_share(hp), false);
    json_real(b, "layer_norm_eps", (double)hp->norm_eps, true);
    json_bool(b, "qk_layernorm", false);
    json_real(b, "embd_pdrop", 0, false);
    json_real(b, "resid_pdrop", 0, false);
    json_real(b, "attention_dropout", 0, false);
    return CN_OK;
}

static cn_status put_gpt2(config_job *j)
{
    const hparams *hp = &j->hp;
    cn_buf *b = &j->b;
    cn_buf_lit(b, "\n  \"architectures\": [\"GPT2LMHeadModel\"]");
    json_str(b, "model_type", CN_STR("gpt2"));
    json_str(b, "activation_function", cn_str_of(hp->gelu_erf ? "gelu" : "gelu_new"));
    json_int(b, "n_embd", hp->n_embd);
    json_int(b, "n_inner", hp->n_ff);
    json_int(b, "n_layer", hp->n_layers);
    json_int(b, "n_head", hp->n_heads);
    json_int(b, "n_positions", hp->n_ctx_train);
    json_int(b, "n_ctx", hp->n_ctx_train);
    json_real(b, "layer_norm_epsilon", (double)hp->norm_eps, true);
    return CN_OK;
}

static cn_status make_config(config_job *j, const cn_tokenizer *t)
{
    const hparams *hp = &j->hp;
    bool llama = hp->family == FAMILY_LLAMA, gpt2 = hp->family == FAMILY_GPT2;
    if (!llama &&
        (hp->head_dim * hp->n_heads != hp->n_embd || (gpt2 && hp->n_kv_heads != hp->n_heads)))
        return cn_fail(j->err, CN_E_UNSUPPORTED,
                       "transformers' %s has no %u heads (%u for keys) of %u in a width of %u",
                       hp->arch, hp->n_heads, hp->n_kv_heads, hp->head_dim, hp->n_embd);
    cn_status st = recover_scaling(j);
    if (!st) st = llama ? put_llama(j) : gpt2 ? put_gpt2(j) : put_phi(j);
    if (st) return st;
    json_int(&j->b, "vocab_size", hp->n_vocab);
    if (t && cn_token_bos(t) >= 0) json_int(&j->b, "bos_token_id", cn_token_bos(t));
    if (t && cn_token_eos(t) >= 0) json_int(&j->b, "eos_token_id", cn_token_eos(t));
    return CN_OK;
}

cn_status export_put_config(const export_folder *f, const net *n, const cn_tokenizer *t,
                            cn_dtype type, cn_err *err)
{
    config_job j = {.net = n, .hp = n->hp, .err = err};
    bool copied = n->base && !weights_gguf(n->base->files);
    cn_buf_putc(&j.b, '{');
    cn_status st =
        copied ? copy_config(&j, weights_path(n->base->files), err) : make_config(&j, t);
    json_bool(&j.b, "tie_word_embeddings", n->tied);
    json_str(&j.b, "torch_dtype", cn_str_of(torch_name(type)));
    cn_buf_lit(&j.b, "\n}\n");
    if (!st && j.b.failed) st = cn_fail(err, CN_E_NOMEM, "config.json");
    if (!st) st = export_folder_put(f, "config.json", cn_buf_view(&j.b), err);
    cn_buf_deinit(&j.b);
    return st;
}

/* ---- generation_config.json ---- */

static void put_ends(cn_buf *b, const cn_tokenizer *t)
{
    json_key(b, "eos_token_id");
    cn_buf_printf(b, "[%d", cn_token_eos(t));
    for (int32_t id = 0; id < cn_n_vocab(t); id++)
        if (id != cn_token_eos(t) && cn_token_is_end(t, id)) cn_buf_printf(b, ", %d", id);
    cn_buf_putc(b, ']');
}

cn_status export_put_generation_config(const export_folder *f, const net *n,
                                       const cn_tokenizer *t, cn_err *err)
{
    static const char name[] = "generation_config.json";
    if (n->base && !weights_gguf(n->base->files)) {
        char *path = cn_path_join(weights_path(n->base->files), name);
        cn_status st = export_folder_copy(f, path, name, err);
        cn_free(path);
        return st;
    }
    if (!t) return CN_OK;
    cn_buf b = {0};
    cn_buf_putc(&b, '{');
    if (cn_token_bos(t) >= 0) json_int(&b, "bos_token_id", cn_token_bos(t));
    if (cn_token_eos(t) >= 0) put_ends(&b, t);
    if (cn_token_pad(t) >= 0) json_int(&b, "pad_token_id", cn_token_pad(t));
    cn_buf_lit(&b, "\n}\n");
    cn_status st = b.failed ? cn_fail(err, CN_E_NOMEM, "%s", name)
                            : export_folder_put(f, name, cn_buf_view(&b), err);
    cn_buf_deinit(&b);
    return st;
}
