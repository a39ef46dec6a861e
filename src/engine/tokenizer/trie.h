/* A set of byte strings that is walked a byte at a time. */
#ifndef TOKENIZER_TRIE_H
#define TOKENIZER_TRIE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "str.h"

/* Edges are kept in one open-addressed table: key = node << 8 | byte. Node 0 is the root. */
typedef struct trie_edge {
    uint32_t key, node; /* node 0: empty */
} trie_edge;

typedef struct trie {
    trie_edge *edges;
    int32_t *value; /* by node; -1: no string ends here */
    size_t mask, n_nodes, nodes_alloc;
    bool starts[256]; /* is there a string that begins with this byte? */
} trie;

/* At most 16 Mi nodes. An empty string is not stored; the first value of a string stays. */
cn_status trie_insert(trie *t, cn_str s, int32_t value, cn_err *err);
void trie_deinit(trie *t);

static inline bool trie_is_empty(const trie *t)
{
    return t->n_nodes == 0;
}
static inline uint32_t trie_hash(uint32_t key)
{
    uint64_t h = key * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(h >> 32);
}
/* The node after `byte`, 0 when there is none. */
static inline uint32_t trie_step(const trie *t, uint32_t node, uint8_t byte)
{
    uint32_t key = node << 8 | byte;
    for (size_t i = trie_hash(key) & t->mask;; i = (i + 1) & t->mask) {
        if (t->edges[i].node == 0) return 0;
        if (t->edges[i].key == key) return t->edges[i].node;
    }
}

#endif
