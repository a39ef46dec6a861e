/* Lists, dicts, comparison, iteration. */
#include <math.h>

#include "jinja_run.h"
#include "utf8.h"

const char *j_type_name(jv v)
{
    static const char *const names[] = {
        [J_ABSENT] = "Undefined",
        [J_UNDEF] = "Undefined",
        [J_NONE] = "NoneType",
        [J_BOOL] = "bool",
        [J_INT] = "int",
        [J_FLOAT] = "float",
        [J_STR] = "str",
        [J_LIST] = "list",
        [J_TUPLE] = "tuple",
        [J_VIEW] = "dict_view",
        [J_GEN] = "generator",
        [J_DICT] = "dict",
        [J_NAMESPACE] = "Namespace",
        [J_RANGE] = "range",
        [J_MACRO] = "Macro",
        [J_FUNC] = "function",
        [J_METHOD] = "method",
        [J_LOOP] = "LoopContext",
        [J_CYCLER] = "Cycler",
        [J_JOINER] = "Joiner",
        [J_SLICE] = "slice",
    };
    return names[v.kind];
}

bool j_len(jv v, size_t *n)
{
    switch (v.kind) {
    case J_STR:
        *n = jstr_chars(v.u.s);
        return true;
    case J_LIST:
    case J_TUPLE:
    case J_VIEW:
        *n = v.u.list->n;
        return true;
    case J_DICT:
        *n = v.u.dict->n;
        return true;
    case J_RANGE:
        *n = v.u.range->n;
        return true;
    case J_UNDEF:
        *n = 0;
        return true;
    default:
        *n = 0;
        return false;
    }
}

bool j_truth(jv v)
{
    size_t n;
    switch (v.kind) {
    case J_ABSENT:
    case J_NONE:
        return false;
    case J_BOOL:
        return v.u.b;
    case J_INT:
        return v.u.i != 0;
    case J_FLOAT:
        return v.u.f != 0;
    case J_STR:
        return v.u.s->n != 0;
    default:
        return j_len(v, &n) ? n != 0 : true;
    }
}

static bool equal_lists(jrun *r, const jlist *a, const jlist *b)
{
    if (a->n != b->n || !j_enter(r)) return false;
    bool same = true;
    for (size_t i = 0; same && i < a->n && i < b->n; i++)
        same = j_equal(r, a->v[i], b->v[i]);
    j_leave(r);
    return same;
}

static bool equal_dicts(jrun *r, const jdict *a, const jdict *b)
{
    if (a->n != b->n || !j_enter(r)) return false;
    bool same = true;
    for (size_t i = 0; same && i < a->n; i++) {
        jv other = j_dict_get(r, b, a->e[i].key);
        same = other.kind != J_ABSENT && j_equal(r, a->e[i].value, other);
    }
    j_leave(r);
    return same;
}

bool j_equal(jrun *r, jv a, jv b)
{
    if (!j_charge(r, 1)) return false;
    if (j_is_number(a) && j_is_number(b)) {
        if (j_is_int(a) && j_is_int(b)) return j_as_int(a) == j_as_int(b);
        return j_as_float(a) == j_as_float(b);
    }
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case J_ABSENT:
    case J_UNDEF:
    case J_NONE:
        return true;
    case J_STR:
        return j_charge(r, a.u.s->n / 64) && cn_str_eq(j_view(a.u.s), j_view(b.u.s));
    case J_LIST:
    case J_TUPLE:
    case J_VIEW:
        return equal_lists(r, a.u.list, b.u.list);
    case J_DICT:
        return equal_dicts(r, a.u.dict, b.u.dict);
    case J_RANGE:
        return a.u.range->n == b.u.range->n &&
               (a.u.range->n == 0 ||
                (a.u.range->start == b.u.range->start && a.u.range->step == b.u.range->step));
    default:
        return a.u.s == b.u.s;
    }
}

