/* The compiled automaton: states over bytes, grouped into rules that call one another. A state
 * has byte edges and calls; several may apply at once (the matcher follows all of them). The
 * builder collects states; aut_finish drops what can never end and works out, for every state,
 * the shortest way to the end of its rule. */
#ifndef GRAMMAR_AUTOMATON_H
#define GRAMMAR_AUTOMATON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define AUT_NONE UINT32_MAX
#define NAMES_MANY UINT16_MAX /* more than the frames of a matcher can list */

enum {
    AUT_ACCEPT = 1, /* the rule may end here */
    AUT_INC = 2,    /* entering counts one turn of the loop */
    AUT_KEY = 4,    /* bytes taken from here are hashed: a member name */
    AUT_KEYEND = 8, /* a name ends on returning here: it must be new in this object */
    AUT_INSIDE = 16 /* within a turn of the loop: entering the counting state is still ahead */
};

typedef struct aut_edge {
    uint32_t to;
    uint8_t lo, hi;
} aut_edge;

typedef struct aut_call {
    uint32_t start; /* first state of the called rule; AUT_NONE: just go on at ret */
    uint32_t ret;
} aut_call;

/* A counted loop: byte `exit` needs min turns, byte `cont` (0: every other byte) fewer than
 * max. */
typedef struct aut_loop {
    uint32_t min, max;
    uint32_t again; /* state after `cont`, to price a turn; AUT_NONE: a turn is one byte */
    uint32_t at;    /* the counting state */
    uint8_t exit, cont;
} aut_loop;

typedef struct aut_state {
    uint32_t edge, call; /* first of each */
    uint32_t loop;       /* AUT_NONE, or the loop that this state is part of */
    uint16_t n_edges, n_calls;
    uint16_t need;  /* how many calls deep the way to the rule's end goes at least */
    uint16_t names; /* within a name: how many it can still become, NAMES_MANY for more */
    uint8_t flags;
    bool plain; /* no two edges take the same byte */
} aut_state;

typedef struct aut {
    aut_state *states;
    aut_edge *edges;
    aut_call *calls;
    aut_loop *loops;
    uint32_t *dist;  /* bytes of the shortest way to the rule's end with the least depth */
    uint32_t *spine; /* its first step: an edge, or n_edges + a call; AUT_NONE at the end */
    uint32_t *order; /* states by rising distance: what a state's way needs comes before it */
    uint32_t n_states, n_edges, n_calls, n_loops;
    uint32_t root;
    uint32_t max_depth; /* of calls while matching */
} aut;

void aut_free(aut *a);
/* Fills aut_state.names; false without memory. */
bool aut_count_names(aut *a);
/* Turns still owed at `count` in a state of a loop, times the price of one. */
uint32_t aut_owed(const aut *a, const uint32_t *dist, uint32_t state, uint64_t count);

typedef struct aut_builder aut_builder;
aut_builder *aut_builder_new(uint32_t max_states);
void aut_builder_free(aut_builder *b);
/* After a failure (memory, too many states) these do nothing useful and aut_finish reports. */
uint32_t aut_add(aut_builder *b, unsigned flags);
void aut_set(aut_builder *b, uint32_t state, unsigned flags, uint32_t loop);
/* `state` is part of the loop that `model` is part of, without counting on entry. */
void aut_like(aut_builder *b, uint32_t state, uint32_t model);
void aut_byte(aut_builder *b, uint32_t from, unsigned lo, unsigned hi, uint32_t to);
void aut_rule(aut_builder *b, uint32_t from, uint32_t start, uint32_t ret);
void aut_skip(aut_builder *b, uint32_t from, uint32_t to);       /* without a byte */
void aut_copy_edges(aut_builder *b, uint32_t to, uint32_t from); /* and calls */
uint32_t aut_text(aut_builder *b, uint32_t from, const char *p, size_t n);
uint32_t aut_count(aut_builder *b, aut_loop loop);
void aut_loop_set(aut_builder *b, uint32_t loop, uint32_t at, uint32_t again);
bool aut_failed(const aut_builder *b);

/* The start of a rule that can call itself again without a byte between; AUT_NONE: none. */
uint32_t aut_left_recursion(const aut_builder *b);
/* CN_E_REFUSED when nothing at all can be matched; CN_E_LIMIT; CN_E_NOMEM. */
cn_status aut_finish(aut *out, aut_builder *b, uint32_t root, uint32_t max_depth, cn_err *err);

#endif
