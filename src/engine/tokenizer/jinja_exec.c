/* Statements: blocks, macros, loops. */
#include "jinja_run.h"

/* One scope may serve all turns of a loop, unless a macro made in it still looks at it. */
static jscope *scope_new(jrun *r, jscope *up)
{
    jscope *s = j_alloc(r, 1, sizeof *s);
    if (!s) return NULL;
    *s = (jscope){.up = up, .cap = 4};
    s->v = s->first;
    return s;
}

static void keep_scopes(jrun *r)
{
    for (jscope *s = r->scope; s && !s->kept; s = s->up)
        s->kept = true;
}

/* Runs a body in a scope of its own. */
static void exec_scoped(jrun *r, const jnode *body)
{
    jscope *before = r->scope, *inner = scope_new(r, before);
    if (!inner) return;
    r->scope = inner;
    j_exec(r, body);
    r->scope = before;
}

static jv capture(jrun *r, const jnode *body)
{
    size_t start = r->out.n;
    exec_scoped(r, body);
    return j_take(r, start);
}

/* ---- macros */

static jv named_dict(jrun *r, const jkw *kw, size_t n, const bool *used)
{
    jdict *d = j_dict_new(r);
    for (size_t i = 0; i < n && d; i++)
        if (!used || !used[i]) j_dict_set(r, d, j_of(J_STR, kw[i].name), kw[i].value);
    return d ? j_of(J_DICT, d) : j_none();
}

typedef struct binding {
    const jmacro *m;
    const jargs *args;
    bool *used; /* keywords that named a parameter */
    size_t at;
} binding;

static const jkw *keyword(const binding *c, const jstr *name)
{
    for (size_t i = 0; i < c->args->n_kw; i++) {
        if (!cn_str_eq(j_view(c->args->kw[i].name), j_view(name))) continue;
        c->used[i] = true;
        return &c->args->kw[i];
    }
    return NULL;
}

static void bind_param(jrun *r, binding *c, const jnode *param)
{
    const jkw *kw = keyword(c, r->t->names[param->name]);
    if (c->at < c->args->n) {
        if (kw) j_fail(r, CN_E_FORMAT, "macro got multiple values for a parameter");
        j_bind(r, param->name, c->args->pos[c->at]);
    } else if (kw) {
        j_bind(r, param->name, kw->value);
    } else if (param->a) {
        j_bind(r, param->name, j_eval(r, param->a));
    } else {
        j_bind(r, param->name, j_undef(r->t->names[param->name], 0));
    }
    c->at++;
}

static void bind_extra(jrun *r, binding *c)
{
    const jnode *macro = c->m->node;
    cn_str name = j_view(macro->key);
    const jkw *caller = keyword(c, r->t->names[r->t->caller]);
    j_bind(r, r->t->caller, caller ? caller->value : j_undef(r->t->names[r->t->caller], 0));
    if (macro->role & JM_SAYS_KWARGS) {
        j_bind(r, r->t->kwargs, named_dict(r, c->args->kw, c->args->n_kw, c->used));
    } else {
        for (size_t i = 0; i < c->args->n_kw; i++)
            if (!c->used[i])
                j_fail(r, CN_E_FORMAT, "macro '%.*s' takes no keyword argument '%.*s'",
                       CN_STR_ARG(name), CN_STR_ARG(j_view(c->args->kw[i].name)));
    }
    if (macro->role & JM_SAYS_VARARGS) {
        jlist *more = j_list_new(r, 0);
        for (size_t i = c->at; i < c->args->n; i++)
            j_push(r, more, c->args->pos[i]);
        j_bind(r, r->t->varargs, more ? j_of(J_TUPLE, more) : j_none());
    } else if (c->args->n > c->at) {
        j_fail(r, CN_E_FORMAT, "macro '%.*s' takes not more than %zu argument(s)",
               CN_STR_ARG(name), c->at);
    }
}

jv j_call_macro(jrun *r, jmacro *m, const jargs *args)
{
    jscope *before = r->scope, *inner = scope_new(r, m->scope);
    size_t start = r->out.n;
    bool few[8] = {false};
    binding c = {.m = m, .args = args, .used = few};
    if (args->n_kw > CN_ARRAY_LEN(few)) c.used = j_alloc(r, args->n_kw, 1);
    if (!inner || !c.used || !j_enter(r)) return j_none();
    r->scope = inner;
    for (const jnode *p = m->node->kids; p && !r->status; p = p->next)
        bind_param(r, &c, p);
    bind_extra(r, &c);
    j_exec(r, m->node->body);
    r->scope = before;
    j_leave(r);
    return j_take(r, start);
}

