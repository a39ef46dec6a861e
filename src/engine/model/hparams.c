/* Reading hyper-parameters, and refusing what this program would compute wrongly. */
#include "hparams.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *gguf, *hf; /* general.architecture; config.json's model_type */
    model_family family;
    bool neox; /* in GGUF; Hugging Face is always neox */
} archs[] = {
    {"llama", "llama", FAMILY_LLAMA, false}, {"llama", "mistral", FAMILY_LLAMA, false},
    {"qwen2", "qwen2", FAMILY_LLAMA, true},  {"qwen3", "qwen3", FAMILY_LLAMA, true},
    {"phi2", "phi", FAMILY_PHI2, true},      {"gpt2", "gpt2", FAMILY_GPT2, false},
    {"bert", "bert", FAMILY_BERT, false},
};

static const char ARCHS[] = "llama, mistral, qwen2, qwen3, phi2, gpt2 and bert";

static cn_status set_arch(hparams *hp, cn_str name, bool hf, cn_err *err)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++)
        if (cn_str_is(name, hf ? archs[i].hf : archs[i].gguf)) {
            snprintf(hp->arch, sizeof hp->arch, "%s", archs[i].gguf);
            hp->family = archs[i].family;
            hp->rope_neox = hf || archs[i].neox;
            return CN_OK;
        }
    cn_fail(err, CN_E_UNSUPPORTED, "architecture \"%.*s\"; this program runs %s",
            CN_STR_ARG(name), ARCHS);
    return cn_next(err, CN_E_UNSUPPORTED, "take a model of one of these architectures");
}

static cn_status in_range(const char *what, uint64_t v, uint64_t low, uint64_t high,
                          cn_err *err)
{
    if (v >= low && v <= high) return CN_OK;
    return cn_fail(err, CN_E_FORMAT, "%s is %llu, want %llu to %llu", what,
                   (unsigned long long)v, (unsigned long long)low, (unsigned long long)high);
}

/* What every architecture must satisfy, whatever the file says. */
static cn_status check(const hparams *hp, cn_err *err)
{
    cn_status st;
    if ((st = in_range("number of layers", hp->n_layers, 1, MODEL_MAX_LAYERS, err)) ||
        (st = in_range("embedding length", hp->n_embd, 1, MODEL_MAX_WIDTH, err)) ||
        (st = in_range("feed-forward length", hp->n_ff, 1, MODEL_MAX_WIDTH, err)) ||
        (st = in_range("number of heads", hp->n_heads, 1, 4096, err)) ||
        (st = in_range("number of key-value heads", hp->n_kv_heads, 1, hp->n_heads, err)) ||
        (st = in_range("head dimension", hp->head_dim, 1, MODEL_MAX_HEAD, err)) ||
        (st = in_range("width of all heads", (uint64_t)hp->n_heads * hp->head_dim, 1,
                       MODEL_MAX_WIDTH, err)) ||
        (st = in_range("context length", hp->n_ctx_train, 1, MODEL_MAX_CTX, err)) ||
        (st = in_range("rotary dimensions", hp->n_rot, 0, hp->head_dim, err)))
        return st;
    if (hp->n_heads % hp->n_kv_heads)
        return cn_fail(err, CN_E_FORMAT, "%u heads are no multiple of %u key-value heads",
                       hp->n_heads, hp->n_kv_heads);
    if (hp->n_rot % 2)
        return cn_fail(err, CN_E_FORMAT, "%u rotary dimensions, want an even number",
                       hp->n_rot);
    if (!(hp->norm_eps >= 0 && hp->norm_eps < 1))
        return cn_fail(err, CN_E_FORMAT, "norm epsilon is %g, want 0 to 1",
                       (double)hp->norm_eps);
    if (hp->n_rot && !(hp->rope_base >= 1 && hp->rope_base < 1e12))
        return cn_fail(err, CN_E_FORMAT, "rope base is %g, want 1 to 1e12", hp->rope_base);
    if (!(hp->rope_linear > 0 && hp->rope_linear < 1e6))
        return cn_fail(err, CN_E_FORMAT, "rope scale is %g, want 0 to 1e6", hp->rope_linear);
    if (hp->rope_factor != 0 && !(hp->rope_factor >= 1 && hp->rope_low > 0 &&
                                  hp->rope_high > hp->rope_low && hp->rope_original_ctx >= 1))
        return cn_fail(err, CN_E_FORMAT,
                       "llama3 rope scaling: factor %g, low %g, high %g, context %g",
                       hp->rope_factor, hp->rope_low, hp->rope_high, hp->rope_original_ctx);
    return CN_OK;
}

