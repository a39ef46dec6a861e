/* Building the automaton: growing arrays of states, edges (as lists) and calls. */
#include "automaton.h"

#include "automaton_priv.h"
#include "mem.h"

aut_builder *aut_builder_new(uint32_t max_states)
{
    aut_builder *b = cn_xcalloc(1, sizeof *b);
    b->max_states = max_states;
    aut_add(b, 0); /* state 0 stands in for the ones that could not be had */
    return b;
}

void aut_builder_free(aut_builder *b)
{
    if (!b) return;
    cn_free(b->states);
    cn_free(b->edges);
    cn_free(b->calls);
    cn_free(b->loops);
    cn_free(b);
}

bool aut_failed(const aut_builder *b)
{
    return b->status != CN_OK;
}

/* Room for one more in a growing array. */
static void *grown(aut_builder *b, void *p, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) return p;
    if (n >= UINT32_MAX / 4) {
        b->status = CN_E_LIMIT;
        return NULL;
    }
    uint32_t want = n ? n * 2 : 256;
    void *q = cn_realloc_array(p, want, size);
    if (!q) {
        b->status = CN_E_NOMEM;
        return NULL;
    }
    *cap = want;
    return q;
}

uint32_t aut_add(aut_builder *b, unsigned flags)
{
    if (b->status) return 0;
    if (b->n_states >= b->max_states) {
        b->status = CN_E_LIMIT;
        return 0;
    }
    b_state *p = grown(b, b->states, b->n_states, &b->cap_states, sizeof *p);
    if (!p) return 0;
    b->states = p;
    p[b->n_states] = (b_state){AUT_NONE, AUT_NONE, AUT_NONE, (uint8_t)flags};
    return b->n_states++;
}

void aut_set(aut_builder *b, uint32_t state, unsigned flags, uint32_t loop)
{
    if (b->status) return;
    b->states[state].flags |= (uint8_t)flags;
    b->states[state].loop = loop;
}

void aut_like(aut_builder *b, uint32_t state, uint32_t model)
{
    if (b->status) return;
    unsigned flags = b->states[model].flags & (unsigned)~(AUT_INC | AUT_KEYEND);
    aut_set(b, state, flags, b->states[model].loop);
}

void aut_byte(aut_builder *b, uint32_t from, unsigned lo, unsigned hi, uint32_t to)
{
    if (b->status) return;
    b_edge *p = grown(b, b->edges, b->n_edges, &b->cap_edges, sizeof *p);
    if (!p) return;
    b->edges = p;
    p[b->n_edges] = (b_edge){to, b->states[from].edge, (uint8_t)lo, (uint8_t)hi};
    b->states[from].edge = b->n_edges++;
}

void aut_rule(aut_builder *b, uint32_t from, uint32_t start, uint32_t ret)
{
    if (b->status) return;
    b_call *p = grown(b, b->calls, b->n_calls, &b->cap_calls, sizeof *p);
    if (!p) return;
    b->calls = p;
    p[b->n_calls] = (b_call){start, ret, b->states[from].call};
    b->states[from].call = b->n_calls++;
}

void aut_skip(aut_builder *b, uint32_t from, uint32_t to)
{
    if (from != to) aut_rule(b, from, AUT_NONE, to);
}

void aut_copy_edges(aut_builder *b, uint32_t to, uint32_t from)
{
    if (b->status || to == from) return;
    for (uint32_t e = b->states[from].edge; e != AUT_NONE && !b->status; e = b->edges[e].next)
        aut_byte(b, to, b->edges[e].lo, b->edges[e].hi, b->edges[e].to);
    for (uint32_t c = b->states[from].call; c != AUT_NONE && !b->status; c = b->calls[c].next)
        aut_rule(b, to, b->calls[c].start, b->calls[c].ret);
}

uint32_t aut_text(aut_builder *b, uint32_t from, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t next = aut_add(b, 0);
        aut_byte(b, from, (uint8_t)p[i], (uint8_t)p[i], next);
        from = next;
    }
    return from;
}

uint32_t aut_count(aut_builder *b, aut_loop loop)
{
    if (b->status) return 0;
    aut_loop *p = grown(b, b->loops, b->n_loops, &b->cap_loops, sizeof *p);
    if (!p) return 0;
    b->loops = p;
    p[b->n_loops] = loop;
    return b->n_loops++;
}

void aut_loop_set(aut_builder *b, uint32_t loop, uint32_t at, uint32_t again)
{
    if (b->status) return;
    b->loops[loop].at = at;
    b->loops[loop].again = again;
}
