/* The expansion, a tableau: what must hold is taken off a list one by one; what can hold in
 * several ways waits until nothing else is left, and then splits the branch. */
#include "expand.h"

#include <string.h>

typedef struct todo {
    lit l;
    const struct todo *next;
} todo;

typedef enum choice_kind {
    C_ENUM,
    C_ANY,
    C_ONE,
    C_IF,
    C_NEEDS,
    C_DEPENDENT,
    C_NOT
} choice_kind;

typedef struct choice {
    choice_kind kind;
    snode *n;
    uint32_t i;
    const struct choice *next;
} choice;

typedef struct branch {
    const todo *must;
    const choice *may;
    const fact *facts;
} branch;

typedef struct tableau {
    schema *s;
    gctx *c;
    value_type t;
    facts *out;
    unsigned depth;      /* of splits */
    unsigned look_ahead; /* how deep unsatisfiable() may still look */
    bool any;            /* stop at the first branch */
} tableau;

static bool run(tableau *t, branch b);
static bool dead_end(tableau *t, const fact *f);

static uint8_t type_bits(value_type t)
{
    static const uint8_t bits[] = {S_NULL,   S_TRUE,  S_FALSE, S_INT | S_REAL,
                                   S_STRING, S_ARRAY, S_OBJECT};
    return bits[t];
}

static void must(tableau *t, branch *b, snode *n, bool no)
{
    todo *d = gctx_alloc(t->c, 1, sizeof *d);
    if (!d) return;
    *d = (todo){{n, no}, b->must};
    b->must = d;
}

static void may(tableau *t, branch *b, choice_kind kind, snode *n, uint32_t i)
{
    choice *d = gctx_alloc(t->c, 1, sizeof *d);
    if (!d) return;
    *d = (choice){kind, n, i, b->may};
    b->may = d;
}

static void note(tableau *t, branch *b, fact_kind kind, snode *n)
{
    fact *f = gctx_alloc(t->c, 1, sizeof *f);
    if (!f) return;
    *f = (fact){.kind = kind, .node = n, .next = b->facts};
    b->facts = f;
}

static void note_n(tableau *t, branch *b, fact_kind kind, uint32_t a)
{
    fact *f = gctx_alloc(t->c, 1, sizeof *f);
    if (!f) return;
    *f = (fact){.kind = kind, .a = a, .next = b->facts};
    b->facts = f;
}

static void note_name(tableau *t, branch *b, fact_kind kind, cn_str name)
{
    fact *f = gctx_alloc(t->c, 1, sizeof *f);
    if (!f) return;
    *f = (fact){.kind = kind, .name = name, .next = b->facts};
    b->facts = f;
}

static void note_lit(tableau *t, branch *b, fact_kind kind, lit l, fact with)
{
    fact *f = gctx_alloc(t->c, 1, sizeof *f);
    if (!f) return;
    *f = with;
    f->kind = kind;
    f->l = l;
    f->next = b->facts;
    b->facts = f;
}

static void numbers(tableau *t, branch *b, snode *n)
{
    if (!(n->types & S_REAL))
        note(t, b, F_INT, n);
    else if (!(n->types & S_INT))
        note_lit(t, b, F_INT, (lit){0}, (fact){.no = true});
    if (n->number) note(t, b, F_NUMBER, n);
    for (uint32_t i = 0; i < N_BOUNDS; i++)
        if (n->bound[i]) note_lit(t, b, F_BOUND, (lit){0}, (fact){.node = n, .a = i});
}

static void strings(tableau *t, branch *b, snode *n)
{
    if (n->text) note(t, b, F_TEXT, n);
    if (n->pattern) note(t, b, F_PATTERN, n);
    if (n->format) note(t, b, F_FORMAT, n);
    if (n->min_length) note_n(t, b, F_MIN_LEN, n->min_length);
    if (n->max_length != UINT32_MAX) note_n(t, b, F_MAX_LEN, n->max_length);
}

static void arrays(tableau *t, branch *b, snode *n)
{
    if (n->is_array_group) note(t, b, F_ITEMS, n);
    if (n->min_items) note_n(t, b, F_MIN_ITEMS, n->min_items);
    if (n->max_items != UINT32_MAX) note_n(t, b, F_MAX_ITEMS, n->max_items);
    if (n->contains && (n->min_contains || n->max_contains != UINT32_MAX))
        note_lit(t, b, F_COUNT, (lit){n->contains, false},
                 (fact){.node = n, .a = n->min_contains, .b = n->max_contains});
    if (n->unique) note(t, b, F_UNIQUE, n);
}

