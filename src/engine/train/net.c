#include "net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "quants.h"
#include "rng.h"

/* Makes the parameters of one layer (or, layer < 0, those outside) one after the other. */
typedef struct maker {
    net *n;
    int layer;
    bool train_base;
    cn_err *err;
    cn_status st; /* the first failure; later calls do nothing */
} maker;

static param *add(maker *m, const char *part, const char *suffix, uint64_t rows, uint64_t cols,
                  bool trained)
{
    char name[96];
    if (m->st) return NULL;
    if (m->layer < 0)
        snprintf(name, sizeof name, "%s%s", part, suffix);
    else
        snprintf(name, sizeof name, "blk.%d.%s%s", m->layer, part, suffix);
    param *p = params_add(&m->n->params, name, (uint32_t)rows, (uint32_t)cols, trained);
    if (!p) m->st = cn_fail(m->err, CN_E_NOMEM, "parameter %s", name);
    return p;
}

static param *matrix(maker *m, const char *part, uint64_t rows, uint64_t cols,
                     const kern_mat *base)
{
    param *p = add(m, part, ".weight", rows, cols, m->train_base);
    if (p && base) p->frozen = *base;
    return p;
}

/* Vectors are small: a frozen one is copied too, so that operations see plain numbers. `base`:
 * the model's, or NULL. The values of a trained one come with the block; until then `frozen`
 * remembers where from. */
static param *vector(maker *m, const char *part, const char *suffix, uint64_t n,
                     const float *base)
{
    param *p = add(m, part, suffix, 1, n, m->train_base);
    if (!p) return NULL;
    p->frozen = (kern_mat){CN_F32, 1, (uint32_t)n, n * sizeof *base, base, NULL, 0};
    if (m->train_base) return p;
    p->w = cn_arena_alloc(&m->n->params.arena, n, sizeof *p->w);
    if (!p->w) m->st = cn_fail(m->err, CN_E_NOMEM, "parameter %s", p->name);
    for (size_t i = 0; p->w && i < n; i++)
        p->w[i] = (real)base[i];
    return p;
}

static net_norm make_norm(maker *m, const char *part, uint64_t n, bool bias, const norm *base)
{
    net_norm y = {.weight = vector(m, part, ".weight", n, base ? base->weight : NULL)};
    if (bias) y.bias = vector(m, part, ".bias", n, base ? base->bias : NULL);
    return y;
}

static net_linear make_linear(maker *m, const char *part, int site, uint64_t rows,
                              uint64_t cols, bool bias, const linear *base)
{
    const lora_options *lora = &m->n->lora;
    net_linear l = {.w = matrix(m, part, rows, cols, base ? &base->w : NULL),
                    .site = m->layer * SITES_PER_LAYER + site};
    if (bias) l.bias = vector(m, part, ".bias", rows, base ? base->bias : NULL);
    if (m->layer >= 0 && lora->rank && (lora->sites >> site & 1)) {
        l.a = add(m, part, ".weight.lora_a", lora->rank, cols, true);
        l.b = add(m, part, ".weight.lora_b", rows, lora->rank, true);
        if (l.a) l.a->decay = true; /* a matrix, also at rank 1 */
    }
    return l;
}

static void make_layer(maker *m, net_layer *y, const model_layer *base)
{
    const hparams *hp = &m->n->hp;
    bool llama = hp->family == FAMILY_LLAMA, bias = !llama;
    bool qkv_bias = base ? base->q.bias != NULL : bias || strcmp(hp->arch, "qwen2") == 0;
    uint64_t e = hp->n_embd, f = hp->n_ff;
    uint64_t h = (uint64_t)hp->n_heads * hp->head_dim,
             kv = (uint64_t)hp->n_kv_heads * hp->head_dim;
    y->attn_norm = make_norm(m, "attn_norm", e, bias, base ? &base->attn_norm : NULL);
    y->q = make_linear(m, "attn_q", SITE_Q, h, e, qkv_bias, base ? &base->q : NULL);
    y->k = make_linear(m, "attn_k", SITE_K, kv, e, qkv_bias, base ? &base->k : NULL);
    y->v = make_linear(m, "attn_v", SITE_V, kv, e, qkv_bias, base ? &base->v : NULL);
    if (strcmp(hp->arch, "qwen3") == 0) {
        y->q_norm =
            make_norm(m, "attn_q_norm", hp->head_dim, false, base ? &base->q_norm : NULL);
        y->k_norm =
            make_norm(m, "attn_k_norm", hp->head_dim, false, base ? &base->k_norm : NULL);
    }
    bool o_bias = base ? base->o.bias != NULL : bias;
    y->o = make_linear(m, "attn_output", SITE_O, e, h, o_bias, base ? &base->o : NULL);
    if (hp->family != FAMILY_PHI2)
        y->ffn_norm = make_norm(m, "ffn_norm", e, bias, base ? &base->ffn_norm : NULL);
    bool ffn_bias = base ? base->up.bias != NULL : bias;
    if (llama)
        y->gate =
            make_linear(m, "ffn_gate", SITE_GATE, f, e, ffn_bias, base ? &base->gate : NULL);
    y->up = make_linear(m, "ffn_up", SITE_UP, f, e, ffn_bias, base ? &base->up : NULL);
    y->down = make_linear(m, "ffn_down", SITE_DOWN, e, f, ffn_bias, base ? &base->down : NULL);
}

