/* From builder to automaton. Knuth's generalisation of Dijkstra's algorithm ("A generalization
 * of Dijkstra's algorithm", 1977) settles states in the order of the cost of their cheapest way
 * to the end of the rule; the cost of a call is that of the called rule and of what follows it.
 * Costs are pairs, depth first, then bytes, so that a way which fits the depth limit is always
 * known. States that are never settled cannot end and are dropped, with all that leads to them.
 */
#include <stdlib.h>

#include "automaton.h"
#include "automaton_priv.h"
#include "compiler.h"
#include "mem.h"

typedef struct work {
    aut_builder *b;
    uint64_t *cost; /* best known, UINT64_MAX at first: depth << 32 | bytes */
    uint32_t *step; /* what the best way begins with: edge, or call + CALL */
    uint8_t *settled;
    uint32_t *edge_head, *edge_next, *edge_from; /* edges by target */
    uint32_t *call_head, *call_next, *call_from; /* calls by start and by ret: 2c and 2c+1 */
    uint32_t *heap, *where, n_heap;
    uint32_t *order, n_settled;
} work;

#define CALL 0x80000000u
#define COST(depth, bytes) ((uint64_t)(depth) << 32 | (bytes))
#define DEPTH(c) ((uint32_t)((c) >> 32))
#define BYTES(c) ((uint32_t)(c))
#define MANY 0x3fffffffu

void aut_free(aut *a)
{
    cn_free(a->states);
    cn_free(a->edges);
    cn_free(a->calls);
    cn_free(a->loops);
    cn_free(a->dist);
    cn_free(a->spine);
    cn_free(a->order);
    *a = (aut){0};
}

static uint32_t plus(uint32_t a, uint32_t b)
{
    return a > MANY || b > MANY - a ? MANY : a + b;
}

static uint32_t owed(uint32_t min, uint64_t count, uint32_t price)
{
    if (count >= min) return 0;
    uint64_t all = (min - count) * price;
    return all > MANY ? MANY : (uint32_t)all;
}

uint32_t aut_owed(const aut *a, const uint32_t *dist, uint32_t state, uint64_t count)
{
    const aut_state *s = &a->states[state];
    if (s->loop == AUT_NONE) return 0;
    const aut_loop *l = &a->loops[s->loop];
    uint32_t price = 1;
    if (l->again != AUT_NONE) price += dist[l->again];
    return owed(l->min, count + ((s->flags & AUT_INSIDE) != 0), price);
}

static void up(work *w, uint32_t i)
{
    while (i && w->cost[w->heap[(i - 1) / 2]] > w->cost[w->heap[i]]) {
        uint32_t p = (i - 1) / 2, t = w->heap[p];
        w->heap[p] = w->heap[i];
        w->heap[i] = t;
        w->where[w->heap[i]] = i;
        w->where[w->heap[p]] = p;
        i = p;
    }
}

static uint32_t pop(work *w)
{
    uint32_t top = w->heap[0], i = 0, last = w->heap[--w->n_heap];
    w->heap[0] = last;
    w->where[last] = 0;
    for (;;) {
        uint32_t c = 2 * i + 1;
        if (c >= w->n_heap) break;
        if (c + 1 < w->n_heap && w->cost[w->heap[c + 1]] < w->cost[w->heap[c]]) c++;
        if (w->cost[w->heap[c]] >= w->cost[w->heap[i]]) break;
        uint32_t t = w->heap[c];
        w->heap[c] = w->heap[i];
        w->heap[i] = t;
        w->where[w->heap[i]] = i;
        w->where[w->heap[c]] = c;
        i = c;
    }
    return top;
}

static void offer(work *w, uint32_t state, uint64_t cost, uint32_t step)
{
    if (w->settled[state] || cost >= w->cost[state]) return;
    if (w->cost[state] == UINT64_MAX) {
        w->where[state] = w->n_heap;
        w->heap[w->n_heap++] = state;
    }
    w->cost[state] = cost;
    w->step[state] = step;
    up(w, w->where[state]);
}

/* A loop that is entered from outside owes its minimum; what a turn costs is known roughly: the
 * counting state and the way round it may not be settled yet, and then entering waits. */