static void objects(tableau *t, branch *b, snode *n)
{
    if (n->is_object_group) note(t, b, F_GROUP, n);
    for (uint32_t i = 0; i < n->n_required; i++)
        note_name(t, b, F_HAS, n->required[i]);
    if (n->names) note_lit(t, b, F_NAMES, (lit){n->names, false}, (fact){0});
    if (n->min_properties) note_n(t, b, F_MIN_PROPS, n->min_properties);
    if (n->max_properties != UINT32_MAX) note_n(t, b, F_MAX_PROPS, n->max_properties);
    for (uint32_t i = 0; i < n->n_needs; i++)
        if (n->needs[i].n_needs) may(t, b, C_NEEDS, n, i);
    for (uint32_t i = 0; i < n->dependent.n; i++)
        may(t, b, C_DEPENDENT, n, i);
}

/* The node holds. False when that is impossible for this type. */
static bool holds(tableau *t, branch *b, snode *n)
{
    if (!(n->types & type_bits(t->t))) return false;
    if (n->has_enum) may(t, b, C_ENUM, n, 0);
    if (n->any_of.n) may(t, b, C_ANY, n, 0);
    if (n->one_of.n) may(t, b, C_ONE, n, 0);
    if (n->when && (n->then || n->otherwise)) may(t, b, C_IF, n, 0);
    for (uint32_t i = n->all_of.n; i-- > 0;)
        must(t, b, n->all_of.at[i], false);
    if (n->ref) must(t, b, n->ref, false);
    if (n->not ) must(t, b, n->not, true);
    if (t->t == V_NUMBER) numbers(t, b, n);
    if (t->t == V_STRING) strings(t, b, n);
    if (t->t == V_ARRAY) arrays(t, b, n);
    if (t->t == V_OBJECT) objects(t, b, n);
    return true;
}

static bool split(tableau *t, branch b)
{
    if (!gctx_work(t->c, 20)) return false;
    if (t->depth > 1000)
        return gctx_fail(t->c, CN_E_LIMIT, "", "schemas combined over 1000 deep");
    t->depth++;
    bool ok = run(t, b);
    t->depth--;
    return ok;
}

static bool split_lit(tableau *t, branch b, snode *n, bool no)
{
    must(t, &b, n, no);
    return split(t, b);
}

static bool split_n(tableau *t, branch b, fact_kind kind, uint32_t a)
{
    note_n(t, &b, kind, a);
    return split(t, b);
}

static bool not_number(tableau *t, const branch *b, snode *n)
{
    branch d = *b;
    uint8_t have = n->types & (S_INT | S_REAL);
    if (have == S_INT || have == S_REAL) { /* the other kind; a constant says so itself */
        note_lit(t, &d, F_INT, (lit){0}, (fact){.no = have == S_INT});
        if (!split(t, d)) return false;
    }
    d = *b;
    if (n->number) {
        note_lit(t, &d, F_NUMBER, (lit){0}, (fact){.no = true, .node = n});
        if (!split(t, d)) return false;
    }
    for (uint32_t i = 0; i < N_BOUNDS; i++) {
        d = *b;
        if (!n->bound[i]) continue;
        note_lit(t, &d, F_BOUND, (lit){0}, (fact){.no = true, .node = n, .a = i});
        if (!split(t, d)) return false;
    }
    return true;
}

static bool not_string(tableau *t, const branch *b, snode *n)
{
    const struct {
        fact_kind kind;
        bool there;
    } kinds[] = {{F_TEXT, n->text != NULL},
                 {F_PATTERN, n->pattern != NULL},
                 {F_FORMAT, n->format != NULL}};
    for (size_t i = 0; i < 3; i++) {
        branch d = *b;
        if (!kinds[i].there) continue;
        note_lit(t, &d, kinds[i].kind, (lit){0}, (fact){.no = true, .node = n});
        if (!split(t, d)) return false;
    }
    if (n->min_length && !split_n(t, *b, F_MAX_LEN, n->min_length - 1)) return false;
    return n->max_length == UINT32_MAX || split_n(t, *b, F_MIN_LEN, n->max_length + 1);
}