static void make_all(maker *m, const cn_model *base)
{
    net *n = m->n;
    const hparams *hp = &n->hp;
    bool bias = hp->family != FAMILY_LLAMA;
    m->layer = -1;
    n->token_embd =
        matrix(m, "token_embd", hp->n_vocab, hp->n_embd, base ? &base->token_embd : NULL);
    if (hp->family == FAMILY_GPT2)
        n->position_embd = matrix(m, "position_embd", hp->n_ctx_train, hp->n_embd,
                                  base ? &base->position_embd : NULL);
    for (uint32_t i = 0; i < hp->n_layers && !m->st; i++) {
        m->layer = (int)i;
        make_layer(m, &n->layers[i], base ? &base->layers[i] : NULL);
    }
    m->layer = -1;
    n->output_norm =
        make_norm(m, "output_norm", hp->n_embd, bias, base ? &base->output_norm : NULL);
    if (n->tied)
        n->output = (net_linear){.w = n->token_embd, .site = -1};
    else
        n->output = make_linear(m, "output", 0, hp->n_vocab, hp->n_embd,
                                base ? base->output.bias != NULL : hp->family == FAMILY_PHI2,
                                base ? &base->output : NULL);
}

/* Deviation 1 / sqrt(in) for A; B stays 0, so that training begins at the base model. */
static void fill_random(param *p, double deviation, cn_rng *rng)
{
    for (size_t i = 0; i < (size_t)p->n_rows * p->n_cols; i++)
        p->w[i] = (real)(deviation * cn_rng_normal(rng));
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static void init_random(net *n, cn_rng *rng)
{
    for (size_t i = 0; i < n->params.n; i++) {
        param *p = n->params.all[i];
        if (!p->trained) continue;
        double deviation = 0.02;
        if (ends_with(p->name, "attn_output.weight") || ends_with(p->name, "ffn_down.weight"))
            deviation /= sqrt(2.0 * n->hp.n_layers);
        if (p->n_rows > 1)
            fill_random(p, deviation, rng);
        else
            for (size_t c = 0; c < p->n_cols; c++)
                p->w[c] = ends_with(p->name, "norm.weight") ? 1 : 0;
    }
}

static cn_status copy_rows(param *p, cn_err *err)
{
    float *row = cn_alloc_array(p->n_cols, sizeof *row);
    if (!row) return cn_fail(err, CN_E_NOMEM, "a row of %u numbers", p->n_cols);
    for (size_t r = 0; r < p->n_rows; r++) {
        quant_row_to_f32(&p->frozen, r, row);
        for (size_t c = 0; c < p->n_cols; c++)
            p->w[r * p->n_cols + c] = (real)row[c];
    }
    cn_free(row);
    return CN_OK;
}

static cn_status init_from_base(net *n, cn_rng *rng, cn_err *err)
{
    cn_status st = CN_OK;
    for (size_t i = 0; i < n->params.n && !st; i++) {
        param *p = n->params.all[i];
        if (!p->trained) continue;
        if (ends_with(p->name, ".lora_a"))
            fill_random(p, 1 / sqrt((double)p->n_cols), rng);
        else if (!ends_with(p->name, ".lora_b"))
            st = copy_rows(p, err);
    }
    return st;
}

static const double *rope_freqs(net *n)
{
    double *freqs = cn_arena_alloc(&n->arena, n->hp.n_rot / 2 + 1, sizeof *freqs);
    for (uint32_t i = 0; freqs && i < n->hp.n_rot / 2; i++)
        freqs[i] = pow(n->hp.rope_base, -2.0 * i / n->hp.n_rot);
    return freqs;
}

static cn_status net_make(net **out, const net *like, cn_err *err)
{
    *out = NULL;
    net *n = cn_xcalloc(1, sizeof *n);
    *n = *like;
    const cn_model *base = n->base;
    n->layers = cn_arena_alloc(&n->arena, n->hp.n_layers, sizeof *n->layers);
    n->rope_freqs = base ? base->rope_freqs : rope_freqs(n);
    maker m = {.n = n, .train_base = n->mode != TRAIN_LORA, .err = err};
    if (!n->layers || !n->rope_freqs)
        m.st = cn_fail(err, CN_E_NOMEM, "%u layers", n->hp.n_layers);
    if (!m.st) make_all(&m, base);
    if (m.st) {
        net_free(n);
        return m.st;
    }
    *out = n;
    return CN_OK;
}

cn_status net_fill(net *n, uint64_t seed, cn_err *err)
{
    cn_rng rng = cn_rng_seeded(seed);
    cn_status st = params_allocate(&n->params, err);
    if (st) return st;
    if (n->base) return init_from_base(n, &rng, err);
    init_random(n, &rng);
    return CN_OK;
}

cn_status net_from_base(net **out, const cn_model *base, train_mode mode,
                        const lora_options *lora, cn_err *err)
{
    net like = {.hp = base->hp,
                .mode = mode,
                .base = base,
                .tied = base->output.w.data == base->token_embd.data};
    *out = NULL;
    if (base->hp.family == FAMILY_BERT)
        return cn_fail(err, CN_E_UNSUPPORTED, "training a %s model: embedders are not trained",
                       base->hp.arch);
    if (mode == TRAIN_LORA) {
        like.lora = *lora;
        like.lora_scale =
            lora->alpha / (lora->rslora ? sqrtf((float)lora->rank) : (float)lora->rank);
    }
    return net_make(out, &like, err);
}

cn_status net_from_scratch(net **out, const hparams *hp, bool tied, cn_err *err)
{
    net like = {.hp = *hp, .mode = TRAIN_SCRATCH, .tied = tied || hp->family == FAMILY_GPT2};
    return net_make(out, &like, err);
}

void net_free(net *n)
{
    if (!n) return;
    params_deinit(&n->params);
    cn_arena_deinit(&n->arena);
    cn_free(n);
}
