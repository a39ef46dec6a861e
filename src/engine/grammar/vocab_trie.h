/* A vocabulary as a tree over bytes, in one array from root to leaves. */
#ifndef GRAMMAR_VOCAB_TRIE_H
#define GRAMMAR_VOCAB_TRIE_H

#include <conatus/grammar.h>

#include "str.h"

enum { TRIE_MAX_TOKEN = 255 }; /* longer tokens are never allowed */

typedef struct trie_node {
    uint32_t next; /* the node after all below this one */
    uint32_t parent;
    uint32_t tokens; /* ids[tokens..tokens of the next node) are exactly this text */
    uint8_t byte, depth;
} trie_node;

/* Tells vocabularies apart, also after one is gone and another lies at its address. */
typedef struct trie_print {
    uint64_t hash[2];
    uint32_t n_nodes;
    int32_t n_vocab;
} trie_print;

struct cn_vocab_trie {
    trie_node
        *nodes; /* 0 is the root; a child follows its parent at once; one more at the end */
    uint32_t n_nodes;
    int32_t *ids;
    uint32_t *node_of; /* per token; 0: it has no text */
    int32_t n_vocab;
    int32_t *ends; /* tokens that end the text */
    uint32_t n_ends;
    uint32_t longest;
    trie_print print;
    bool single[256]; /* bytes that are tokens of their own */
};

/* `bytes[i]` is what token i adds; empty ones are never allowed. */
cn_status vocab_trie_new(cn_vocab_trie **out, const cn_str *bytes, int32_t n,
                         const int32_t *ends, uint32_t n_ends, cn_err *err);

#endif
