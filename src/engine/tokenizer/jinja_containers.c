/* Methods of lists, dicts and cyclers; the global functions. Lists and dicts belong to the
 * render, so that a template may change them: some do. */
#include "jinja_string.h"

#define MAX_RANGE 100000 /* as in Jinja's sandbox */

/* ---- list */

JFUNC(l_append)
{
    j_push(r, self.u.list, a[0]);
    return j_none();
}

JFUNC(l_extend)
{
    jlist *more = j_to_list(r, a[0]);
    for (size_t i = 0; more && i < more->n; i++)
        if (!j_push(r, self.u.list, more->v[i])) break;
    return j_none();
}

/* Where an index points; `n` itself only if `end_too`. -1: nowhere. */
static int64_t place(int64_t i, size_t n, bool end_too)
{
    if (i < 0) i += (int64_t)n;
    return i >= 0 && (uint64_t)i < n + end_too ? i : -1;
}

JFUNC(l_insert)
{
    jlist *l = self.u.list;
    if (!j_push(r, l, a[1])) return j_none();
    int64_t i = j_arg_int(r, a[0], 0), n = (int64_t)l->n - 1;
    i = i < 0 ? CN_MAX(i + n, 0) : CN_MIN(i, n);
    if (!j_charge(r, (size_t)(n - i))) return j_none();
    memmove(l->v + i + 1, l->v + i, (size_t)(n - i) * sizeof *l->v);
    l->v[i] = a[1];
    return j_none();
}

static jv take_at(jrun *r, jlist *l, int64_t i)
{
    jv v = l->v[i];
    size_t rest = l->n - (size_t)i - 1;
    if (!j_charge(r, rest)) return j_none();
    memmove(l->v + i, l->v + i + 1, rest * sizeof *l->v);
    l->n--;
    return v;
}

JFUNC(l_pop)
{
    int64_t i = place(j_arg_int(r, a[0], -1), self.u.list->n, false);
    if (i >= 0) return take_at(r, self.u.list, i);
    j_fail(r, CN_E_FORMAT, "pop index out of range");
    return j_none();
}

static int64_t position(jrun *r, const jlist *l, jv v)
{
    for (size_t i = 0; i < l->n && !r->status; i++)
        if (j_equal(r, l->v[i], v)) return (int64_t)i;
    j_fail(r, CN_E_FORMAT, "value not in list");
    return -1;
}

JFUNC(l_index)
{
    return j_int(position(r, self.u.list, a[0]));
}

JFUNC(l_remove)
{
    int64_t i = position(r, self.u.list, a[0]);
    if (i >= 0) take_at(r, self.u.list, i);
    return j_none();
}

JFUNC(l_count)
{
    int64_t n = 0;
    for (size_t i = 0; i < self.u.list->n && !r->status; i++)
        n += j_equal(r, self.u.list->v[i], a[0]);
    return j_int(n);
}

JFUNC(l_clear)
{
    self.u.list->n = 0;
    return j_none();
}

JFUNC(l_reverse)
{
    jlist *l = self.u.list;
    if (!j_charge(r, l->n)) return j_none();
    for (size_t i = 0; i < l->n / 2; i++) {
        jv v = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = v;
    }
    return j_none();
}

JFUNC(l_sort)
{
    jlist *keys = j_to_list(r, self);
    if (keys) j_sort(r, keys, self.u.list, j_arg_bool(a[0], false));
    return j_none();
}

JFUNC(l_copy)
{
    jlist *l = j_to_list(r, self);
    return l ? j_of(J_LIST, l) : j_none();
}

const jfunc j_list_methods[] = {
    {"append", l_append, 1, 1, {"object"}},
    {"extend", l_extend, 1, 1, {"iterable"}},
    {"insert", l_insert, 2, 2, {"index", "object"}},
    {"pop", l_pop, 0, 1, {"index"}},
    {"remove", l_remove, 1, 1, {"value"}},
    {"index", l_index, 1, 1, {"value"}},
    {"count", l_count, 1, 1, {"value"}},
    {"clear", l_clear, 0, 0, {0}},
    {"reverse", l_reverse, 0, 0, {0}},
    {"sort", l_sort, 0, 1, {"reverse"}},
    {"copy", l_copy, 0, 0, {0}},
    {0},
};

