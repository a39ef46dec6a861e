/* Tokens of the shortest way to the end. Per state the way is a chain of bytes and calls; runs
 * of bytes are covered with the vocabulary's tokens, best first. Tokens across a call are not
 * counted on, so that the result is an upper bound that can always be kept to. */
#include "compiler.h"
#include "constraint.h"

enum { FAR = 0x3fffffff };

static uint32_t plus(uint32_t a, uint32_t b)
{
    return a > FAR || b > FAR - a ? FAR : a + b;
}

static uint32_t child(const cn_vocab_trie *v, uint32_t node, uint8_t byte)
{
    for (uint32_t i = node + 1; i < v->nodes[node].next; i = v->nodes[i].next)
        if (v->nodes[i].byte == byte) return i;
    return 0;
}

/* The byte of a state's first step: one that is a token of its own where there is one. */
static uint8_t step_byte(const aut_edge *e, const cn_vocab_trie *v)
{
    for (unsigned b = e->lo; b <= e->hi; b++)
        if (v->single[b]) return (uint8_t)b;
    return e->lo;
}

/* What entering `to` from `from` by the first step owes to a loop. */
static uint32_t entry(const aut *a, const uint32_t *dist, uint32_t from, uint32_t to)
{
    if (a->states[to].loop == AUT_NONE || a->states[to].loop == a->states[from].loop) return 0;
    return aut_owed(a, dist, to, (a->states[to].flags & AUT_INC) != 0);
}

static uint32_t by_tokens(const aut *a, const cn_vocab_trie *v, const uint32_t *dist,
                          uint32_t s)
{
    uint32_t at = s, node = 0, best = FAR;
    for (uint32_t len = 0; len < 32; len++) {
        const aut_state *st = &a->states[at];
        uint32_t step = a->spine[at];
        if (step >= st->n_edges) break; /* a call, or the end (AUT_NONE) */
        const aut_edge *e = &a->edges[st->edge + step];
        node = child(v, node, step_byte(e, v));
        if (!node) break;
        uint32_t cost = plus(1, plus(dist[e->to], entry(a, dist, at, e->to)));
        if (v->nodes[node + 1].tokens > v->nodes[node].tokens) best = CN_MIN(best, cost);
        if (a->states[e->to].loop != AUT_NONE) break; /* turns are counted one by one */
        at = e->to;
    }
    return best;
}

void constraint_distances(const aut *a, const cn_vocab_trie *v, uint32_t *dist)
{
    for (uint32_t i = 0; i < a->n_states; i++)
        dist[i] = FAR;
    for (uint32_t i = 0; i < a->n_states; i++) {
        uint32_t s = a->order[i], step = a->spine[s];
        const aut_state *st = &a->states[s];
        if (step == AUT_NONE) {
            dist[s] = 0;
        } else if (step >= st->n_edges) {
            const aut_call *k = &a->calls[st->call + step - st->n_edges];
            dist[s] = plus(dist[k->ret], entry(a, dist, s, k->ret));
            if (k->start != AUT_NONE) dist[s] = plus(dist[s], dist[k->start]);
        } else {
            dist[s] = by_tokens(a, v, dist, s);
        }
    }
}
