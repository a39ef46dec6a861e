#include "run.h"

#include <string.h>

#include "mem.h"

struct net_run {
    pass p;
    run_options o;
    real *kept;   /* (n_layers + 1, max_tokens, E): inputs of the layers, when checkpointing */
    real *stream; /* (max_tokens, E): gradient of the residual stream between two layers */
    tensor **at;  /* (n_layers + 1): inputs of the layers, in this pass */
    tape_mark *marks; /* (n_layers + 1): where each layer's records begin */
};

static tensor *layer(pass *p, tensor *x, uint32_t i)
{
    const net_layer *y = &p->net->layers[i];
    switch (p->net->hp.family) {
    case FAMILY_GPT2:
        return story_gpt2_layer(p, x, y);
    case FAMILY_PHI2:
        return story_phi2_layer(p, x, y);
    case FAMILY_LLAMA:
    case FAMILY_BERT:
        break;
    }
    return story_llama_layer(p, x, y);
}

static size_t stream_bytes(const tensor *x)
{
    return x->n * x->width * sizeof(real);
}

/* A layer without records; its output moves to where the next pass finds it. */
static tensor *layer_kept(net_run *r, tensor *x, uint32_t i)
{
    tape *t = &r->p.t;
    bool recording = t->recording;
    tape_mark here = tape_here(t);
    t->recording = false;
    tensor *y = layer(&r->p, x, i);
    t->recording = recording;
    real *to = r->kept ? r->kept + (i + 1) * r->o.max_tokens * y->width : y->v;
    if (!t->dry) memcpy(to, y->v, stream_bytes(y));
    size_t n = y->n, width = y->width;
    tape_rewind(t, here);
    return tape_view(t, to, n, width, true);
}

/* A layer of which nothing is kept: its output takes the place of its input. */
static tensor *layer_once(net_run *r, tensor *x, uint32_t i)
{
    tape *t = &r->p.t;
    tape_mark here = tape_here(t);
    tensor *y = layer(&r->p, x, i);
    if (!t->dry) memcpy(x->v, y->v, stream_bytes(y));
    tape_rewind(t, here);
    return x;
}

static tensor *forward(net_run *r, bool backward)
{
    tape *t = &r->p.t;
    uint32_t n_layers = r->p.net->hp.n_layers;
    op_rope_table(&r->p);
    tensor *x = op_embed(&r->p);
    for (uint32_t i = 0; i < n_layers; i++) {
        r->at[i] = x;
        r->marks[i] = tape_here(t);
        if (!backward)
            x = layer_once(r, x, i);
        else if (r->o.checkpointing)
            x = layer_kept(r, x, i);
        else
            x = layer(&r->p, x, i);
    }
    r->at[n_layers] = x;
    r->marks[n_layers] = tape_here(t);
    return x;
}

/* The gradient of x leaves the slab, which the next layer uses anew. */
static void carry(net_run *r, tensor *x)
{
    if (!x->g || r->p.t.dry) return;
    if (x->g != r->stream) memcpy(r->stream, x->g, stream_bytes(x));
    x->g = r->stream;
}

static void back_layer(net_run *r, uint32_t i)
{
    tape *t = &r->p.t;
    tensor *x = r->at[i], *y = r->at[i + 1];
    if (!y->g || !y->needs) return;
    if (r->o.checkpointing) {
        real *g = y->g;
        y = layer(&r->p, x, i);
        y->g = g;
    }
    tape_backward(t, r->marks[i]);
    carry(r, x);
    if (r->o.checkpointing) tape_rewind(t, r->marks[i]);
}

static void backward(net_run *r)
{
    tape *t = &r->p.t;
    uint32_t n_layers = r->p.net->hp.n_layers;
    tape_backward(t, r->marks[n_layers]);
    carry(r, r->at[n_layers]);
    tape_rewind(t, r->marks[n_layers]);
    for (uint32_t i = n_layers; i-- > 0;)
        back_layer(r, i);
    tape_backward(t, (tape_mark){0});
}

double net_run_loss(net_run *r, const net_batch *b, bool with_backward, double scale)
{
    pass *p = &r->p;
    CN_BUG_ON(b->n > r->o.max_tokens);
    p->batch = b;
    tape_rewind(&p->t, (tape_mark){0});
    p->t.recording = p->training = with_backward;
    tensor *x = forward(r, with_backward);
    tensor *h = op_norm(p, x, &p->net->output_norm);
    double sum = op_loss(p, h, &p->net->output, scale);
    if (with_backward) backward(r);
    return sum;
}

