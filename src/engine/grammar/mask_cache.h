/* Masks of one grammar over one vocabulary, shared by all generations. What is in stays until
 * the grammar goes, so that readers need no lock; a full cache takes nothing more. */
#ifndef GRAMMAR_MASK_CACHE_H
#define GRAMMAR_MASK_CACHE_H

#include <pthread.h>
#include <stdatomic.h>

#include "automaton.h"
#include "vocab_trie.h"

enum {
    CACHE_VOCABS = 4,   /* kept by a grammar; a generation over a further one keeps its own */
    CACHE_MASKS = 2048, /* of one vocabulary */
    CACHE_WORDS = 2 << 20, /* of 4 bytes, for masks and leaves together: 8 MB */
    CACHE_LEAVES = 2048,   /* nodes at which the rule may be left, of one mask */
    CACHE_TABLE = 2 * CACHE_MASKS,
};

/* What a state allows whatever is below it on the stack. */
typedef struct cached {
    uint32_t state;
    uint32_t kind; /* see loop_kind in mask.c */
    uint32_t n_leaves;
    uint32_t fewest; /* names that a token of the mask leaves: the object must have fewer */
    int64_t dearest; /* most that a token of the mask adds to the way to the end */
    uint32_t *mask;
    uint32_t *leaves; /* nodes of the tree */
} cached;

typedef struct mask_cache {
    struct mask_cache *next;
    trie_print print;  /* of the vocabulary */
    uint32_t *dist;    /* tokens of the shortest way from each state to the end of its rule */
    uint32_t max_need; /* of all states */
    uint32_t words;    /* of one mask */
    pthread_mutex_t lock; /* of what follows, for writers */
    cached *masks;
    uint32_t *slab;
    uint32_t n, cap, used, cap_slab;
    _Atomic uint32_t table[CACHE_TABLE]; /* 1 + the number of a mask; 0: empty */
} mask_cache;

/* The caches of one grammar. */
typedef struct mask_shelf {
    pthread_mutex_t lock;
    mask_cache *first;
    uint32_t n;
} mask_shelf;

mask_shelf *mask_shelf_new(void);
void mask_shelf_free(mask_shelf *s);
/* The cache for `v`, made where there is none. When the shelf is full it is the caller's, and
 * *owned says so. NULL without memory. */
mask_cache *mask_shelf_get(mask_shelf *s, const aut *a, const cn_vocab_trie *v, bool *owned);
void mask_cache_free(mask_cache *c);

/* NULL when it is not there. Takes no lock. */
const cached *mask_cache_find(const mask_cache *c, uint32_t state, uint32_t kind);
/* Keeps a copy, if there is room. Allocates nothing. */
void mask_cache_add(mask_cache *c, const cached *one);

#endif
