/* Masks: the tree of the vocabulary is walked together with the automaton. States from which
 * most of the tree can be walked (inside strings) are walked once with nothing known about what
 * is below them on the stack; the tokens that stay within the rule, and the nodes of the tree
 * at which the rule may be left, are kept. */
#include <string.h>

#include "compiler.h"
#include "constraint.h"
#include "mem.h"

typedef struct walk {
    cn_constraint *c;
    matcher *m;
    uint32_t *mask;
    uint32_t limit;    /* tokens whose way to the end is longer are left out */
    uint32_t shortest; /* of all that were seen, left out or not */
    uint32_t visited;
    cached *into;  /* when a slot is filled */
    uint32_t base; /* way to the end before, for the slot */
    bool overflow;
} walk;

static void take(walk *w, uint32_t node, pset s)
{
    const cn_vocab_trie *v = w->c->v;
    uint32_t from = v->nodes[node].tokens, to = v->nodes[node + 1].tokens;
    if (from == to) return;
    if (w->into) {
        if (!s.n) return;
        uint32_t dist = UINT32_MAX;
        for (uint32_t i = 0; i < s.n; i++)
            dist = CN_MIN(dist, matcher_dist(w->m, &w->m->places[s.from + i]));
        w->into->dearest = CN_MAX(w->into->dearest, (int64_t)dist - w->base);
    } else if (w->limit != UINT32_MAX) {
        uint32_t dist = matcher_set_dist(w->m, s);
        w->shortest = CN_MIN(w->shortest, dist);
        if (dist > w->limit) return;
    }
    for (uint32_t i = from; i < to; i++)
        w->mask[v->ids[i] >> 5] |= 1u << (v->ids[i] & 31);
}

/* The next state when `p` alone is in the set, stays within plain bytes of its rule, and
 * nothing has to be counted, hashed or measured: most of every walk. AUT_NONE otherwise; *dead
 * when the byte leads nowhere. */
