/* Objects: known names in order, optional ones may be left out; then other names. States are
 * numbered by how far along the known names the object is, by how many members it has (where
 * that matters) and by which of the members that some schema asks for have been met. */
#include <string.h>

#include "compile.h"
#include "lower.h"

enum { MAX_SOME = 6, MAX_PATTERNS = 24, MAX_STATES = 200000 };

typedef struct key_class { /* names that are treated alike */
    const cdfa *names;
    uint32_t patterns; /* bits of those that match */
} key_class;

typedef struct object {
    comp *k;
    const nodes *reached;
    const fact *f;
    cn_str *names; /* known and possible, in order */
    bool *must;
    uint32_t n_names;
    uint32_t min, max, n_counts; /* counts 0..n_counts-1 are told apart */
    const fact *some[MAX_SOME];  /* members that there must be */
    const cdfa *some_names[MAX_SOME];
    uint32_t n_some;
    const cdfa *pattern[MAX_PATTERNS];
    uint32_t n_patterns;
    key_class *classes;
    uint32_t n_classes;
    uint32_t *after, *choose; /* states, by index() */
} object;

static bool refuse(object *o, const char *why)
{
    return gctx_fail(o->k->c, CN_E_UNSUPPORTED, o->k->s->root->pointer, "object: %s", why);
}

static uint32_t at(const object *o, uint32_t i, uint32_t count, uint32_t met)
{
    return ((i * o->n_counts) + count) << o->n_some | met;
}

static bool add_pattern(object *o, const cdfa *d)
{
    if (!d) return false;
    for (uint32_t i = 0; i < o->n_patterns; i++)
        if (o->pattern[i] == d) return true;
    if (o->n_patterns == MAX_PATTERNS) return refuse(o, "too many patterns of names");
    o->pattern[o->n_patterns++] = d;
    return true;
}

static bool matches(const object *o, uint32_t patterns, const cdfa *d)
{
    for (uint32_t i = 0; i < o->n_patterns; i++)
        if (o->pattern[i] == d) return patterns >> i & 1;
    return false;
}

/* Whether a member with this name (known, or of a class) can be the one that some[i] wants. */
static bool can_be(const object *o, uint32_t i, const cn_str *name, uint32_t patterns)
{
    const fact *f = o->some[i];
    const snode *g = f->node;
    if (f->kind == F_SOME_NAME)
        return name ? cdfa_accepts(o->some_names[i], *name)
                    : matches(o, patterns, o->some_names[i]);
    bool any = false;
    for (uint32_t j = 0; j < g->patterns.n; j++) {
        const cdfa *d = g->patterns.at[j].pattern;
        bool m = name ? cdfa_accepts(d, *name) : matches(o, patterns, d);
        if (f->a == j) return m;
        any |= m;
    }
    for (uint32_t j = 0; name && j < g->properties.n; j++)
        any |= cn_str_eq(g->properties.at[j].name, *name);
    return !any;
}

/* The other names: all but the known ones, cut by every pattern that matters. */
static bool find_classes(object *o, const cdfa *allowed, const name_list *known)
{
    gctx *c = o->k->c;
    const char *p = o->k->s->root->pointer;
    const cdfa *rest = allowed;
    if (known->n)
        rest = cdfa_combine(c, allowed, cdfa_texts(c, known->at, known->n), CDFA_MINUS, p);
    if (!rest) return false;
    o->classes = gctx_alloc(c, 1024, sizeof *o->classes);
    if (!o->classes) return false;
    if (!cdfa_empty(rest)) o->classes[o->n_classes++] = (key_class){rest, 0};
    for (uint32_t i = 0; i < o->n_patterns; i++) {
        uint32_t n = o->n_classes;
        for (uint32_t j = 0; j < n; j++) {
            key_class *k = &o->classes[j];
            const cdfa *in = cdfa_combine(c, k->names, o->pattern[i], CDFA_AND, p);
            const cdfa *out = cdfa_combine(c, k->names, o->pattern[i], CDFA_MINUS, p);
            if (!in || !out) return false;
            if (cdfa_empty(in)) continue;
            if (cdfa_empty(out)) {
                k->patterns |= 1u << i;
                continue;
            }
            if (o->n_classes == 1024) return refuse(o, "too many kinds of names");
            k->names = out;
            o->classes[o->n_classes++] = (key_class){in, k->patterns | 1u << i};
        }
    }
    return true;
}

