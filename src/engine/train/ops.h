/* The operations of a model in training, each with its backward pass. All work on the n tokens
 * of a batch, which are those of several documents one after the other; attention stays inside
 * a document. */
#ifndef TRAIN_OPS_H
#define TRAIN_OPS_H

#include "net.h"
#include "product.h"

/* One micro-batch: `n` tokens of whole documents, without padding. */
typedef struct net_batch {
    size_t n;
    const int32_t *ids, *positions;
    const int32_t *targets; /* the token to be predicted; -1: none */
    size_t n_docs;
    const uint32_t *doc_at; /* (n_docs + 1): where each begins */
    uint64_t seed;          /* of the dropout; differs for each micro-batch of a run */
} net_batch;

/* What the operations of one pass share. */
typedef struct pass {
    tape t;
    const net *net;
    const net_batch *batch;
    bool training; /* dropout is on */
    real *rope;    /* (n, n_rot / 2, 2): cos and sin at each token's position */
} pass;

tensor *op_embed(pass *p); /* token_embd[ids], + position_embd[positions] */
tensor *op_norm(pass *p, tensor *x,
                const net_norm *w); /* root mean square, or layer norm with a bias */
tensor *op_head_norm(pass *p, tensor *x, const net_norm *w); /* each head by itself */
tensor *op_linear(pass *p, tensor *x, const net_linear *l);  /* W x + b + LoRA */
/* onto + W x + b + LoRA: the residual stream goes on. */
tensor *op_linear_onto(pass *p, tensor *onto, tensor *x, const net_linear *l);
void op_rope_table(pass *p);
void op_rope(pass *p, tensor *x); /* in place */
tensor *op_attend(pass *p, tensor *q, tensor *k, tensor *v);
size_t op_attend_room(size_t longest); /* bytes of a thread's room, after the products' */
tensor *op_silu_mul(pass *p, tensor *gate, tensor *up);
tensor *op_gelu(pass *p, tensor *x); /* tanh form */

/* The negative log-likelihood of the targets under softmax(W x), summed. When the tape is
 * recording, the gradient of scale * sum is at once put to W and x, and no logits are kept. */
double op_loss(pass *p, tensor *x, const net_linear *output, double scale);

/* One family's layer. */
tensor *story_llama_layer(pass *p, tensor *x, const net_layer *y);
tensor *story_gpt2_layer(pass *p, tensor *x, const net_layer *y);
tensor *story_phi2_layer(pass *p, tensor *x, const net_layer *y);

#endif
