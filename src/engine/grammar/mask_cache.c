/* The shared cache: a table of numbers that only ever go from 0 to a finished mask. */
#include "mask_cache.h"

#include <string.h>

#include "compiler.h"
#include "constraint.h"
#include "mem.h"

void mask_cache_free(mask_cache *c)
{
    if (!c) return;
    pthread_mutex_destroy(&c->lock);
    cn_free(c->dist);
    cn_free(c->masks);
    cn_free(c->slab);
    cn_free(c);
}

static mask_cache *cache_new(const aut *a, const cn_vocab_trie *v)
{
    mask_cache *c = cn_xcalloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->print = v->print;
    c->words = (uint32_t)(v->n_vocab + 31) / 32;
    c->cap = CN_MIN(2 * a->n_states, (uint32_t)CACHE_MASKS); /* two kinds at most of a state */
    uint64_t all = (uint64_t)c->cap * (c->words + CACHE_LEAVES);
    c->cap_slab = all < CACHE_WORDS ? (uint32_t)all : CACHE_WORDS;
    c->dist = cn_alloc_array(a->n_states, sizeof *c->dist);
    c->masks = cn_alloc_array(c->cap, sizeof *c->masks);
    c->slab = cn_realloc_array(NULL, c->cap_slab, 4); /* not cleared: most is never touched */
    if (!c->dist || !c->masks || !c->slab) {
        mask_cache_free(c);
        return NULL;
    }
    constraint_distances(a, v, c->dist);
    for (uint32_t i = 0; i < a->n_states; i++)
        c->max_need = CN_MAX(c->max_need, a->states[i].need);
    return c;
}

mask_shelf *mask_shelf_new(void)
{
    mask_shelf *s = cn_xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void mask_shelf_free(mask_shelf *s)
{
    if (!s) return;
    while (s->first) {
        mask_cache *c = s->first;
        s->first = c->next;
        mask_cache_free(c);
    }
    pthread_mutex_destroy(&s->lock);
    cn_free(s);
}

static bool same_print(const trie_print *a, const trie_print *b)
{
    return a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1] && a->n_vocab == b->n_vocab &&
           a->n_nodes == b->n_nodes;
}

mask_cache *mask_shelf_get(mask_shelf *s, const aut *a, const cn_vocab_trie *v, bool *owned)
{
    *owned = false;
    pthread_mutex_lock(&s->lock);
    mask_cache *c = s->first;
    while (c && !same_print(&c->print, &v->print))
        c = c->next;
    if (!c) {
        c = cache_new(a, v);
        *owned = c && s->n == CACHE_VOCABS;
        if (c && !*owned) {
            c->next = s->first;
            s->first = c;
            s->n++;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return c;
}

static uint32_t place_of(uint32_t state, uint32_t kind)
{
    return (uint32_t)((state * 4u + kind) * 0x9e3779b97f4a7c15u >> 40) % CACHE_TABLE;
}

/* The mask, or with *at the empty place where it belongs: the table is never full. */
static const cached *look(const mask_cache *c, uint32_t state, uint32_t kind, uint32_t *at)
{
    for (*at = place_of(state, kind);; *at = (*at + 1) % CACHE_TABLE) {
        uint32_t n = atomic_load_explicit(&c->table[*at], memory_order_acquire);
        if (!n) return NULL;
        const cached *m = &c->masks[n - 1];
        if (m->state == state && m->kind == kind) return m;
    }
}

const cached *mask_cache_find(const mask_cache *c, uint32_t state, uint32_t kind)
{
    uint32_t at;
    return look(c, state, kind, &at);
}

void mask_cache_add(mask_cache *c, const cached *one)
{
    uint32_t at;
    pthread_mutex_lock(&c->lock);
    bool room = c->n < c->cap && c->words + one->n_leaves <= c->cap_slab - c->used;
    if (room && !look(c, one->state, one->kind, &at)) {
        cached *m = &c->masks[c->n++];
        *m = *one;
        m->mask = c->slab + c->used;
        m->leaves = m->mask + c->words;
        c->used += c->words + one->n_leaves;
        memcpy(m->mask, one->mask, c->words * 4u);
        memcpy(m->leaves, one->leaves, one->n_leaves * 4u);
        atomic_store_explicit(&c->table[at], c->n, memory_order_release);
    }
    pthread_mutex_unlock(&c->lock);
}
