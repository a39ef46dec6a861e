/* Evaluation of expressions, calls, and names. */
#include <stdarg.h>
#include <stdio.h>

#include "jinja_run.h"

void j_fail(jrun *r, cn_status st, const char *fmt, ...)
{
    char text[512];
    va_list args;
    if (r->status) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (st == CN_E_REFUSED)
        r->status = cn_fail(r->err, st, "%s", text);
    else if (r->line)
        r->status = cn_fail(r->err, st, "line %u: %s", r->line, text);
    else
        r->status = cn_fail(r->err, st, "the variables: %s", text);
}

void *j_alloc(jrun *r, size_t n, size_t size)
{
    if (r->status) return NULL;
    void *p = cn_arena_alloc(&r->arena, n, size);
    if (!p) j_fail(r, CN_E_LIMIT, "the template needs more than %zu bytes", r->arena.cap);
    return p;
}

bool j_charge(jrun *r, size_t work)
{
    if (r->status) return false;
    if (work > r->max_steps - r->steps) {
        j_fail(r, CN_E_LIMIT, "more than %llu steps", (unsigned long long)r->max_steps);
        return false;
    }
    r->steps += work;
    return true;
}

bool j_enter(jrun *r)
{
    if (r->status) return false;
    if (r->depth >= r->max_depth) {
        j_fail(r, CN_E_LIMIT, "nested deeper than %u", r->max_depth);
        return false;
    }
    r->depth++;
    return true;
}

/* ---- names */

static jbind *bound_in(jrun *r, jscope *s, uint32_t name)
{
    if (s->n > 16 && !j_charge(r, s->n / 16)) return NULL;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->v[i].name == name) return &s->v[i];
    return NULL;
}

jv j_lookup(jrun *r, uint32_t name)
{
    for (jscope *s = r->scope; s->up; s = s->up) {
        const jbind *b = bound_in(r, s, name);
        if (b) return b->value;
    }
    jv v = r->root[name];
    return v.kind == J_ABSENT ? j_undef(r->t->names[name], 0) : v;
}

bool j_bind(jrun *r, uint32_t name, jv v)
{
    jscope *s = r->scope;
    if (!s->up) {
        r->root[name] = v;
        return true;
    }
    jbind *b = bound_in(r, s, name);
    if (b) {
        b->value = v;
        return true;
    }
    if (s->n == s->cap) {
        jbind *bigger = j_alloc(r, s->cap * 2, sizeof *bigger);
        if (!bigger) return false;
        memcpy(bigger, s->v, s->n * sizeof *bigger);
        s->v = bigger;
        s->cap *= 2;
    }
    s->v[s->n++] = (jbind){name, v};
    return true;
}

static bool unpack(jrun *r, const jnode *target, jv v)
{
    jlist *items = j_to_list(r, v);
    size_t want = 0, i = 0;
    for (const jnode *k = target->kids; k; k = k->next)
        want++;
    if (!items || r->status) return false;
    if (items->n != want) {
        j_fail(r, CN_E_FORMAT, "%s values to unpack (expected %zu, got %zu)",
               items->n < want ? "not enough" : "too many", want, items->n);
        return false;
    }
    for (const jnode *k = target->kids; k; k = k->next)
        if (!j_assign(r, k, items->v[i++])) return false;
    return true;
}

bool j_assign(jrun *r, const jnode *target, jv v)
{
    if (r->status) return false;
    if (target->type == JN_NAME) return j_bind(r, target->name, v);
    if (target->type == JN_TUPLE) return unpack(r, target, v);
    jv ns = j_lookup(r, target->name);
    if (ns.kind != J_NAMESPACE) {
        j_fail(r, CN_E_FORMAT, "cannot assign attribute on non-namespace object");
        return false;
    }
    return j_dict_set(r, ns.u.dict, j_of(J_STR, target->key), v);
}

/* ---- calls */

static size_t count(const jnode *n, jarg role)
{
    size_t found = 0;
    for (; n; n = n->next)
        found += n->role == role;
    return found;
}

