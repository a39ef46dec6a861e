/* Filters on sequences. */
#include "jinja_string.h"

#include "jinja_lex.h"

static jv made(jkind kind, jlist *l)
{
    return l ? j_of(kind, l) : j_none();
}

/* ---- sorting */

static void merge(jrun *r, jlist *k, jlist *v, jv *spare, size_t from, size_t mid, size_t to,
                  bool reverse)
{
    size_t i = from, j = mid, n = 0, len = to - from;
    jv *spare_v = spare + k->n;
    while ((i < mid || j < to) && !r->status) {
        bool right = i == mid;
        if (!right && j < to) {
            jv a = k->v[reverse ? i : j], b = k->v[reverse ? j : i];
            bool both_missing = a.kind == J_UNDEF && b.kind == J_UNDEF;
            right = !both_missing && j_compare(r, a, b, "<") < 0;
        }
        size_t at = right ? j++ : i++;
        spare[n] = k->v[at];
        spare_v[n++] = v->v[at];
    }
    if (r->status) return;
    memcpy(k->v + from, spare, len * sizeof *spare);
    memcpy(v->v + from, spare_v, len * sizeof *spare);
}

void j_sort(jrun *r, jlist *keys, jlist *items, bool reverse)
{
    if (!keys || !items || keys->n != items->n || keys->n < 2) return;
    size_t n = keys->n;
    jlist own = *keys;
    if (keys->v == items->v) { /* sorted by themselves: the keys need a place of their own */
        own.v = j_alloc(r, n, sizeof *own.v);
        if (!own.v) return;
        memcpy(own.v, keys->v, n * sizeof *own.v);
    }
    jv *spare = j_alloc(r, n, 2 * sizeof *spare);
    if (!spare) return;
    for (size_t width = 1; width < n; width *= 2)
        for (size_t from = 0; from + width < n && !r->status; from += 2 * width)
            merge(r, &own, items, spare, from, from + width, CN_MIN(from + 2 * width, n),
                  reverse);
}

static jv fold_case(jrun *r, jv v, bool case_sensitive)
{
    return v.kind == J_STR && !case_sensitive ? js_case(r, v.u.s, JC_LOWER) : v;
}

/* item.a.0.b, as the attribute argument of many filters says it. */
static jv attr_path(jrun *r, jv item, jv path)
{
    if (path.kind == J_ABSENT || path.kind == J_NONE) return item;
    if (path.kind != J_STR) return j_get_item(r, item, path);
    jstr *s = path.u.s;
    for (size_t from = 0; from <= s->n && !r->status;) {
        const char *dot = memchr(s->p + from, '.', s->n - from);
        size_t to = dot ? (size_t)(dot - s->p) : s->n;
        jv part = from == 0 && !dot ? path : j_str_slice(r, s, from, to - from);
        if (part.kind != J_STR) return j_none();
        bool digits = part.u.s->n > 0;
        for (size_t i = 0; i < part.u.s->n; i++)
            digits &= part.u.s->p[i] >= '0' && part.u.s->p[i] <= '9';
        if (digits) part = j_parse_int(r, part.u.s, 10);
        item = j_get_item(r, item, part);
        from = to + 1;
    }
    return item;
}

/* The values to sort by: of "a,b" a list of both. */
static jv sort_key(jrun *r, jv item, jv path, bool case_sensitive)
{
    if (path.kind != J_STR || !memchr(path.u.s->p, ',', path.u.s->n))
        return fold_case(r, attr_path(r, item, path), case_sensitive);
    jlist *l = j_list_new(r, 2);
    const jstr *s = path.u.s;
    for (size_t from = 0; from <= s->n && !r->status;) {
        const char *comma = memchr(s->p + from, ',', s->n - from);
        size_t to = comma ? (size_t)(comma - s->p) : s->n;
        jv part = attr_path(r, item, j_str_slice(r, s, from, to - from));
        j_push(r, l, fold_case(r, part, case_sensitive));
        from = to + 1;
    }
    return made(J_LIST, l);
}