const jfunc j_tuple_methods[] = {
    {"index", l_index, 1, 1, {"value"}},
    {"count", l_count, 1, 1, {"value"}},
    {0},
};

/* ---- dict */

JFUNC(d_get)
{
    jv v = j_dict_get(r, self.u.dict, a[0]);
    if (v.kind != J_ABSENT) return v;
    return a[1].kind == J_ABSENT ? j_none() : a[1];
}

static jv view(jrun *r, const jdict *d, bool keys, bool values)
{
    jlist *l = j_list_new(r, d->n);
    for (size_t i = 0; i < d->n && l && !r->status; i++)
        j_push(r, l,
               keys && values ? j_pair(r, d->e[i].key, d->e[i].value)
               : keys         ? d->e[i].key
                              : d->e[i].value);
    if (!l) return j_none();
    l->read = keys && values ? 0 : keys ? 1 : 2;
    return j_of(J_VIEW, l);
}

JFUNC(d_items)
{
    return view(r, self.u.dict, true, true);
}
JFUNC(d_keys)
{
    return view(r, self.u.dict, true, false);
}
JFUNC(d_values)
{
    return view(r, self.u.dict, false, true);
}

JFUNC(d_pop)
{
    ptrdiff_t i = j_dict_find(r, self.u.dict, a[0]);
    if (i >= 0) return j_dict_take(r, self.u.dict, (size_t)i);
    if (a[1].kind == J_ABSENT) j_fail(r, CN_E_FORMAT, "pop(): no such key");
    return a[1];
}

static void merge(jrun *r, jdict *into, jv from, const jargs *all)
{
    if (from.kind == J_DICT) {
        for (size_t i = 0, n = from.u.dict->n; i < n && !r->status; i++)
            j_dict_set(r, into, from.u.dict->e[i].key, from.u.dict->e[i].value);
    } else if (from.kind != J_ABSENT) { /* a list of pairs */
        jv item;
        for (jiter it = j_iter(r, from); j_next(r, &it, &item);) {
            jlist *pair = j_to_list(r, item);
            if (pair && pair->n == 2)
                j_dict_set(r, into, pair->v[0], pair->v[1]);
            else
                j_fail(r, CN_E_FORMAT, "a dict is made of pairs");
        }
    }
    for (size_t i = 0; i < all->n_kw; i++)
        j_dict_set(r, into, j_of(J_STR, all->kw[i].name), all->kw[i].value);
}

JFUNC(d_update)
{
    merge(r, self.u.dict, all->n ? all->pos[0] : (jv){0}, all);
    return j_none();
}

JFUNC(d_setdefault)
{
    jv v = j_dict_get(r, self.u.dict, a[0]);
    if (v.kind != J_ABSENT) return v;
    v = a[1].kind == J_ABSENT ? j_none() : a[1];
    j_dict_set(r, self.u.dict, a[0], v);
    return v;
}

JFUNC(d_copy)
{
    jdict *d = j_dict_new(r);
    if (!d) return j_none();
    merge(r, d, self, &(jargs){0});
    return j_of(J_DICT, d);
}

JFUNC(d_clear)
{
    *self.u.dict = (jdict){0};
    return j_none();
}

const jfunc j_dict_methods[] = {
    {"get", d_get, 1, 2, {"key", "default"}},
    {"items", d_items, 0, 0, {0}},
    {"keys", d_keys, 0, 0, {0}},
    {"values", d_values, 0, 0, {0}},
    {"pop", d_pop, 1, 2, {"key", "default"}},
    {"update", d_update, 0, -1, {0}},
    {"setdefault", d_setdefault, 1, 2, {"key", "default"}},
    {"copy", d_copy, 0, 0, {0}},
    {"clear", d_clear, 0, 0, {0}},
    {0},
};

/* ---- cycler */

JFUNC(c_next)
{
    jcycler *c = self.u.cycler;
    jv v = c->items.v[c->at];
    c->at = (c->at + 1) % c->items.n;
    return v;
}

