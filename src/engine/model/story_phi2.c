/* phi-2 (Microsoft 2023): attention and feed-forward part stand side by side on one layer norm;
 * rotary positions turn only the first n_rot numbers of a head. */
#include "stories.h"

bool story_phi2(fwd *f, const atomic_bool *cancel)
{
    workspace *ws = f->ws;
    const cn_model *m = f->m;
    fwd_embed(f);
    fwd_rope_table(f);
    for (f->layer = 0; f->layer < m->hp.n_layers; f->layer++) {
        const model_layer *y = &m->layers[f->layer];
        if (story_cancelled(cancel)) return false;

        /* x += attention(h) + down(gelu(up(h))), h = norm(x); q, k, v and up read h before it
         * is reused */
        fwd_norm(f, ws->h, ws->x, &y->attn_norm);
        fwd_linear(f, ws->h, (product[]){{&y->q, ws->q}, {&y->k, ws->k}, {&y->v, ws->v}}, 3);
        fwd_linear(f, ws->h, (product[]){{&y->up, ws->up}}, 1);
        fwd_rope(f);
        fwd_store(f);
        fwd_attend(f, true);
        fwd_linear(f, ws->att, (product[]){{&y->o, ws->h}}, 1);
        fwd_add(f, ws->x, ws->h);
        fwd_gelu(f);
        fwd_linear(f, ws->up, (product[]){{&y->down, ws->h}}, 1);
        fwd_add(f, ws->x, ws->h);
    }
    fwd_norm(f, ws->h, ws->x, &m->output_norm);
    return true;
}
