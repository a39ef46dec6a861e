/* The state of one generation under a grammar; the cache of masks. */
#ifndef GRAMMAR_CONSTRAINT_H
#define GRAMMAR_CONSTRAINT_H

#include "compile.h"
#include "match.h"
#include "vocab_trie.h"

struct cn_grammar {
    aut a;
    schema *schema; /* NULL for GBNF; kept for grammar_compact_in_order */
    gctx ctx;       /* its memory */
    cn_json *json;
    cn_str source; /* while a GBNF grammar is compiled */
};

enum {
    CACHE_SLOTS = 64,
    CACHE_LEAVES = 2048, /* nodes at which the rule may be left */
    CACHE_WORTH = 400,   /* nodes walked, from which on a state is worth a slot */
};

/* What a state allows whatever is below it on the stack. */
typedef struct cached {
    uint32_t state; /* AUT_NONE: empty */
    uint32_t kind;  /* see loop_kind in mask.c */
    uint32_t used;  /* when last */
    uint32_t n_leaves;
    int64_t dearest; /* most that a token of the mask adds to the way to the end */
    uint32_t *mask;
    uint32_t *leaves; /* nodes of the tree */
} cached;

struct cn_constraint {
    const cn_grammar *g;
    const cn_vocab_trie *v;
    matcher m;
    pset now;
    uint32_t *dist; /* tokens, per state */
    uint32_t words, clock;
    cached slots[CACHE_SLOTS + 1]; /* the last one is where a state is tried */
    uint32_t max_need;
};

/* Tokens of the shortest way from each state to the end of its rule, for this vocabulary. */
void constraint_distances(const aut *a, const cn_vocab_trie *v, uint32_t *dist);

#endif
