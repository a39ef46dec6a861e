/* From the tree of a regular expression to an automaton: Thompson's construction, then sets of
 * its states. '^' and '$' are steps that may only be taken at the first and after the last
 * character. */
#include "regex.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "regex_priv.h"

typedef enum step { ST_SET, ST_FORK, ST_BEGIN, ST_END, ST_MATCH } step;

typedef struct place {
    step kind;
    const charset *set;
    uint32_t a, b; /* next; b for ST_FORK, UINT32_MAX without */
} place;

typedef struct nfa {
    gctx *c;
    const char *ptr;
    place *p;
    uint32_t n, cap;
    const charset **sets; /* those met, with bits of the classes that each covers */
} nfa;

static uint32_t add(nfa *m, step kind, const charset *set, uint32_t a, uint32_t b)
{
    if (m->c->status) return 0;
    if (m->n >= REGEX_MAX_NODES) {
        gctx_fail(m->c, CN_E_UNSUPPORTED, m->ptr,
                  "regular expression of more than %d steps when written out", REGEX_MAX_NODES);
        return 0;
    }
    if (m->n == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 64;
        place *p = cn_realloc_array(m->p, m->cap, sizeof *p);
        if (!p) {
            gctx_fail(m->c, CN_E_NOMEM, m->ptr, "memory for a regular expression");
            return 0;
        }
        m->p = p;
    }
    m->p[m->n] = (place){kind, set, a, b};
    return m->n++;
}

/* Places that match `r` and go on at `to`; returns the first. */
static uint32_t build(nfa *m, const rx *r, uint32_t to)
{
    if (m->c->status) return 0;
    switch (r->kind) {
    case RX_EMPTY:
        return to;
    case RX_SET:
        return add(m, ST_SET, &r->set, to, 0);
    case RX_CAT:
        return build(m, r->a, build(m, r->b, to));
    case RX_ALT: {
        uint32_t a = build(m, r->a, to), b = build(m, r->b, to);
        return add(m, ST_FORK, NULL, a, b);
    }
    case RX_BEGIN:
        return add(m, ST_BEGIN, NULL, to, 0);
    case RX_END:
        return add(m, ST_END, NULL, to, 0);
    case RX_REPEAT:
        break;
    }
    uint32_t at = to;
    if (r->max == UINT32_MAX) {
        at = add(m, ST_FORK, NULL, 0, to);
        uint32_t body = build(m, r->a, at);
        if (!m->c->status) m->p[at].a = body;
    } else {
        for (uint32_t i = r->min; i < r->max && !m->c->status; i++)
            at = add(m, ST_FORK, NULL, build(m, r->a, at), to);
    }
    for (uint32_t i = 0; i < r->min && !m->c->status; i++)
        at = build(m, r->a, at);
    return at;
}

/* Subset construction. A set is a sorted list of the places ST_SET in it; `matched` means that
 * the end was reached and everything may follow. */
typedef struct subset {
    uint32_t first, n;
    uint8_t matched, at_end; /* at_end: accepted if the text ends here */
} subset;

typedef struct dfa_work {
    nfa *m;
    uint32_t start;
    uint32_t *lo, k;
    uint8_t *covers; /* covers[place * k + class] for ST_SET */
    uint32_t *mark, stamp, *stack;
    uint32_t *list, n_list, cap_list;
    subset *sub;
    uint32_t n_sub, cap_sub, *slots, mask;
    uint32_t *tmp, n_tmp;
    bool matched, at_end;
} dfa_work;