static jlist *sorted(jrun *r, jv v, jv path, bool case_sensitive, bool reverse)
{
    jlist *items = j_to_list(r, v), *keys = items ? j_list_new(r, items->n) : NULL;
    for (size_t i = 0; keys && i < items->n && !r->status; i++)
        j_push(r, keys, sort_key(r, items->v[i], path, case_sensitive));
    j_sort(r, keys, items, reverse);
    return items;
}

JFUNC(f_sort)
{
    return made(J_LIST,
                sorted(r, self, a[2], j_arg_bool(a[1], false), j_arg_bool(a[0], false)));
}

JFUNC(f_dictsort)
{
    jlist *pairs = j_list_new(r, 0);
    bool by_value = a[1].kind == J_STR && cn_str_is(j_view(a[1].u.s), "value");
    if (self.kind != J_DICT) {
        if (self.kind == J_UNDEF) return j_get_attr(r, self, &r->empty);
        j_fail(r, CN_E_FORMAT, "dictsort wants a mapping, not %s", j_type_name(self));
        return j_none();
    }
    for (size_t i = 0; i < self.u.dict->n && !r->status; i++)
        j_push(r, pairs, j_pair(r, self.u.dict->e[i].key, self.u.dict->e[i].value));
    return made(J_LIST, sorted(r, made(J_LIST, pairs), j_int(by_value), j_arg_bool(a[0], false),
                               j_arg_bool(a[2], false)));
}

static jv extreme(jrun *r, jv self, const jv *a, int sign)
{
    jv item, best = j_undef(NULL, 0), best_key = j_none();
    bool any = false;
    for (jiter it = j_iter(r, self); j_next(r, &it, &item); any = true) {
        jv key = fold_case(r, attr_path(r, item, a[1]), j_arg_bool(a[0], false));
        if (any && j_compare(r, key, best_key, sign < 0 ? "<" : ">") * sign <= 0) continue;
        best = item;
        best_key = key;
    }
    return best;
}

JFUNC(f_min)
{
    return extreme(r, self, a, -1);
}
JFUNC(f_max)
{
    return extreme(r, self, a, 1);
}

JFUNC(f_sum)
{
    jv item, total = a[1].kind == J_ABSENT ? j_int(0) : a[1];
    for (jiter it = j_iter(r, self); j_next(r, &it, &item);)
        total = j_arith(r, JO_ADD, total, attr_path(r, item, a[0]));
    return total;
}

JFUNC(f_unique)
{
    jlist *l = j_list_new(r, 0);
    jdict *seen = j_dict_new(r);
    jv item;
    for (jiter it = j_iter(r, self); seen && j_next(r, &it, &item);) {
        jv key = fold_case(r, attr_path(r, item, a[1]), j_arg_bool(a[0], false));
        if (j_dict_find(r, seen, key) >= 0) continue;
        j_dict_set(r, seen, key, j_none());
        j_push(r, l, item);
    }
    return made(J_GEN, l);
}

JFUNC(f_groupby)
{
    bool exact = j_arg_bool(a[2], false);
    jlist *items = sorted(r, self, a[0], exact, false), *groups = j_list_new(r, 0),
          *group = NULL;
    jv last = j_none();
    for (size_t i = 0; items && i < items->n && !r->status; i++) {
        jv key = attr_path(r, items->v[i], a[0]);
        if (key.kind == J_UNDEF && a[1].kind != J_ABSENT) key = a[1];
        if (!group || !j_equal(r, fold_case(r, key, exact), fold_case(r, last, exact))) {
            group = j_list_new(r, 4);
            j_push(r, groups, j_pair(r, key, made(J_LIST, group)));
        }
        last = key;
        j_push(r, group, items->v[i]);
    }
    return made(J_LIST, groups);
}

/* ---- parts */

JFUNC(f_length)
{
    size_t n;
    if (j_len(self, &n)) return j_int((int64_t)n);
    if (!r->status)
        j_fail(r, CN_E_FORMAT, "object of type '%s' has no len()", j_type_name(self));
    return j_none();
}

JFUNC(f_first)
{
    jv item;
    jiter it = j_iter(r, self);
    return j_next(r, &it, &item) ? item : j_undef(NULL, 0);
}

