/* One generation: taking tokens. */
#include "constraint.h"

#include <string.h>

#include "mem.h"

enum { FRAMES = 1 << 15, PLACES = 1 << 15, ACCEPT_PLACES = 1 << 13 };

void cn_constraint_free(cn_constraint *c)
{
    if (!c) return;
    matcher_deinit(&c->m);
    cn_free(c->try.mask);
    cn_free(c->try.leaves);
    if (c->owned) mask_cache_free(c->cache);
    cn_free(c);
}

cn_status cn_constraint_new(cn_constraint **out, const cn_grammar *g, const cn_vocab_trie *v,
                            cn_err *err)
{
    cn_constraint *c = cn_xcalloc(1, sizeof *c);
    c->g = g;
    c->v = v;
    c->cache = mask_shelf_get(g->shelf, &g->a, v, &c->owned);
    c->try.mask = cn_alloc_array((size_t)(v->n_vocab + 31) / 32, 4);
    c->try.leaves = cn_alloc_array(CACHE_LEAVES, 4);
    bool ok = matcher_init(&c->m, &g->a, FRAMES, PLACES);
    if (!ok || !c->cache || !c->try.mask || !c->try.leaves) {
        cn_constraint_free(c);
        *out = NULL;
        return cn_fail(err, CN_E_NOMEM, "the state of a constrained text");
    }
    for (uint32_t i = 0; i < ROWS; i++)
        c->rows[i].state = AUT_NONE;
    c->m.dist = c->cache->dist;
    c->now = matcher_start(&c->m);
    *out = c;
    return CN_OK;
}

cn_status cn_constraint_accept(cn_constraint *c, int32_t id, cn_err *err)
{
    const cn_vocab_trie *v = c->v;
    uint8_t bytes[TRIE_MAX_TOKEN];
    uint32_t node = 0, n = 0;
    for (uint32_t i = 0; i < v->n_ends; i++)
        if (v->ends[i] == id)
            return c->now.complete
                       ? CN_OK
                       : cn_fail(err, CN_E_ARG, "token %d ends an incomplete text", id);
    if (id >= 0 && id < v->n_vocab) node = v->node_of[id];
    if (!node) return cn_fail(err, CN_E_ARG, "token %d has no text", id);
    for (; node; node = v->nodes[node].parent)
        bytes[n++] = v->nodes[node].byte;
    cn_alloc_forbid();
    match_mark mark = matcher_mark(&c->m);
    pset s = c->now;
    while (n && (s.n || s.complete))
        s = matcher_step(&c->m, s, bytes[--n]);
    bool ok = !n && (s.n || s.complete);
    if (ok)
        c->now = matcher_keep(&c->m, s);
    else
        matcher_back(&c->m, mark);
    cn_alloc_permit();
    return ok ? CN_OK : cn_fail(err, CN_E_ARG, "token %d is not allowed here", id);
}

bool cn_constraint_complete(const cn_constraint *c)
{
    return c->now.complete;
}

bool cn_constraint_finished(const cn_constraint *c)
{
    return c->now.complete && !c->now.n;
}

bool cn_grammar_accepts(const cn_grammar *g, const char *text, size_t n)
{
    matcher m;
    if (!matcher_init(&m, &g->a, FRAMES, ACCEPT_PLACES)) return false;
    pset s = matcher_start(&m);
    for (size_t i = 0; i < n && s.n; i++) {
        s = matcher_keep(&m, matcher_step(&m, s, (uint8_t)text[i]));
        if (!s.n && i + 1 < n) s.complete = false;
    }
    bool ok = s.complete;
    matcher_deinit(&m);
    return ok;
}