static bool owed_on_entry(const work *w, uint32_t from, uint32_t to, uint32_t *more)
{
    const b_state *f = &w->b->states[from], *t = &w->b->states[to];
    *more = 0;
    if (t->loop == AUT_NONE || f->loop == t->loop) return true;
    const aut_loop *l = &w->b->loops[t->loop];
    uint64_t count = (t->flags & (AUT_INC | AUT_INSIDE)) != 0;
    if (count >= l->min) return true;
    if (l->again != AUT_NONE && !w->settled[l->again]) return false;
    *more = owed(l->min, count, l->again == AUT_NONE ? 1 : plus(1, BYTES(w->cost[l->again])));
    return true;
}

static void offer_edge(work *w, uint32_t e, uint32_t to, uint64_t cost)
{
    uint32_t from = w->edge_from[e], more;
    if (!owed_on_entry(w, from, to, &more)) return;
    offer(w, from, COST(DEPTH(cost), plus(BYTES(cost), plus(1, more))), e);
}

static void offer_call(work *w, uint32_t c)
{
    const b_call *k = &w->b->calls[c];
    if (!w->settled[k->ret]) return;
    uint64_t r = w->cost[k->ret];
    if (k->start == AUT_NONE) {
        offer(w, w->call_from[c], r, c | CALL);
        return;
    }
    if (!w->settled[k->start]) return;
    uint64_t s = w->cost[k->start];
    uint32_t depth = CN_MAX(DEPTH(s) + 1, DEPTH(r)), more;
    if (!owed_on_entry(w, w->call_from[c], k->ret, &more)) return;
    offer(w, w->call_from[c], COST(depth, plus(plus(BYTES(s), BYTES(r)), more)), c | CALL);
}

static cn_status index_edges(work *w)
{
    aut_builder *b = w->b;
    size_t n = b->n_states, ne = b->n_edges + 1, nc = b->n_calls + 1;
    w->cost = cn_alloc_array(n, sizeof *w->cost);
    w->step = cn_alloc_array(n, sizeof *w->step);
    w->settled = cn_alloc_array(n, 1);
    w->edge_head = cn_alloc_array(n, 4);
    w->edge_next = cn_alloc_array(ne, 4);
    w->edge_from = cn_alloc_array(ne, 4);
    w->call_head = cn_alloc_array(n, 4);
    w->call_next = cn_alloc_array(nc, 8);
    w->call_from = cn_alloc_array(nc, 4);
    w->heap = cn_alloc_array(n, 4);
    w->where = cn_alloc_array(n, 4);
    w->order = cn_alloc_array(n, 4);
    if (!w->cost || !w->step || !w->settled || !w->edge_head || !w->edge_next ||
        !w->edge_from || !w->call_head || !w->call_next || !w->call_from || !w->heap ||
        !w->where || !w->order)
        return CN_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        w->cost[i] = UINT64_MAX;
        w->edge_head[i] = w->call_head[i] = AUT_NONE;
    }
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t e = b->states[i].edge; e != AUT_NONE; e = b->edges[e].next) {
            w->edge_from[e] = i;
            w->edge_next[e] = w->edge_head[b->edges[e].to];
            w->edge_head[b->edges[e].to] = e;
        }
        for (uint32_t c = b->states[i].call; c != AUT_NONE; c = b->calls[c].next) {
            w->call_from[c] = i;
            w->call_next[2 * c + 1] = w->call_head[b->calls[c].ret];
            w->call_head[b->calls[c].ret] = 2 * c + 1;
            if (b->calls[c].start == AUT_NONE) continue;
            w->call_next[2 * c] = w->call_head[b->calls[c].start];
            w->call_head[b->calls[c].start] = 2 * c;
        }
    }
    return CN_OK;
}

/* States whose entering waited for the price of a turn of loop l. */
static void offer_waiting(work *w, uint32_t settled)
{
    aut_builder *b = w->b;
    for (uint32_t l = 0; l < b->n_loops; l++) {
        if (b->loops[l].again != settled || b->loops[l].min < 2) continue;
        uint32_t at = b->loops[l].at;
        for (uint32_t e = w->edge_head[at]; w->settled[at] && e != AUT_NONE;
             e = w->edge_next[e])
            offer_edge(w, e, at, w->cost[at]);
        for (uint32_t c = w->call_head[at]; w->settled[at] && c != AUT_NONE;
             c = w->call_next[c])
            offer_call(w, c / 2);
    }
}

