/* Values of chat templates: Python's kinds, as far as templates meet them. Strings know for
 * each byte whether the template wrote it. All memory is the render's arena. */
#ifndef TOKENIZER_JINJA_VALUE_H
#define TOKENIZER_JINJA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

typedef enum jkind {
    J_ABSENT, /* no value at all: an argument not given, a name never set */
    J_UNDEF,
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STR,
    J_LIST,
    J_TUPLE,
    J_VIEW, /* dict.keys(), .values(), .items() */
    J_GEN,  /* what select, map and their like give: always true, read once */
    J_DICT,
    J_NAMESPACE,
    J_RANGE,
    J_MACRO,
    J_FUNC,
    J_METHOD,
    J_LOOP,
    J_CYCLER,
    J_JOINER,
    J_SLICE,
} jkind;

/* Bytes are shared: a slice points into its parent. */
typedef struct jstr {
    const char *p;
    const uint8_t *mark; /* 1 a byte that the template wrote; NULL: all are `trusted` */
    size_t n;
    size_t chars;  /* code points; SIZE_MAX: not counted yet */
    uint32_t hash; /* 0: not computed yet */
    bool trusted;
    bool
        markup; /* of |safe or |escape: what is added to it with + gets escaped, as in Python */
} jstr;

typedef struct jv {
    uint8_t kind;  /* jkind */
    uint8_t owner; /* J_UNDEF: kind of the value that lacks the attribute, 0 for a name */
    union {
        bool b;
        int64_t i;
        double f;
        jstr *s; /* J_UNDEF: the name, may be NULL */
        struct jlist *list;
        struct jdict *dict;
        struct jrange *range;
        struct jmacro *macro;
        struct jmethod *method;
        struct jloop *loop;
        struct jcycler *cycler;
        struct jslice *slice;
        const struct jfunc *func;
    } u;
} jv;

typedef struct jlist {
    jv *v;
    size_t n, cap;
    size_t read; /* J_GEN: items already taken; J_VIEW: 0 items, 1 keys, 2 values */
} jlist;

typedef struct jentry {
    jv key, value;
    uint32_t hash;
} jentry;

typedef struct jdict {
    jentry *e; /* in order of insertion */
    size_t n, cap;
    uint32_t *slot; /* index + 1 by hash, for more than a few entries */
    size_t n_slots; /* power of two, or 0 */
} jdict;

typedef struct jrange {
    int64_t start, stop, step;
    size_t n;
} jrange;

typedef struct jslice {
    jv start, stop, step;
} jslice;

typedef struct jcycler {
    jlist items;
    size_t at;
    bool used; /* J_JOINER: after the first call */
} jcycler;

typedef struct jmethod {
    jv self;
    const struct jfunc *fn;
} jmethod;

/* Exact for every index inside, though the way there may leave 64 bits. */
static inline int64_t jrange_at(const jrange *g, uint64_t i)
{
    return (int64_t)((uint64_t)g->start + i * (uint64_t)g->step);
}

struct jrun;
struct jargs;

static inline jv j_none(void)
{
    return (jv){.kind = J_NONE};
}
static inline jv j_bool(bool b)
{
    return (jv){.kind = J_BOOL, .u.b = b};
}
static inline jv j_int(int64_t i)
{
    return (jv){.kind = J_INT, .u.i = i};
}
static inline jv j_float(double f)
{
    return (jv){.kind = J_FLOAT, .u.f = f};
}
static inline jv j_undef(jstr *name, uint8_t owner)
{
    return (jv){.kind = J_UNDEF, .owner = owner, .u.s = name};
}
static inline jv j_of(jkind kind, void *p)
{
    return (jv){.kind = (uint8_t)kind, .u.s = p};
}
static inline bool j_is_seq(jv v)
{
    return v.kind == J_LIST || v.kind == J_TUPLE;
}
static inline bool j_is_int(jv v) /* as in Python, a bool is one */
{
    return v.kind == J_INT || v.kind == J_BOOL;
}
static inline bool j_is_number(jv v)
{
    return j_is_int(v) || v.kind == J_FLOAT;
}
static inline int64_t j_as_int(jv v)
{
    return v.kind == J_BOOL ? v.u.b : v.u.i;
}
static inline double j_as_float(jv v)
{
    return v.kind == J_FLOAT ? v.u.f : (double)j_as_int(v);
}
static inline cn_str j_view(const jstr *s)
{
    return (cn_str){s->p, s->n};
}

uint32_t jstr_hash(jstr *s);
size_t jstr_chars(jstr *s);
uint32_t j_hash_bytes(const char *p, size_t n); /* never 0 */
const char *j_type_name(jv v);

bool j_truth(jv v);
/* len(v); false where Python has none. */
bool j_len(jv v, size_t *n);
bool j_equal(struct jrun *r, jv a, jv b);
/* <0, 0, >0; fails where Python cannot order the two (`op` names the operator). */
int j_compare(struct jrun *r, jv a, jv b, const char *op);
bool j_contains(struct jrun *r, jv needle, jv hay);

/* New strings. `jstr_new` copies bytes that are all trusted or all not. */
jv j_str_new(struct jrun *r, const char *p, size_t n, bool trusted);
jv j_str_slice(struct jrun *r, const jstr *s, size_t from, size_t n); /* shares the bytes */
jv j_str_lit(struct jrun *r, const char *text);                       /* trusted */

jlist *j_list_new(struct jrun *r, size_t cap); /* NULL on failure */
bool j_push(struct jrun *r, jlist *l, jv v);
jv j_pair(struct jrun *r, jv a, jv b);

jdict *j_dict_new(struct jrun *r);
bool j_dict_set(struct jrun *r, jdict *d, jv key, jv value);
jv j_dict_get(struct jrun *r, const jdict *d, jv key); /* J_ABSENT when not there */
jv j_dict_get_str(struct jrun *r, const jdict *d, jstr *key);
jv j_dict_take(struct jrun *r, jdict *d, size_t i); /* removes entry i, gives its value */
ptrdiff_t j_dict_find(struct jrun *r, const jdict *d, jv key);

/* for (jiter it = j_iter(r, v); j_next(r, &it, &item);) -- fails on what cannot be iterated. */
typedef struct jiter {
    jv over;
    size_t i;
} jiter;
jiter j_iter(struct jrun *r, jv v);
bool j_next(struct jrun *r, jiter *it, jv *item);
bool j_iterable(jv v);
jlist *j_to_list(struct jrun *r, jv v); /* always a new one; NULL on failure */

/* obj.name (`dotted`) and obj[key], as Jinja's environment answers them. */
jv j_get_attr(struct jrun *r, jv v, jstr *name);
jv j_get_item(struct jrun *r, jv v, jv key);

#endif
