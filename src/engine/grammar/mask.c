/* Masks: the tree of the vocabulary is walked together with the automaton. States from which
 * most of the tree can be walked (inside strings) are walked once with nothing known about what
 * is below them on the stack; the tokens that stay within the rule, and the nodes of the tree
 * at which the rule may be left, are kept. */
#include <string.h>

#include "compiler.h"
#include "constraint.h"
#include "mem.h"

#define NOWHERE UINT32_MAX
#define BY_MATCHER (UINT32_MAX - 1) /* the matcher has to take this step */

typedef struct walk {
    cn_constraint *c;
    matcher *m;
    uint32_t *mask;
    uint32_t limit;    /* tokens whose way to the end is longer are left out */
    uint32_t shortest; /* of all that were seen, left out or not */
    uint32_t visited;
    cached *into;  /* when a mask for the cache is made */
    uint32_t base; /* way to the end before, for that */
    bool overflow;
    place last; /* whose way to the end is last_dist: mostly it is asked again */
    uint32_t last_dist;
} walk;

static bool has_tokens(const walk *w, uint32_t node)
{
    const trie_node *k = &w->c->v->nodes[node];
    return k[0].tokens != k[1].tokens;
}

/* The tokens of a node from which the way to the end is `dist` long. */
static void take(walk *w, uint32_t node, uint32_t dist)
{
    const cn_vocab_trie *v = w->c->v;
    if (w->into) {
        w->into->dearest = CN_MAX(w->into->dearest, (int64_t)dist - w->base);
    } else {
        w->shortest = CN_MIN(w->shortest, dist);
        if (dist > w->limit) return;
    }
    for (uint32_t i = v->nodes[node].tokens; i < v->nodes[node + 1].tokens; i++)
        w->mask[v->ids[i] >> 5] |= 1u << (v->ids[i] & 31);
}

static void names_left(walk *w, uint32_t state)
{
    uint32_t n = w->m->a->states[state].names;
    if (n) w->into->fewest = CN_MIN(w->into->fewest, n);
}

static void take_set(walk *w, uint32_t node, pset s)
{
    if (!has_tokens(w, node)) return;
    if (w->into) { /* what leaves the rule is not for the cache */
        s.complete = false;
        if (!s.n) return;
        for (uint32_t i = 0; i < s.n; i++)
            names_left(w, w->m->places[s.from + i].state);
    }
    bool measured = w->into || w->limit != UINT32_MAX;
    take(w, node, measured ? matcher_set_dist(w->m, s) : 0);
}

static void take_one(walk *w, uint32_t node, const place *p)
{
    if (!has_tokens(w, node)) return;
    if (w->into) names_left(w, p->state);
    bool measured = w->into || w->limit != UINT32_MAX;
    const place *l = &w->last;
    if (measured && (p->state != l->state || p->reg != l->reg || p->frame != l->frame)) {
        w->last = *p;
        w->last_dist = matcher_dist(w->m, p);
    }
    take(w, node, measured ? w->last_dist : 0);
}

/* Steps that stay within plain bytes of one rule are most of every walk. */
static const row *row_of(cn_constraint *c, uint32_t state)
{
    const aut *a = &c->g->a;
    const aut_state *s = &a->states[state];
    row *r = &c->rows[state % ROWS];
    if (r->state == state) return r;
    r->state = state;
    r->key = s->flags & AUT_KEY;
    r->loop = s->loop != AUT_NONE;
    memset(r->to, 0xff, sizeof r->to);
    for (uint32_t i = s->edge; i < s->edge + s->n_edges; i++) {
        const aut_edge *e = &a->edges[i];
        const aut_state *to = &a->states[e->to];
        bool simple = !to->n_calls && !(to->flags & AUT_ACCEPT) &&
                      (!to->names || to->names == NAMES_MANY);
        for (unsigned b = e->lo; b <= e->hi; b++)
            r->to[b] = simple && r->to[b] == NOWHERE ? e->to : BY_MATCHER;
    }
    return r;
}

static void back(walk *w, match_mark to)
{
    if (w->m->n_places == to.places && w->m->n_frames == to.frames) return;
    matcher_back(w->m, to);
    w->last.state = AUT_NONE; /* its frame may be another one now */
}

/* `s` as a level: a single place is kept apart unless its depth has to be watched. */
static level level_of(const walk *w, pset s)
{
    level l = {.set = s, .mark = matcher_mark(w->m)};
    if (s.n != 1) return l;
    l.p = w->m->places[s.from];
    l.one = w->m->frames[l.p.frame].depth + w->c->cache->max_need <= w->c->g->a.max_depth;
    return l;
}

/* One node further. True when there is a way on from it. */
static bool step_set(walk *w, uint32_t node, pset s, level *to)
{
    pset next = matcher_step(w->m, s, w->c->v->nodes[node].byte);
    if (w->into && next.leaves) {
        if (w->into->n_leaves < CACHE_LEAVES)
            w->into->leaves[w->into->n_leaves++] = node;
        else
            w->overflow = true;
    }
    if (next.n || next.complete) take_set(w, node, next);
    if (next.n) *to = level_of(w, next);
    return next.n != 0;
}

