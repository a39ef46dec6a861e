/* Automata over code points: products, trimming, minimising. */
#include "cdfa.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "utf8.h"

static cdfa *make(gctx *c, uint32_t n, uint32_t k)
{
    cdfa *d = gctx_alloc(c, 1, sizeof *d);
    if (!d) return NULL;
    *d = (cdfa){.n = n, .k = k};
    d->lo = gctx_alloc(c, k, 4);
    d->next = gctx_alloc(c, (size_t)n * k, 4);
    d->final = gctx_alloc(c, n, 1);
    if (!d->lo || !d->next || !d->final) return NULL;
    memset(d->next, 0xff, (size_t)n * k * 4);
    return d;
}

/* Classes 0-D7FF, surrogates, the rest. */
static const uint32_t base_lo[3] = {0, 0xd800, 0xe000};

const cdfa *cdfa_all(gctx *c)
{
    cdfa *d = make(c, 1, 3);
    if (!d) return NULL;
    memcpy(d->lo, base_lo, sizeof base_lo);
    d->next[0] = d->next[2] = 0;
    d->final[0] = 1;
    return d;
}

const cdfa *cdfa_none(gctx *c)
{
    cdfa *d = make(c, 1, 3);
    if (d) memcpy(d->lo, base_lo, sizeof base_lo);
    return d;
}

const cdfa *cdfa_length(gctx *c, uint32_t min, uint32_t max, const char *ptr)
{
    bool open = max == UINT32_MAX;
    uint32_t n = open ? min : max;
    if (min > max) return cdfa_none(c);
    if (n >= CDFA_MAX_STATES) {
        gctx_fail(c, CN_E_UNSUPPORTED, ptr, "a length of %u together with other constraints",
                  n);
        return NULL;
    }
    cdfa *d = make(c, n + 1, 3);
    if (!d) return NULL;
    memcpy(d->lo, base_lo, sizeof base_lo);
    for (uint32_t i = 0; i <= n; i++) {
        d->final[i] = i >= min;
        if (i < n || open) d->next[i * 3] = d->next[i * 3 + 2] = i < n ? i + 1 : n;
    }
    return d;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t unique(uint32_t *v, uint32_t n)
{
    qsort(v, n, 4, by_value);
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!k || v[k - 1] != v[i]) v[k++] = v[i];
    return k;
}