/* What the value of another name must satisfy. */
static lit *class_lits(object *o, const key_class *kc, uint32_t *n)
{
    uint32_t room = 1;
    *n = 0;
    for (const fact *f = o->f; f; f = f->next)
        if (f->kind == F_GROUP) room += f->node->patterns.n + 1;
    lit *l = gctx_alloc(o->k->c, room + MAX_SOME, sizeof *l);
    for (const fact *f = o->f; l && f; f = f->next) {
        bool matched = false;
        if (f->kind != F_GROUP) continue;
        for (uint32_t j = 0; j < f->node->patterns.n; j++) {
            if (!matches(o, kc->patterns, f->node->patterns.at[j].pattern)) continue;
            matched = true;
            l[(*n)++] = (lit){f->node->patterns.at[j].node, false};
        }
        if (!matched && f->node->additional) l[(*n)++] = (lit){f->node->additional, false};
    }
    return l;
}

/* What may apply to the value of another name, for its order: by one name of the class would
 * not do for the schemas that other branches have, so all patterns count. */
static bool class_loose(object *o, const key_class *kc, nodes *out)
{
    snode **list;
    uint32_t n = 0, room = 1;
    for (uint32_t i = 0; i < o->reached->n; i++)
        room += o->reached->at[i]->patterns.n + 1;
    list = gctx_alloc(o->k->c, room, sizeof *list);
    if (!list) return false;
    for (uint32_t i = 0; i < o->reached->n; i++) {
        const snode *g = o->reached->at[i];
        bool matched = false;
        for (uint32_t j = 0; j < g->patterns.n; j++) {
            if (!matches(o, kc->patterns, g->patterns.at[j].pattern)) continue;
            matched = true;
            list[n++] = g->patterns.at[j].node;
        }
        if (!matched && g->additional) list[n++] = g->additional;
    }
    nodes with_doubles = {list, n};
    *out = (nodes){list, 0};
    for (uint32_t i = 0; i < with_doubles.n; i++) {
        bool seen = false;
        for (uint32_t j = 0; j < out->n; j++)
            seen |= out->at[j] == list[i];
        if (!seen) out->at[out->n++] = list[i];
    }
    return true;
}

/* From `from`, a ':' and a value; then after(). Every subset of the wanted members that this
 * one can be is tried. */
static void value(object *o, uint32_t from, const lit *l, uint32_t n, const nodes *loose,
                  uint32_t can, uint32_t i, uint32_t count, uint32_t met)
{
    comp *k = o->k;
    uint32_t colon = aut_add(k->b, 0), next = CN_MIN(count + 1, o->n_counts - 1);
    lit *all = gctx_alloc(k->c, n + MAX_SOME, sizeof *all);
    if (!all) return;
    memcpy(all, l, n * sizeof *all);
    aut_byte(k->b, from, ':', ':', colon);
    comp_space(k, from);
    can &= ~met;
    for (uint32_t take = can;; take = (take - 1) & can) {
        uint32_t m = n;
        for (uint32_t j = 0; j < o->n_some; j++)
            if (take >> j & 1 && o->some[j]->kind == F_SOME) all[m++] = o->some[j]->l;
        aut_rule(k->b, colon, comp_rule(k, all, m, loose),
                 o->after[at(o, i, next, met | take)]);
        if (!take) break;
    }
    comp_space(k, colon);
}