JFUNC(f_last)
{
    if (self.kind == J_DICT)
        return self.u.dict->n ? self.u.dict->e[self.u.dict->n - 1].key : j_undef(NULL, 0);
    jlist *l = j_to_list(r, self);
    return l && l->n ? l->v[l->n - 1] : j_undef(NULL, 0);
}

JFUNC(f_list)
{
    return made(J_LIST, j_to_list(r, self));
}

JFUNC(f_items)
{
    jlist *l = j_list_new(r, 0);
    if (self.kind == J_UNDEF) return made(J_GEN, l);
    if (self.kind != J_DICT) {
        j_fail(r, CN_E_FORMAT, "Can only get item pairs from a mapping.");
        return j_none();
    }
    for (size_t i = 0; i < self.u.dict->n && !r->status; i++)
        j_push(r, l, j_pair(r, self.u.dict->e[i].key, self.u.dict->e[i].value));
    return made(J_GEN, l);
}

JFUNC(f_reverse)
{
    jslice back = {j_none(), j_none(), j_int(-1)};
    if (self.kind == J_STR) return j_slice_of(r, self, &back);
    jlist *l = j_to_list(r, self);
    if (!l) return j_none();
    jv v = j_slice_of(r, j_of(J_LIST, l), &back);
    if (v.kind == J_LIST) v.kind = J_GEN;
    return v;
}

JFUNC(f_join)
{
    const jstr *sep = a[0].kind == J_ABSENT ? &r->empty : j_to_str(r, a[0]);
    size_t start = r->out.n, i = 0;
    jv item;
    for (jiter it = j_iter(r, self); j_next(r, &it, &item); i++) {
        if (i) j_put_str(r, sep);
        if (a[1].kind != J_ABSENT) item = attr_path(r, item, a[1]);
        j_put_value(r, item);
    }
    return j_take(r, start);
}

JFUNC(f_batch)
{
    int64_t size = CN_MAX(j_arg_int(r, a[0], 1), 1);
    jlist *out = j_list_new(r, 0), *row = NULL;
    jv item;
    for (jiter it = j_iter(r, self); j_next(r, &it, &item); j_push(r, row, item)) {
        if (row && row->n < (size_t)size) continue;
        row = j_list_new(r, 4);
        j_push(r, out, made(J_LIST, row));
    }
    if (row && a[1].kind != J_ABSENT && a[1].kind != J_NONE)
        while (row->n < (size_t)size && j_push(r, row, a[1])) {
        }
    return made(J_GEN, out);
}

JFUNC(f_slice)
{
    int64_t slices = CN_MAX(j_arg_int(r, a[0], 1), 1);
    jlist *items = j_to_list(r, self), *out = j_list_new(r, 0);
    if (!items) return j_none();
    size_t each = items->n / (size_t)slices, extra = items->n % (size_t)slices, at = 0;
    for (size_t i = 0; i < (size_t)slices && !r->status; i++) {
        jlist *part = j_list_new(r, 0);
        for (size_t n = each + (i < extra); n; n--)
            j_push(r, part, items->v[at++]);
        if (a[1].kind != J_ABSENT && a[1].kind != J_NONE && i >= extra) j_push(r, part, a[1]);
        j_push(r, out, made(J_LIST, part));
    }
    return made(J_GEN, out);
}

/* ---- map, select and their like */

static jargs rest_of(const jargs *all, size_t used)
{
    jargs rest = *all;
    size_t n = CN_MIN(used, rest.n);
    rest.n -= n;
    rest.pos += n;
    return rest;
}

static jv keyword(const jargs *all, const char *name)
{
    for (size_t i = 0; i < all->n_kw; i++)
        if (cn_str_is(j_view(all->kw[i].name), name)) return all->kw[i].value;
    return (jv){0};
}

static jlist *map_attr(jrun *r, jv self, jv path, jv fallback)
{
    jlist *l = j_list_new(r, 0);
    jv item;
    for (jiter it = j_iter(r, self); j_next(r, &it, &item);) {
        jv v = attr_path(r, item, path);
        bool missing =
            v.kind == J_UNDEF && fallback.kind != J_ABSENT && fallback.kind != J_NONE;
        j_push(r, l, missing ? fallback : v);
    }
    return l;
}

