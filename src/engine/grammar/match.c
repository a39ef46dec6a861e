/* The matcher. */
#include "match.h"

#include <string.h>

#include "compiler.h"
#include "mem.h"

#define NAME (AUT_NONE - 1) /* frame.ret of a name in a list */
#define NO_FRAME UINT32_MAX

bool matcher_init(matcher *m, const aut *a, uint32_t cap_frames, uint32_t cap_places)
{
    uint32_t buckets = 64;
    while (buckets < cap_frames)
        buckets *= 2;
    *m = (matcher){.a = a, .dist = a->dist, .cap_frames = cap_frames, .cap_places = cap_places};
    m->mask = buckets - 1;
    m->frames = cn_alloc_array(cap_frames, sizeof *m->frames);
    m->buckets = cn_alloc_array(buckets, 4);
    m->places = cn_alloc_array(cap_places, sizeof *m->places);
    m->renumber = cn_alloc_array(cap_frames, 4);
    if (m->frames && m->buckets && m->places && m->renumber) return true;
    matcher_deinit(m);
    return false;
}

void matcher_deinit(matcher *m)
{
    cn_free(m->frames);
    cn_free(m->buckets);
    cn_free(m->places);
    cn_free(m->renumber);
    *m = (matcher){0};
}

static uint32_t bucket(const matcher *m, const frame *f)
{
    uint64_t h = f->ret * 0x9e3779b97f4a7c15u ^ f->parent * 0xc2b2ae3d27d4eb4fu;
    h = (h ^ f->reg ^ f->keys) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32) & m->mask;
}

/* The number of this frame, an old one where it is already there. */
static uint32_t intern(matcher *m, frame f)
{
    uint32_t *head = &m->buckets[bucket(m, &f)];
    for (uint32_t i = *head; i != NO_FRAME; i = m->frames[i].chain) {
        const frame *o = &m->frames[i];
        if (o->ret == f.ret && o->parent == f.parent && o->reg == f.reg && o->keys == f.keys)
            return i;
    }
    if (m->n_frames == m->cap_frames) return NO_FRAME;
    f.chain = *head;
    m->frames[m->n_frames] = f;
    return *head = m->n_frames++;
}

match_mark matcher_mark(const matcher *m)
{
    return (match_mark){m->n_frames, m->n_places};
}

void matcher_back(matcher *m, match_mark mark)
{
    while (m->n_frames > mark.frames) { /* newest first: each is the head of its chain */
        const frame *f = &m->frames[--m->n_frames];
        m->buckets[bucket(m, f)] = f->chain;
    }
    m->n_places = mark.places;
}

static uint32_t plus(uint32_t a, uint32_t b)
{
    return a + b < a ? UINT32_MAX : a + b;
}

static uint32_t state_dist(const matcher *m, uint32_t state, uint64_t reg)
{
    return plus(m->dist[state], aut_owed(m->a, m->dist, state, reg));
}

uint32_t matcher_dist(const matcher *m, const place *p)
{
    return plus(state_dist(m, p->state, p->reg), m->frames[p->frame].dist);
}

uint32_t matcher_set_dist(const matcher *m, pset s)
{
    uint32_t best = s.complete ? 0 : UINT32_MAX;
    for (uint32_t i = 0; i < s.n && best; i++)
        best = CN_MIN(best, matcher_dist(m, &m->places[s.from + i]));
    return best;
}

static bool knows(const matcher *m, uint32_t keys, uint64_t hash)
{
    for (; keys; keys = m->frames[keys].parent)
        if (m->frames[keys].reg == hash) return true;
    return false;
}

/* Does `state`, within a name, lead to one that is not in the list? There are few. */
static bool leads_to_new(const matcher *m, uint32_t state, uint64_t hash, uint32_t keys)
{
    const aut_state *s = &m->a->states[state];
    if (!(s->flags & AUT_KEY)) return !knows(m, keys, hash);
    for (uint32_t i = s->edge; i < s->edge + s->n_edges; i++) {
        const aut_edge *e = &m->a->edges[i];
        for (unsigned b = e->lo; b <= e->hi; b++)
            if (leads_to_new(m, e->to, match_hash(hash, (uint8_t)b), keys)) return true;
    }
    return false;
}

