/* GPT-2 (Radford et al. 2019): learned positions, layer norms before each part, GELU in its
 * tanh form. */
#include "stories.h"

bool story_gpt2(fwd *f, const atomic_bool *cancel)
{
    workspace *ws = f->ws;
    const cn_model *m = f->m;
    fwd_embed(f);
    fwd_add_positions(f);
    for (f->layer = 0; f->layer < m->hp.n_layers; f->layer++) {
        const model_layer *y = &m->layers[f->layer];
        if (story_cancelled(cancel)) return false;

        /* x += attention(norm(x)) */
        fwd_norm(f, ws->h, ws->x, &y->attn_norm);
        fwd_linear(f, ws->h, (product[]){{&y->q, ws->q}, {&y->k, ws->k}, {&y->v, ws->v}}, 3);
        fwd_store(f);
        fwd_attend(f, true);
        fwd_linear(f, ws->att, (product[]){{&y->o, ws->h}}, 1);
        fwd_add(f, ws->x, ws->h);

        /* x += down(gelu(up(norm(x)))) */
        fwd_norm(f, ws->h, ws->x, &y->ffn_norm);
        fwd_linear(f, ws->h, (product[]){{&y->up, ws->up}}, 1);
        fwd_gelu(f);
        fwd_linear(f, ws->up, (product[]){{&y->down, ws->h}}, 1);
        fwd_add(f, ws->x, ws->h);
    }
    fwd_norm(f, ws->h, ws->x, &m->output_norm);
    return true;
}