static uint32_t class_of(const cdfa *d, uint32_t rune)
{
    uint32_t lo = 0, hi = d->k;
    while (hi - lo > 1) {
        uint32_t mid = (lo + hi) / 2;
        if (d->lo[mid] <= rune)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

const cdfa *cdfa_text(gctx *c, cn_str s)
{
    uint32_t *runes = gctx_alloc(c, s.n + 1, 4), n = 0;
    uint32_t *cuts = gctx_alloc(c, 2 * s.n + 3, 4), k = 3;
    if (!runes || !cuts) return NULL;
    memcpy(cuts, base_lo, sizeof base_lo);
    for (size_t i = 0; i < s.n;) {
        size_t len = cn_utf8_decode(s.p + i, s.n - i, &runes[n]);
        if (!len) return cdfa_none(c);
        i += len;
        cuts[k++] = runes[n];
        if (runes[n] < 0x10ffff) cuts[k++] = runes[n] + 1;
        n++;
    }
    k = unique(cuts, k);
    cdfa *d = make(c, n + 1, k);
    if (!d) return NULL;
    memcpy(d->lo, cuts, k * 4);
    for (uint32_t i = 0; i < n; i++)
        d->next[i * k + class_of(d, runes[i])] = i + 1;
    d->final[n] = 1;
    return d;
}

/* Pairs of states, numbered as they turn up. */
typedef struct pairs {
    uint32_t (*of)[2];
    uint32_t *slots, n, max, mask;
} pairs;

static uint32_t pair_number(pairs *p, uint32_t a, uint32_t b)
{
    uint32_t h = (a * 0x9e3779b1u) ^ (b * 0x85ebca6bu);
    h ^= h >> 15;
    for (;; h++) {
        uint32_t s = p->slots[h & p->mask];
        if (s == CDFA_DEAD) break;
        if (p->of[s][0] == a && p->of[s][1] == b) return s;
    }
    if (p->n >= p->max) return CDFA_DEAD;
    p->slots[h & p->mask] = p->n;
    p->of[p->n][0] = a;
    p->of[p->n][1] = b;
    return p->n++;
}

static bool in_op(const cdfa *a, uint32_t x, const cdfa *b, uint32_t y, cdfa_op op)
{
    unsigned fa = x != CDFA_DEAD && a->final[x], fb = y != CDFA_DEAD && b->final[y];
    return op >> (2 * fa + fb) & 1;
}

/* Whether a pair with one dead side can still lead anywhere. */
static bool hopeless(uint32_t x, uint32_t y, cdfa_op op)
{
    if (x == CDFA_DEAD && y == CDFA_DEAD) return true;
    if (x == CDFA_DEAD) return op != CDFA_OR;
    return y == CDFA_DEAD && op == CDFA_AND;
}

static bool product(gctx *c, pairs *p, const cdfa *a, const cdfa *b, cdfa_op op,
                    const uint32_t *cuts, uint32_t k, uint32_t **next, const char *ptr)
{
    uint32_t cap = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        if (!gctx_work(c, k)) return false;
        if (i >= cap) {
            cap = cap ? cap * 2 : 64;
            uint32_t *q = cn_realloc_array(*next, (size_t)cap * k, 4);
            if (!q) return gctx_fail(c, CN_E_NOMEM, ptr, "memory for an automaton");
            *next = q;
        }
        for (uint32_t j = 0; j < k; j++) {
            uint32_t x = p->of[i][0], y = p->of[i][1], *to = &(*next)[i * k + j];
            if (x != CDFA_DEAD) x = a->next[x * a->k + class_of(a, cuts[j])];
            if (y != CDFA_DEAD) y = b->next[y * b->k + class_of(b, cuts[j])];
            *to = CDFA_DEAD;
            if (hopeless(x, y, op)) continue;
            *to = pair_number(p, x, y);
            if (*to == CDFA_DEAD)
                return gctx_fail(c, CN_E_UNSUPPORTED, ptr,
                                 "needs an automaton of more than %d states", CDFA_MAX_STATES);
        }
    }
    return true;
}

const cdfa *cdfa_combine(gctx *c, const cdfa *a, const cdfa *b, cdfa_op op, const char *ptr)
{
    if (!a || !b) return NULL;
    uint32_t *cuts = gctx_alloc(c, a->k + b->k, 4);
    if (!cuts) return NULL;
    memcpy(cuts, a->lo, a->k * 4);
    memcpy(cuts + a->k, b->lo, b->k * 4);
    uint32_t k = unique(cuts, a->k + b->k), *next = NULL, size = 16;
    uint64_t all = ((uint64_t)a->n + 1) * (b->n + 1);
    pairs p = {.max = (uint32_t)CN_MIN(all, (uint64_t)CDFA_MAX_STATES)};
    const cdfa *result = NULL;
    while (size < 2 * p.max)
        size *= 2;
    p.mask = size - 1;
    p.of = cn_alloc_array(p.max, sizeof *p.of);
    p.slots = cn_alloc_array(size, 4);
    if (!p.of || !p.slots) {
        gctx_fail(c, CN_E_NOMEM, ptr, "memory for an automaton");
        goto done;
    }
    memset(p.slots, 0xff, (size_t)size * 4);
    pair_number(&p, 0, 0);
    if (!product(c, &p, a, b, op, cuts, k, &next, ptr)) goto done;
    cdfa *d = make(c, p.n, k);
    if (!d) goto done;
    memcpy(d->lo, cuts, k * 4);
    memcpy(d->next, next, (size_t)p.n * k * 4);
    for (uint32_t i = 0; i < p.n; i++)
        d->final[i] = in_op(a, p.of[i][0], b, p.of[i][1], op);
    result = cdfa_small(c, d);
done:
    cn_free(p.of);
    cn_free(p.slots);
    cn_free(next);
    return result;
}

const cdfa *cdfa_not(gctx *c, const cdfa *a, const char *ptr)
{
    return cdfa_combine(c, cdfa_all(c), a, CDFA_MINUS, ptr);
}

const cdfa *cdfa_then(gctx *c, const cdfa *a, const cdfa *b)
{
    if (!a || !b) return NULL;
    uint32_t *cuts = gctx_alloc(c, a->k + b->k, 4);
    if (!cuts) return NULL;
    memcpy(cuts, a->lo, a->k * 4);
    memcpy(cuts + a->k, b->lo, b->k * 4);
    uint32_t k = unique(cuts, a->k + b->k);
    cdfa *d = make(c, a->n + b->n, k);
    if (!d) return NULL;
    memcpy(d->lo, cuts, k * 4);
    for (uint32_t j = 0; j < k; j++) {
        uint32_t x = class_of(a, cuts[j]), y = class_of(b, cuts[j]);
        for (uint32_t i = 0; i < b->n; i++) {
            uint32_t to = b->next[i * b->k + y];
            d->next[(a->n + i) * k + j] = to == CDFA_DEAD ? to : a->n + to;
        }
        for (uint32_t i = 0; i < a->n; i++) {
            uint32_t to = a->next[i * a->k + x];
            if (to != CDFA_DEAD && a->final[to]) to = a->n;
            d->next[i * k + j] = to;
        }
    }
    memcpy(d->final + a->n, b->final, b->n);
    return d;
}

/* live[i]: state i reaches an end. */
static bool find_live(gctx *c, const cdfa *d, uint8_t *live)
{
    memcpy(live, d->final, d->n);
    for (bool again = true; again;) {
        again = false;
        if (!gctx_work(c, (uint64_t)d->n * 2)) return false;
        for (uint32_t i = d->n; i-- > 0;) {
            for (uint32_t j = 0; j < d->k && !live[i]; j++) {
                uint32_t to = d->next[i * d->k + j];
                if (to != CDFA_DEAD && live[to]) live[i] = again = 1;
            }
        }
    }
    return true;
}

/* Moore: split blocks until states of a block agree on where every class leads. Returns the
 * number of blocks; block[i] is CDFA_DEAD for states that cannot end. */
static uint32_t partition(gctx *c, const cdfa *d, const uint8_t *live, uint32_t *block)
{
    uint32_t n_blocks = 0, size = 4;
    while (size < d->n * 4)
        size *= 2;
    uint32_t *next_block = gctx_alloc(c, d->n, 4), *slots = gctx_alloc(c, size, 4);
    if (!next_block || !slots) return 0;
    for (uint32_t i = 0; i < d->n; i++)
        block[i] = live[i] ? d->final[i] : CDFA_DEAD;
    for (;;) {
        if (!gctx_work(c, (uint64_t)d->n * d->k / 4 + 1)) return 0;
        uint32_t n = 0;
        memset(slots, 0xff, (size_t)size * 4);
        for (uint32_t i = 0; i < d->n; i++) {
            next_block[i] = CDFA_DEAD;
            if (!live[i]) continue;
            uint32_t h = block[i] * 0x9e3779b1u;
            for (uint32_t j = 0; j < d->k; j++) {
                uint32_t to = d->next[i * d->k + j];
                h = (h ^ (to == CDFA_DEAD ? to : block[to])) * 0x85ebca6bu;
                h ^= h >> 13;
            }
            for (;; h++) {
                uint32_t o = slots[h & (size - 1)];
                bool same = o != CDFA_DEAD && block[o] == block[i];
                for (uint32_t j = 0; same && j < d->k; j++) {
                    uint32_t x = d->next[i * d->k + j], y = d->next[o * d->k + j];
                    x = x == CDFA_DEAD ? x : block[x];
                    y = y == CDFA_DEAD ? y : block[y];
                    same = x == y;
                }
                if (o == CDFA_DEAD) {
                    slots[h & (size - 1)] = i;
                    next_block[i] = n++;
                } else if (same) {
                    next_block[i] = next_block[o];
                }
                if (next_block[i] != CDFA_DEAD) break;
            }
        }
        memcpy(block, next_block, (size_t)d->n * 4);
        if (n == n_blocks) return n;
        n_blocks = n;
    }
}

/* Merges neighbouring classes that lead to the same places. */
static const cdfa *merge_classes(gctx *c, const cdfa *d)
{
    uint32_t *from = gctx_alloc(c, d->k, 4), k = 0;
    if (!from) return NULL;
    for (uint32_t j = 0; j < d->k; j++) {
        bool same = j > 0 && d->lo[j] != 0xd800 && d->lo[j] != 0xe000;
        for (uint32_t i = 0; same && i < d->n; i++)
            same = d->next[i * d->k + j] == d->next[i * d->k + j - 1];
        if (!same) from[k++] = j;
    }
    if (k == d->k) return d;
    cdfa *m = make(c, d->n, k);
    if (!m) return NULL;
    memcpy(m->final, d->final, d->n);
    for (uint32_t j = 0; j < k; j++) {
        m->lo[j] = d->lo[from[j]];
        for (uint32_t i = 0; i < d->n; i++)
            m->next[i * k + j] = d->next[i * d->k + from[j]];
    }
    return m;
}

const cdfa *cdfa_small(gctx *c, const cdfa *d)
{
    if (!d) return NULL;
    uint8_t *live = gctx_alloc(c, d->n, 1);
    uint32_t *block = gctx_alloc(c, d->n, 4);
    if (!live || !block || !find_live(c, d, live)) return NULL;
    if (!d->n || !live[0]) return cdfa_none(c);
    uint32_t n = 0;
    if (d->n <= 3000) {
        n = partition(c, d, live, block);
        if (!n) return NULL;
    } else {
        for (uint32_t i = 0; i < d->n; i++)
            block[i] = live[i] ? n++ : CDFA_DEAD;
    }
    cdfa *m = make(c, n, d->k);
    if (!m) return NULL;
    uint32_t first = block[0]; /* the start keeps number 0: swap it there */
    for (uint32_t i = 0; i < d->n; i++)
        if (block[i] != CDFA_DEAD)
            block[i] = block[i] == first ? 0 : block[i] == 0 ? first : block[i];
    memcpy(m->lo, d->lo, d->k * 4);
    for (uint32_t i = 0; i < d->n; i++) {
        if (block[i] == CDFA_DEAD) continue;
        m->final[block[i]] = d->final[i];
        for (uint32_t j = 0; j < d->k; j++) {
            uint32_t to = d->next[i * d->k + j];
            m->next[block[i] * d->k + j] = to == CDFA_DEAD ? to : block[to];
        }
    }
    return merge_classes(c, m);
}

bool cdfa_empty(const cdfa *d)
{
    for (uint32_t i = 0; d && i < d->n; i++)
        if (d->final[i]) return false; /* trimmed: every end can be reached */
    return true;
}

bool cdfa_accepts(const cdfa *d, cn_str s)
{
    uint32_t at = d->n ? 0 : CDFA_DEAD, rune;
    for (size_t i = 0; i < s.n && at != CDFA_DEAD;) {
        size_t len = cn_utf8_decode(s.p + i, s.n - i, &rune);
        if (!len) return false;
        i += len;
        at = d->next[at * d->k + class_of(d, rune)];
    }
    return at != CDFA_DEAD && d->final[at];
}
