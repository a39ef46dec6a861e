/* Arrays: distinct places for prefixItems, then a counted loop; where items are counted by what
 * they satisfy (contains, uniqueItems of few values), one state for each tally. */
#include <string.h>

#include "compile.h"

enum { MAX_COUNTS = 8, MAX_PLACES = 4096, MAX_STATES = 50000 };

typedef struct array {
    comp *k;
    const nodes *reached;
    const fact *f;
    uint32_t min, max, prefix; /* after `prefix` items all places are alike */
    const fact *count[MAX_COUNTS];
    uint32_t n_counts;
} array;

static bool refuse(comp *k, const fact *f, const char *keyword, const char *why)
{
    const char *p = f->node ? f->node->pointer : k->s->root->pointer;
    return gctx_fail(k->c, CN_E_UNSUPPORTED, schema_pointer(k->s, p, cn_str_of(keyword)), "%s",
                     why);
}

/* The rule of item `index`, with the `n_more` literals on top. */
static uint32_t item_rule(array *a, uint32_t index, const lit *more, uint32_t n_more)
{
    uint32_t n;
    nodes loose;
    lit *l = item_lits(a->k->s, a->f, index, &n);
    if (!l || !order_item(a->k->s, a->reached, index, &loose)) return 0;
    lit *all = gctx_alloc(a->k->c, n + n_more, sizeof *all);
    if (!all) return 0;
    memcpy(all, l, n * sizeof *all);
    if (n_more) memcpy(all + n, more, n_more * sizeof *all);
    return comp_rule(a->k, all, n + n_more, &loose);
}

/* A state that reads one item and goes on at `ret`; white space before it is welcome. */
static uint32_t item_state(array *a, uint32_t index, uint32_t ret, unsigned flags,
                           uint32_t loop)
{
    uint32_t s = aut_add(a->k->b, 0);
    aut_set(a->k->b, s, flags, loop);
    aut_rule(a->k->b, s, item_rule(a, index, NULL, 0), ret);
    comp_space(a->k, s);
    return s;
}

/* The loop over all items from `prefix` on; returns the state before the first of them. */
static uint32_t rest(array *a)
{
    aut_builder *b = a->k->b;
    uint32_t p = a->prefix;
    aut_loop l = {.min = a->min > p ? a->min - p : 0, .exit = ']', .cont = ','};
    l.max = a->max == UINT32_MAX ? a->max : a->max - p;
    l.again = AUT_NONE;
    uint32_t loop = aut_count(b, l), after = aut_add(b, AUT_INC);
    aut_set(b, after, 0, loop);
    uint32_t again = item_state(a, p, after, AUT_INSIDE, loop);
    aut_loop_set(b, loop, after, again);
    aut_byte(b, after, ',', ',', again);
    aut_byte(b, after, ']', ']', a->k->end);
    comp_space(a->k, after);
    return item_state(a, p, after, 0, AUT_NONE);
}

static void plain_array(array *a, uint32_t first)
{
    aut_builder *b = a->k->b;
    uint32_t before = first; /* after '[' or a value: i items so far */
    for (uint32_t i = 0; i <= a->prefix && i <= a->max; i++) {
        uint32_t item = AUT_NONE, next = aut_add(b, 0);
        if (i < a->prefix && i < a->max)
            item = item_state(a, i, next, 0, AUT_NONE);
        else if (i < a->max)
            item = rest(a);
        if (item != AUT_NONE) {
            if (i)
                aut_byte(b, before, ',', ',', item);
            else
                aut_skip(b, before, item);
        }
        if (i >= a->min) aut_byte(b, before, ']', ']', a->k->end);
        comp_space(a->k, before);
        before = next;
    }
}

/* A tally is a number in mixed radix: how often each count has been met, at most span - 1. */
static uint32_t span(const fact *f)
{
    return (f->b == UINT32_MAX ? f->a : f->b) + 1;
}

typedef struct tally {
    array *a;
    uint32_t places, tallies, *at; /* at[place * tallies + tally]: after that many items */
} tally;

/* Each count either takes the item or does not; the second is asked of the item only where the
 * count has an upper bound. */
static void tally_item(tally *t, uint32_t from, uint32_t place, uint32_t now)
{
    array *a = t->a;
    for (uint32_t take = 0; take < 1u << a->n_counts; take++) {
        lit more[MAX_COUNTS];
        uint32_t n = 0, next = 0, scale = 1;
        bool ok = true;
        for (uint32_t i = 0; i < a->n_counts; i++) {
            const fact *f = a->count[i];
            uint32_t have = now / scale % span(f);
            bool bounded = f->b != UINT32_MAX, takes = take >> i & 1;
            if (place < f->c)
                ok &= !takes;
            else if (takes)
                more[n++] = f->l;
            else if (bounded)
                more[n++] = (lit){f->l.n, !f->l.no};
            if (takes && have + 1 < span(f))
                have++;
            else if (takes && bounded)
                ok = false;
            next += have * scale;
            scale *= span(f);
        }
        if (!ok) continue;
        uint32_t to = t->at[CN_MIN(place + 1, t->places - 1) * t->tallies + next];
        aut_rule(a->k->b, from, item_rule(a, place, more, n), to);
    }
}