static size_t pair_bytes(const net *n, const run_options *o)
{
    return o->max_tokens * n->hp.n_embd * sizeof(real);
}

/* A batch as long as they come, for the dry run. */
static void dry_run(net_run *r, net_batch *b)
{
    *b = (net_batch){.n = r->o.max_tokens,
                     .doc_at = (const uint32_t[]){0, (uint32_t)r->o.max_doc},
                     .n_docs = 1};
    r->p.t.dry = true;
    net_run_loss(r, b, true, 1);
    net_run_loss(r, b, false, 0);
    r->p.t.dry = false;
}

#define RECORDS_PER_LAYER 8192 /* bytes; a layer leaves about 15 records and 20 tensors */

static cn_status describe(net_run *r, const net *n, cn_pool *pool, const run_options *o,
                          cn_err *err)
{
    tape *t = &r->p.t;
    net_batch b;
    r->o = *o;
    r->p.net = n;
    t->pool = pool;
    t->bf16 = o->bf16 && product_has_bf16();
    t->room_bytes = product_room() + op_attend_room(o->max_doc);
    t->room_bytes = CN_MAX(t->room_bytes, n->hp.n_embd * sizeof(float));
    t->room_bytes = (t->room_bytes + 63) / 64 * 64;
    t->records.size = (n->hp.n_layers + 2) * (size_t)RECORDS_PER_LAYER;
    t->records.p = cn_alloc_array(t->records.size, 1);
    r->at = cn_alloc_array(n->hp.n_layers + 1, sizeof(tensor *));
    r->marks = cn_alloc_array(n->hp.n_layers + 1, sizeof *r->marks);
    if (!t->records.p || !r->at || !r->marks)
        return cn_fail(err, CN_E_NOMEM, "records of %u layers", n->hp.n_layers);
    dry_run(r, &b);
    return CN_OK;
}

static uint64_t total_bytes(const net_run *r, unsigned n_threads)
{
    const tape *t = &r->p.t;
    size_t kept = r->o.checkpointing ? r->p.net->hp.n_layers + 1 : 0;
    return t->values.peak + t->grads.peak + t->records.size + n_threads * t->room_bytes +
           product_scratch(n_threads) + (kept + 1) * pair_bytes(r->p.net, &r->o);
}

uint64_t net_run_bytes(const net *n, unsigned n_threads, const run_options *o)
{
    net_run *r = cn_xcalloc(1, sizeof *r);
    uint64_t bytes = describe(r, n, NULL, o, NULL) ? UINT64_MAX : total_bytes(r, n_threads);
    net_run_free(r);
    return bytes;
}

static cn_status allocate(net_run *r, cn_err *err)
{
    tape *t = &r->p.t;
    unsigned n_threads = cn_pool_size(t->pool);
    t->values.size = t->values.peak;
    t->grads.size = t->grads.peak;
    t->values.p = cn_alloc_array(t->values.size, 1);
    t->grads.p = cn_alloc_array(t->grads.size, 1);
    t->room = cn_alloc_array(n_threads, t->room_bytes);
    t->scratch = cn_alloc_array(1, product_scratch(n_threads));
    r->stream = cn_alloc_array(1, pair_bytes(r->p.net, &r->o));
    if (r->o.checkpointing)
        r->kept = cn_alloc_array(r->p.net->hp.n_layers + 1, pair_bytes(r->p.net, &r->o));
    if (!t->values.p || !t->grads.p || !t->room || !t->scratch || !r->stream ||
        (r->o.checkpointing && !r->kept))
        return cn_fail(err, CN_E_NOMEM, "%.2f GB for a micro-batch of %zu tokens",
                       1e-9 * (double)total_bytes(r, n_threads), r->o.max_tokens);
    return CN_OK;
}

cn_status net_run_new(net_run **out, const net *n, cn_pool *pool, const run_options *o,
                      cn_err *err)
{
    net_run *r = cn_xcalloc(1, sizeof *r);
    *out = NULL;
    cn_status st = describe(r, n, pool, o, err);
    if (!st) st = allocate(r, err);
    if (st)
        net_run_free(r);
    else
        *out = r;
    return st;
}

void net_run_free(net_run *r)
{
    if (!r) return;
    tape *t = &r->p.t;
    cn_free(t->records.p);
    cn_free(t->values.p);
    cn_free(t->grads.p);
    cn_free(t->room);
    cn_free(t->scratch);
    cn_free(r->kept);
    cn_free(r->stream);
    cn_free(r->at);
    cn_free(r->marks);
    cn_free(r);
}