static jv macro_value(jrun *r, const jnode *n)
{
    jmacro *m = j_alloc(r, 1, sizeof *m);
    if (!m) return j_none();
    *m = (jmacro){n, r->scope};
    keep_scopes(r);
    return j_of(J_MACRO, m);
}

/* {% call f(x) %}body{% endcall %}: f(x, caller=body) */
static void exec_call_block(jrun *r, const jnode *n)
{
    jnode call = *n->a, arg = {.type = JN_CONST, .role = JA_KEYWORD, .keyword = n->key};
    arg.value = macro_value(r, n);
    arg.next = n->a->kids;
    call.kids = &arg;
    j_put_value(r, j_eval(r, &call));
}

/* ---- loops */

typedef struct jloop {
    const jnode *node, *filter;
    jiter it;
    jv item, before, after, changed;
    bool has_after;                /* `after` was read ahead; ABSENT: nothing follows */
    int64_t index0, depth, length; /* length -1: not known */
    jscope *outer;
} jloop;

/* The next item that passes the loop's own `if`, in a scope in which the target is bound. */
static bool fetch(jrun *r, jloop *l, jv *item)
{
    while (j_next(r, &l->it, item)) {
        if (!l->filter) return true;
        jscope *before = r->scope, *inner = scope_new(r, l->outer);
        if (!inner) return false;
        r->scope = inner;
        bool keep = j_assign(r, l->node->a, *item) && j_truth(j_eval(r, l->filter));
        r->scope = before;
        if (keep) return !r->status;
    }
    return false;
}

static jv peek(jrun *r, jloop *l)
{
    if (!l->has_after) {
        l->has_after = true;
        if (!fetch(r, l, &l->after)) l->after = (jv){0};
    }
    return l->after;
}

static int64_t length(jrun *r, jloop *l)
{
    size_t n;
    jv item;
    if (l->length >= 0) return l->length;
    if (!l->filter && j_len(l->it.over, &n)) return l->length = (int64_t)n;
    jlist *rest = j_list_new(r, 0); /* a generator: all of it is read now */
    while (rest && fetch(r, l, &item))
        j_push(r, rest, item);
    if (!rest) return 0;
    bool ahead = l->has_after && l->after.kind != J_ABSENT;
    l->length = (int64_t)rest->n + l->index0 + 1 + ahead;
    l->it = (jiter){.over = j_of(J_VIEW, rest)};
    l->filter = NULL;
    return l->length;
}

static bool advance(jrun *r, jloop *l)
{
    l->before = l->item;
    if (l->has_after) {
        l->has_after = false;
        l->item = l->after;
        if (l->item.kind == J_ABSENT) return false;
    } else if (!fetch(r, l, &l->item)) {
        return false;
    }
    l->index0++;
    return true;
}

static bool turn(jrun *r, jloop *l, jscope **scope)
{
    if (!advance(r, l)) return false;
    if (!*scope || (*scope)->kept) *scope = scope_new(r, l->outer);
    if (!*scope) return false;
    (*scope)->n = 0;
    r->scope = *scope;
    j_bind(r, r->t->loop, j_of(J_LOOP, l));
    if (j_assign(r, l->node->a, l->item)) j_exec(r, l->node->body);
    r->scope = l->outer;
    bool leave = r->flow == JF_BREAK;
    r->flow = JF_NEXT;
    return !leave && !r->status;
}

void j_loop(jrun *r, const jnode *n, jv over, int64_t depth)
{
    jscope *scope = NULL;
    jloop *l = j_alloc(r, 1, sizeof *l);
    if (!l || !j_enter(r)) return;
    *l = (jloop){.node = n,
                 .filter = n->c,
                 .it = j_iter(r, over),
                 .index0 = -1,
                 .depth = depth,
                 .length = -1,
                 .outer = r->scope};
    while (turn(r, l, &scope)) {
    }
    if (l->index0 < 0 && n->kids && !r->status) exec_scoped(r, n->kids);
    j_leave(r);
}

jv j_loop_recurse(jrun *r, jloop *l, const jargs *args)
{
    jscope *before = r->scope;
    size_t start = r->out.n;
    if (!l->node->flag || args->n != 1) {
        j_fail(r, CN_E_FORMAT, "loop() works in a recursive loop, with one argument");
        return j_none();
    }
    r->scope = l->outer;
    j_loop(r, l->node, args->pos[0], l->depth + 1);
    r->scope = before;
    return j_take(r, start);
}

