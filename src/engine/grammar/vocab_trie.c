/* Building the tree: sort the tokens, then each one adds the nodes that it does not share with
 * the one before. */
#include "vocab_trie.h"

#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "err.h"
#include "mem.h"

typedef struct token {
    cn_str s;
    int32_t id;
} token;

static int by_bytes(const void *a, const void *b)
{
    const token *x = a, *y = b;
    int d = memcmp(x->s.p, y->s.p, CN_MIN(x->s.n, y->s.n));
    if (d) return d;
    if (x->s.n != y->s.n) return x->s.n < y->s.n ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

void cn_vocab_trie_free(cn_vocab_trie *v)
{
    if (!v) return;
    cn_free(v->nodes);
    cn_free(v->ids);
    cn_free(v->node_of);
    cn_free(v->ends);
    cn_free(v);
}

static void add_all(cn_vocab_trie *v, const token *t, uint32_t n)
{
    uint32_t path[TRIE_MAX_TOKEN + 1] = {0}, depth = 0;
    v->nodes[0] = (trie_node){0};
    v->n_nodes = 1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t same = 0;
        while (same < depth && same < t[i].s.n &&
               v->nodes[path[same + 1]].byte == (uint8_t)t[i].s.p[same])
            same++;
        while (depth > same)
            v->nodes[path[depth--]].next = v->n_nodes;
        while (depth < t[i].s.n) {
            trie_node *k = &v->nodes[v->n_nodes];
            *k = (trie_node){.parent = path[depth], .tokens = i};
            k->byte = (uint8_t)t[i].s.p[depth];
            path[++depth] = v->n_nodes++;
            k->depth = (uint8_t)depth;
        }
        v->ids[i] = t[i].id;
        v->node_of[t[i].id] = path[depth];
        if (depth == 1) v->single[v->nodes[path[1]].byte] = true;
        v->longest = CN_MAX(v->longest, depth);
    }
    while (depth)
        v->nodes[path[depth--]].next = v->n_nodes;
    v->nodes[0].next = v->n_nodes;
    v->nodes[v->n_nodes] = (trie_node){.tokens = n};
}

static void mix(trie_print *p, uint64_t x)
{
    p->hash[0] = (p->hash[0] ^ x) * 0x9e3779b97f4a7c15u;
    p->hash[1] = (p->hash[1] ^ (p->hash[0] >> 32) ^ x) * 0xc2b2ae3d27d4eb4fu;
    p->hash[1] ^= p->hash[1] >> 29;
}

static trie_print print_of(const cn_vocab_trie *v, uint32_t n_ids)
{
    trie_print p = {.n_nodes = v->n_nodes, .n_vocab = v->n_vocab};
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        const trie_node *k = &v->nodes[i];
        mix(&p, (uint64_t)k->tokens << 32 | (uint32_t)k->byte << 8 | k->depth);
    }
    for (uint32_t i = 0; i < n_ids; i++)
        mix(&p, (uint32_t)v->ids[i]);
    return p;
}

cn_status vocab_trie_new(cn_vocab_trie **out, const cn_str *bytes, int32_t n,
                         const int32_t *ends, uint32_t n_ends, cn_err *err)
{
    cn_status st = CN_E_NOMEM;
    size_t total = 1;
    uint32_t used = 0;
    cn_vocab_trie *v = cn_xcalloc(1, sizeof *v);
    token *t = cn_alloc_array((size_t)n + 1, sizeof *t);
    *out = NULL;
    if (!t) goto done;
    for (int32_t i = 0; i < n; i++) {
        if (!bytes[i].n || bytes[i].n > TRIE_MAX_TOKEN) continue;
        t[used++] = (token){bytes[i], i};
        total += bytes[i].n;
    }
    if (total >= UINT32_MAX / 2) goto done;
    v->nodes = cn_alloc_array(total + 1, sizeof *v->nodes);
    v->ids = cn_alloc_array(used + 1, sizeof *v->ids);
    v->ends = cn_alloc_array(n_ends + 1, sizeof *v->ends);
    v->node_of = cn_alloc_array((size_t)n + 1, sizeof *v->node_of);
    if (!v->nodes || !v->ids || !v->ends || !v->node_of) goto done;
    qsort(t, used, sizeof *t, by_bytes);
    add_all(v, t, used);
    v->n_vocab = n;
    v->n_ends = n_ends;
    v->print = print_of(v, used);
    if (n_ends) memcpy(v->ends, ends, n_ends * sizeof *ends);
    *out = v;
    v = NULL;
    st = CN_OK;
done:
    cn_vocab_trie_free(v);
    cn_free(t);
    return st ? cn_fail(err, st, "memory for the tree of a vocabulary of %d tokens", n) : CN_OK;
}
