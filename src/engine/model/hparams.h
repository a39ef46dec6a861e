/* The numbers that make an architecture: read from GGUF metadata or from config.json, checked,
 * and the same afterwards whichever they came from. */
#ifndef MODEL_HPARAMS_H
#define MODEL_HPARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "gguf.h"
#include "json.h"

typedef enum model_family {
    FAMILY_LLAMA, /* Llama, Mistral, Qwen2, Qwen3: one story with options */
    FAMILY_PHI2,
    FAMILY_GPT2,
    FAMILY_BERT,
} model_family;

typedef enum pooling { POOL_NONE, POOL_MEAN, POOL_CLS } pooling;

/* Upper bounds that no known model reaches; they keep every product of two far from overflow,
 * and rows within what the kernels take. */
#define MODEL_MAX_LAYERS 1024
#define MODEL_MAX_WIDTH (1u << 17)
#define MODEL_MAX_HEAD 512
#define MODEL_MAX_VOCAB (1u << 22)
#define MODEL_MAX_CTX (1u << 24)

typedef struct hparams {
    char arch[32]; /* GGUF's name: "llama", "qwen2", "qwen3", "phi2", "gpt2", "bert" */
    char name[128];
    model_family family;
    uint32_t n_layers, n_embd, n_ff, n_heads, n_kv_heads, head_dim, n_vocab, n_ctx_train;
    uint32_t n_rot;  /* of head_dim, how many numbers RoPE turns; 0: learned positions */
    uint32_t window; /* sliding attention window, 0: none */
    float norm_eps;
    bool gelu_erf; /* BERT's exact GELU rather than the tanh form */
    pooling pool;

    bool rope_neox; /* pairs (i, i + n_rot/2) rather than (2i, 2i+1) */
    double rope_base;
    double rope_linear; /* positions are divided by this; 1: off */
    /* Llama 3's scaling: factor 0 is off. */
    double rope_factor, rope_low, rope_high, rope_original_ctx;
} hparams;

/* `n_vocab` is left 0 where only the embedding table tells. */
cn_status hparams_from_gguf(hparams *hp, const gguf *g, cn_err *err);
cn_status hparams_from_config(hparams *hp, const cn_json *config, cn_err *err);

#endif