static bool not_count(tableau *t, const branch *b, snode *n, uint32_t lo, uint32_t hi)
{
    branch d = *b;
    note_lit(t, &d, F_COUNT, (lit){n->contains, false}, (fact){.node = n, .a = lo, .b = hi});
    return split(t, d);
}

static bool not_array(tableau *t, const branch *b, snode *n)
{
    for (uint32_t i = 0; i < n->prefix.n; i++) {
        branch d = *b;
        note_n(t, &d, F_MIN_ITEMS, i + 1);
        note_lit(t, &d, F_ITEM, (lit){n->prefix.at[i], true}, (fact){.a = i});
        if (!split(t, d)) return false;
    }
    if (n->items) {
        branch d = *b;
        note_lit(t, &d, F_COUNT, (lit){n->items, true},
                 (fact){.node = n, .a = 1, .b = UINT32_MAX, .c = n->prefix.n});
        if (!split(t, d)) return false;
    }
    if (n->min_items && !split_n(t, *b, F_MAX_ITEMS, n->min_items - 1)) return false;
    if (n->max_items != UINT32_MAX && !split_n(t, *b, F_MIN_ITEMS, n->max_items + 1))
        return false;
    if (n->contains && n->min_contains && !not_count(t, b, n, 0, n->min_contains - 1))
        return false;
    if (n->contains && n->max_contains != UINT32_MAX &&
        !not_count(t, b, n, n->max_contains + 1, UINT32_MAX))
        return false;
    if (n->unique)
        return gctx_fail(t->c, CN_E_UNSUPPORTED,
                         schema_pointer(t->s, n->pointer, CN_STR("uniqueItems")),
                         "uniqueItems where it must not hold");
    return true;
}

static bool not_group(tableau *t, const branch *b, snode *n)
{
    for (uint32_t i = 0; i < n->properties.n; i++) {
        branch d = *b;
        note_name(t, &d, F_HAS, n->properties.at[i].name);
        note_lit(t, &d, F_MEMBER, (lit){n->properties.at[i].node, true},
                 (fact){.name = n->properties.at[i].name});
        if (!split(t, d)) return false;
    }
    for (uint32_t i = 0; i < n->patterns.n + (n->additional != NULL); i++) {
        branch d = *b;
        bool rest = i == n->patterns.n;
        note_lit(t, &d, F_SOME, (lit){rest ? n->additional : n->patterns.at[i].node, true},
                 (fact){.node = n, .a = rest ? UINT32_MAX : i});
        if (!split(t, d)) return false;
    }
    return true;
}

static bool not_object(tableau *t, const branch *b, snode *n)
{
    if (!not_group(t, b, n)) return false;
    for (uint32_t i = 0; i < n->n_required; i++) {
        branch d = *b;
        note_name(t, &d, F_LACKS, n->required[i]);
        if (!split(t, d)) return false;
    }
    if (n->names) {
        branch d = *b;
        note_lit(t, &d, F_SOME_NAME, (lit){n->names, true}, (fact){0});
        if (!split(t, d)) return false;
    }
    if (n->min_properties && !split_n(t, *b, F_MAX_PROPS, n->min_properties - 1)) return false;
    if (n->max_properties != UINT32_MAX && !split_n(t, *b, F_MIN_PROPS, n->max_properties + 1))
        return false;
    for (uint32_t i = 0; i < n->n_needs; i++) {
        for (uint32_t j = 0; j < n->needs[i].n_needs; j++) {
            branch d = *b;
            note_name(t, &d, F_HAS, n->needs[i].name);
            note_name(t, &d, F_LACKS, n->needs[i].needs[j]);
            if (!split(t, d)) return false;
        }
    }
    for (uint32_t i = 0; i < n->dependent.n; i++) {
        branch d = *b;
        note_name(t, &d, F_HAS, n->dependent.at[i].name);
        if (!split_lit(t, d, n->dependent.at[i].node, true)) return false;
    }
    return true;
}

