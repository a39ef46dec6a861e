/* An open model: its weights bound to the places where the forward pass needs them. Shapes are
 * written (rows, columns) = (outputs, inputs). E: n_embd, F: n_ff, V: n_vocab, H: n_heads *
 * head_dim, KV: n_kv_heads * head_dim. */
#ifndef MODEL_MODEL_PRIV_H
#define MODEL_MODEL_PRIV_H

#include <conatus/model.h>
#include <pthread.h>

#include "arena.h"
#include "hparams.h"
#include "kernels.h"
#include "pool.h"
#include "weights.h"

/* Where an adapter may add to a product: one number for each linear layer of a model. */
typedef enum linear_site {
    SITE_Q,
    SITE_K,
    SITE_V,
    SITE_O,
    SITE_GATE,
    SITE_UP,
    SITE_DOWN,
    SITES_PER_LAYER,
} linear_site;

typedef struct linear {
    kern_mat w;
    const float *bias; /* (n_rows), or NULL */
    int32_t site;      /* layer * SITES_PER_LAYER + linear_site; -1 for none */
} linear;

typedef struct norm {
    const float *weight; /* (E), NULL when the model has no such norm */
    const float *bias;   /* (E), or NULL */
} norm;

typedef struct model_layer {
    norm attn_norm; /* before attention; BERT: after it */
    linear q, k, v; /* (H, E), (KV, E), (KV, E); slices of one tensor where a file fuses them */
    norm q_norm, k_norm;   /* Qwen3: (head_dim) */
    linear o;              /* (E, H) */
    norm ffn_norm;         /* before the feed-forward part; BERT: after it */
    linear gate, up, down; /* (F, E), (F, E), (E, F); gate only in the Llama family */
} model_layer;

struct cn_model {
    hparams hp;
    weights *files;
    cn_model_info info;
    cn_tokenizer *tokenizer; /* NULL when the files hold none */
    const kern_table *kern;
    kern_precision precision;
    cn_pool *pool;
    pthread_mutex_t turn; /* one forward pass at a time on the pool */

    cn_arena arena;          /* layers and small tensors as f32 */
    uint64_t prepared_bytes; /* of matrices that had to be copied */
    void **prepared;         /* those matrices */
    size_t n_prepared;

    kern_mat token_embd;    /* (V, E) */
    kern_mat position_embd; /* (n_ctx_train, E), GPT-2 and BERT */
    kern_mat token_types;   /* (2, E), BERT */
    norm embd_norm;         /* BERT */
    model_layer *layers;    /* (n_layers) */
    norm output_norm;
    linear output;            /* (V, E) */
    const double *rope_freqs; /* (n_rot / 2): radians a position turns each pair by */
};

/* Fills everything from `kern` down; m->files and m->hp are set. */
cn_status model_bind(cn_model *m, cn_err *err);

/* Bytes that binding will copy, without doing it. */
uint64_t model_prepared_bytes(const weights *w);

#endif