static int compare_text(const jstr *a, const jstr *b)
{
    int c = memcmp(a->p, b->p, CN_MIN(a->n, b->n));
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

static int compare_lists(jrun *r, const jlist *a, const jlist *b, const char *op)
{
    int c = 0;
    if (!j_enter(r)) return 0;
    size_t n = CN_MIN(a->n, b->n), i = 0;
    while (i < n && j_equal(r, a->v[i], b->v[i]))
        i++;
    c = i < n ? j_compare(r, a->v[i], b->v[i], op) : (a->n > b->n) - (a->n < b->n);
    j_leave(r);
    return c;
}

int j_compare(jrun *r, jv a, jv b, const char *op)
{
    if (!j_charge(r, 1)) return 0;
    if (j_is_int(a) && j_is_int(b))
        return (j_as_int(a) > j_as_int(b)) - (j_as_int(a) < j_as_int(b));
    if (j_is_number(a) && j_is_number(b)) {
        double x = j_as_float(a), y = j_as_float(b);
        if (isnan(x) || isnan(y)) return strchr(op, '<') ? 2 : -2; /* answers false */
        return (x > y) - (x < y);
    }
    if (a.kind == J_STR && b.kind == J_STR)
        return j_charge(r, a.u.s->n / 64) ? compare_text(a.u.s, b.u.s) : 0;
    if (j_is_seq(a) && a.kind == b.kind) return compare_lists(r, a.u.list, b.u.list, op);
    if (a.kind == J_UNDEF || b.kind == J_UNDEF) {
        jstr *name = a.kind == J_UNDEF ? a.u.s : b.u.s;
        cn_str s = name ? j_view(name) : CN_STR("value");
        j_fail(r, CN_E_FORMAT, "'%.*s' is undefined", CN_STR_ARG(s));
    } else {
        j_fail(r, CN_E_FORMAT, "'%s' not supported between instances of '%s' and '%s'", op,
               j_type_name(a), j_type_name(b));
    }
    return 0;
}

bool j_contains(jrun *r, jv needle, jv hay)
{
    if (hay.kind == J_STR) {
        if (needle.kind != J_STR) {
            j_fail(r, CN_E_FORMAT, "'in <string>' requires string as left operand, not %s",
                   j_type_name(needle));
            return false;
        }
        const jstr *h = hay.u.s, *s = needle.u.s;
        return j_charge(r, h->n / 16) &&
               (s->n == 0 || (h->n && memmem(h->p, h->n, s->p, s->n)));
    }
    if (hay.kind == J_DICT) return j_dict_find(r, hay.u.dict, needle) >= 0;
    if (!j_iterable(hay)) {
        j_fail(r, CN_E_FORMAT, "argument of type '%s' is not iterable", j_type_name(hay));
        return false;
    }
    jv item;
    for (jiter it = j_iter(r, hay); j_next(r, &it, &item);)
        if (j_equal(r, item, needle)) return true;
    return false;
}

jlist *j_list_new(jrun *r, size_t cap)
{
    jlist *l = j_alloc(r, 1, sizeof *l);
    if (!l) return NULL;
    l->v = cap ? j_alloc(r, cap, sizeof *l->v) : NULL;
    l->cap = l->v ? cap : 0;
    return l;
}

bool j_push(jrun *r, jlist *l, jv v)
{
    if (r->status || !l || !j_charge(r, 1)) return false;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        jv *bigger = j_alloc(r, cap, sizeof *bigger);
        if (!bigger) return false;
        if (l->n) memcpy(bigger, l->v, l->n * sizeof *bigger);
        l->v = bigger;
        l->cap = cap;
    }
    l->v[l->n++] = v;
    return true;
}

jv j_pair(jrun *r, jv a, jv b)
{
    jlist *l = j_list_new(r, 2);
    if (!j_push(r, l, a) || !j_push(r, l, b)) return j_none();
    return j_of(J_TUPLE, l);
}

jiter j_iter(jrun *r, jv v)
{
    if (!j_iterable(v)) {
        j_fail(r, CN_E_FORMAT, "'%s' object is not iterable", j_type_name(v));
        v = j_undef(NULL, 0);
    }
    return (jiter){.over = v};
}

bool j_iterable(jv v)
{
    return v.kind == J_UNDEF || v.kind == J_STR || v.kind == J_DICT || v.kind == J_RANGE ||
           v.kind == J_GEN || v.kind == J_VIEW || j_is_seq(v);
}

static bool next_char(jrun *r, jiter *it, jv *item)
{
    const jstr *s = it->over.u.s;
    if (it->i >= s->n) return false;
    uint32_t rune;
    size_t n = cn_utf8_decode(s->p + it->i, s->n - it->i, &rune);
    *item = j_str_slice(r, s, it->i, n ? n : 1);
    it->i += n ? n : 1;
    return true;
}

bool j_next(jrun *r, jiter *it, jv *item)
{
    if (r->status || !j_charge(r, 1)) return false;
    size_t i = it->i++;
    switch (it->over.kind) {
    case J_STR:
        it->i = i;
        return next_char(r, it, item);
    case J_LIST:
    case J_TUPLE:
    case J_VIEW:
        if (i >= it->over.u.list->n) return false;
        *item = it->over.u.list->v[i];
        return true;
    case J_GEN:
        if (it->over.u.list->read >= it->over.u.list->n) return false;
        *item = it->over.u.list->v[it->over.u.list->read++];
        return true;
    case J_DICT:
        if (i >= it->over.u.dict->n) return false;
        *item = it->over.u.dict->e[i].key;
        return true;
    case J_RANGE:
        if (i >= it->over.u.range->n) return false;
        *item = j_int(jrange_at(it->over.u.range, i));
        return true;
    default:
        return false;
    }
}

jlist *j_to_list(jrun *r, jv v)
{
    size_t n;
    jv item;
    if (v.kind == J_STR || !j_len(v, &n)) n = 0;
    jlist *l = j_list_new(r, n);
    if (l)
        for (jiter it = j_iter(r, v); j_next(r, &it, &item);)
            j_push(r, l, item);
    return l;
}