static void known_name(object *o, uint32_t i, uint32_t count, uint32_t met)
{
    comp *k = o->k;
    uint32_t n, can = 0;
    nodes loose;
    lit *l = member_lits(k->s, o->f, o->names[i], &n);
    if (!l || !order_member(k->s, o->reached, o->names[i], &loose)) return;
    for (uint32_t j = 0; j < o->n_some; j++)
        if (can_be(o, j, &o->names[i], 0)) can |= 1u << j;
    cn_buf text = {0};
    order_quote(&text, o->names[i]);
    if (text.failed) gctx_fail(k->c, CN_E_NOMEM, "", "memory for a name");
    uint32_t s = aut_text(k->b, o->choose[at(o, i, count, met)], text.p, text.n);
    cn_buf_deinit(&text);
    value(o, s, l, n, &loose, can, i + 1, count, met);
}

static uint32_t key_rule(object *o, const key_class *kc)
{
    comp *k = o->k;
    uint32_t start = aut_add(k->b, AUT_KEY), end = aut_add(k->b, AUT_ACCEPT);
    uint32_t body = lower_cdfa(k->c, k->b, kc->names, LOWER_KEY, end);
    if (body != AUT_NONE) aut_byte(k->b, start, '"', '"', body);
    return start;
}

static void other_name(object *o, const key_class *kc, uint32_t start, uint32_t count,
                       uint32_t met)
{
    uint32_t n, can = 0;
    nodes loose;
    lit *l = class_lits(o, kc, &n);
    if (!l || !class_loose(o, kc, &loose)) return;
    for (uint32_t j = 0; j < o->n_some; j++)
        if (can_be(o, j, NULL, kc->patterns)) can |= 1u << j;
    uint32_t named = aut_add(o->k->b, AUT_KEYEND);
    aut_rule(o->k->b, o->choose[at(o, o->n_names, count, met)], start, named);
    value(o, named, l, n, &loose, can, o->n_names, count, met);
}

static bool may_end(const object *o, uint32_t i, uint32_t count, uint32_t met)
{
    for (; i < o->n_names; i++)
        if (o->must[i]) return false;
    return count >= o->min && met == (1u << o->n_some) - 1;
}

static void build(object *o, uint32_t from)
{
    comp *k = o->k;
    uint64_t total = ((uint64_t)o->n_names + 1) * o->n_counts << o->n_some;
    if (total > MAX_STATES) {
        refuse(o, "too many combinations of members to be counted");
        return;
    }
    o->after = gctx_alloc(k->c, total, 4);
    o->choose = gctx_alloc(k->c, total, 4);
    uint32_t *keys = gctx_alloc(k->c, o->n_classes, 4);
    if (!o->after || !o->choose || !keys) return;
    for (uint32_t i = 0; i < total; i++) {
        o->after[i] = aut_add(k->b, 0);
        o->choose[i] = aut_add(k->b, 0);
    }
    for (uint32_t i = 0; i < o->n_classes; i++)
        keys[i] = key_rule(o, &o->classes[i]);
    for (uint32_t i = 0; i <= o->n_names && gctx_work(k->c, 10); i++) {
        for (uint32_t count = 0; count < o->n_counts; count++) {
            for (uint32_t met = 0; met < 1u << o->n_some; met++) {
                uint32_t a = o->after[at(o, i, count, met)],
                         c = o->choose[at(o, i, count, met)];
                uint32_t comma = aut_add(k->b, 0);
                if (may_end(o, i, count, met)) aut_byte(k->b, a, '}', '}', k->end);
                aut_byte(k->b, a, ',', ',', comma);
                aut_skip(k->b, comma, c);
                comp_space(k, comma);
                comp_space(k, a);
                if (i < o->n_names && !o->must[i])
                    aut_skip(k->b, c, o->choose[at(o, i + 1, count, met)]);
                if (count >= o->max) continue;
                if (i < o->n_names) known_name(o, i, count, met);
                for (uint32_t j = 0; i == o->n_names && j < o->n_classes; j++)
                    other_name(o, &o->classes[j], keys[j], count, met);
            }
        }
    }
    uint32_t first = aut_add(k->b, 0);
    aut_byte(k->b, from, '{', '{', first);
    if (may_end(o, 0, 0, 0)) aut_byte(k->b, first, '}', '}', k->end);
    aut_skip(k->b, first, o->choose[at(o, 0, 0, 0)]);
    comp_space(k, first);
}

