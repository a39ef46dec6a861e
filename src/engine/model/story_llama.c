/* Llama (Touvron et al. 2023), Mistral (Jiang et al. 2023), Qwen2 and Qwen3: root-mean-square
 * norms, rotary positions, grouped queries, SwiGLU. Mistral adds the window, Qwen2 biases at q,
 * k and v, Qwen3 norms of heads. */
#include "stories.h"

bool story_llama(fwd *f, const atomic_bool *cancel)
{
    workspace *ws = f->ws;
    const cn_model *m = f->m;
    op_embed(f); /* x = embedding */
    op_rope_table(f);
    for (f->layer = 0; f->layer < m->hp.n_layers; f->layer++) {
        const model_layer *y = &m->layers[f->layer];
        if (story_cancelled(cancel)) return false;

        /* x += attention(norm(x)) */
        op_norm(f, ws->h, ws->x, &y->attn_norm);
        op_linear(f, ws->h, (product[]){{&y->q, ws->q}, {&y->k, ws->k}, {&y->v, ws->v}}, 3);
        if (y->q_norm.weight) {
            op_head_norm(f, ws->q, m->hp.n_heads, &y->q_norm);
            op_head_norm(f, ws->k, m->hp.n_kv_heads, &y->k_norm);
        }
        op_rope(f);
        op_store(f);
        op_attend(f, true);
        op_linear(f, ws->att, (product[]){{&y->o, ws->h}}, 1);
        op_add(f, ws->x, ws->h);

        /* x += down(silu(gate(h)) * up(h)), h = norm(x) */
        op_norm(f, ws->h, ws->x, &y->ffn_norm);
        op_linear(f, ws->h, (product[]){{&y->gate, ws->gate}, {&y->up, ws->up}}, 2);
        op_silu_mul(f);
        op_linear(f, ws->gate, (product[]){{&y->down, ws->h}}, 1);
        op_add(f, ws->x, ws->h);
    }
    op_norm(f, ws->h, ws->x, &m->output_norm);
    return true;
}