/* One of the node's keywords fails. */
static bool fails(tableau *t, const branch *b, snode *n)
{
    branch d = *b;
    if (n->has_enum) {
        for (uint32_t i = 0; i < n->enums.n; i++)
            must(t, &d, n->enums.at[i], true);
        if (!split(t, d)) return false;
    }
    for (uint32_t i = 0; i < n->all_of.n; i++)
        if (!split_lit(t, *b, n->all_of.at[i], true)) return false;
    if (n->ref && !split_lit(t, *b, n->ref, true)) return false;
    if (n->not &&!split_lit(t, *b, n->not, false)) return false;
    if (n->any_of.n) {
        d = *b;
        for (uint32_t i = 0; i < n->any_of.n; i++)
            must(t, &d, n->any_of.at[i], true);
        if (!split(t, d)) return false;
    }
    if (n->one_of.n) { /* none, or two */
        d = *b;
        for (uint32_t i = 0; i < n->one_of.n; i++)
            must(t, &d, n->one_of.at[i], true);
        if (!split(t, d)) return false;
        for (uint32_t i = 0; i < n->one_of.n; i++) {
            for (uint32_t j = 0; j < i; j++) {
                d = *b;
                must(t, &d, n->one_of.at[i], false);
                if (!split_lit(t, d, n->one_of.at[j], false)) return false;
            }
        }
    }
    for (int yes = 0; n->when && yes < 2; yes++) {
        snode *rest = yes ? n->then : n->otherwise;
        d = *b;
        must(t, &d, n->when, !yes);
        if (rest && !split_lit(t, d, rest, true)) return false;
    }
    switch (t->t) {
    case V_NUMBER:
        return not_number(t, b, n);
    case V_STRING:
        return not_string(t, b, n);
    case V_ARRAY:
        return not_array(t, b, n);
    case V_OBJECT:
        return not_object(t, b, n);
    default:
        return true;
    }
}

/* Whether the facts so far, with `a` and `b` both holding, are impossible. */
static bool exclude(tableau *t, const branch *from, snode *a, snode *b)
{
    if (!t->look_ahead) return false;
    facts found = {0};
    tableau u = {.s = t->s, .c = t->c, .t = t->t, .out = &found, .any = true};
    u.look_ahead = t->look_ahead - 1;
    branch d = {.facts = from->facts};
    must(&u, &d, a, false);
    must(&u, &d, b, false);
    return run(&u, d) && !found.n;
}

static bool one_of(tableau *t, const branch *b, snode *n)
{
    for (uint32_t i = 0; i < n->one_of.n; i++) {
        branch d = *b;
        for (uint32_t j = 0; j < n->one_of.n; j++)
            if (j != i && !exclude(t, b, n->one_of.at[i], n->one_of.at[j]))
                must(t, &d, n->one_of.at[j], true);
        if (!split_lit(t, d, n->one_of.at[i], false)) return false;
    }
    return true;
}

static bool choose(tableau *t, const branch *b, const choice *h)
{
    const slist *l = h->kind == C_ENUM ? &h->n->enums : &h->n->any_of;
    branch d = *b;
    switch (h->kind) {
    case C_ENUM:
    case C_ANY:
        for (uint32_t i = 0; i < l->n; i++) {
            if (!(l->at[i]->types & type_bits(t->t))) continue;
            if (!split_lit(t, *b, l->at[i], false)) return false;
        }
        return true;
    case C_ONE:
        return one_of(t, b, h->n);
    case C_IF:
        must(t, &d, h->n->when, false);
        if (h->n->then) must(t, &d, h->n->then, false);
        if (!split(t, d)) return false;
        d = *b;
        must(t, &d, h->n->when, true);
        if (h->n->otherwise) must(t, &d, h->n->otherwise, false);
        return split(t, d);
    case C_NEEDS: {
        const sneeds *s = &h->n->needs[h->i];
        note_name(t, &d, F_LACKS, s->name);
        if (!split(t, d)) return false;
        d = *b;
        note_name(t, &d, F_HAS, s->name);
        for (uint32_t i = 0; i < s->n_needs; i++)
            note_name(t, &d, F_HAS, s->needs[i]);
        return split(t, d);
    }
    case C_DEPENDENT:
        note_name(t, &d, F_LACKS, h->n->dependent.at[h->i].name);
        if (!split(t, d)) return false;
        d = *b;
        note_name(t, &d, F_HAS, h->n->dependent.at[h->i].name);
        return split_lit(t, d, h->n->dependent.at[h->i].node, false);
    case C_NOT:
        return fails(t, b, h->n);
    }
    return true;
}

