/* Building of tries. */
#include "trie.h"

#include "mem.h"

enum { MAX_NODES = 1 << 24 };

void trie_deinit(trie *t)
{
    cn_free(t->edges);
    cn_free(t->value);
    *t = (trie){0};
}

static void place(trie *t, uint32_t key, uint32_t node)
{
    size_t i = trie_hash(key) & t->mask;
    while (t->edges[i].node)
        i = (i + 1) & t->mask;
    t->edges[i] = (trie_edge){key, node};
}

/* Doubles the tables; the edges stay at most half full. */
static bool grow(trie *t)
{
    size_t nodes = t->nodes_alloc ? t->nodes_alloc * 2 : 256, n_edges = nodes * 2;
    trie_edge *old = t->edges, *edges = cn_alloc_array(n_edges, sizeof *edges);
    int32_t *value = cn_realloc_array(t->value, nodes, sizeof *value);
    if (value) t->value = value;
    if (!edges || !value) {
        cn_free(edges);
        return false;
    }
    size_t n_old = old ? t->mask + 1 : 0;
    t->edges = edges;
    t->mask = n_edges - 1;
    t->nodes_alloc = nodes;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].node) place(t, old[i].key, old[i].node);
    cn_free(old);
    return true;
}

cn_status trie_insert(trie *t, cn_str s, int32_t value, cn_err *err)
{
    if (s.n == 0) return CN_OK;
    uint32_t node = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint32_t next = t->n_nodes ? trie_step(t, node, (uint8_t)s.p[i]) : 0;
        if (!next) {
            if (t->n_nodes + 2 > MAX_NODES)
                return cn_fail(err, CN_E_LIMIT, "vocabulary: over %d different prefixes",
                               MAX_NODES);
            if (t->n_nodes + 2 > t->nodes_alloc && !grow(t))
                return cn_fail(err, CN_E_NOMEM, "vocabulary: %zu prefixes", t->n_nodes);
            if (t->n_nodes == 0) t->value[t->n_nodes++] = -1;
            next = (uint32_t)t->n_nodes++;
            t->value[next] = -1;
            place(t, node << 8 | (uint8_t)s.p[i], next);
        }
        node = next;
    }
    t->starts[(uint8_t)s.p[0]] = true;
    if (t->value[node] < 0) t->value[node] = value;
    return CN_OK;
}
