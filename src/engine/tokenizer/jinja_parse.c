/* Parsing of statements, and what both halves of the parser need. */
#include "jinja_parse.h"

#include <stdarg.h>
#include <stdio.h>

#include "compiler.h"
#include "mem.h"
#include "utf8.h"

#define MAX_SOURCE ((size_t)4 << 20)
#define MAX_TREE ((size_t)192 << 20)

void jp_fail(jparse *p, cn_status st, const char *fmt, ...)
{
    char text[300];
    va_list args;
    if (p->status) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    p->status = cn_fail(p->err, st, "line %u: %s", p->cur.line, text);
    p->cur.kind = JT_EOF;
    p->has_ahead = false;
}

static void out_of_room(jparse *p)
{
    jp_fail(p, CN_E_LIMIT, "the template is too large");
}

void jp_unexpected(jparse *p, const char *wanted)
{
    if (p->cur.kind == JT_EOF)
        jp_fail(p, CN_E_FORMAT, "the template ends where %s should follow", wanted);
    else if (p->cur.text.n)
        jp_fail(p, CN_E_FORMAT, "unexpected '%.*s', want %s", CN_STR_ARG(p->cur.text), wanted);
    else
        jp_fail(p, CN_E_FORMAT, "unexpected sign or end of tag, want %s", wanted);
}

static jtok token(jparse *p)
{
    jtok t = jlex_next(&p->lex);
    if (p->lex.status && !p->status) p->status = p->lex.status;
    return t;
}

void jp_next(jparse *p)
{
    if (p->status) {
        p->cur.kind = JT_EOF;
    } else if (p->has_ahead) {
        p->cur = p->ahead;
        p->has_ahead = false;
    } else {
        p->cur = token(p);
    }
}

const jtok *jp_look(jparse *p)
{
    if (!p->has_ahead) p->ahead = token(p);
    p->has_ahead = true;
    return &p->ahead;
}

bool jp_accept(jparse *p, jtok_kind kind)
{
    if (p->status || p->cur.kind != kind) return false;
    jp_next(p);
    return true;
}

void jp_expect(jparse *p, jtok_kind kind, const char *what)
{
    if (!jp_accept(p, kind)) jp_unexpected(p, what);
}

bool jp_is_name(const jtok *t, const char *word)
{
    return t->kind == JT_NAME && cn_str_is(t->text, word);
}

bool jp_at_name(const jparse *p, const char *word)
{
    return jp_is_name(&p->cur, word);
}

bool jp_accept_name(jparse *p, const char *word)
{
    if (p->status || !jp_at_name(p, word)) return false;
    jp_next(p);
    return true;
}

cn_str jp_name(jparse *p)
{
    cn_str s = p->cur.text;
    if (p->cur.kind == JT_NAME) {
        jp_next(p);
        return s;
    }
    jp_unexpected(p, "a name");
    return (cn_str){"", 0};
}

bool jp_enter(jparse *p)
{
    if (!p->status && p->depth < JPARSE_MAX_DEPTH) {
        p->depth++;
        return true;
    }
    jp_fail(p, CN_E_LIMIT, "nested deeper than %d", JPARSE_MAX_DEPTH);
    return false;
}

static void *room(jparse *p, size_t n, size_t size)
{
    void *at = p->status ? NULL : cn_arena_alloc(&p->t->arena, n, size);
    if (!at) out_of_room(p);
    return at;
}

jnode *jp_node(jparse *p, jtype type)
{
    jnode *n = room(p, 1, sizeof *n);
    if (!n) return &p->dummy;
    n->type = (uint8_t)type;
    n->line = p->cur.line;
    return n;
}

/* Strings of a template are shared by threads: all that is computed late elsewhere is computed
 * here at once. */
jstr *jp_str(jparse *p, cn_str s)
{
    jstr *copy = room(p, 1, sizeof *copy);
    char *text = room(p, s.n + 1, 1);
    if (!copy || !text) return NULL;
    if (s.n) memcpy(text, s.p, s.n);
    *copy = (jstr){.p = text, .n = s.n, .trusted = true, .chars = SIZE_MAX};
    jstr_hash(copy);
    jstr_chars(copy);
    return copy;
}

void jp_add(jchain *c, jnode *n)
{
    if (!c->end) c->end = &c->first;
    *c->end = n;
    c->end = &n->next;
}