jv j_loop_attr(jrun *r, jloop *l, jstr *name)
{
    cn_str s = j_view(name);
    if (cn_str_is(s, "index")) return j_int(l->index0 + 1);
    if (cn_str_is(s, "index0")) return j_int(l->index0);
    if (cn_str_is(s, "first")) return j_bool(l->index0 == 0);
    if (cn_str_is(s, "last")) return j_bool(peek(r, l).kind == J_ABSENT);
    if (cn_str_is(s, "length")) return j_int(length(r, l));
    if (cn_str_is(s, "revindex")) return j_int(length(r, l) - l->index0);
    if (cn_str_is(s, "revindex0")) return j_int(length(r, l) - l->index0 - 1);
    if (cn_str_is(s, "depth")) return j_int(l->depth + 1);
    if (cn_str_is(s, "depth0")) return j_int(l->depth);
    if (cn_str_is(s, "previtem")) return l->index0 ? l->before : j_undef(name, 0);
    if (cn_str_is(s, "nextitem")) {
        jv next = peek(r, l);
        return next.kind == J_ABSENT ? j_undef(name, 0) : next;
    }
    return (jv){0};
}

/* loop.cycle(a, b, ...) */
JFUNC(loop_cycle)
{
    if (all->n) return all->pos[(size_t)self.u.loop->index0 % all->n];
    j_fail(r, CN_E_FORMAT, "no items for cycling given");
    return j_none();
}

/* loop.changed(a, b, ...): other values than at the last call? */
JFUNC(loop_changed)
{
    jlist *now = j_list_new(r, all->n);
    for (size_t i = 0; i < all->n; i++)
        j_push(r, now, all->pos[i]);
    if (!now) return j_none();
    jv before = self.u.loop->changed;
    self.u.loop->changed = j_of(J_TUPLE, now);
    return j_bool(!j_equal(r, before, self.u.loop->changed));
}

const jfunc j_loop_methods[] = {
    {"cycle", loop_cycle, 0, -1, {0}},
    {"changed", loop_changed, 0, -1, {0}},
    {0},
};

/* ---- the rest */

static void exec_if(jrun *r, const jnode *n)
{
    for (const jnode *b = n->kids; b && !r->status; b = b->next) {
        if (b->a && !j_truth(j_eval(r, b->a))) continue;
        if (!r->status) j_exec(r, b->body);
        return;
    }
}

static jv piped(jrun *r, const jnode *filters, jv v)
{
    if (!filters) return v;
    jv before = r->piped;
    r->piped = v;
    v = j_eval(r, filters);
    r->piped = before;
    return v;
}

/* The values see the names outside, not one another. */
static void exec_with(jrun *r, const jnode *n)
{
    jscope *before = r->scope, *inner = scope_new(r, before);
    for (const jnode *k = n->kids; k && inner && !r->status; k = k->next) {
        r->scope = before;
        jv v = j_eval(r, k->a);
        r->scope = inner;
        j_bind(r, k->name, v);
    }
    if (!inner) return;
    r->scope = inner;
    j_exec(r, n->body);
    r->scope = before;
}

static void exec_one(jrun *r, const jnode *n)
{
    r->line = n->line;
    switch (n->type) {
    case JN_TEXT:
        j_put_str(r, n->value.u.s);
        break;
    case JN_OUTPUT:
        j_put_value(r, j_eval(r, n->a));
        break;
    case JN_IF:
        exec_if(r, n);
        break;
    case JN_FOR:
        j_loop(r, n, j_eval(r, n->b), 0);
        break;
    case JN_SET:
        j_assign(r, n->a, j_eval(r, n->b));
        break;
    case JN_SET_BLOCK:
        j_assign(r, n->a, piped(r, n->b, capture(r, n->body)));
        break;
    case JN_MACRO:
        j_bind(r, n->name, macro_value(r, n));
        break;
    case JN_CALL_BLOCK:
        exec_call_block(r, n);
        break;
    case JN_FILTER_BLOCK:
        j_put_value(r, piped(r, n->a, capture(r, n->body)));
        break;
    case JN_WITH:
        exec_with(r, n);
        break;
    case JN_SCOPE:
        exec_scoped(r, n->body);
        break;
    default:
        r->flow = n->type == JN_BREAK ? JF_BREAK : JF_CONTINUE;
    }
}

void j_exec(jrun *r, const jnode *first)
{
    if (!first || !j_enter(r)) return;
    for (const jnode *n = first; n && r->flow == JF_NEXT && j_charge(r, 1); n = n->next)
        exec_one(r, n);
    j_leave(r);
}