static bool leaf(tableau *t, const fact *f)
{
    if (dead_end(t, f)) return !t->c->status;
    facts *o = t->out;
    if (o->n >= EXPAND_MAX_BRANCHES)
        return gctx_fail(t->c, CN_E_UNSUPPORTED, t->s->root->pointer,
                         "the combined schemas have more than %d cases", EXPAND_MAX_BRANCHES);
    if (o->n == o->cap) {
        uint32_t cap = o->cap ? o->cap * 2 : 8;
        const fact **at = gctx_alloc(t->c, cap, sizeof *at);
        if (!at) return false;
        if (o->n) memcpy(at, o->at, o->n * sizeof *at);
        o->at = at;
        o->cap = cap;
    }
    o->at[o->n++] = f;
    return true;
}

static bool run(tableau *t, branch b)
{
    while (b.must) {
        lit l = b.must->l;
        b.must = b.must->next;
        bool seen = false;
        for (const fact *f = b.facts; f && !seen; f = f->next) {
            if (f->kind != F_SEEN || f->l.n != l.n) continue;
            if (f->l.no != l.no) return true; /* holds and does not: no such branch */
            seen = true;
        }
        if (seen || l.n == (l.no ? t->s->never : t->s->always)) continue;
        if (!gctx_work(t->c, 10)) return false;
        note_lit(t, &b, F_SEEN, l, (fact){0});
        if (!l.no && !holds(t, &b, l.n)) return true;
        if (l.no && l.n->types & type_bits(t->t)) may(t, &b, C_NOT, l.n, 0);
    }
    if (t->c->status) return false;
    if (t->any && t->out->n) return true;
    if (!b.may) return leaf(t, b.facts);
    const choice *h = b.may;
    b.may = h->next;
    return choose(t, &b, h);
}

static bool expand_with(schema *s, const lit *lits, uint32_t n, value_type type, facts *out,
                        unsigned look_ahead, bool any)
{
    tableau t = {
        .s = s, .c = s->c, .t = type, .out = out, .look_ahead = look_ahead, .any = any};
    branch b = {0};
    for (uint32_t i = n; i-- > 0;)
        must(&t, &b, lits[i].n, lits[i].no);
    return run(&t, b) && !s->c->status;
}

bool expand_type(schema *s, const lit *lits, uint32_t n, value_type t, facts *out)
{
    return expand_with(s, lits, n, t, out, 3, false);
}

bool unsatisfiable(schema *s, const lit *lits, uint32_t n, unsigned depth)
{
    if (!depth) return false;
    for (value_type t = V_NULL; t <= V_OBJECT; t++) {
        facts found = {0};
        if (!expand_with(s, lits, n, t, &found, depth - 1, true) || found.n) return false;
    }
    return true;
}

static bool has_kind(const fact *f, fact_kind kind, cn_str name)
{
    for (; f; f = f->next)
        if (f->kind == kind && cn_str_eq(f->name, name)) return true;
    return false;
}

static bool dead_object(tableau *t, const fact *all)
{
    uint32_t min = 0, max = UINT32_MAX;
    for (const fact *f = all; f; f = f->next) {
        if (f->kind == F_MIN_PROPS) min = CN_MAX(min, f->a);
        if (f->kind == F_MAX_PROPS) max = CN_MIN(max, f->a);
        if (f->kind != F_HAS) continue;
        if (has_kind(all, F_LACKS, f->name)) return true;
        uint32_t n;
        if (!t->look_ahead) continue;
        lit *l = member_lits(t->s, all, f->name, &n);
        if (!l || unsatisfiable(t->s, l, n, t->look_ahead)) return true;
    }
    return min > max;
}

/* A contradiction that is easily seen. */
static bool dead_end(tableau *t, const fact *all)
{
    uint32_t min = 0, max = UINT32_MAX;
    const cdfa *d = NULL;
    switch (t->t) {
    case V_STRING:
        d = string_facts(t->s, all);
        return !d || cdfa_empty(d);
    case V_NUMBER:
        d = number_facts(t->s, all);
        return !d || cdfa_empty(d);
    case V_ARRAY:
        for (const fact *f = all; f; f = f->next) {
            if (f->kind == F_MIN_ITEMS) min = CN_MAX(min, f->a);
            if (f->kind == F_MAX_ITEMS) max = CN_MIN(max, f->a);
        }
        return min > max;
    case V_OBJECT:
        return dead_object(t, all);
    default:
        return false;
    }
}
