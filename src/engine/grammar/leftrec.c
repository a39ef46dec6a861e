/* Left recursion: a rule that may come back to its own beginning without a byte. The states
 * that can be reached without one form a graph; a call within one of its strong components
 * (Tarjan 1972) is such a rule. */
#include "automaton.h"
#include "automaton_priv.h"
#include "compiler.h"
#include "mem.h"

typedef struct tarjan {
    const aut_builder *b;
    uint8_t *nullable; /* the rule can end from this state without a byte */
    uint32_t *index, *low, *stack, *path, *next, *component;
    uint32_t n_index, n_stack, n_path, n_components;
} tarjan;

/* Repeats until nothing changes: chains are mostly built front to back, so go backwards. */
static void find_nullable(tarjan *t)
{
    const aut_builder *b = t->b;
    for (bool again = true; again;) {
        again = false;
        for (uint32_t s = b->n_states; s-- > 0;) {
            bool yes = t->nullable[s] || b->states[s].flags & AUT_ACCEPT;
            for (uint32_t c = b->states[s].call; !yes && c != AUT_NONE; c = b->calls[c].next) {
                const b_call *k = &b->calls[c];
                yes = t->nullable[k->ret] && (k->start == AUT_NONE || t->nullable[k->start]);
            }
            again |= yes && !t->nullable[s];
            t->nullable[s] = yes;
        }
    }
}

/* The edges of s: 2c leads to the rule called by c, 2c+1 past it. */
static uint32_t target(const tarjan *t, uint32_t edge)
{
    const b_call *k = &t->b->calls[edge / 2];
    if (edge % 2 == 0) return k->start;
    return k->start == AUT_NONE || t->nullable[k->start] ? k->ret : AUT_NONE;
}

static uint32_t after_edge(const tarjan *t, uint32_t edge)
{
    if (edge % 2 == 0) return edge + 1;
    uint32_t c = t->b->calls[edge / 2].next;
    return c == AUT_NONE ? AUT_NONE : 2 * c;
}

static void open_state(tarjan *t, uint32_t s)
{
    uint32_t c = t->b->states[s].call;
    t->index[s] = t->low[s] = ++t->n_index;
    t->stack[t->n_stack++] = t->path[t->n_path++] = s;
    t->next[s] = c == AUT_NONE ? AUT_NONE : 2 * c;
}

static void close_state(tarjan *t, uint32_t s)
{
    t->n_path--;
    if (t->n_path) {
        uint32_t up = t->path[t->n_path - 1];
        t->low[up] = CN_MIN(t->low[up], t->low[s]);
    }
    if (t->low[s] != t->index[s]) return;
    t->n_components++;
    for (uint32_t o = AUT_NONE; o != s;) {
        o = t->stack[--t->n_stack];
        t->component[o] = t->n_components;
    }
}

static void components_from(tarjan *t, uint32_t root)
{
    open_state(t, root);
    while (t->n_path) {
        uint32_t s = t->path[t->n_path - 1], edge = t->next[s];
        if (edge == AUT_NONE) {
            close_state(t, s);
            continue;
        }
        t->next[s] = after_edge(t, edge);
        uint32_t to = target(t, edge);
        if (to == AUT_NONE) continue;
        if (!t->index[to])
            open_state(t, to);
        else if (!t->component[to])
            t->low[s] = CN_MIN(t->low[s], t->index[to]);
    }
}

uint32_t aut_left_recursion(const aut_builder *b)
{
    uint32_t found = AUT_NONE, n = b->n_states;
    tarjan t = {.b = b, .nullable = cn_alloc_array(n, 1)};
    uint32_t *all = cn_alloc_array((size_t)n * 6, 4);
    if (b->status || !all || !t.nullable) goto done; /* aut_finish reports */
    t.index = all, t.low = all + n, t.stack = all + 2 * (size_t)n;
    t.path = all + 3 * (size_t)n, t.next = all + 4 * (size_t)n,
    t.component = all + 5 * (size_t)n;
    find_nullable(&t);
    for (uint32_t s = 0; s < n; s++)
        if (!t.index[s]) components_from(&t, s);
    for (uint32_t s = 0; s < n && found == AUT_NONE; s++)
        for (uint32_t c = b->states[s].call; c != AUT_NONE; c = b->calls[c].next)
            if (b->calls[c].start != AUT_NONE &&
                t.component[b->calls[c].start] == t.component[s])
                found = b->calls[c].start;
done:
    cn_free(all);
    cn_free(t.nullable);
    return found;
}
