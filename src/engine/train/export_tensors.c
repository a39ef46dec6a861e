#include "export_tensors.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "quants.h"

enum { OUTER = 8, INNER = 24 }; /* at most so many tensors outside, and in a layer */

const net_linear *export_linear(const net_layer *y, linear_site site)
{
    const net_linear *all[] = {
        [SITE_Q] = &y->q,       [SITE_K] = &y->k,   [SITE_V] = &y->v,      [SITE_O] = &y->o,
        [SITE_GATE] = &y->gate, [SITE_UP] = &y->up, [SITE_DOWN] = &y->down};
    return all[site];
}

const char *export_site_name(linear_site site)
{
    static const char *const names[] = {
        [SITE_Q] = "attn_q",      [SITE_K] = "attn_k",      [SITE_V] = "attn_v",
        [SITE_O] = "attn_output", [SITE_GATE] = "ffn_gate", [SITE_UP] = "ffn_up",
        [SITE_DOWN] = "ffn_down"};
    return names[site];
}

/* ---- rotary order ---- */

uint32_t export_turned_heads(const net *n, linear_site site, bool halves)
{
    /* the pairs that the arithmetic turns tell the order; elsewhere both files have halves */
    if (strcmp(n->hp.arch, "llama") != 0 || n->hp.rope_neox == halves) return 0;
    return site == SITE_Q ? n->hp.n_heads : site == SITE_K ? n->hp.n_kv_heads : 0;
}

/* In halves, row i of a head is the first member of pair i, or the second of i - dim / 2. */
uint64_t export_turned_row(uint64_t row, uint64_t dim, bool halves)
{
    uint64_t r = row % dim, half = dim / 2, head = row - r;
    return head + (halves ? r % half * 2 + r / half : r % 2 * half + r / 2);
}

static uint64_t source_row(const export_list *l, const export_part *part, uint64_t n_rows,
                           uint64_t row)
{
    if (!part->turned_heads) return row;
    return export_turned_row(row, n_rows / part->turned_heads, l->halves);
}

/* ---- rows ---- */

static void param_row(const param *p, uint64_t row, float *out)
{
    if (!p->w) {
        quant_row_to_f32(&p->frozen, (size_t)row, out);
        return;
    }
    const real *w = p->w + row * p->n_cols;
    for (uint32_t c = 0; c < p->n_cols; c++)
        out[c] = (float)w[c];
}

static void add_pair(const export_part *part, uint64_t row, float scale, float *out)
{
    const real *b = part->b->w + row * part->b->n_cols;
    for (uint32_t k = 0; k < part->a->n_rows; k++) {
        const real *a = part->a->w + (size_t)k * part->a->n_cols;
        float by = scale * (float)b[k];
        for (uint32_t c = 0; c < part->a->n_cols; c++)
            out[c] += by * (float)a[c];
    }
}

static void vector_row(const export_list *l, const export_tensor *t, float *out)
{
    for (size_t i = 0; i < t->n_parts; i++) {
        const param *p = t->parts[i].p;
        for (uint32_t c = 0; c < p->n_cols; c++)
            out[c] = (float)p->w[source_row(l, &t->parts[i], p->n_cols, c)];
        out += p->n_cols;
    }
}

void export_row(const export_list *l, const export_tensor *t, uint64_t row, float *out)
{
    if (t->n_dims == 1) {
        vector_row(l, t, out);
        return;
    }
    const export_part *part = t->parts;
    for (; row >= part->p->n_rows; part++)
        row -= part->p->n_rows;
    row = source_row(l, part, part->p->n_rows, row);
    param_row(part->p, row, out);
    if (part->a) add_pair(part, row, l->net->lora_scale, out);
}

/* ---- the list ---- */

static export_tensor *add(export_list *l, int layer, const char *part, const char *suffix)
{
    export_tensor *t = &l->items[l->n++];
    if (layer < 0)
        snprintf(t->name, sizeof t->name, "%s%s", part, suffix);
    else
        snprintf(t->name, sizeof t->name, "blk.%d.%s%s", layer, part, suffix);
    return t;
}

/* One more below what is there; nothing where there is no such parameter. */
static void stack(export_tensor *t, export_part part, bool is_matrix)
{
    t->parts[t->n_parts++] = part;
    t->n_dims = is_matrix ? 2 : 1;
    t->n_cols = is_matrix ? part.p->n_cols : t->n_cols + part.p->n_cols;
    t->n_rows = is_matrix ? t->n_rows + part.p->n_rows : 1;
}

static void add_plain(export_list *l, int layer, const char *name, const char *suffix,
                      const param *p, bool is_matrix)
{
    if (p) stack(add(l, layer, name, suffix), (export_part){.p = p}, is_matrix);
}

static void add_norm(export_list *l, int layer, const char *name, const net_norm *n)
{
    add_plain(l, layer, name, ".weight", n->weight, false);
    add_plain(l, layer, name, ".bias", n->bias, false);
}

static void add_linears(export_list *l, int layer, const char *name, const net_layer *y,
                        linear_site first, linear_site last)
{
    if (!export_linear(y, first)->w) return;
    export_tensor *matrix = add(l, layer, name, ".weight"),
                  *bias = export_linear(y, first)->bias ? add(l, layer, name, ".bias") : NULL;
    for (linear_site s = first; s <= last; s++) {
        const net_linear *x = export_linear(y, s);
        uint32_t turned = export_turned_heads(l->net, s, l->halves);
        stack(matrix, (export_part){x->w, x->a, x->b, turned}, true);
        if (bias) stack(bias, (export_part){.p = x->bias, .turned_heads = turned}, false);
    }
}

static void add_layer(export_list *l, int i, const net_layer *y)
{
    add_norm(l, i, "attn_norm", &y->attn_norm);
    if (l->fused) add_linears(l, i, "attn_qkv", y, SITE_Q, SITE_V);
    for (linear_site s = l->fused ? SITE_O : SITE_Q; s <= SITE_O; s++)
        add_linears(l, i, export_site_name(s), y, s, s);
    add_norm(l, i, "attn_q_norm", &y->q_norm);
    add_norm(l, i, "attn_k_norm", &y->k_norm);
    add_norm(l, i, "ffn_norm", &y->ffn_norm);
    for (linear_site s = SITE_GATE; s <= SITE_DOWN; s++)
        add_linears(l, i, export_site_name(s), y, s, s);
}

cn_status export_list_init(export_list *l, const net *n, bool fused, bool halves, cn_err *err)
{
    *l = (export_list){.net = n, .fused = fused, .halves = halves};
    size_t most = OUTER + (size_t)n->hp.n_layers * INNER;
    l->items = cn_alloc_array(most, sizeof *l->items);
    if (!l->items) return cn_fail(err, CN_E_NOMEM, "%zu tensor descriptions", most);
    add_plain(l, -1, "token_embd", ".weight", n->token_embd, true);
    add_plain(l, -1, "position_embd", ".weight", n->position_embd, true);
    add_norm(l, -1, "output_norm", &n->output_norm);
    if (!n->tied) add_plain(l, -1, "output", ".weight", n->output.w, true);
    add_plain(l, -1, "output", ".bias", n->output.bias, false);
    for (uint32_t i = 0; i < n->hp.n_layers; i++)
        add_layer(l, (int)i, &n->layers[i]);
    return CN_OK;
}

void export_list_deinit(export_list *l)
{
    cn_free(l->items);
    *l = (export_list){0};
}