static bool step_one(walk *w, uint32_t node, const level *from, level *to)
{
    uint8_t byte = w->c->v->nodes[node].byte;
    const row *r = row_of(w->c, from->p.state);
    uint32_t next = r->to[byte];
    if (next == NOWHERE) return false;
    if (next == BY_MATCHER) return step_set(w, node, matcher_put(w->m, from->p), to);
    if (r->loop && matcher_guarded(w->m, from->p.state, from->p.reg, byte)) return false;
    to->one = true;
    to->mark = from->mark;
    to->p = from->p;
    to->p.state = next;
    if (r->key) to->p.reg = match_hash(to->p.reg, byte);
    if (w->m->a->states[next].flags & AUT_INC) to->p.reg++;
    take_one(w, node, &to->p);
    return true;
}

/* Everything below `node`, where the set is `s`. */
static void below(walk *w, uint32_t node, pset s)
{
    const trie_node *tree = w->c->v->nodes;
    level *levels = w->c->levels;
    const level *top = &levels[tree[node].depth];
    levels[tree[node].depth] = level_of(w, s);
    for (uint32_t i = node + 1; i < tree[node].next;) {
        level *to = &levels[tree[i].depth];
        const level *from = to - 1;
        back(w, from->mark);
        w->visited++;
        bool on = from->one ? step_one(w, i, from, to) : step_set(w, i, from->set, to);
        i = on ? i + 1 : tree[i].next;
    }
    back(w, top->mark);
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

/* Walks from `p` with an unknown stack. What took long to walk is kept. NULL when there are too
 * many leaves. */
static const cached *mask_of(cn_constraint *c, const place *p, int kind)
{
    cached *s = &c->try;
    *s = (cached){
        .state = p->state, .kind = (uint32_t)kind, .mask = s->mask, .leaves = s->leaves};
    s->dearest = INT64_MIN;
    s->fewest = NAMES_MANY;
    memset(s->mask, 0, c->cache->words * 4u);
    match_mark mark = matcher_mark(&c->m);
    place q = *p;
    q.frame = MATCH_UNKNOWN;
    walk w = {.c = c, .m = &c->m, .mask = s->mask, .limit = UINT32_MAX, .into = s};
    w.last.state = AUT_NONE;
    w.base = matcher_dist(&c->m, &q);
    below(&w, 0, matcher_put(&c->m, q));
    matcher_back(&c->m, mark);
    if (w.overflow) return NULL;
    if (w.visited >= CACHE_WORTH) mask_cache_add(c->cache, s);
    return s;
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
        h = match_hash(h, bytes[--n]);
    return h;
}

/* The tokens of a kept mask, and those that leave the rule and go on below it. */
static void apply(walk *w, const cached *s, const place *p)
{
    cn_constraint *c = w->c;
    bool named = c->g->a.states[p->state].flags & AUT_KEY;
    uint32_t words = c->cache->words;
    for (uint32_t i = 0; i < words; i++)
        w->mask[i] |= s->mask[i];
    match_mark mark = matcher_mark(&c->m);
    pset after = {0};
    for (uint32_t i = 0; i < s->n_leaves; i++) {
        if (!i || named) {
            back(w, mark);
            place q = *p;
            q.reg = named ? name_hash(c, p, s->leaves[i]) : 0;
            after = matcher_return(&c->m, q);
        }
        if (!after.n && !after.complete) continue;
        take_set(w, s->leaves[i], after);
        if (after.n) below(w, s->leaves[i], after);
    }
    back(w, mark);
}

/* One place of the set. A token is allowed when any place allows it. */
static void from_place(walk *w, uint32_t index)
{
    cn_constraint *c = w->c;
    const place p = c->m.places[c->now.from + index];
    const frame *f = &c->m.frames[p.frame];
    int kind = loop_kind(c, &p);
    bool deep = f->depth + c->v->longest + c->cache->max_need > c->g->a.max_depth;
    bool can = kind >= 0 && !deep && !p.keys; /* names so far are not in the cache */
    const cached *s = can ? mask_cache_find(c->cache, p.state, (uint32_t)kind) : NULL;
    if (can && !s) s = mask_of(c, &p, kind);
    if (s && c->g->a.states[p.state].names && s->fewest <= matcher_names(&c->m, p.frame))
        s = NULL;
    int64_t dist = matcher_dist(&c->m, &p);
    if (s && (w->limit == UINT32_MAX || dist + s->dearest <= (int64_t)w->limit)) {
        apply(w, s, &p);
        return;
    }
    match_mark mark = matcher_mark(&c->m);
    below(w, 0, matcher_put(&c->m, p));
    back(w, mark);
}

static void walk_all(walk *w)
{
    memset(w->mask, 0, w->c->cache->words * 4u);
    for (uint32_t i = 0; i < w->c->now.n; i++)
        from_place(w, i);
}

void cn_constraint_mask(cn_constraint *c, size_t tokens_left, uint32_t *mask)
{
    walk w = {.c = c, .m = &c->m, .mask = mask, .limit = UINT32_MAX, .shortest = UINT32_MAX};
    w.last.state = AUT_NONE;
    cn_alloc_forbid();
    if (tokens_left < UINT32_MAX) w.limit = tokens_left ? (uint32_t)tokens_left - 1 : 0;
    walk_all(&w);
    bool any = c->now.complete;
    for (uint32_t i = 0; i < c->cache->words && !any; i++)
        any = mask[i] != 0;
    if (!any && w.shortest != UINT32_MAX) { /* no way in time: the shortest one */
        w.limit = w.shortest;
        walk_all(&w);
    }
    for (uint32_t i = 0; c->now.complete && i < c->v->n_ends; i++)
        mask[c->v->ends[i] >> 5] |= 1u << (c->v->ends[i] & 31);
    cn_alloc_permit();
}