static bool rehash_names(jparse *p)
{
    size_t n = p->n_slots ? p->n_slots * 2 : 64;
    uint32_t *slots = room(p, n, sizeof *slots);
    jstr **names = room(p, n, sizeof *names);
    if (!slots || !names) return false;
    for (uint32_t i = 0; i < p->t->n_names; i++) {
        size_t s = p->t->names[i]->hash & (n - 1);
        while (slots[s])
            s = (s + 1) & (n - 1);
        slots[s] = i + 1;
        names[i] = p->t->names[i];
    }
    p->slots = slots;
    p->n_slots = n;
    p->t->names = names;
    return true;
}

uint32_t jp_intern(jparse *p, cn_str name)
{
    if ((size_t)p->t->n_names * 2 >= p->n_slots && !rehash_names(p)) return 0;
    size_t s = j_hash_bytes(name.p, name.n) & (p->n_slots - 1);
    for (; p->slots[s]; s = (s + 1) & (p->n_slots - 1))
        if (cn_str_eq(j_view(p->t->names[p->slots[s] - 1]), name)) return p->slots[s] - 1;
    jstr *copy = jp_str(p, name);
    if (!copy) return 0;
    p->t->names[p->t->n_names] = copy;
    p->slots[s] = ++p->t->n_names;
    return p->t->n_names - 1;
}

/* ---- statements */

static bool ends_here(const jparse *p, const char *const *ends)
{
    for (; *ends; ends++)
        if (jp_at_name(p, *ends)) return true;
    return false;
}

static jnode *statement(jparse *p);

static jnode *output(jparse *p)
{
    jnode *n = jp_node(p, JN_OUTPUT);
    jp_next(p);
    n->a = jp_tuple(p, true, false, NULL);
    jp_expect(p, JT_VAR_END, "}}");
    return n;
}

static jnode *text(jparse *p)
{
    jnode *n = jp_node(p, JN_TEXT);
    n->value = j_of(J_STR, jp_str(p, p->cur.text));
    jp_next(p);
    return n;
}

/* Up to one of `ends` (its name is then the current token), or to the end of the template. */
static jnode *nodes(jparse *p, const char *const *ends)
{
    jchain body = {0};
    while (p->cur.kind != JT_EOF && !p->status) {
        if (p->cur.kind == JT_DATA) {
            jp_add(&body, text(p));
        } else if (p->cur.kind == JT_VAR_BEGIN) {
            jp_add(&body, output(p));
        } else {
            jp_next(p);
            if (ends && ends_here(p, ends)) return body.first;
            jp_add(&body, statement(p));
            jp_expect(p, JT_BLOCK_END, "%}");
        }
    }
    if (ends) jp_unexpected(p, ends[0]);
    return body.first;
}

jnode *jp_body(jparse *p, const char *const *ends)
{
    if (!jp_enter(p)) return NULL;
    jp_accept(p, JT_COLON);
    jp_expect(p, JT_BLOCK_END, "%}");
    jnode *n = nodes(p, ends);
    p->depth--;
    return n;
}

/* The body up to {% end... %}, whose name is taken too. */
static jnode *body_until(jparse *p, const char *end)
{
    jnode *n = jp_body(p, (const char *const[]){end, NULL});
    jp_next(p);
    return n;
}

/* A body of its own, in which break and continue do not reach the loop around it. */
static jnode *closed_body(jparse *p, const char *end)
{
    unsigned loops = p->loops;
    p->loops = 0;
    jnode *n = body_until(p, end);
    p->loops = loops;
    return n;
}

static jnode *if_statement(jparse *p)
{
    static const char *const ends[] = {"endif", "elif", "else", NULL};
    jnode *n = jp_node(p, JN_IF);
    jchain branches = {0};
    do {
        jp_next(p); /* if, elif */
        jnode *branch = jp_node(p, JN_BRANCH);
        branch->a = jp_tuple(p, false, false, NULL);
        branch->body = jp_body(p, ends);
        jp_add(&branches, branch);
    } while (jp_at_name(p, "elif") && !p->status);
    if (jp_accept_name(p, "else")) {
        jnode *branch = jp_node(p, JN_BRANCH);
        branch->body = body_until(p, "endif");
        jp_add(&branches, branch);
    } else {
        jp_next(p);
    }
    n->kids = branches.first;
    return n;
}