static uint32_t plain_step(const aut *a, uint32_t state, uint8_t byte, bool *dead)
{
    const aut_state *s = &a->states[state];
    if (s->loop != AUT_NONE || s->flags & AUT_KEY) return AUT_NONE;
    uint32_t lo = s->edge, hi = lo + s->n_edges;
    while (lo < hi) { /* the last edge that begins at or before the byte */
        uint32_t mid = (lo + hi) / 2;
        if (a->edges[mid].lo <= byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    *dead = lo == s->edge;
    if (*dead) return AUT_NONE;
    const aut_edge *e = &a->edges[lo - 1];
    *dead = s->plain && byte > e->hi;
    if (!s->plain || *dead) return AUT_NONE;
    const aut_state *to = &a->states[e->to];
    bool simple = to->loop == AUT_NONE && !to->n_calls && !(to->flags & AUT_ACCEPT);
    return simple && byte <= e->hi ? e->to : AUT_NONE;
}

static pset step(walk *w, pset s, uint8_t byte)
{
    matcher *m = w->m;
    bool dead = false;
    if (s.n != 1) return matcher_step(m, s, byte);
    place p = m->places[s.from];
    uint32_t to = plain_step(m->a, p.state, byte, &dead);
    if (dead) return (pset){.from = m->n_places};
    const aut_state *t = &m->a->states[to];
    if (to == AUT_NONE || m->frames[p.frame].depth + t->need > m->a->max_depth)
        return matcher_step(m, s, byte);
    p.state = to;
    return matcher_put(m, p);
}

/* Everything below `node`, where the set is `s`. */
static void below(walk *w, uint32_t node, pset s)
{
    const cn_vocab_trie *v = w->c->v;
    pset sets[TRIE_MAX_TOKEN + 1];
    match_mark marks[TRIE_MAX_TOKEN + 1];
    uint32_t end = v->nodes[node].next, depth = v->nodes[node].depth, top = depth;
    sets[depth] = s;
    marks[depth] = matcher_mark(w->m);
    for (uint32_t i = node + 1; i < end;) {
        const trie_node *k = &v->nodes[i];
        if (k->depth <= top) {
            top = k->depth - 1u;
            matcher_back(w->m, marks[top]);
        }
        w->visited++;
        pset next = step(w, sets[top], k->byte);
        if (w->into && next.leaves) {
            if (w->into->n_leaves < CACHE_LEAVES)
                w->into->leaves[w->into->n_leaves++] = i;
            else
                w->overflow = true;
        }
        if (!next.n && !next.complete) {
            matcher_back(w->m, marks[top]);
            i = k->next;
            continue;
        }
        take(w, i, next);
        if (!next.n) {
            matcher_back(w->m, marks[top]);
            i = k->next;
            continue;
        }
        top = k->depth;
        sets[top] = next;
        marks[top] = matcher_mark(w->m);
        i++;
    }
    matcher_back(w->m, marks[depth]);
}

/* Whether a loop's limits are out of reach within one token, so that all such counts are alike:
 * 0 no loop, 1 between the limits, 2 below the least; -1 near a limit. */
static int loop_kind(const cn_constraint *c, const place *p)
{
    const aut_state *st = &c->g->a.states[p->state];
    if (st->loop == AUT_NONE) return 0;
    const aut_loop *l = &c->g->a.loops[st->loop];
    uint64_t reach = p->reg + c->v->longest + 1;
    if (reach >= l->max) return -1;
    return p->reg >= l->min ? 1 : reach < l->min ? 2 : -1;
}

static cached *find_slot(cn_constraint *c, const place *p, int kind)
{
    for (uint32_t i = 0; i < CACHE_SLOTS; i++)
        if (c->slots[i].state == p->state && c->slots[i].kind == (uint32_t)kind)
            return &c->slots[i];
    return NULL;
}

/* Walks from `p` with an unknown stack into the last slot. What took long to walk then takes
 * the place of the slot that was not used for longest. NULL when there are too many leaves. */
static cached *fill_slot(cn_constraint *c, const place *p, int kind)
{
    cached *s = &c->slots[CACHE_SLOTS], *oldest = c->slots;
    *s = (cached){.state = AUT_NONE, .mask = s->mask, .leaves = s->leaves};
    s->dearest = INT64_MIN;
    memset(s->mask, 0, c->words * 4u);
    match_mark mark = matcher_mark(&c->m);
    place q = *p;
    q.frame = MATCH_UNKNOWN;
    walk w = {.c = c, .m = &c->m, .mask = s->mask, .limit = UINT32_MAX, .into = s};
    w.base = matcher_dist(&c->m, &q);
    below(&w, 0, matcher_put(&c->m, q));
    matcher_back(&c->m, mark);
    if (w.overflow) return NULL;
    if (w.visited < CACHE_WORTH) return s;
    for (uint32_t i = 1; i < CACHE_SLOTS; i++)
        if (c->slots[i].used < oldest->used) oldest = &c->slots[i];
    cached full = *s;
    *s = *oldest;
    *oldest = full;
    oldest->state = p->state;
    oldest->kind = (uint32_t)kind;
    return oldest;
}

/* The hash of a name that ends at `node`, begun before the token. */
static uint64_t name_hash(const cn_constraint *c, const place *p, uint32_t node)
{
    uint8_t bytes[TRIE_MAX_TOKEN];
    uint32_t n = 0;
    uint64_t h = p->reg;
    for (; node; node = c->v->nodes[node].parent)
        bytes[n++] = c->v->nodes[node].byte;
    while (n)
        h = h * 0x9e3779b97f4a7c15u + bytes[--n] + 1;
    return h;
}

/* The tokens of a slot, and those that leave the rule and go on below it. */
static void apply_slot(walk *w, cached *s, const place *p)
{
    cn_constraint *c = w->c;
    bool named = c->g->a.states[p->state].flags & AUT_KEY;
    s->used = ++c->clock;
    for (uint32_t i = 0; i < c->words; i++)
        w->mask[i] |= s->mask[i];
    match_mark mark = matcher_mark(&c->m);
    pset after = {0};
    for (uint32_t i = 0; i < s->n_leaves; i++) {
        if (!i || named) {
            matcher_back(&c->m, mark);
            place q = *p;
            q.reg = named ? name_hash(c, p, s->leaves[i]) : 0;
            after = matcher_return(&c->m, q);
        }
        if (!after.n && !after.complete) continue;
        take(w, s->leaves[i], after);
        if (after.n) below(w, s->leaves[i], after);
    }
    matcher_back(&c->m, mark);
}

/* One place of the set. A token is allowed when any place allows it. */
static void from_place(walk *w, uint32_t index)
{
    cn_constraint *c = w->c;
    const place p = c->m.places[c->now.from + index];
    const frame *f = &c->m.frames[p.frame];
    int kind = loop_kind(c, &p);
    bool deep = f->depth + c->v->longest + c->max_need > c->g->a.max_depth;
    bool can = kind >= 0 && !deep && !p.keys; /* names so far are not in the cache */
    cached *s = can ? find_slot(c, &p, kind) : NULL;
    if (can && !s) s = fill_slot(c, &p, kind);
    int64_t dist = matcher_dist(&c->m, &p);
    if (s && (w->limit == UINT32_MAX || dist + s->dearest <= (int64_t)w->limit)) {
        apply_slot(w, s, &p);
        return;
    }
    match_mark mark = matcher_mark(&c->m);
    below(w, 0, matcher_put(&c->m, p));
    matcher_back(&c->m, mark);
}

static void walk_all(walk *w)
{
    memset(w->mask, 0, w->c->words * 4u);
    for (uint32_t i = 0; i < w->c->now.n; i++)
        from_place(w, i);
}

void cn_constraint_mask(cn_constraint *c, size_t tokens_left, uint32_t *mask)
{
    walk w = {.c = c, .m = &c->m, .mask = mask, .limit = UINT32_MAX, .shortest = UINT32_MAX};
    cn_alloc_forbid();
    if (tokens_left < UINT32_MAX) w.limit = tokens_left ? (uint32_t)tokens_left - 1 : 0;
    walk_all(&w);
    bool any = c->now.complete;
    for (uint32_t i = 0; i < c->words && !any; i++)
        any = mask[i] != 0;
    if (!any && w.shortest != UINT32_MAX) { /* no way in time: the shortest one */
        w.limit = w.shortest;
        walk_all(&w);
    }
    for (uint32_t i = 0; c->now.complete && i < c->v->n_ends; i++)
        mask[c->v->ends[i] >> 5] |= 1u << (c->v->ends[i] & 31);
    cn_alloc_permit();
}