static void spread_dict(jrun *r, jargs *args, jv v)
{
    if (v.kind != J_DICT) {
        j_fail(r, CN_E_FORMAT, "argument after ** must be a mapping, not %s", j_type_name(v));
        return;
    }
    size_t n = args->n_kw + v.u.dict->n;
    jkw *kw = j_alloc(r, n + 1, sizeof *kw);
    if (!kw) return;
    memcpy(kw, args->kw, args->n_kw * sizeof *kw);
    for (size_t i = 0; i < v.u.dict->n; i++) {
        jv key = v.u.dict->e[i].key;
        if (key.kind != J_STR) {
            j_fail(r, CN_E_FORMAT, "keywords must be strings");
            return;
        }
        kw[args->n_kw++] = (jkw){key.u.s, v.u.dict->e[i].value};
    }
    args->kw = kw;
}

/* The stars of f(*list, **dict) come last; their values go behind those already there. */
static void spread(jrun *r, const jnode *n, jargs *args)
{
    for (; n && !r->status; n = n->next) {
        if (n->role == JA_DOUBLE_STAR) spread_dict(r, args, j_eval(r, n));
        if (n->role != JA_STAR) continue;
        jlist *more = j_to_list(r, j_eval(r, n));
        if (!more) return;
        jv *pos = j_alloc(r, args->n + more->n + 1, sizeof *pos);
        if (!pos) return;
        if (args->n) memcpy(pos, args->pos, args->n * sizeof *pos);
        if (more->n) memcpy(pos + args->n, more->v, more->n * sizeof *pos);
        args->pos = pos;
        args->n += more->n;
    }
}

#define FEW 4
typedef struct argroom {
    jv pos[FEW];
    jkw kw[FEW];
} argroom;

static jargs arguments(jrun *r, const jnode *first, argroom *few)
{
    jargs args = {.pos = few->pos, .kw = few->kw};
    if (!first) return args;
    size_t n = count(first, JA_POSITIONAL), n_kw = count(first, JA_KEYWORD), seen = 0;
    if (n > FEW) args.pos = j_alloc(r, n, sizeof *args.pos);
    if (n_kw > FEW) args.kw = j_alloc(r, n_kw, sizeof *args.kw);
    for (const jnode *k = first; k && !r->status; k = k->next, seen++) {
        if (k->role == JA_POSITIONAL)
            args.pos[args.n++] = j_eval(r, k);
        else if (k->role == JA_KEYWORD)
            args.kw[args.n_kw++] = (jkw){k->keyword, j_eval(r, k)};
    }
    if (seen > n + n_kw) spread(r, first, &args);
    return args;
}

static bool place_keyword(jrun *r, const jfunc *f, const jkw *kw, jv *a)
{
    for (int i = 0; i < f->most; i++) {
        if (!f->params[i] || !cn_str_is(j_view(kw->name), f->params[i])) continue;
        if (a[i].kind != J_ABSENT)
            j_fail(r, CN_E_FORMAT, "%s() got multiple values for '%s'", f->name, f->params[i]);
        a[i] = kw->value;
        return true;
    }
    j_fail(r, CN_E_FORMAT, "%s() got an unexpected keyword argument '%.*s'", f->name,
           CN_STR_ARG(j_view(kw->name)));
    return false;
}

jv j_call_func(jrun *r, const jfunc *f, jv self, const jargs *args)
{
    jv a[JFUNC_ARGS] = {0};
    if (r->status) return j_none();
    if (f->most < 0) return f->fn(r, self, a, args);
    if (args->n > (size_t)f->most) {
        j_fail(r, CN_E_FORMAT, "%s() takes at most %d arguments, got %zu", f->name, f->most,
               args->n);
        return j_none();
    }
    for (size_t i = 0; i < args->n; i++)
        a[i] = args->pos[i];
    for (size_t i = 0; i < args->n_kw; i++)
        if (!place_keyword(r, f, &args->kw[i], a)) return j_none();
    for (int i = 0; i < f->need; i++) {
        if (a[i].kind != J_ABSENT) continue;
        j_fail(r, CN_E_FORMAT, "%s() misses its argument %d", f->name, i + 1);
        return j_none();
    }
    return f->fn(r, self, a, args);
}

