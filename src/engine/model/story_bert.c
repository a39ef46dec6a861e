/* BERT (Devlin et al. 2019) as an embedder: every token sees the whole text, norms stand after
 * each part. The caches only hold the layer at hand; a text is one run from position 0. */
#include <string.h>

#include "stories.h"

bool story_bert(fwd *f, const atomic_bool *cancel)
{
    workspace *ws = f->ws;
    const cn_model *m = f->m;
    fwd_embed(f);
    fwd_add_row(f, &m->token_types, 0); /* a single segment */
    fwd_add_positions(f);
    fwd_norm(f, ws->x, ws->x, &m->embd_norm);
    for (f->layer = 0; f->layer < m->hp.n_layers; f->layer++) {
        const model_layer *y = &m->layers[f->layer];
        if (story_cancelled(cancel)) return false;

        /* x = norm(x + attention(x)) */
        fwd_linear(f, ws->x, (product[]){{&y->q, ws->q}, {&y->k, ws->k}, {&y->v, ws->v}}, 3);
        fwd_store(f);
        fwd_attend(f, false);
        fwd_linear(f, ws->att, (product[]){{&y->o, ws->h}}, 1);
        fwd_add(f, ws->x, ws->h);
        fwd_norm(f, ws->x, ws->x, &y->attn_norm);

        /* x = norm(x + down(gelu(up(x)))) */
        fwd_linear(f, ws->x, (product[]){{&y->up, ws->up}}, 1);
        fwd_gelu(f);
        fwd_linear(f, ws->up, (product[]){{&y->down, ws->h}}, 1);
        fwd_add(f, ws->x, ws->h);
        fwd_norm(f, ws->x, ws->x, &y->ffn_norm);
    }
    memcpy(ws->h, ws->x, f->n * m->hp.n_embd * sizeof(float));
    return true;
}