uint32_t matcher_names(const matcher *m, uint32_t f)
{
    return m->frames[m->frames[f].keys].depth;
}

/* Only names that the object has already could follow. */
static bool run_out(const matcher *m, const place *p)
{
    uint32_t left = m->a->states[p->state].names;
    if (!left || left == NAMES_MANY || p->frame <= MATCH_UNKNOWN) return false;
    if (left > matcher_names(m, p->frame)) return false;
    return !leads_to_new(m, p->state, p->reg, m->frames[p->frame].keys);
}

/* Adds a place to the set under way unless it is there, would go too deep, or there is no room.
 */
static void enter(matcher *m, pset *s, place p)
{
    const aut_state *st = &m->a->states[p.state];
    if (st->flags & AUT_INC) p.reg++;
    if (m->frames[p.frame].depth + st->need > m->a->max_depth || run_out(m, &p)) return;
    for (uint32_t i = 0; i < s->n; i++) {
        const place *o = &m->places[s->from + i];
        if (o->state == p.state && o->frame == p.frame && o->reg == p.reg && o->keys == p.keys)
            return;
    }
    if (s->n == MATCH_MAX_SET || s->from + s->n == m->cap_places) return;
    m->places[s->from + s->n++] = p;
}

static void leave(matcher *m, pset *s, const place *p)
{
    if (p->frame == MATCH_ROOT) {
        s->complete = true;
        return;
    }
    if (p->frame == MATCH_UNKNOWN) {
        s->leaves = true;
        m->key_reg = p->reg;
        return;
    }
    const frame f = m->frames[p->frame];
    place to = {f.ret, f.parent, f.keys, f.reg};
    if (m->a->states[f.ret].flags & AUT_KEYEND) {
        if (knows(m, f.keys, p->reg)) return;
        to.keys = intern(m, (frame){.ret = NAME,
                                    .parent = f.keys,
                                    .reg = p->reg,
                                    .depth = m->frames[f.keys].depth + 1});
        if (to.keys == NO_FRAME) return;
    }
    enter(m, s, to);
}

static void call(matcher *m, pset *s, const place *p, const aut_call *k)
{
    if (k->start == AUT_NONE) {
        place to = *p;
        to.state = k->ret;
        enter(m, s, to);
        return;
    }
    const aut_state *ret = &m->a->states[k->ret];
    place to = {k->start, p->frame, 0, 0};
    /* A call at the very end of a rule needs no frame. */
    if (ret->n_edges || ret->n_calls || !(ret->flags & AUT_ACCEPT) ||
        p->frame == MATCH_UNKNOWN) {
        const frame *below = &m->frames[p->frame];
        if (below->depth + ret->need > m->a->max_depth) return;
        uint64_t reg = p->reg + ((ret->flags & AUT_INC) != 0);
        uint32_t dist = plus(state_dist(m, k->ret, reg), below->dist);
        frame f = {.ret = k->ret, .parent = p->frame, .keys = p->keys, .reg = p->reg};
        f.depth = below->depth + 1;
        f.dist = dist;
        if (f.depth + m->a->states[k->start].need > m->a->max_depth) return;
        to.frame = intern(m, f);
        if (to.frame == NO_FRAME) return;
    }
    enter(m, s, to);
}

/* Follows calls and ends of rules from places `from` on; keeps those that read bytes. */
static void close_set(matcher *m, pset *s)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        place p = m->places[s->from + i];
        const aut_state *st = &m->a->states[p.state];
        if (st->flags & AUT_ACCEPT) leave(m, s, &p);
        for (uint32_t c = 0; c < st->n_calls; c++)
            call(m, s, &p, &m->a->calls[st->call + c]);
    }
    for (uint32_t i = 0; i < s->n; i++) {
        place p = m->places[s->from + i];
        if (m->a->states[p.state].n_edges) m->places[s->from + kept++] = p;
    }
    s->n = kept;
    m->n_places = s->from + kept;
}

