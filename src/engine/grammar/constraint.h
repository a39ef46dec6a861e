/* A grammar, and the state of one generation under it. */
#ifndef GRAMMAR_CONSTRAINT_H
#define GRAMMAR_CONSTRAINT_H

#include "compile.h"
#include "mask_cache.h"
#include "match.h"
#include "vocab_trie.h"

struct cn_grammar {
    aut a;
    schema *schema; /* NULL for GBNF; kept for grammar_compact_in_order */
    gctx ctx;       /* its memory */
    cn_json *json;
    mask_shelf *shelf;
    cn_str source; /* while a GBNF grammar is compiled */
};

enum {
    CACHE_WORTH = 250, /* nodes walked, from which on a mask is worth keeping */
    ROWS = 64,
};

/* One state's edges, spread out: where each byte leads. */
typedef struct row {
    uint32_t state; /* AUT_NONE: empty */
    bool key, loop;
    uint32_t to[256];
} row;

/* What is known after the bytes that lead to one node of the tree. */
typedef struct level {
    pset set;
    place p;
    match_mark mark;
    bool one; /* the set is just `p`, which is not among the matcher's places */
} level;

struct cn_constraint {
    const cn_grammar *g;
    const cn_vocab_trie *v;
    mask_cache *cache;
    bool owned; /* the cache is not the grammar's */
    matcher m;
    pset now;
    cached try; /* where a state is walked from */
    row rows[ROWS];
    level levels[TRIE_MAX_TOKEN + 1]; /* the way to the node under way */
};

/* Tokens of the shortest way from each state to the end of its rule, for this vocabulary. */
void constraint_distances(const aut *a, const cn_vocab_trie *v, uint32_t *dist);

#endif
