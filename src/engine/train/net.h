/* A model in training: the base model's shapes, its parameters (trained or frozen), and the
 * low-rank pairs of a LoRA run (Hu et al. 2021). Shapes are written (rows, columns) = (outputs,
 * inputs), rotary rows in the order that hp.rope_neox tells. */
#ifndef TRAIN_NET_H
#define TRAIN_NET_H

#include "model_priv.h"
#include "param.h"
#include "tokenizer_priv.h"

typedef enum train_mode {
    TRAIN_LORA,    /* base frozen, in whatever type it has (QLoRA when 4-bit) */
    TRAIN_FULL,    /* every parameter of a base model */
    TRAIN_SCRATCH, /* every parameter, from random numbers */
} train_mode;

typedef struct lora_options {
    uint32_t rank;
    float alpha, dropout;
    bool rslora;    /* scale alpha / sqrt(rank) instead of alpha / rank (Kalajdzievski 2023) */
    uint32_t sites; /* bit 1 << SITE_Q ...: which linear layers */
} lora_options;

typedef struct net_linear {
    param *w;     /* (out, in) */
    param *bias;  /* (out), or NULL */
    param *a;     /* LoRA (rank, in), or NULL: y += scale * B A dropout(x) */
    param *b;     /* LoRA (out, rank), starts at 0 */
    int32_t site; /* as in linear: seeds the dropout */
} net_linear;

typedef struct net_norm {
    param *weight, *bias; /* NULL where the family has none */
} net_norm;

typedef struct net_layer {
    net_norm attn_norm, q_norm, k_norm, ffn_norm;
    net_linear q, k, v, o, gate, up, down;
} net_layer;

typedef struct net {
    hparams hp;
    train_mode mode;
    lora_options lora; /* rank 0 unless TRAIN_LORA */
    float lora_scale;
    const cn_model *base; /* borrowed; NULL from scratch */
    bool tied;            /* output.w is token_embd */
    param_set params;
    param *token_embd, *position_embd; /* (V, E), (n_ctx_train, E) of GPT-2 */
    net_layer *layers;
    net_norm output_norm;
    net_linear output;
    const double *rope_freqs; /* (n_rot / 2) */
    cn_arena arena;
} net;

/* The parameters of `base`, trained or frozen by `mode`, as a plan without numbers: enough to
 * estimate memory. */
cn_status net_from_base(net **out, const cn_model *base, train_mode mode,
                        const lora_options *lora, cn_err *err);
/* A Llama, Qwen2, Qwen3, GPT-2 or phi-2 model of its own. */
cn_status net_from_scratch(net **out, const hparams *hp, bool tied, cn_err *err);
/* Gives the trained parameters their memory and first values: the base's, as f32; or random
 * ones (deviation 0.02, 0.02 / sqrt(2 layers) for what adds to the residual stream; norms 1,
 * biases 0; LoRA's A 1 / sqrt(in), B 0). */
cn_status net_fill(net *n, uint64_t seed, cn_err *err);
void net_free(net *n);

#endif
