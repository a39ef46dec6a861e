/* The layers of each family, as the papers draw them; the backward pass follows from the tape.
 */
#include "ops.h"

/* Llama, Mistral, Qwen2, Qwen3. */
tensor *story_llama_layer(pass *p, tensor *x, const net_layer *y)
{
    tensor *h = op_norm(p, x, &y->attn_norm);
    tensor *q = op_linear(p, h, &y->q), *k = op_linear(p, h, &y->k),
           *v = op_linear(p, h, &y->v);
    if (y->q_norm.weight) {
        q = op_head_norm(p, q, &y->q_norm);
        k = op_head_norm(p, k, &y->k_norm);
    }
    op_rope(p, q);
    op_rope(p, k);
    x = op_linear_onto(p, x, op_attend(p, q, k, v), &y->o);

    h = op_norm(p, x, &y->ffn_norm);
    tensor *gate = op_linear(p, h, &y->gate), *up = op_linear(p, h, &y->up);
    return op_linear_onto(p, x, op_silu_mul(p, gate, up), &y->down);
}

tensor *story_gpt2_layer(pass *p, tensor *x, const net_layer *y)
{
    tensor *h = op_norm(p, x, &y->attn_norm);
    tensor *q = op_linear(p, h, &y->q), *k = op_linear(p, h, &y->k),
           *v = op_linear(p, h, &y->v);
    x = op_linear_onto(p, x, op_attend(p, q, k, v), &y->o);

    h = op_norm(p, x, &y->ffn_norm);
    return op_linear_onto(p, x, op_gelu(p, op_linear(p, h, &y->up)), &y->down);
}

/* Attention and feed-forward part stand side by side on one norm. */
tensor *story_phi2_layer(pass *p, tensor *x, const net_layer *y)
{
    tensor *h = op_norm(p, x, &y->attn_norm);
    tensor *q = op_linear(p, h, &y->q), *k = op_linear(p, h, &y->k),
           *v = op_linear(p, h, &y->v);
    op_rope(p, q);
    op_rope(p, k);
    x = op_linear_onto(p, x, op_attend(p, q, k, v), &y->o);
    return op_linear_onto(p, x, op_gelu(p, op_linear(p, h, &y->up)), &y->down);
}
