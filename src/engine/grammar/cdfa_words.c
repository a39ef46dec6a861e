/* Which words an automaton over code points has: all of them when they are few, their lengths.
 */
#include <stdlib.h>
#include <string.h>

#include "cdfa.h"
#include "utf8.h"

typedef struct walk {
    gctx *c;
    const cdfa *d;
    cn_str *words;
    size_t n, max;
    char text[512];
} walk;

static bool words_from(walk *w, uint32_t state, size_t len)
{
    const cdfa *d = w->d;
    if (d->final[state]) {
        if (w->n == w->max) return false;
        cn_str s = cn_arena_str(&w->c->arena, (cn_str){w->text, len});
        if (!s.p) return gctx_fail(w->c, CN_E_NOMEM, "", "memory for words");
        w->words[w->n++] = s;
    }
    for (uint32_t j = 0; j < d->k; j++) {
        uint32_t to = d->next[state * d->k + j], hi = cdfa_hi(d, j);
        if (to == CDFA_DEAD) continue;
        if (hi - d->lo[j] >= w->max || len + 4 > sizeof w->text) return false;
        for (uint32_t r = d->lo[j]; r <= hi; r++)
            if (!words_from(w, to, len + cn_utf8_encode(r, w->text + len))) return false;
    }
    return true;
}

size_t cdfa_words(gctx *c, const cdfa *d, cn_str *words, size_t max)
{
    walk w = {.c = c, .d = d, .words = words, .max = max};
    uint32_t shortest, longest;
    if (!d || !cdfa_lengths(c, d, &shortest, &longest)) return 0;
    if (longest > 100 || !words_from(&w, 0, 0)) return SIZE_MAX;
    return w.n;
}

/* Longest way from each state by depth-first search; a cycle means no bound. */
static uint32_t longest_from(gctx *c, const cdfa *d, uint32_t *best, uint32_t s, unsigned depth)
{
    enum { BUSY = UINT32_MAX - 1, NEW = UINT32_MAX - 2 };
    if (best[s] == BUSY || depth > 5000) return UINT32_MAX;
    if (best[s] != NEW) return best[s];
    best[s] = BUSY;
    uint32_t len = 0;
    for (uint32_t j = 0; j < d->k; j++) {
        uint32_t to = d->next[s * d->k + j];
        if (to == CDFA_DEAD) continue;
        uint32_t l = longest_from(c, d, best, to, depth + 1);
        if (l == UINT32_MAX) return l;
        len = CN_MAX(len, l + 1);
    }
    return best[s] = len;
}

bool cdfa_lengths(gctx *c, const cdfa *d, uint32_t *shortest, uint32_t *longest)
{
    if (cdfa_empty(d)) return false;
    uint32_t *dist = gctx_alloc(c, d->n, 4), *queue = gctx_alloc(c, d->n, 4), n = 0;
    if (!dist || !queue) return false;
    memset(dist, 0xff, d->n * 4);
    dist[0] = 0;
    queue[n++] = 0;
    *shortest = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = queue[i];
        if (d->final[s]) *shortest = CN_MIN(*shortest, dist[s]);
        for (uint32_t j = 0; j < d->k; j++) {
            uint32_t to = d->next[s * d->k + j];
            if (to == CDFA_DEAD || dist[to] != UINT32_MAX) continue;
            dist[to] = dist[s] + 1;
            queue[n++] = to;
        }
    }
    for (uint32_t i = 0; i < d->n; i++)
        dist[i] = UINT32_MAX - 2;
    *longest = longest_from(c, d, dist, 0, 0);
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

const cdfa *cdfa_texts(gctx *c, const cn_str *at, uint32_t n)
{
    size_t total = 0, n_cuts = 3;
    for (uint32_t i = 0; i < n; i++)
        total += at[i].n;
    uint32_t *cuts = gctx_alloc(c, 2 * total + 3, 4), k = 0, rune;
    cdfa *d = gctx_alloc(c, 1, sizeof *d);
    if (!cuts || !d) return NULL;
    cuts[0] = 0, cuts[1] = 0xd800, cuts[2] = 0xe000;
    for (uint32_t i = 0; i < n; i++) {
        for (size_t j = 0, len; j < at[i].n; j += len) {
            len = cn_utf8_decode(at[i].p + j, at[i].n - j, &rune);
            if (!len) return NULL;
            cuts[n_cuts++] = rune;
            if (rune < 0x10ffff) cuts[n_cuts++] = rune + 1;
        }
    }
    qsort(cuts, n_cuts, 4, by_value);
    for (size_t i = 0; i < n_cuts; i++)
        if (!k || cuts[k - 1] != cuts[i]) cuts[k++] = cuts[i];
    if (!gctx_work(c, total * k / 4 + 1)) return NULL;
    *d = (cdfa){.n = 1, .k = k, .lo = cuts};
    d->next = gctx_alloc(c, (total + 1) * k, 4);
    d->final = gctx_alloc(c, total + 1, 1);
    if (!d->next || !d->final) return NULL;
    memset(d->next, 0xff, (total + 1) * k * 4);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = 0;
        for (size_t j = 0; j < at[i].n;) {
            j += cn_utf8_decode(at[i].p + j, at[i].n - j, &rune);
            const uint32_t *cut = bsearch(&rune, cuts, k, 4, by_value);
            uint32_t *to = &d->next[s * k + (size_t)(cut - cuts)];
            if (*to == CDFA_DEAD) *to = d->n++;
            s = *to;
        }
        d->final[s] = 1;
    }
    return d;
}
