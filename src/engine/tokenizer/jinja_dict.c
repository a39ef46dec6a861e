/* Dicts (in order of insertion, found by hash) and what obj.name and obj[key] mean. */
#include <math.h>

#include "jinja_run.h"
#include "utf8.h"

#define SCANNED 8 /* entries that are looked through without an index */

static uint32_t hash_number(jv v)
{
    double f = v.kind == J_FLOAT ? v.u.f : 0;
    bool whole = v.kind != J_FLOAT || (f == floor(f) && fabs(f) < 9e18);
    int64_t i = v.kind != J_FLOAT ? j_as_int(v) : whole ? (int64_t)f : 0;
    return whole ? j_hash_bytes((const char *)&i, sizeof i)
                 : j_hash_bytes((const char *)&f, sizeof f);
}

static uint32_t hash_of(jrun *r, jv v)
{
    switch (v.kind) {
    case J_STR:
        return j_charge(r, v.u.s->n / 64) ? jstr_hash(v.u.s) : 1;
    case J_BOOL:
    case J_INT:
    case J_FLOAT:
        return hash_number(v);
    case J_NONE:
    case J_UNDEF:
        return v.kind;
    case J_TUPLE: {
        uint32_t h = 77;
        if (!j_enter(r)) return h;
        for (size_t i = 0; i < v.u.list->n && j_charge(r, 1); i++)
            h = h * 31 + hash_of(r, v.u.list->v[i]);
        j_leave(r);
        return h | 1;
    }
    case J_LIST:
    case J_DICT:
    case J_SLICE:
        j_fail(r, CN_E_FORMAT, "unhashable type: '%s'", j_type_name(v));
        return 1;
    default:
        return j_hash_bytes((const char *)&v.u.s, sizeof v.u.s);
    }
}

jdict *j_dict_new(jrun *r)
{
    return j_alloc(r, 1, sizeof(jdict));
}

static bool key_equal(jrun *r, const jentry *e, jv key, uint32_t hash)
{
    if (e->hash != hash) return false;
    if (key.kind == J_STR && e->key.kind == J_STR)
        return cn_str_eq(j_view(e->key.u.s), j_view(key.u.s));
    return j_equal(r, e->key, key);
}

static ptrdiff_t find(jrun *r, const jdict *d, jv key, uint32_t hash)
{
    if (!d->n_slots) {
        for (size_t i = 0; i < d->n; i++)
            if (key_equal(r, &d->e[i], key, hash)) return (ptrdiff_t)i;
        return -1;
    }
    for (size_t s = hash & (d->n_slots - 1); d->slot[s]; s = (s + 1) & (d->n_slots - 1)) {
        size_t i = d->slot[s] - 1;
        if (key_equal(r, &d->e[i], key, hash)) return (ptrdiff_t)i;
        if (!j_charge(r, 1)) return -1;
    }
    return -1;
}

ptrdiff_t j_dict_find(jrun *r, const jdict *d, jv key)
{
    uint32_t hash = hash_of(r, key);
    return r->status ? -1 : find(r, d, key, hash);
}

jv j_dict_get(jrun *r, const jdict *d, jv key)
{
    ptrdiff_t i = j_dict_find(r, d, key);
    return i < 0 ? (jv){0} : d->e[i].value;
}

jv j_dict_get_str(jrun *r, const jdict *d, jstr *key)
{
    return j_dict_get(r, d, j_of(J_STR, key));
}

/* Colliding keys cost steps, so that data made to collide cannot hang. */
static bool link_slot(jrun *r, jdict *d, size_t i)
{
    size_t s = d->e[i].hash & (d->n_slots - 1);
    for (; d->slot[s]; s = (s + 1) & (d->n_slots - 1))
        if (!j_charge(r, 1)) return false;
    d->slot[s] = (uint32_t)i + 1;
    return true;
}

static bool index_all(jrun *r, jdict *d)
{
    d->n_slots = 0;
    if (d->cap <= SCANNED) return true;
    d->slot = j_alloc(r, d->cap * 2, sizeof *d->slot);
    if (!d->slot) return false;
    d->n_slots = d->cap * 2;
    for (size_t i = 0; i < d->n; i++)
        if (!link_slot(r, d, i)) return false;
    return true;
}

static bool reserve(jrun *r, jdict *d)
{
    if (d->n < d->cap) return true;
    if (d->cap > UINT32_MAX / 4) return false;
    size_t cap = d->cap ? d->cap * 2 : 4;
    jentry *e = j_alloc(r, cap, sizeof *e);
    if (!e) return false;
    if (d->n) memcpy(e, d->e, d->n * sizeof *e);
    d->e = e;
    d->cap = cap;
    return index_all(r, d);
}

