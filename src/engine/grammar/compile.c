/* Rules, and the scalar types. */
#include "compile.h"

#include <stdlib.h>
#include <string.h>

#include "lower.h"

static int by_id(const void *a, const void *b)
{
    const lit *x = a, *y = b;
    uint32_t i = x->n->id * 2 + x->no, j = y->n->id * 2 + y->no;
    return (i > j) - (i < j);
}

static bool same_rule(const rule *r, const lit *lits, uint32_t n, const nodes *loose)
{
    if (r->n != n || r->loose.n != loose->n) return false;
    for (uint32_t i = 0; i < n; i++)
        if (r->lits[i].n != lits[i].n || r->lits[i].no != lits[i].no) return false;
    for (uint32_t i = 0; i < loose->n; i++)
        if (r->loose.at[i] != loose->at[i]) return false;
    return true;
}

static uint32_t rule_hash(const lit *lits, uint32_t n, const nodes *loose)
{
    uint32_t h = n;
    for (uint32_t i = 0; i < n; i++)
        h = (h ^ (lits[i].n->id * 2 + lits[i].no)) * 0x9e3779b1u;
    for (uint32_t i = 0; i < loose->n; i++)
        h = (h ^ loose->at[i]->id) * 0x85ebca6bu;
    return h ^ h >> 15;
}

static bool grow(comp *k)
{
    uint32_t n = k->n_slots ? k->n_slots * 2 : 64;
    rule **slots = gctx_alloc(k->c, n, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < k->n_slots; i++) {
        rule *r = k->slots[i];
        if (!r) continue;
        uint32_t h = rule_hash(r->lits, r->n, &r->loose);
        while (slots[h & (n - 1)])
            h++;
        slots[h & (n - 1)] = r;
    }
    k->slots = slots;
    k->n_slots = n;
    return true;
}

uint32_t comp_rule(comp *k, const lit *lits, uint32_t n, const nodes *loose)
{
    if (!gctx_work(k->c, n + 10) || aut_failed(k->b)) return 0;
    if (k->n_rules * 2 >= k->n_slots && !grow(k)) return 0;
    rule *r = gctx_alloc(k->c, 1, sizeof *r);
    lit *own = gctx_alloc(k->c, n, sizeof *own);
    if (!r || !own) return 0;
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++)
        if (lits[i].n != (lits[i].no ? k->s->never : k->s->always)) own[m++] = lits[i];
    if (m) qsort(own, m, sizeof *own, by_id);
    uint32_t h = rule_hash(own, m, loose);
    for (rule *o; (o = k->slots[h & (k->n_slots - 1)]) != NULL; h++)
        if (same_rule(o, own, m, loose)) return o->start;
    *r = (rule){.lits = own, .n = m, .loose = *loose, .start = aut_add(k->b, 0)};
    k->slots[h & (k->n_slots - 1)] = r;
    k->n_rules++;
    if (k->last)
        k->last->next = r;
    else
        k->first = r;
    k->last = r;
    return r->start;
}

void comp_space(comp *k, uint32_t state)
{
    static const uint8_t space[] = {' ', '\t', '\n', '\r'};
    uint32_t n = k->c->limits.max_whitespace, chain[64];
    for (uint32_t i = 0; i < n; i++) {
        chain[i] = aut_add(k->b, 0);
        aut_copy_edges(k->b, chain[i], state);
        aut_like(k->b, chain[i], state);
    }
    for (uint32_t i = 0; i < n; i++)
        for (size_t j = 0; j < sizeof space; j++)
            aut_byte(k->b, i ? chain[i - 1] : state, space[j], space[j], chain[i]);
}

static void literal(comp *k, uint32_t from, unsigned which)
{
    static const char *const text[] = {"null", "true", "false"};
    if (k->literals[which] == AUT_NONE) {
        k->literals[which] = aut_add(k->b, 0);
        const char *t = text[which];
        uint32_t last = aut_text(k->b, k->literals[which], t, strlen(t) - 1);
        unsigned ch = (uint8_t)t[strlen(t) - 1];
        aut_byte(k->b, last, ch, ch, k->end);
    }
    aut_copy_edges(k->b, from, k->literals[which]);
}

/* The fragment for `d`, lowered once for each of the first few automata. */
static uint32_t shared(comp *k, const cdfa *d, int how)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(k->lowered); i++) {
        if (k->lowered[i].d == d) return k->lowered[i].start;
        if (k->lowered[i].d) continue;
        k->lowered[i].d = d;
        return k->lowered[i].start = lower_cdfa(k->c, k->b, d, how, k->end);
    }
    return lower_cdfa(k->c, k->b, d, how, k->end);
}