static void settle_all(work *w)
{
    aut_builder *b = w->b;
    uint8_t *prices = cn_alloc_array(b->n_states, 1);
    for (uint32_t l = 0; prices && l < b->n_loops; l++)
        if (b->loops[l].again != AUT_NONE) prices[b->loops[l].again] = 1;
    for (uint32_t i = 1; i < b->n_states; i++)
        if (b->states[i].flags & AUT_ACCEPT) offer(w, i, 0, AUT_NONE);
    while (w->n_heap) {
        uint32_t s = pop(w);
        w->settled[s] = 1;
        w->order[w->n_settled++] = s;
        for (uint32_t e = w->edge_head[s]; e != AUT_NONE; e = w->edge_next[e])
            offer_edge(w, e, s, w->cost[s]);
        for (uint32_t c = w->call_head[s]; c != AUT_NONE; c = w->call_next[c])
            offer_call(w, c / 2);
        if (!prices || prices[s]) offer_waiting(w, s);
    }
    cn_free(prices);
}

/* Numbers the states that can be reached and can end; where[] becomes their new number. */
static uint32_t number_live(work *w, uint32_t root)
{
    aut_builder *b = w->b;
    uint32_t n = 0, at = 0, *todo = w->heap;
    for (uint32_t i = 0; i < b->n_states; i++)
        w->where[i] = AUT_NONE;
#define VISIT(s)                                                                               \
    do {                                                                                       \
        if (w->settled[s] && w->where[s] == AUT_NONE) {                                        \
            w->where[s] = n;                                                                   \
            todo[n++] = (s);                                                                   \
        }                                                                                      \
    } while (0)
    VISIT(root);
    while (at < n) {
        const b_state *s = &b->states[todo[at++]];
        for (uint32_t e = s->edge; e != AUT_NONE; e = b->edges[e].next)
            VISIT(b->edges[e].to);
        for (uint32_t c = s->call; c != AUT_NONE; c = b->calls[c].next) {
            const b_call *k = &b->calls[c];
            if (!w->settled[k->ret] || (k->start != AUT_NONE && !w->settled[k->start]))
                continue;
            VISIT(k->ret);
            if (k->start != AUT_NONE) VISIT(k->start);
        }
    }
#undef VISIT
    return n;
}

static int by_byte(const void *a, const void *b)
{
    const aut_edge *x = a, *y = b;
    return x->lo != y->lo ? x->lo - y->lo : x->hi - y->hi;
}

static void emit_edges(aut *a, work *w, aut_state *s, const b_state *o, uint32_t *spine)
{
    for (uint32_t e = o->edge; e != AUT_NONE; e = w->b->edges[e].next) {
        const b_edge *k = &w->b->edges[e];
        if (w->where[k->to] == AUT_NONE) continue;
        a->edges[a->n_edges++] = (aut_edge){w->where[k->to], k->lo, k->hi};
    }
    s->n_edges = (uint16_t)(a->n_edges - s->edge);
    qsort(&a->edges[s->edge], s->n_edges, sizeof *a->edges, by_byte);
    s->plain = true;
    for (uint32_t i = 1; i < s->n_edges; i++)
        s->plain &= a->edges[s->edge + i - 1].hi < a->edges[s->edge + i].lo;
    uint32_t step = *spine;
    if (step == AUT_NONE || step & CALL) return;
    const b_edge *k = &w->b->edges[step];
    for (uint32_t i = 0; i < s->n_edges; i++) {
        const aut_edge *g = &a->edges[s->edge + i];
        if (g->to == w->where[k->to] && g->lo == k->lo && g->hi == k->hi) *spine = i;
    }
}

static void emit_calls(aut *a, work *w, aut_state *s, const b_state *o, uint32_t *spine)
{
    uint32_t step = *spine;
    for (uint32_t c = o->call; c != AUT_NONE; c = w->b->calls[c].next) {
        const b_call *k = &w->b->calls[c];
        bool jump = k->start == AUT_NONE;
        if (w->where[k->ret] == AUT_NONE || (!jump && w->where[k->start] == AUT_NONE)) continue;
        if (step == (c | CALL)) *spine = s->n_edges + (a->n_calls - s->call);
        a->calls[a->n_calls++] =
            (aut_call){jump ? AUT_NONE : w->where[k->start], w->where[k->ret]};
    }
    s->n_calls = (uint16_t)(a->n_calls - s->call);
}