static bool enough(const array *a, uint32_t now)
{
    uint32_t scale = 1;
    for (uint32_t i = 0; i < a->n_counts; i++) {
        if (now / scale % span(a->count[i]) < a->count[i]->a) return false;
        scale *= span(a->count[i]);
    }
    return true;
}

static void tallied_array(array *a, uint32_t first)
{
    comp *k = a->k;
    /* the last place stands for all after it, and is not the first, which has no ',' */
    uint32_t last = a->max == UINT32_MAX ? CN_MAX(CN_MAX(a->min, a->prefix), 1u) : a->max;
    uint64_t tallies = 1;
    for (uint32_t i = 0; i < a->n_counts && tallies < MAX_STATES; i++)
        tallies *= span(a->count[i]);
    if (last >= MAX_PLACES || tallies * (last + 1) > MAX_STATES) {
        refuse(k, a->count[0], "contains", "too many items to be counted");
        return;
    }
    tally t = {a, last + 1, (uint32_t)tallies, NULL};
    t.at = gctx_alloc(k->c, (size_t)t.places * t.tallies, 4);
    if (!t.at) return;
    for (uint32_t i = 0; i < t.places * t.tallies; i++)
        t.at[i] = aut_add(k->b, 0);
    aut_skip(k->b, first, t.at[0]);
    for (uint32_t place = 0; place < t.places; place++) {
        for (uint32_t now = 0; now < t.tallies && gctx_work(k->c, 50); now++) {
            uint32_t s = t.at[place * t.tallies + now], item = aut_add(k->b, 0);
            if (place < a->max) {
                tally_item(&t, item, place, now);
                comp_space(k, item);
                if (place)
                    aut_byte(k->b, s, ',', ',', item);
                else
                    aut_skip(k->b, s, item);
            }
            if (place >= a->min && enough(a, now)) aut_byte(k->b, s, ']', ']', k->end);
            comp_space(k, s);
        }
    }
}

/* uniqueItems: at most one item, or items of so few values that each is counted. */
static bool unique(array *a, const fact *f)
{
    const snode *n = f->node->items;
    while (n && n->ref && !n->has_enum)
        n = n->ref;
    if (a->max <= 1) return true;
    if (n && n->has_enum && !f->node->prefix.n && n->enums.n <= MAX_COUNTS - a->n_counts) {
        for (uint32_t i = 0; i < n->enums.n; i++) {
            fact *g = gctx_alloc(a->k->c, 1, sizeof *g);
            if (!g) return false;
            *g = (fact){.kind = F_COUNT, .l = {n->enums.at[i], false}, .b = 1, .node = f->node};
            a->count[a->n_counts++] = g;
        }
        a->max = CN_MIN(a->max, n->enums.n);
        return true;
    }
    return refuse(a->k, f, "uniqueItems", "an automaton does not remember all items");
}

void comp_array(comp *k, const rule *r, const nodes *reached, const fact *f, uint32_t from)
{
    array a = {.k = k, .reached = reached, .f = f, .max = UINT32_MAX};
    const fact *once = NULL;
    (void)r;
    for (const fact *g = f; g; g = g->next) {
        if (g->kind == F_MIN_ITEMS) a.min = CN_MAX(a.min, g->a);
        if (g->kind == F_MAX_ITEMS) a.max = CN_MIN(a.max, g->a);
        if (g->kind == F_ITEMS) a.prefix = CN_MAX(a.prefix, g->node->prefix.n);
        if (g->kind == F_ITEM) a.prefix = CN_MAX(a.prefix, g->a + 1);
        if (g->kind == F_UNIQUE) once = g;
        if (g->kind != F_COUNT) continue;
        a.prefix = CN_MAX(a.prefix, g->c);
        if (a.n_counts == MAX_COUNTS) {
            refuse(k, g, "contains", "too many kinds of items to be counted");
            return;
        }
        if (g->a > MAX_PLACES || (g->b != UINT32_MAX && g->b > MAX_PLACES)) {
            refuse(k, g, "contains", "too many items to be counted");
            return;
        }
        a.count[a.n_counts++] = g;
    }
    if (once && !unique(&a, once)) return;
    if (a.min > a.max) return;
    if (a.prefix > MAX_PLACES) {
        refuse(k, f, "prefixItems", "too many places");
        return;
    }
    uint32_t first = aut_add(k->b, 0);
    aut_byte(k->b, from, '[', '[', first);
    if (a.n_counts)
        tallied_array(&a, first);
    else
        plain_array(&a, first);
}