static void number(comp *k, const rule *r)
{
    facts f = {0};
    const cdfa *all = NULL;
    if (!expand_type(k->s, r->lits, r->n, V_NUMBER, &f) || !f.n) return;
    for (uint32_t i = 0; i < f.n; i++) {
        const cdfa *d = number_facts(k->s, f.at[i]);
        all = all ? cdfa_combine(k->c, all, d, CDFA_OR, "") : d;
        if (!all) return;
    }
    uint32_t start = shared(k, all, LOWER_RAW);
    if (start != AUT_NONE) aut_copy_edges(k->b, r->start, start);
}

/* After the opening quote: min to max characters. The count begins at one, when the string is
 * entered. */
static void counted_string(comp *k, uint32_t from, uint32_t min, uint32_t max)
{
    if (!min && max == UINT32_MAX) {
        if (k->free_string == AUT_NONE) {
            k->free_string = aut_add(k->b, 0);
            lower_any_char(k->b, k->free_string, k->free_string);
            aut_byte(k->b, k->free_string, '"', '"', k->end);
        }
        aut_byte(k->b, from, '"', '"', k->free_string);
        return;
    }
    aut_loop l = {.min = min + 1, .max = max == UINT32_MAX ? max : max + 1, .exit = '"'};
    l.again = AUT_NONE;
    uint32_t loop = aut_count(k->b, l), at = aut_add(k->b, AUT_INC);
    aut_set(k->b, at, 0, loop);
    aut_loop_set(k->b, loop, at, AUT_NONE);
    lower_any_char(k->b, at, at);
    uint32_t after = aut_add(k->b, 0);
    for (uint32_t i = at + 1; i < after; i++)
        aut_set(k->b, i, AUT_INSIDE, loop);
    aut_byte(k->b, at, '"', '"', k->end);
    aut_byte(k->b, from, '"', '"', at);
}

static void string(comp *k, const rule *r)
{
    facts f = {0};
    const cdfa *all = NULL;
    if (!expand_type(k->s, r->lits, r->n, V_STRING, &f)) return;
    for (uint32_t i = 0; i < f.n; i++) {
        uint32_t min = 0, max = UINT32_MAX;
        bool texts = false;
        for (const fact *g = f.at[i]; g; g = g->next) {
            if (g->kind == F_MIN_LEN) min = CN_MAX(min, g->a);
            if (g->kind == F_MAX_LEN) max = CN_MIN(max, g->a);
            texts |= g->kind == F_TEXT || g->kind == F_PATTERN || g->kind == F_FORMAT;
        }
        if (!texts) {
            counted_string(k, r->start, min, max);
            continue;
        }
        const cdfa *d = string_facts(k->s, f.at[i]);
        all = all ? cdfa_combine(k->c, all, d, CDFA_OR, k->s->root->pointer) : d;
        if (!all) return;
    }
    uint32_t body = all ? shared(k, all, LOWER_STRING) : AUT_NONE;
    if (body != AUT_NONE) aut_byte(k->b, r->start, '"', '"', body);
}

static void compile_rule(comp *k, const rule *r)
{
    facts f = {0};
    nodes reached;
    for (value_type t = V_NULL; t <= V_FALSE; t++) {
        f = (facts){0};
        if (expand_type(k->s, r->lits, r->n, t, &f) && f.n) literal(k, r->start, t);
    }
    number(k, r);
    string(k, r);
    if (!order_reach(k->s, &r->loose, &reached)) return;
    f = (facts){0};
    if (!expand_type(k->s, r->lits, r->n, V_ARRAY, &f)) return;
    for (uint32_t i = 0; i < f.n && !k->c->status; i++)
        comp_array(k, r, &reached, f.at[i], r->start);
    f = (facts){0};
    if (!expand_type(k->s, r->lits, r->n, V_OBJECT, &f)) return;
    for (uint32_t i = 0; i < f.n && !k->c->status; i++)
        comp_object(k, r, &reached, f.at[i], r->start);
}

bool comp_schema(comp *k, schema *s, aut_builder *b, uint32_t *root)
{
    *k = (comp){.s = s, .c = s->c, .b = b, .free_string = AUT_NONE};
    k->literals[0] = k->literals[1] = k->literals[2] = AUT_NONE;
    k->end = aut_add(b, AUT_ACCEPT);
    nodes loose = {&s->root, 1};
    lit l = {s->root, false};
    *root = comp_rule(k, &l, 1, &loose);
    for (; k->first && !k->c->status && !aut_failed(b); k->first = k->first->next)
        compile_rule(k, k->first);
    return !k->c->status;
}