jv j_call(jrun *r, jv callee, const jargs *args)
{
    switch (callee.kind) {
    case J_FUNC:
        return j_call_func(r, callee.u.func, j_none(), args);
    case J_METHOD:
        return j_call_func(r, callee.u.method->fn, callee.u.method->self, args);
    case J_MACRO:
        return j_call_macro(r, callee.u.macro, args);
    case J_LOOP:
        return j_loop_recurse(r, callee.u.loop, args);
    case J_JOINER:
        if (callee.u.cycler->used) return callee.u.cycler->items.v[0];
        callee.u.cycler->used = true;
        return j_str_lit(r, "");
    case J_UNDEF:
        return j_get_attr(r, callee, &r->empty);
    default:
        if (!r->status)
            j_fail(r, CN_E_FORMAT, "'%s' object is not callable", j_type_name(callee));
        return j_none();
    }
}

static jv eval_call(jrun *r, const jnode *n)
{
    argroom few;
    jv callee, self;
    if (n->a->type == JN_ATTR) { /* a method is called without being made a value */
        self = j_eval(r, n->a->a);
        int kind = n->a->methods ? jmethods_of(self) : -1;
        if (kind >= 0 && n->a->methods[kind]) {
            jargs args = arguments(r, n->kids, &few);
            r->line = n->line;
            return j_call_func(r, n->a->methods[kind], self, &args);
        }
        r->line = n->line;
        callee = j_get_attr(r, self, n->a->key);
    } else {
        callee = j_eval(r, n->a);
    }
    jargs args = arguments(r, n->kids, &few);
    r->line = n->line;
    return j_call(r, callee, &args);
}

static jv eval_filter(jrun *r, const jnode *n)
{
    argroom few;
    jv subject = n->a ? j_eval(r, n->a) : r->piped;
    r->line = n->line;
    if (!n->func) {
        if (!r->status)
            j_fail(r, CN_E_FORMAT, "No filter named '%.*s'.", CN_STR_ARG(j_view(n->key)));
        return j_none();
    }
    jargs args = arguments(r, n->kids, &few);
    return j_call_func(r, n->func, subject, &args);
}

static jv eval_test(jrun *r, const jnode *n)
{
    argroom few;
    jv subject = j_eval(r, n->a);
    r->line = n->line;
    if (!n->func) {
        if (!r->status)
            j_fail(r, CN_E_FORMAT, "No test named '%.*s'.", CN_STR_ARG(j_view(n->key)));
        return j_none();
    }
    jargs args = arguments(r, n->kids, &few);
    return j_call_func(r, n->func, subject, &args);
}

/* ---- operators */

static bool compare_one(jrun *r, jop op, jv a, jv b)
{
    switch (op) {
    case JO_EQ:
        return j_equal(r, a, b);
    case JO_NE:
        return !j_equal(r, a, b);
    case JO_LT:
        return j_compare(r, a, b, "<") < 0;
    case JO_LE:
        return j_compare(r, a, b, "<=") <= 0;
    case JO_GT:
        return j_compare(r, a, b, ">") > 0;
    case JO_GE:
        return j_compare(r, a, b, ">=") >= 0;
    case JO_IN:
        return j_contains(r, a, b);
    default:
        return !j_contains(r, a, b);
    }
}

static jv eval_compare(jrun *r, const jnode *n)
{
    jv left = j_eval(r, n->a);
    for (const jnode *k = n->kids; k; k = k->next) {
        jv right = j_eval(r, k);
        if (r->status || !compare_one(r, (jop)k->role, left, right)) return j_bool(false);
        left = right;
    }
    return j_bool(true);
}

static bool plain_sum(const jnode *k, jv a, jv b)
{
    return k->role == JO_ADD && a.kind == J_STR && b.kind == J_STR && !a.u.s->markup &&
           !b.u.s->markup;
}

/* A sum of strings grows in the output, to be copied once. */
static jv eval_arith(jrun *r, const jnode *n)
{
    jv v = j_eval(r, n->a);
    size_t start = r->out.n;
    bool growing = false;
    for (const jnode *k = n->kids; k && !r->status; k = k->next) {
        jv right = j_eval(r, k);
        r->line = n->line;
        bool sum = plain_sum(k, v, right);
        if (growing && !sum) v = j_take(r, start);
        if (sum && !growing) j_put_str(r, v.u.s);
        if (sum)
            j_put_str(r, right.u.s);
        else
            v = j_arith(r, (jop)k->role, v, right);
        growing = sum;
    }
    return growing ? j_take(r, start) : v;
}