/* ---- GGUF: keys are "ARCH.rest" ---- */

typedef struct gguf_keys {
    const gguf *g;
    const char *arch;
    char key[128];
} gguf_keys;

static const char *key_of(gguf_keys *k, const char *rest)
{
    snprintf(k->key, sizeof k->key, "%s.%s", k->arch, rest);
    return k->key;
}

static uint32_t get_uint(gguf_keys *k, const char *rest, uint32_t fallback)
{
    uint64_t v = gguf_uint(k->g, key_of(k, rest), fallback);
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static double get_float(gguf_keys *k, const char *rest, double fallback)
{
    return gguf_float(k->g, key_of(k, rest), fallback);
}

static cn_status gguf_rope(hparams *hp, gguf_keys *k, cn_err *err)
{
    hp->n_rot = get_uint(k, "rope.dimension_count", hp->head_dim);
    hp->rope_base = get_float(k, "rope.freq_base", 10000);
    hp->rope_linear = 1;
    cn_str kind = gguf_string(k->g, key_of(k, "rope.scaling.type"));
    if (!kind.p || cn_str_is(kind, "none") || cn_str_is(kind, "linear")) {
        hp->rope_linear =
            get_float(k, "rope.scaling.factor", get_float(k, "rope.scale_linear", 1));
        return CN_OK;
    }
    return cn_fail(err, CN_E_UNSUPPORTED, "rope scaling \"%.*s\"; known: none, linear, llama3",
                   CN_STR_ARG(kind));
}

cn_status hparams_from_gguf(hparams *hp, const gguf *g, cn_err *err)
{
    *hp = (hparams){.rope_linear = 1};
    cn_str arch = gguf_string(g, "general.architecture"), name = gguf_string(g, "general.name");
    if (!arch.p) return cn_fail(err, CN_E_FORMAT, "the file has no general.architecture");
    cn_status st = set_arch(hp, arch, false, err);
    if (st) return st;
    snprintf(hp->name, sizeof hp->name, "%.*s", (int)CN_MIN(name.n, sizeof hp->name - 1),
             name.p ? name.p : "");

    gguf_keys k = {.g = g, .arch = hp->arch};
    if (get_uint(&k, "expert_count", 0))
        return cn_fail(err, CN_E_UNSUPPORTED, "mixture of %u experts",
                       get_uint(&k, "expert_count", 0));
    hp->n_layers = get_uint(&k, "block_count", 0);
    hp->n_embd = get_uint(&k, "embedding_length", 0);
    hp->n_ff = get_uint(&k, "feed_forward_length", 0);
    hp->n_heads = get_uint(&k, "attention.head_count", 0);
    hp->n_kv_heads = get_uint(&k, "attention.head_count_kv", hp->n_heads);
    hp->head_dim =
        get_uint(&k, "attention.key_length", hp->n_heads ? hp->n_embd / hp->n_heads : 0);
    uint32_t value_dim = get_uint(&k, "attention.value_length", hp->head_dim);
    if (value_dim != hp->head_dim)
        return cn_fail(err, CN_E_UNSUPPORTED, "heads of %u for keys and %u for values",
                       hp->head_dim, value_dim);
    hp->n_ctx_train = get_uint(&k, "context_length", 0);
    hp->window = get_uint(&k, "attention.sliding_window", 0);
    hp->norm_eps = (float)get_float(&k, "attention.layer_norm_rms_epsilon",
                                    get_float(&k, "attention.layer_norm_epsilon", 1e-5));
    hp->gelu_erf = hp->family == FAMILY_BERT;
    hp->pool = hp->family != FAMILY_BERT              ? POOL_NONE
               : get_uint(&k, "pooling_type", 1) == 2 ? POOL_CLS
                                                      : POOL_MEAN;
    if (hp->family == FAMILY_LLAMA || hp->family == FAMILY_PHI2) st = gguf_rope(hp, &k, err);
    return st ? st : check(hp, err);
}

/* ---- config.json ---- */

/* The first of the two keys that is there (GPT-2 has names of its own). */
static uint32_t config_uint(const cn_json *c, const char *key, const char *other,
                            int64_t fallback)
{
    const cn_json *v = cn_json_get(c, key);
    if (cn_json_is_null(v) && other) v = cn_json_get(c, other);
    int64_t i = cn_json_int(v, fallback);
    return i < 0 || i > UINT32_MAX ? UINT32_MAX : (uint32_t)i;
}

static cn_status config_rope(hparams *hp, const cn_json *c, cn_err *err)
{
    const cn_json *s = cn_json_get(c, "rope_scaling");
    if (cn_json_is_null(s)) s = cn_json_get(c, "rope_parameters");
    hp->rope_base = cn_json_num(cn_json_get(c, "rope_theta"),
                                cn_json_num(cn_json_get(s, "rope_theta"), 10000));
    double rotated = cn_json_num(cn_json_get(c, "partial_rotary_factor"), 1);
    if (!(rotated > 0 && rotated <= 1))
        return cn_fail(err, CN_E_FORMAT, "partial_rotary_factor is %g, want 0 to 1", rotated);
    hp->n_rot = (uint32_t)(rotated * hp->head_dim);
    const cn_json *kind = cn_json_get(s, "rope_type");
    if (!kind) kind = cn_json_get(s, "type");
    if (!s || cn_json_is_null(kind) || cn_json_is(kind, "default")) return CN_OK;
    if (cn_json_is(kind, "linear")) {
        hp->rope_linear = cn_json_num(cn_json_get(s, "factor"), 1);
        return CN_OK;
    }
    if (!cn_json_is(kind, "llama3"))
        return cn_fail(err, CN_E_UNSUPPORTED,
                       "rope scaling \"%.*s\"; known: default, linear, llama3",
                       CN_STR_ARG(cn_json_str(kind)));
    hp->rope_factor = cn_json_num(cn_json_get(s, "factor"), 8);
    hp->rope_low = cn_json_num(cn_json_get(s, "low_freq_factor"), 1);
    hp->rope_high = cn_json_num(cn_json_get(s, "high_freq_factor"), 4);
    hp->rope_original_ctx =
        cn_json_num(cn_json_get(s, "original_max_position_embeddings"), 8192);
    return CN_OK;
}

static cn_status config_activation(hparams *hp, const cn_json *c, cn_err *err)
{
    const cn_json *a = cn_json_get(c, "hidden_act");
    if (!a) a = cn_json_get(c, "activation_function");
    cn_str act = cn_json_str(a);
    bool tanh_form = cn_str_is(act, "gelu_new") || cn_str_is(act, "gelu_pytorch_tanh");
    hp->gelu_erf = cn_str_is(act, "gelu");
    bool ok = !act.p || (hp->family == FAMILY_LLAMA  ? cn_str_is(act, "silu")
                         : hp->family == FAMILY_BERT ? hp->gelu_erf || tanh_form
                                                     : tanh_form || hp->gelu_erf);
    if (!act.p) hp->gelu_erf = hp->family == FAMILY_BERT;
    if (ok) return CN_OK;
    return cn_fail(err, CN_E_UNSUPPORTED, "activation \"%.*s\" in a %s model", CN_STR_ARG(act),
                   hp->arch);
}

/* Configuration keys whose other values would change the arithmetic. */
static cn_status config_refusals(const hparams *hp, const cn_json *c, cn_err *err)
{
    if (cn_json_int(cn_json_get(c, "num_local_experts"), 0) > 0)
        return cn_fail(err, CN_E_UNSUPPORTED, "mixture of experts");
    if (cn_json_bool(cn_json_get(c, "qk_layernorm"), false))
        return cn_fail(err, CN_E_UNSUPPORTED, "qk_layernorm");
    const cn_json *position = cn_json_get(c, "position_embedding_type");
    if (cn_json_str(position).p && !cn_json_is(position, "absolute"))
        return cn_fail(err, CN_E_UNSUPPORTED, "position_embedding_type \"%.*s\"",
                       CN_STR_ARG(cn_json_str(position)));
    if (cn_json_get(c, "quantization_config"))
        return cn_next(err,
                       cn_fail(err, CN_E_UNSUPPORTED,
                               "the %s weights are stored quantised (quantization_config)",
                               hp->arch),
                       "take the original weights; `conatus quantize` makes them small");
    if (!cn_json_bool(cn_json_get(c, "scale_attn_weights"), true))
        return cn_fail(err, CN_E_UNSUPPORTED, "scale_attn_weights false");
    return CN_OK;
}

static uint32_t config_window(const cn_json *c)
{
    if (!cn_json_bool(cn_json_get(c, "use_sliding_window"), true)) return 0;
    int64_t w = cn_json_int(cn_json_get(c, "sliding_window"), 0);
    return w > 0 && w < MODEL_MAX_CTX ? (uint32_t)w : 0;
}

cn_status hparams_from_config(hparams *hp, const cn_json *c, cn_err *err)
{
    *hp = (hparams){.rope_linear = 1};
    cn_str type = cn_json_str(cn_json_get(c, "model_type"));
    if (!type.p) return cn_fail(err, CN_E_FORMAT, "config.json has no model_type");
    cn_status st = set_arch(hp, type, true, err);
    if (st) return st;
    hp->n_layers = config_uint(c, "num_hidden_layers", "n_layer", 0);
    hp->n_embd = config_uint(c, "hidden_size", "n_embd", 0);
    hp->n_ff = config_uint(c, "intermediate_size", "n_inner", 4 * (int64_t)hp->n_embd);
    hp->n_heads = config_uint(c, "num_attention_heads", "n_head", 0);
    hp->n_kv_heads = config_uint(c, "num_key_value_heads", NULL, hp->n_heads);
    hp->head_dim = config_uint(c, "head_dim", NULL, hp->n_heads ? hp->n_embd / hp->n_heads : 0);
    hp->n_ctx_train = config_uint(c, "max_position_embeddings", "n_positions", 0);
    hp->n_vocab = config_uint(c, "vocab_size", NULL, 0);
    hp->window = hp->family == FAMILY_LLAMA ? config_window(c) : 0;
    const cn_json *eps = cn_json_get(c, "rms_norm_eps");
    if (!eps) eps = cn_json_get(c, "layer_norm_eps");
    if (!eps) eps = cn_json_get(c, "layer_norm_epsilon");
    hp->norm_eps = (float)cn_json_num(eps, hp->family == FAMILY_LLAMA ? 1e-6 : 1e-5);
    hp->pool = hp->family == FAMILY_BERT ? POOL_MEAN : POOL_NONE;
    if ((st = config_refusals(hp, c, err)) || (st = config_activation(hp, c, err))) return st;
    if (hp->family == FAMILY_LLAMA || hp->family == FAMILY_PHI2) st = config_rope(hp, c, err);
    return st ? st : check(hp, err);
}
