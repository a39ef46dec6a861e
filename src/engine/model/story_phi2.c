/* phi-2 (Microsoft 2023): attention and feed-forward part stand side by side on one layer norm;
 * rotary positions turn only the first n_rot numbers of a head. */
#include "stories.h"

bool story_phi2(fwd *f, const atomic_bool *cancel)
{
    workspace *ws = f->ws;
    const cn_model *m = f->m;
    op_embed(f);
    op_rope_table(f);
    for (f->layer = 0; f->layer < m->hp.n_layers; f->layer++) {
        const model_layer *y = &m->layers[f->layer];
        if (story_cancelled(cancel)) return false;

        /* x += attention(h) + down(gelu(up(h))), h = norm(x); q, k, v and up read h before it
         * is reused */
        op_norm(f, ws->h, ws->x, &y->attn_norm);
        op_linear(f, ws->h, (product[]){{&y->q, ws->q}, {&y->k, ws->k}, {&y->v, ws->v}}, 3);
        op_linear(f, ws->h, (product[]){{&y->up, ws->up}}, 1);
        op_rope(f);
        op_store(f);
        op_attend(f, true);
        op_linear(f, ws->att, (product[]){{&y->o, ws->h}}, 1);
        op_add(f, ws->x, ws->h);
        op_gelu(f);
        op_linear(f, ws->up, (product[]){{&y->down, ws->h}}, 1);
        op_add(f, ws->x, ws->h);
    }
    op_norm(f, ws->h, ws->x, &m->output_norm);
    return true;
}