JFUNC(c_reset)
{
    self.u.cycler->at = 0;
    return j_none();
}

const jfunc j_cycler_methods[] = {
    {"next", c_next, 0, 0, {0}},
    {"reset", c_reset, 0, 0, {0}},
    {0},
};

const jfunc *const j_methods[JM_KINDS] = {
    [JM_STR] = j_str_methods,   [JM_LIST] = j_list_methods,     [JM_TUPLE] = j_tuple_methods,
    [JM_DICT] = j_dict_methods, [JM_CYCLER] = j_cycler_methods, [JM_LOOP] = j_loop_methods,
};

const jfunc *jfunc_find(const jfunc *table, cn_str name)
{
    for (; table->name; table++)
        if (name.n && name.p[0] == table->name[0] && cn_str_is(name, table->name)) return table;
    return NULL;
}

/* ---- globals */

JFUNC(g_range)
{
    bool one = a[1].kind == J_ABSENT;
    int64_t start = one ? 0 : j_arg_int(r, a[0], 0);
    int64_t stop = j_arg_int(r, one ? a[0] : a[1], 0), step = j_arg_int(r, a[2], 1), distance;
    if (step == 0) j_fail(r, CN_E_FORMAT, "range() arg 3 must not be zero");
    if (r->status) return j_none();
    bool wide = step > 0 ? __builtin_sub_overflow(stop, start, &distance)
                         : __builtin_sub_overflow(start, stop, &distance);
    uint64_t by = step > 0 ? (uint64_t)step : -(uint64_t)step;
    uint64_t n = wide || distance <= 0 ? 0 : ((uint64_t)distance - 1) / by + 1;
    if (wide || n > MAX_RANGE) {
        j_fail(r, CN_E_LIMIT, "a range of more than %d", MAX_RANGE);
        return j_none();
    }
    jrange *g = j_alloc(r, 1, sizeof *g);
    if (!g) return j_none();
    *g = (jrange){start, stop, step, (size_t)n};
    return j_of(J_RANGE, g);
}

JFUNC(g_dict)
{
    jdict *d = j_dict_new(r);
    if (!d) return j_none();
    merge(r, d, all->n ? all->pos[0] : (jv){0}, all);
    return j_of(J_DICT, d);
}

JFUNC(g_namespace)
{
    jv d = g_dict(r, self, a, all);
    if (d.kind == J_DICT) d.kind = J_NAMESPACE;
    return d;
}

static jv new_cycler(jrun *r, jkind kind, const jv *items, size_t n)
{
    jcycler *c = j_alloc(r, 1, sizeof *c);
    if (!c) return j_none();
    for (size_t i = 0; i < n; i++)
        if (!j_push(r, &c->items, items[i])) return j_none();
    return j_of(kind, c);
}

JFUNC(g_cycler)
{
    if (all->n) return new_cycler(r, J_CYCLER, all->pos, all->n);
    j_fail(r, CN_E_FORMAT, "at least one item has to be provided");
    return j_none();
}

JFUNC(g_joiner)
{
    jv sep = a[0].kind == J_ABSENT ? j_str_lit(r, ", ") : a[0];
    return new_cycler(r, J_JOINER, &sep, 1);
}

JFUNC(g_raise)
{
    jstr *why = j_to_str(r, a[0]);
    if (!r->status) j_fail(r, CN_E_REFUSED, "%.*s", (int)CN_MIN(why->n, (size_t)500), why->p);
    return j_none();
}

JFUNC(g_strftime)
{
    return j_strftime(r, js_arg(r, a[0], "strftime_now() argument"));
}

const jfunc j_globals[] = {
    {"range", g_range, 1, 3, {"start", "stop", "step"}},
    {"dict", g_dict, 0, -1, {0}},
    {"namespace", g_namespace, 0, -1, {0}},
    {"cycler", g_cycler, 0, -1, {0}},
    {"joiner", g_joiner, 0, 1, {"sep"}},
    {"raise_exception", g_raise, 1, 1, {"message"}},
    {"strftime_now", g_strftime, 1, 1, {"format"}},
    {0},
};