static cn_status emit_state(aut *a, work *w, uint32_t i)
{
    const aut_builder *b = w->b;
    uint32_t old = w->heap[i], degree = 0;
    const b_state *o = &b->states[old];
    for (uint32_t e = o->edge; e != AUT_NONE; e = b->edges[e].next)
        degree++;
    for (uint32_t c = o->call; c != AUT_NONE; c = b->calls[c].next)
        degree++;
    if (degree > UINT16_MAX || DEPTH(w->cost[old]) > UINT16_MAX) return CN_E_LIMIT;
    aut_state *s = &a->states[i];
    *s = (aut_state){.edge = a->n_edges, .call = a->n_calls, .loop = o->loop};
    s->flags = o->flags;
    s->need = (uint16_t)DEPTH(w->cost[old]);
    a->dist[i] = BYTES(w->cost[old]);
    a->spine[i] = w->step[old];
    emit_edges(a, w, s, o, &a->spine[i]);
    emit_calls(a, w, s, o, &a->spine[i]);
    return CN_OK;
}

static void emit_loops(aut *a, const work *w)
{
    for (uint32_t l = 0; l < a->n_loops; l++) {
        a->loops[l] = w->b->loops[l];
        a->loops[l].at = w->where[w->b->loops[l].at];
        uint32_t again = w->b->loops[l].again;
        a->loops[l].again = again == AUT_NONE ? AUT_NONE : w->where[again];
    }
}

static cn_status emit(aut *a, work *w, uint32_t n, uint32_t root)
{
    const aut_builder *b = w->b;
    *a = (aut){.states = cn_alloc_array(n, sizeof *a->states),
               .edges = cn_alloc_array(b->n_edges + 1, sizeof *a->edges),
               .calls = cn_alloc_array(b->n_calls + 1, sizeof *a->calls),
               .loops = cn_alloc_array(b->n_loops + 1, sizeof *a->loops),
               .dist = cn_alloc_array(n, 4),
               .spine = cn_alloc_array(n, 4),
               .order = cn_alloc_array(n, 4),
               .n_states = n,
               .n_loops = b->n_loops,
               .root = w->where[root]};
    if (!a->states || !a->edges || !a->calls || !a->loops || !a->dist || !a->spine || !a->order)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        cn_status st = emit_state(a, w, i);
        if (st) return st;
    }
    for (uint32_t i = 0, k = 0; i < w->n_settled; i++)
        if (w->where[w->order[i]] != AUT_NONE) a->order[k++] = w->where[w->order[i]];
    emit_loops(a, w);
    return CN_OK;
}

static void work_free(work *w)
{
    cn_free(w->cost);
    cn_free(w->step);
    cn_free(w->settled);
    cn_free(w->edge_head);
    cn_free(w->edge_next);
    cn_free(w->edge_from);
    cn_free(w->call_head);
    cn_free(w->call_next);
    cn_free(w->call_from);
    cn_free(w->heap);
    cn_free(w->where);
    cn_free(w->order);
}

cn_status aut_finish(aut *out, aut_builder *b, uint32_t root, uint32_t max_depth, cn_err *err)
{
    work w = {.b = b};
    *out = (aut){0};
    cn_status st = b->status;
    if (!st) st = index_edges(&w);
    if (st) goto done;
    settle_all(&w);
    if (!w.settled[root]) {
        st = cn_fail(err, CN_E_REFUSED, "nothing at all can be matched");
        goto done;
    }
    st = emit(out, &w, number_live(&w, root), root);
    if (st) goto done;
    out->max_depth = max_depth;
    if (!aut_count_names(out)) {
        st = CN_E_NOMEM;
        goto done;
    }
    if (out->states[out->root].need > max_depth)
        st = cn_fail(err, CN_E_LIMIT, "every text is nested %u deep, limit %u",
                     out->states[out->root].need, max_depth);
done:
    work_free(&w);
    if (st) aut_free(out);
    if (st == CN_E_NOMEM) return cn_fail(err, st, "memory for %u states", b->n_states);
    if (st == CN_E_LIMIT && b->status)
        return cn_fail(err, st, "more than %u states", b->max_states);
    return st;
}
