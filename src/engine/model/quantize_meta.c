/* The numbers of an architecture in GGUF's words: the way back from hparams_from_gguf(). */
#include "quantize_meta.h"

#include <math.h>
#include <stdio.h>

typedef struct keys {
    gguf_writer *w;
    const char *arch;
    char key[128];
} keys;

static const char *key_of(keys *k, const char *rest)
{
    snprintf(k->key, sizeof k->key, "%s.%s", k->arch, rest);
    return k->key;
}

static void put_uint(keys *k, const char *rest, uint32_t v)
{
    gguf_put_uint(k->w, key_of(k, rest), v);
}

static void put_float(keys *k, const char *rest, double v)
{
    gguf_put_float(k->w, key_of(k, rest), (float)v);
}

static void put_rope(keys *k, const hparams *hp)
{
    put_uint(k, "rope.dimension_count", hp->n_rot);
    put_float(k, "rope.freq_base", hp->rope_base);
    if (hp->rope_linear == 1) return;
    gguf_put_string(k->w, key_of(k, "rope.scaling.type"), CN_STR("linear"));
    put_float(k, "rope.scaling.factor", hp->rope_linear);
}

void quantize_put_hparams(gguf_writer *w, const hparams *hp)
{
    keys k = {.w = w, .arch = hp->arch};
    gguf_put_string(w, "general.architecture", cn_str_of(hp->arch));
    if (hp->name[0]) gguf_put_string(w, "general.name", cn_str_of(hp->name));
    put_uint(&k, "block_count", hp->n_layers);
    put_uint(&k, "context_length", hp->n_ctx_train);
    put_uint(&k, "embedding_length", hp->n_embd);
    put_uint(&k, "feed_forward_length", hp->n_ff);
    put_uint(&k, "attention.head_count", hp->n_heads);
    put_uint(&k, "attention.head_count_kv", hp->n_kv_heads);
    put_uint(&k, "attention.key_length", hp->head_dim);
    put_uint(&k, "attention.value_length", hp->head_dim);
    put_uint(&k, "vocab_size", hp->n_vocab);
    put_float(&k,
              hp->family == FAMILY_LLAMA ? "attention.layer_norm_rms_epsilon"
                                         : "attention.layer_norm_epsilon",
              (double)hp->norm_eps);
    if (hp->window) put_uint(&k, "attention.sliding_window", hp->window);
    if (hp->n_rot) put_rope(&k, hp);
    if (hp->family == FAMILY_BERT) {
        gguf_put_bool(w, key_of(&k, "attention.causal"), false);
        put_uint(&k, "pooling_type", hp->pool == POOL_CLS ? 2 : 1);
    }
}

/* Source: Dubey et al. 2024; wavelengths over original_ctx / low are stretched by `factor`,
 * those under original_ctx / high are kept, those between go over smoothly. */
void quantize_rope_freqs(const hparams *hp, float *out)
{
    for (uint32_t i = 0; i < hp->n_rot / 2; i++) {
        double freq = pow(hp->rope_base, -2.0 * i / hp->n_rot);
        double turns = hp->rope_original_ctx * freq / (2 * M_PI);
        double smooth = (turns - hp->rope_low) / (hp->rope_high - hp->rope_low);
        smooth = fmin(fmax(smooth, 0), 1);
        out[i] = (float)(1 / ((1 - smooth) / hp->rope_factor + smooth));
    }
}