/* Other names that run out before there are enough members would lead nowhere. */
static bool enough_names(object *o)
{
    if (!o->n_classes || !o->min) return true;
    cn_str *words = gctx_alloc(o->k->c, o->min, sizeof *words);
    size_t total = 0;
    for (uint32_t i = 0; words && i < o->n_classes && total < o->min; i++) {
        size_t n = cdfa_words(o->k->c, o->classes[i].names, words, o->min);
        total = n == SIZE_MAX ? n : total + n;
    }
    if (!words || o->k->c->status) return false;
    return total >= o->min || refuse(o, "names run out before there are enough members");
}

static bool is_named(const fact *f, fact_kind kind, cn_str name)
{
    for (; f; f = f->next)
        if (f->kind == kind && cn_str_eq(f->name, name)) return true;
    return false;
}

/* Reads the facts but those on single members. */
static bool collect(object *o, const cdfa **allowed)
{
    comp *k = o->k;
    for (const fact *f = o->f; f; f = f->next) {
        if (f->kind == F_MIN_PROPS) o->min = CN_MAX(o->min, f->a);
        if (f->kind == F_MAX_PROPS) o->max = CN_MIN(o->max, f->a);
        if (f->kind == F_NAMES) {
            const cdfa *d = strings_of(k->s, &f->l, 1);
            *allowed = *allowed ? cdfa_combine(k->c, *allowed, d, CDFA_AND, "") : d;
            if (!*allowed) return false;
        }
        for (uint32_t j = 0; f->kind == F_GROUP && j < f->node->patterns.n; j++)
            if (!add_pattern(o, f->node->patterns.at[j].pattern)) return false;
        if (f->kind != F_SOME && f->kind != F_SOME_NAME) continue;
        if (o->n_some == MAX_SOME)
            return refuse(o, "too many members that must not be missing");
        for (uint32_t j = 0; f->kind == F_SOME && j < f->node->patterns.n; j++)
            if (!add_pattern(o, f->node->patterns.at[j].pattern)) return false;
        if (f->kind == F_SOME_NAME) {
            o->some_names[o->n_some] = strings_of(k->s, &f->l, 1);
            if (!add_pattern(o, o->some_names[o->n_some])) return false;
        }
        o->some[o->n_some++] = f;
    }
    for (uint32_t i = 0; i < o->reached->n; i++) /* see class_loose */
        for (uint32_t j = 0; j < o->reached->at[i]->patterns.n; j++)
            if (!add_pattern(o, o->reached->at[i]->patterns.at[j].pattern)) return false;
    if (!*allowed) *allowed = cdfa_all(k->c);
    return *allowed != NULL;
}

void comp_object(comp *k, const rule *r, const nodes *reached, const fact *f, uint32_t from)
{
    object o = {.k = k, .reached = reached, .f = f, .max = UINT32_MAX};
    const cdfa *allowed = NULL;
    name_list known;
    (void)r;
    if (!order_names(k->s, reached, &known) || !collect(&o, &allowed)) return;
    o.names = gctx_alloc(k->c, known.n, sizeof *o.names);
    o.must = gctx_alloc(k->c, known.n, 1);
    if (!o.names || !o.must) return;
    for (uint32_t i = 0; i < known.n; i++) {
        bool must = is_named(f, F_HAS, known.at[i]);
        bool possible =
            cdfa_accepts(allowed, known.at[i]) && !is_named(f, F_LACKS, known.at[i]);
        if (!possible && must) return;
        if (!possible) continue;
        o.names[o.n_names] = known.at[i];
        o.must[o.n_names++] = must;
    }
    if (o.min > o.max) return;
    uint32_t most = o.max == UINT32_MAX ? o.min : o.max;
    if (most > 100000) {
        refuse(&o, "too many members to be counted");
        return;
    }
    o.n_counts = most + 1;
    if (find_classes(&o, allowed, &known) && enough_names(&o)) build(&o, from);
}