bool j_dict_set(jrun *r, jdict *d, jv key, jv value)
{
    if (!d || !j_charge(r, 1)) return false;
    uint32_t hash = hash_of(r, key);
    if (r->status) return false;
    ptrdiff_t i = find(r, d, key, hash);
    if (i >= 0) {
        d->e[i].value = value;
        return true;
    }
    if (!reserve(r, d)) return false;
    d->e[d->n++] = (jentry){.key = key, .value = value, .hash = hash};
    return !d->n_slots || link_slot(r, d, d->n - 1);
}

jv j_dict_take(jrun *r, jdict *d, size_t i)
{
    jv value = d->e[i].value;
    memmove(d->e + i, d->e + i + 1, (d->n - i - 1) * sizeof *d->e);
    d->n--;
    if (j_charge(r, d->n)) index_all(r, d);
    return value;
}

static jv bound(jrun *r, jv self, jstr *name)
{
    int kind = jmethods_of(self);
    const jfunc *fn = kind < 0 ? NULL : jfunc_find(j_methods[kind], j_view(name));
    if (!fn) return (jv){0};
    jmethod *m = j_alloc(r, 1, sizeof *m);
    if (!m) return (jv){0};
    *m = (jmethod){.self = self, .fn = fn};
    return j_of(J_METHOD, m);
}

/* Attributes that are no dict keys: methods, loop.index, namespaces. */
static jv own_attr(jrun *r, jv v, jstr *name)
{
    if (v.kind == J_NAMESPACE) return j_dict_get_str(r, v.u.dict, name);
    if (v.kind == J_LOOP) {
        jv got = j_loop_attr(r, v.u.loop, name);
        if (got.kind != J_ABSENT) return got;
    }
    if (v.kind == J_CYCLER && cn_str_is(j_view(name), "current"))
        return v.u.cycler->items.v[v.u.cycler->at];
    return bound(r, v, name);
}

static jv undefined_fails(jrun *r, jv v)
{
    cn_str name = v.u.s ? j_view(v.u.s) : CN_STR("value");
    if (v.owner)
        j_fail(r, CN_E_FORMAT, "'%s object' has no attribute '%.*s'",
               j_type_name((jv){.kind = v.owner}), CN_STR_ARG(name));
    else
        j_fail(r, CN_E_FORMAT, "'%.*s' is undefined", CN_STR_ARG(name));
    return j_undef(NULL, 0);
}

jv j_get_attr(jrun *r, jv v, jstr *name)
{
    if (v.kind == J_UNDEF) return undefined_fails(r, v);
    jv got = own_attr(r, v, name);
    if (got.kind == J_ABSENT && v.kind == J_DICT) got = j_dict_get_str(r, v.u.dict, name);
    return got.kind == J_ABSENT ? j_undef(name, v.kind) : got;
}

static jv char_at(jrun *r, jstr *s, size_t i)
{
    if (jstr_chars(s) == s->n) return j_str_slice(r, s, i, 1);
    if (!j_charge(r, i / 16)) return j_none();
    size_t at = 0, len = 0;
    for (size_t k = 0; k <= i; k++) {
        uint32_t rune;
        at += len;
        len = cn_utf8_decode(s->p + at, s->n - at, &rune);
        if (!len) len = 1;
    }
    return j_str_slice(r, s, at, len);
}

static jv at_index(jrun *r, jv v, int64_t i)
{
    size_t n;
    if (v.kind == J_VIEW || !j_len(v, &n)) return (jv){0};
    if (i < 0) i += (int64_t)n;
    if (i < 0 || (uint64_t)i >= n) return (jv){0};
    switch (v.kind) {
    case J_STR:
        return char_at(r, v.u.s, (size_t)i);
    case J_LIST:
    case J_TUPLE:
        return v.u.list->v[i];
    case J_RANGE:
        return j_int(jrange_at(v.u.range, (uint64_t)i));
    default:
        return (jv){0};
    }
}

jv j_get_item(jrun *r, jv v, jv key)
{
    if (v.kind == J_UNDEF) return undefined_fails(r, v);
    jv got = {0};
    if (key.kind == J_SLICE) {
        got = j_slice_of(r, v, key.u.slice);
        if (got.kind == J_ABSENT && !r->status)
            j_fail(r, CN_E_FORMAT, "'%s' object cannot be sliced so", j_type_name(v));
    } else if (v.kind == J_DICT) {
        if (key.kind != J_LIST && key.kind != J_DICT) got = j_dict_get(r, v.u.dict, key);
    } else if (j_is_int(key)) {
        got = at_index(r, v, j_as_int(key));
    }
    if (got.kind == J_ABSENT && key.kind == J_STR) got = own_attr(r, v, key.u.s);
    if (got.kind != J_ABSENT) return got;
    return j_undef(j_to_str(r, key), v.kind);
}
