/* Llama (Touvron et al. 2023), Mistral (Jiang et al. 2023), Qwen2 and Qwen3: root-mean-square
 * norms, rotary positions, grouped queries, SwiGLU. Mistral adds the window, Qwen2 biases at q,
 * k and v, Qwen3 norms of heads. */
#include "stories.h"

bool story_llama(fwd *f, const atomic_bool *cancel)
{
    workspace *ws = f->ws;
    const cn_model *m = f->m;
    fwd_embed(f); /* x = embedding */
    fwd_rope_table(f);
    for (f->layer = 0; f->layer < m->hp.n_layers; f->layer++) {
        const model_layer *y = &m->layers[f->layer];
        if (story_cancelled(cancel)) return false;

        /* x += attention(norm(x)) */
        fwd_norm(f, ws->h, ws->x, &y->attn_norm);
        fwd_linear(f, ws->h, (product[]){{&y->q, ws->q}, {&y->k, ws->k}, {&y->v, ws->v}}, 3);
        if (y->q_norm.weight) {
            fwd_head_norm(f, ws->q, m->hp.n_heads, &y->q_norm);
            fwd_head_norm(f, ws->k, m->hp.n_kv_heads, &y->k_norm);
        }
        fwd_rope(f);
        fwd_store(f);
        fwd_attend(f, true);
        fwd_linear(f, ws->att, (product[]){{&y->o, ws->h}}, 1);
        fwd_add(f, ws->x, ws->h);

        /* x += down(silu(gate(h)) * up(h)), h = norm(x) */
        fwd_norm(f, ws->h, ws->x, &y->ffn_norm);
        fwd_linear(f, ws->h, (product[]){{&y->gate, ws->gate}, {&y->up, ws->up}}, 2);
        fwd_silu_mul(f);
        fwd_linear(f, ws->gate, (product[]){{&y->down, ws->h}}, 1);
        fwd_add(f, ws->x, ws->h);
    }
    fwd_norm(f, ws->h, ws->x, &m->output_norm);
    return true;
}
