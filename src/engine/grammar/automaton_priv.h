/* What building and finishing the automaton share. */
#ifndef GRAMMAR_AUTOMATON_PRIV_H
#define GRAMMAR_AUTOMATON_PRIV_H

#include "automaton.h"

typedef struct b_state {
    uint32_t edge, call, loop;
    uint8_t flags;
} b_state;

typedef struct b_edge {
    uint32_t to, next;
    uint8_t lo, hi;
} b_edge;

typedef struct b_call {
    uint32_t start, ret, next;
} b_call;

struct aut_builder {
    b_state *states;
    b_edge *edges;
    b_call *calls;
    aut_loop *loops;
    uint32_t n_states, n_edges, n_calls, n_loops;
    uint32_t cap_states, cap_edges, cap_calls, cap_loops;
    uint32_t max_states;
    cn_status status;
};

#endif