static jnode *for_statement(jparse *p)
{
    static const char *const ends[] = {"endfor", "else", NULL};
    jnode *n = jp_node(p, JN_FOR);
    jp_next(p);
    n->a = jp_target(p, false);
    if (!jp_accept_name(p, "in")) jp_unexpected(p, "in");
    n->b = jp_tuple(p, false, false, "recursive");
    if (jp_accept_name(p, "if")) n->c = jp_expr(p);
    n->flag = jp_accept_name(p, "recursive");
    p->loops++;
    n->body = jp_body(p, ends);
    p->loops--;
    if (jp_accept_name(p, "else"))
        n->kids = body_until(p, "endfor");
    else
        jp_next(p);
    return n;
}

static jnode *set_statement(jparse *p)
{
    jnode *n = jp_node(p, JN_SET);
    jp_next(p);
    n->a = jp_target(p, true);
    if (jp_accept(p, JT_ASSIGN)) {
        n->b = jp_tuple(p, true, false, NULL);
        return n;
    }
    n->type = JN_SET_BLOCK;
    n->b = jp_filters(p, NULL);
    n->body = closed_body(p, "endset");
    return n;
}

/* (a, b=1): parameters with defaults */
static jnode *signature(jparse *p)
{
    jchain params = {0};
    bool defaults = false;
    jp_expect(p, JT_LPAREN, "(");
    while (p->cur.kind != JT_RPAREN && !p->status) {
        jnode *param = jp_node(p, JN_NAME);
        param->name = jp_intern(p, jp_name(p));
        if (jp_accept(p, JT_ASSIGN)) {
            param->a = jp_expr(p);
            defaults = true;
        } else if (defaults) {
            jp_fail(p, CN_E_FORMAT, "a parameter without default after one that has one");
        }
        jp_add(&params, param);
        if (!jp_accept(p, JT_COMMA)) break;
    }
    jp_expect(p, JT_RPAREN, ")");
    return params.first;
}

static void macro_body(jparse *p, jnode *n, const char *end)
{
    uint8_t before = p->says;
    p->says = 0;
    n->body = closed_body(p, end);
    n->role = p->says;
    p->says = before | n->role;
}

static jnode *macro_statement(jparse *p)
{
    jnode *n = jp_node(p, JN_MACRO);
    jp_next(p);
    n->key = jp_str(p, p->cur.text);
    n->name = jp_intern(p, jp_name(p));
    n->kids = signature(p);
    macro_body(p, n, "endmacro");
    return n;
}

static jnode *call_statement(jparse *p)
{
    jnode *n = jp_node(p, JN_CALL_BLOCK);
    jp_next(p);
    n->key = jp_str(p, CN_STR("caller"));
    if (p->cur.kind == JT_LPAREN) n->kids = signature(p);
    n->a = jp_expr(p);
    if (n->a->type != JN_CALL) jp_fail(p, CN_E_FORMAT, "{%% call %%} wants a call");
    macro_body(p, n, "endcall");
    return n;
}

static jnode *filter_statement(jparse *p)
{
    jnode *n = jp_node(p, JN_FILTER_BLOCK);
    jp_next(p);
    n->a = jp_filters(p, jp_filter(p, NULL));
    n->body = closed_body(p, "endfilter");
    return n;
}

static jnode *with_statement(jparse *p)
{
    jnode *n = jp_node(p, JN_WITH);
    jchain names = {0};
    jp_next(p);
    while (p->cur.kind != JT_BLOCK_END && !p->status) {
        jnode *bind = jp_node(p, JN_NAME);
        bind->name = jp_intern(p, jp_name(p));
        jp_expect(p, JT_ASSIGN, "=");
        bind->a = jp_expr(p);
        jp_add(&names, bind);
        if (!jp_accept(p, JT_COMMA)) break;
    }
    n->kids = names.first;
    n->body = body_until(p, "endwith");
    return n;
}

static jnode *print_statement(jparse *p)
{
    jnode *n = jp_node(p, JN_OUTPUT);
    jp_next(p);
    n->a = jp_expr(p);
    return n;
}