JFUNC(f_map)
{
    jlist *l = j_list_new(r, 0);
    jv item, path = keyword(all, "attribute");
    if (!j_truth(self)) return made(J_GEN, l);
    if (!all->n && path.kind != J_ABSENT)
        return made(J_GEN, map_attr(r, self, path, keyword(all, "default")));
    if (!all->n) {
        j_fail(r, CN_E_FORMAT, "map requires a filter argument");
        return j_none();
    }
    jstr *name = js_arg(r, all->pos[0], "the name of a filter");
    const jfunc *f = jfilter_find(j_view(name));
    jargs rest = rest_of(all, 1);
    if (!f && !r->status)
        j_fail(r, CN_E_FORMAT, "No filter named '%.*s'.", CN_STR_ARG(j_view(name)));
    for (jiter it = j_iter(r, self); f && j_next(r, &it, &item);)
        j_push(r, l, j_call_func(r, f, item, &rest));
    return made(J_GEN, l);
}

static jv chosen(jrun *r, jv self, const jargs *all, bool by_attr, bool keep)
{
    jlist *l = j_list_new(r, 0);
    jv item;
    if (!j_truth(self)) return made(J_GEN, l);
    if (by_attr && !all->n) {
        j_fail(r, CN_E_FORMAT, "Missing parameter for attribute name");
        return j_none();
    }
    jargs rest = rest_of(all, by_attr);
    const jfunc *test = NULL;
    if (rest.n) {
        jstr *name = js_arg(r, rest.pos[0], "the name of a test");
        test = jfunc_find(j_tests, j_view(name));
        if (!test && !r->status)
            j_fail(r, CN_E_FORMAT, "No test named '%.*s'.", CN_STR_ARG(j_view(name)));
        rest = rest_of(&rest, 1);
    }
    for (jiter it = j_iter(r, self); j_next(r, &it, &item);) {
        jv v = by_attr ? attr_path(r, item, all->pos[0]) : item;
        if (test) v = j_call_func(r, test, v, &rest);
        if (j_truth(v) == keep) j_push(r, l, item);
    }
    return made(J_GEN, l);
}

JFUNC(f_select)
{
    return chosen(r, self, all, false, true);
}
JFUNC(f_reject)
{
    return chosen(r, self, all, false, false);
}
JFUNC(f_selectattr)
{
    return chosen(r, self, all, true, true);
}
JFUNC(f_rejectattr)
{
    return chosen(r, self, all, true, false);
}

const jfunc j_list_filters[] = {
    {"length", f_length, 0, 0, {0}},
    {"count", f_length, 0, 0, {0}},
    {"join", f_join, 0, 2, {"d", "attribute"}},
    {"first", f_first, 0, 0, {0}},
    {"last", f_last, 0, 0, {0}},
    {"list", f_list, 0, 0, {0}},
    {"items", f_items, 0, 0, {0}},
    {"map", f_map, 0, -1, {0}},
    {"select", f_select, 0, -1, {0}},
    {"reject", f_reject, 0, -1, {0}},
    {"selectattr", f_selectattr, 0, -1, {0}},
    {"rejectattr", f_rejectattr, 0, -1, {0}},
    {"sort", f_sort, 0, 3, {"reverse", "case_sensitive", "attribute"}},
    {"dictsort", f_dictsort, 0, 3, {"case_sensitive", "by", "reverse"}},
    {"reverse", f_reverse, 0, 0, {0}},
    {"min", f_min, 0, 2, {"case_sensitive", "attribute"}},
    {"max", f_max, 0, 2, {"case_sensitive", "attribute"}},
    {"sum", f_sum, 0, 2, {"attribute", "start"}},
    {"unique", f_unique, 0, 2, {"case_sensitive", "attribute"}},
    {"groupby", f_groupby, 1, 3, {"attribute", "default", "case_sensitive"}},
    {"batch", f_batch, 1, 2, {"linecount", "fill_with"}},
    {"slice", f_slice, 1, 2, {"slices", "fill_with"}},
    {0},
};