/* Follows free steps from `from`; `begin`, `end`: which borders may be passed. */
static void close_from(dfa_work *w, uint32_t from, bool begin, bool end, bool collect)
{
    uint32_t n = 0;
    w->stack[n++] = from;
    while (n) {
        uint32_t at = w->stack[--n];
        const place *p = &w->m->p[at];
        if (w->mark[at] == w->stamp) continue;
        w->mark[at] = w->stamp;
        if (p->kind == ST_MATCH) {
            if (collect) w->matched = true;
            w->at_end = true;
        } else if (p->kind == ST_SET) {
            if (collect) w->tmp[w->n_tmp++] = at;
        } else if (p->kind == ST_FORK) {
            w->stack[n++] = p->a;
            w->stack[n++] = p->b;
        } else if (p->kind == ST_BEGIN ? begin : end) {
            w->stack[n++] = p->a;
        }
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool room(dfa_work *w)
{
    if (w->n_list + w->n_tmp > w->cap_list) {
        w->cap_list = (w->n_list + w->n_tmp) * 2 + 64;
        uint32_t *p = cn_realloc_array(w->list, w->cap_list, 4);
        if (!p) return false;
        w->list = p;
    }
    if (w->n_sub == w->cap_sub) {
        w->cap_sub = w->cap_sub ? w->cap_sub * 2 : 64;
        subset *p = cn_realloc_array(w->sub, w->cap_sub, sizeof *p);
        if (!p) return false;
        w->sub = p;
    }
    return true;
}

/* The number of the set in tmp. */
static uint32_t intern(dfa_work *w)
{
    if (w->matched) w->n_tmp = 0; /* everything may follow: one state for all of these */
    qsort(w->tmp, w->n_tmp, 4, by_number);
    uint32_t h = 2166136261u + w->matched + 2u * w->at_end;
    for (uint32_t i = 0; i < w->n_tmp; i++)
        h = (h ^ w->tmp[i]) * 16777619u;
    h ^= h >> 15;
    for (;; h++) {
        uint32_t s = w->slots[h & w->mask];
        if (s == CDFA_DEAD) break;
        const subset *o = &w->sub[s];
        if (o->n == w->n_tmp && o->matched == w->matched && o->at_end == w->at_end &&
            (!o->n || !memcmp(&w->list[o->first], w->tmp, o->n * 4)))
            return s;
    }
    if (w->n_sub >= CDFA_MAX_STATES) {
        gctx_fail(w->m->c, CN_E_UNSUPPORTED, w->m->ptr,
                  "regular expression needs more than %d states", CDFA_MAX_STATES);
        return CDFA_DEAD;
    }
    if (!room(w)) {
        gctx_fail(w->m->c, CN_E_NOMEM, w->m->ptr, "memory for a regular expression");
        return CDFA_DEAD;
    }
    w->slots[h & w->mask] = w->n_sub;
    w->sub[w->n_sub] = (subset){w->n_list, w->n_tmp, w->matched, w->at_end};
    if (w->n_tmp) memcpy(w->list + w->n_list, w->tmp, w->n_tmp * 4);
    w->n_list += w->n_tmp;
    return w->n_sub++;
}

static uint32_t initial(dfa_work *w)
{
    w->n_tmp = 0;
    w->matched = w->at_end = false;
    w->stamp++;
    close_from(w, w->start, true, false, true);
    w->stamp++;
    close_from(w, w->start, true, true, false);
    return intern(w);
}

static uint32_t successor(dfa_work *w, uint32_t s, uint32_t cls)
{
    w->n_tmp = 0;
    w->matched = w->at_end = w->sub[s].matched;
    if (w->matched) return intern(w);
    w->stamp++;
    for (uint32_t i = 0; i < w->sub[s].n; i++) {
        uint32_t at = w->list[w->sub[s].first + i];
        if (w->covers[(size_t)at * w->k + cls])
            close_from(w, w->m->p[at].a, false, false, true);
    }
    uint32_t stamp = ++w->stamp;
    for (uint32_t i = 0; i < w->sub[s].n && !w->at_end; i++) {
        uint32_t at = w->list[w->sub[s].first + i];
        if (w->covers[(size_t)at * w->k + cls])
            close_from(w, w->m->p[at].a, false, true, false);
    }
    w->stamp = stamp;
    if (!w->n_tmp && !w->at_end) return CDFA_DEAD;
    return intern(w);
}

/* Where classes of code points begin, over all sets; and which set covers which class. */
static bool find_classes(dfa_work *w)
{
    nfa *m = w->m;
    uint32_t n = 3;
    for (uint32_t i = 0; i < m->n; i++)
        if (m->p[i].kind == ST_SET) n += 2 * m->p[i].set->n;
    w->lo = cn_alloc_array(n, 4);
    if (!w->lo) return false;
    w->lo[0] = 0, w->lo[1] = 0xd800, w->lo[2] = 0xe000, n = 3;
    for (uint32_t i = 0; i < m->n; i++) {
        const charset *s = m->p[i].set;
        for (uint32_t j = 0; m->p[i].kind == ST_SET && j < s->n; j++) {
            w->lo[n++] = s->r[j][0];
            if (s->r[j][1] < 0x10ffff) w->lo[n++] = s->r[j][1] + 1;
        }
    }
    qsort(w->lo, n, 4, by_number);
    for (uint32_t i = 0; i < n; i++)
        if (!i || w->lo[w->k - 1] != w->lo[i]) w->lo[w->k++] = w->lo[i];
    w->covers = cn_alloc_array((size_t)m->n * w->k, 1);
    if (!w->covers || !gctx_work(m->c, (uint64_t)m->n * w->k / 16)) return false;
    for (uint32_t i = 0; i < m->n; i++) {
        const charset *s = m->p[i].set;
        if (m->p[i].kind != ST_SET) continue;
        for (uint32_t j = 0, cls = 0; cls < w->k; cls++) {
            while (j < s->n && s->r[j][1] < w->lo[cls])
                j++;
            w->covers[(size_t)i * w->k + cls] =
                w->lo[cls] != 0xd800 && j < s->n && s->r[j][0] <= w->lo[cls];
        }
    }
    return true;
}

static const cdfa *determinise(gctx *c, dfa_work *w)
{
    uint32_t *next = NULL, cap = 0;
    const cdfa *result = NULL;
    initial(w);
    for (uint32_t i = 0; i < w->n_sub && !c->status; i++) {
        if (i >= cap) {
            cap = cap ? cap * 2 : 64;
            uint32_t *q = cn_realloc_array(next, (size_t)cap * w->k, 4);
            if (!q) {
                gctx_fail(c, CN_E_NOMEM, w->m->ptr, "memory for a regular expression");
                break;
            }
            next = q;
        }
        if (!gctx_work(c, (uint64_t)w->k * (w->sub[i].n + 1))) break;
        for (uint32_t j = 0; j < w->k; j++)
            next[i * w->k + j] = w->lo[j] == 0xd800 ? CDFA_DEAD : successor(w, i, j);
    }
    cdfa *d = gctx_alloc(c, 1, sizeof *d);
    if (!d) goto done;
    *d = (cdfa){.n = w->n_sub, .k = w->k};
    d->lo = gctx_alloc(c, d->k, 4);
    d->next = gctx_alloc(c, (size_t)d->n * d->k, 4);
    d->final = gctx_alloc(c, d->n, 1);
    if (!d->lo || !d->next || !d->final) goto done;
    memcpy(d->lo, w->lo, d->k * 4);
    memcpy(d->next, next, (size_t)d->n * d->k * 4);
    for (uint32_t i = 0; i < d->n; i++)
        d->final[i] = w->sub[i].matched || w->sub[i].at_end;
    result = cdfa_small(c, d);
done:
    cn_free(next);
    return result;
}

const cdfa *regex_compile(gctx *c, cn_str pattern, const char *ptr)
{
    nfa m = {.c = c, .ptr = ptr};
    dfa_work w = {.m = &m, .mask = (1 << 17) - 1};
    const cdfa *result = NULL;
    const rx *tree = regex_parse(c, pattern, ptr);
    charset any = {0};
    if (!tree || !charset_normalise(c, &any, true)) return NULL;
    uint32_t match = add(&m, ST_MATCH, NULL, 0, 0), loop = add(&m, ST_FORK, NULL, 0, 0);
    uint32_t skip = add(&m, ST_SET, &any, loop, 0), body = build(&m, tree, match);
    if (c->status) goto done;
    m.p[loop].a = skip; /* anything, or the match begins */
    m.p[loop].b = body;
    w.start = loop;
    w.mark = cn_alloc_array(m.n, 4);
    w.stack = cn_alloc_array(2 * (size_t)m.n + 2, 4);
    w.tmp = cn_alloc_array(m.n, 4);
    w.slots = cn_alloc_array((size_t)w.mask + 1, 4);
    if (!w.mark || !w.stack || !w.tmp || !w.slots || !find_classes(&w)) {
        gctx_fail(c, CN_E_NOMEM, ptr, "memory for a regular expression");
        goto done;
    }
    memset(w.slots, 0xff, ((size_t)w.mask + 1) * 4);
    result = determinise(c, &w);
done:
    cn_free(m.p);
    cn_free(w.lo);
    cn_free(w.covers);
    cn_free(w.mark);
    cn_free(w.stack);
    cn_free(w.tmp);
    cn_free(w.list);
    cn_free(w.sub);
    cn_free(w.slots);
    return result;
}