/* {% generation %} only marks what the model wrote: it renders its body. */
static jnode *generation_statement(jparse *p)
{
    jnode *n = jp_node(p, JN_SCOPE);
    jp_next(p);
    n->body = closed_body(p, "endgeneration");
    return n;
}

static jnode *loop_control(jparse *p)
{
    jnode *n = jp_node(p, jp_at_name(p, "break") ? JN_BREAK : JN_CONTINUE);
    if (!p->loops) jp_fail(p, CN_E_FORMAT, "break or continue outside of a loop");
    jp_next(p);
    return n;
}

static jnode *statement(jparse *p)
{
    static const struct {
        const char *word;
        jnode *(*parse)(jparse *p);
    } words[] = {
        {"if", if_statement},       {"for", for_statement},
        {"set", set_statement},     {"macro", macro_statement},
        {"call", call_statement},   {"filter", filter_statement},
        {"with", with_statement},   {"generation", generation_statement},
        {"break", loop_control},    {"continue", loop_control},
        {"print", print_statement},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(words); i++)
        if (jp_at_name(p, words[i].word)) return words[i].parse(p);
    if (p->cur.kind == JT_NAME)
        jp_fail(p, CN_E_FORMAT, "unknown tag '%.*s'", CN_STR_ARG(p->cur.text));
    else
        jp_unexpected(p, "the name of a tag");
    return &p->dummy;
}

/* ---- the whole */

/* A copy with \n as its only line end and without the last one. */
static cn_str normalized(cn_arena *a, cn_str s)
{
    char *out = cn_arena_alloc(a, s.n + 1, 1);
    size_t n = 0;
    if (!out) return (cn_str){NULL, 0};
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') continue;
        out[n++] = s.p[i] == '\r' ? '\n' : s.p[i];
    }
    if (n && out[n - 1] == '\n') n--;
    return (cn_str){out, n};
}

static void known_names(jparse *p)
{
    p->t->caller = jp_intern(p, CN_STR("caller"));
    p->t->varargs = jp_intern(p, CN_STR("varargs"));
    p->t->kwargs = jp_intern(p, CN_STR("kwargs"));
    p->t->loop = jp_intern(p, CN_STR("loop"));
    p->t->messages = jp_intern(p, CN_STR("messages"));
}

static void bind_globals(jparse *p)
{
    cn_template *t = p->t;
    t->initial = room(p, t->n_names, sizeof *t->initial);
    for (uint32_t i = 0; i < t->n_names && !p->status; i++) {
        const jfunc *fn = jfunc_find(j_globals, j_view(t->names[i]));
        if (fn) t->initial[i] = (jv){.kind = J_FUNC, .u.func = fn};
    }
}

static cn_status parse_into(cn_template *t, cn_str source, jsyntax syntax, cn_err *err)
{
    jparse p = {.t = t, .err = err};
    t->arena.cap = MAX_TREE;
    cn_str text = normalized(&t->arena, source);
    if (!text.p) return cn_fail(err, CN_E_NOMEM, "a template of %zu bytes", source.n);
    jlex_init(&p.lex, text, syntax, err);
    known_names(&p);
    jp_next(&p);
    t->body = nodes(&p, NULL);
    bind_globals(&p);
    return p.status;
}

cn_status jinja_parse(cn_template **out, cn_str source, jsyntax syntax, cn_err *err)
{
    *out = NULL;
    if (source.n > MAX_SOURCE)
        return cn_fail(err, CN_E_LIMIT, "a template of %zu bytes, at most %zu", source.n,
                       MAX_SOURCE);
    if (!cn_utf8_valid(source.p, source.n))
        return cn_fail(err, CN_E_FORMAT, "the template is no UTF-8 text");
    cn_template *t = cn_xcalloc(1, sizeof *t);
    cn_status st = parse_into(t, source, syntax, err);
    if (st) {
        cn_template_free(t);
        return cn_ctx(err, st, "reading the chat template");
    }
    *out = t;
    return CN_OK;
}

cn_status cn_template_parse(cn_template **out, const char *source, size_t n, cn_err *err)
{
    return jinja_parse(out, (cn_str){source, n}, (jsyntax){true, true}, err);
}

void cn_template_free(cn_template *t)
{
    if (!t) return;
    cn_arena_deinit(&t->arena);
    cn_free(t);
}