pset matcher_put(matcher *m, place p)
{
    pset s = {.from = m->n_places};
    if (s.from == m->cap_places) return s;
    m->places[s.from] = p;
    s.n = 1;
    m->n_places++;
    return s;
}

pset matcher_start(matcher *m)
{
    memset(m->buckets, 0xff, ((size_t)m->mask + 1) * 4);
    m->frames[MATCH_ROOT] = (frame){.ret = NAME, .parent = NO_FRAME};
    m->frames[MATCH_UNKNOWN] = (frame){.ret = NAME, .parent = NO_FRAME, .keys = 1};
    m->n_frames = 2;
    m->n_places = 0;
    pset s = {0};
    enter(m, &s, (place){.state = m->a->root});
    close_set(m, &s);
    return s;
}

pset matcher_return(matcher *m, place p)
{
    pset s = {.from = m->n_places};
    leave(m, &s, &p);
    close_set(m, &s);
    return s;
}

bool matcher_guarded(const matcher *m, uint32_t state, uint64_t reg, uint8_t byte)
{
    const aut_state *st = &m->a->states[state];
    if (st->loop == AUT_NONE || st->flags & AUT_INSIDE) return false;
    const aut_loop *l = &m->a->loops[st->loop];
    if (byte == l->exit) return reg < l->min;
    return (l->cont ? byte == l->cont : true) && reg >= l->max;
}

pset matcher_step(matcher *m, pset s, uint8_t byte)
{
    pset out = {.from = m->n_places};
    bool plain = true;
    for (uint32_t i = 0; i < s.n; i++) {
        place p = m->places[s.from + i];
        const aut_state *st = &m->a->states[p.state];
        const aut_edge *e = &m->a->edges[st->edge], *end = e + st->n_edges;
        if (matcher_guarded(m, p.state, p.reg, byte)) continue;
        for (; e < end && e->lo <= byte; e++) {
            if (byte > e->hi) continue;
            const aut_state *to = &m->a->states[e->to];
            place next = p;
            next.state = e->to;
            if (st->flags & AUT_KEY) next.reg = match_hash(next.reg, byte);
            plain &= !to->n_calls && !(to->flags & AUT_ACCEPT);
            enter(m, &out, next);
        }
    }
    if (plain)
        m->n_places = out.from + out.n;
    else
        close_set(m, &out);
    return out;
}

pset matcher_keep(matcher *m, pset s)
{
    memmove(m->places, m->places + s.from, s.n * sizeof *m->places);
    s.from = 0;
    m->n_places = s.n;
    if (m->n_frames < m->cap_frames / 2) return s;
    /* Mark what is in use, then slide down: a frame's parent and names come before it. */
    for (uint32_t i = 0; i < m->n_frames; i++)
        m->frames[i].chain = i < 2;
    for (uint32_t i = 0; i < s.n; i++)
        m->frames[m->places[i].frame].chain = m->frames[m->places[i].keys].chain = 1;
    for (uint32_t i = m->n_frames; i-- > 2;) {
        frame *f = &m->frames[i];
        if (f->chain) m->frames[f->parent].chain = m->frames[f->keys].chain = 1;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_frames; i++) {
        if (!m->frames[i].chain) continue;
        frame f = m->frames[i];
        if (i >= 2) {
            f.parent = m->renumber[f.parent];
            f.keys = m->renumber[f.keys];
        }
        m->renumber[i] = n;
        m->frames[n++] = f;
    }
    for (uint32_t i = 0; i < s.n; i++) {
        m->places[i].frame = m->renumber[m->places[i].frame];
        m->places[i].keys = m->renumber[m->places[i].keys];
    }
    m->n_frames = n;
    memset(m->buckets, 0xff, ((size_t)m->mask + 1) * 4);
    for (uint32_t i = 2; i < n; i++) {
        uint32_t *head = &m->buckets[bucket(m, &m->frames[i])];
        m->frames[i].chain = *head;
        *head = i;
    }
    return s;
}