static jv eval_logical(jrun *r, const jnode *n)
{
    jv v = j_none();
    for (const jnode *k = n->kids; k && !r->status; k = k->next) {
        v = j_eval(r, k);
        if (j_truth(v) == (n->type == JN_OR)) break;
    }
    return v;
}

static jv eval_concat(jrun *r, const jnode *n)
{
    size_t start = r->out.n;
    for (const jnode *k = n->kids; k && !r->status; k = k->next) {
        jv v = j_eval(r, k);
        j_put_value(r, v);
    }
    return j_take(r, start);
}

static jv eval_cond(jrun *r, const jnode *n)
{
    if (j_truth(j_eval(r, n->b))) return j_eval(r, n->a);
    return n->c ? j_eval(r, n->c) : j_undef(NULL, 0);
}

static jv eval_list(jrun *r, const jnode *n)
{
    size_t len = count(n->kids, JA_POSITIONAL);
    jlist *l = j_list_new(r, len);
    for (const jnode *k = n->kids; k && l && !r->status; k = k->next)
        j_push(r, l, j_eval(r, k));
    return l ? j_of(n->type == JN_LIST ? J_LIST : J_TUPLE, l) : j_none();
}

static jv eval_dict(jrun *r, const jnode *n)
{
    jdict *d = j_dict_new(r);
    for (const jnode *k = n->kids; k && k->next && d && !r->status; k = k->next->next) {
        jv key = j_eval(r, k);
        j_dict_set(r, d, key, j_eval(r, k->next));
    }
    return d ? j_of(J_DICT, d) : j_none();
}

static jv eval_slice(jrun *r, const jnode *n)
{
    jslice *s = j_alloc(r, 1, sizeof *s);
    if (!s) return j_none();
    s->start = n->a ? j_eval(r, n->a) : j_none();
    s->stop = n->b ? j_eval(r, n->b) : j_none();
    s->step = n->c ? j_eval(r, n->c) : j_none();
    return j_of(J_SLICE, s);
}

static jv eval_attr(jrun *r, const jnode *n)
{
    jv of = j_eval(r, n->a);
    r->line = n->line;
    if (of.kind == J_DICT && !n->methods) { /* by far the most usual */
        jv got = j_dict_get_str(r, of.u.dict, n->key);
        return got.kind == J_ABSENT ? j_undef(n->key, J_DICT) : got;
    }
    return j_get_attr(r, of, n->key);
}

static jv eval_item(jrun *r, const jnode *n)
{
    jv of = j_eval(r, n->a), key = j_eval(r, n->b);
    r->line = n->line;
    return r->status ? j_none() : j_get_item(r, of, key);
}

static jv eval_kind(jrun *r, const jnode *n)
{
    switch (n->type) {
    case JN_ATTR:
        return eval_attr(r, n);
    case JN_ITEM:
        return eval_item(r, n);
    case JN_SLICE:
        return eval_slice(r, n);
    case JN_CALL:
        return eval_call(r, n);
    case JN_FILTER:
        return eval_filter(r, n);
    case JN_TEST:
        return eval_test(r, n);
    case JN_NOT:
        return j_bool(!j_truth(j_eval(r, n->a)));
    case JN_NEG:
        return j_negate(r, j_eval(r, n->a));
    case JN_POS:
        return j_negate(r, j_negate(r, j_eval(r, n->a)));
    case JN_ARITH:
        return eval_arith(r, n);
    case JN_COMPARE:
        return eval_compare(r, n);
    case JN_AND:
    case JN_OR:
        return eval_logical(r, n);
    case JN_CONCAT:
        return eval_concat(r, n);
    case JN_COND:
        return eval_cond(r, n);
    case JN_LIST:
    case JN_TUPLE:
        return eval_list(r, n);
    default:
        return eval_dict(r, n);
    }
}

jv j_eval(jrun *r, const jnode *n)
{
    if (!j_charge(r, 1)) return j_none();
    if (n->type == JN_CONST) return n->value;
    if (n->type == JN_NAME) return j_lookup(r, n->name);
    if (!j_enter(r)) return j_none();
    jv v = eval_kind(r, n);
    j_leave(r);
    return v;
}
