/* Parsing of expressions. */
#include "compiler.h"
#include "jinja_parse.h"
#include "utf8.h"

static jnode *unary(jparse *p, bool with_filters);

static jnode *chain_of(jparse *p, jtype type, jnode *first, jchain *rest)
{
    if (!rest->first) return first;
    jnode *n = jp_node(p, type);
    n->line = first->line;
    n->a = first;
    n->kids = rest->first;
    return n;
}

static jnode *power(jparse *p)
{
    jnode *left = unary(p, true);
    jchain rest = {0};
    while (jp_accept(p, JT_POW)) {
        jnode *right = unary(p, true);
        right->role = JO_POW;
        jp_add(&rest, right);
    }
    return chain_of(p, JN_ARITH, left, &rest);
}

static bool product_op(jparse *p, uint8_t *op)
{
    static const uint8_t ops[][2] = {
        {JT_MUL, JO_MUL}, {JT_DIV, JO_DIV}, {JT_FLOORDIV, JO_FLOORDIV}, {JT_MOD, JO_MOD}};
    for (size_t i = 0; i < CN_ARRAY_LEN(ops); i++) {
        *op = ops[i][1];
        if (jp_accept(p, (jtok_kind)ops[i][0])) return true;
    }
    return false;
}

static jnode *product(jparse *p)
{
    jnode *left = power(p);
    jchain rest = {0};
    for (uint8_t op; product_op(p, &op);) {
        jnode *right = power(p);
        right->role = op;
        jp_add(&rest, right);
    }
    return chain_of(p, JN_ARITH, left, &rest);
}

static jnode *concat(jparse *p)
{
    jnode *left = product(p);
    if (p->cur.kind != JT_TILDE) return left;
    jnode *n = jp_node(p, JN_CONCAT);
    jchain all = {0};
    jp_add(&all, left);
    while (jp_accept(p, JT_TILDE))
        jp_add(&all, product(p));
    n->kids = all.first;
    return n;
}

static jnode *sum(jparse *p)
{
    jnode *left = concat(p);
    jchain rest = {0};
    while (p->cur.kind == JT_ADD || p->cur.kind == JT_SUB) {
        uint8_t op = p->cur.kind == JT_ADD ? JO_ADD : JO_SUB;
        jp_next(p);
        jnode *right = concat(p);
        right->role = op;
        jp_add(&rest, right);
    }
    return chain_of(p, JN_ARITH, left, &rest);
}

static bool compare_op(jparse *p, uint8_t *op)
{
    static const uint8_t ops[][2] = {{JT_EQ, JO_EQ}, {JT_NE, JO_NE}, {JT_LT, JO_LT},
                                     {JT_LE, JO_LE}, {JT_GT, JO_GT}, {JT_GE, JO_GE}};
    for (size_t i = 0; i < CN_ARRAY_LEN(ops); i++) {
        *op = ops[i][1];
        if (jp_accept(p, (jtok_kind)ops[i][0])) return true;
    }
    *op = JO_IN;
    if (jp_accept_name(p, "in")) return true;
    *op = JO_NOT_IN;
    if (!jp_at_name(p, "not") || !jp_is_name(jp_look(p), "in")) return false;
    jp_next(p);
    jp_next(p);
    return true;
}

static jnode *compare(jparse *p)
{
    jnode *left = sum(p);
    jchain rest = {0};
    for (uint8_t op; compare_op(p, &op);) {
        jnode *right = sum(p);
        right->role = op;
        jp_add(&rest, right);
    }
    return chain_of(p, JN_COMPARE, left, &rest);
}

static jnode *negation(jparse *p)
{
    if (!jp_at_name(p, "not")) return compare(p);
    jnode *n = jp_node(p, JN_NOT);
    jp_next(p);
    if (!jp_enter(p)) return n;
    n->a = negation(p);
    p->depth--;
    return n;
}

static jnode *logical(jparse *p, jtype type)
{
    const char *word = type == JN_AND ? "and" : "or";
    jnode *left = type == JN_AND ? negation(p) : logical(p, JN_AND);
    if (!jp_at_name(p, word)) return left;
    jnode *n = jp_node(p, type);
    jchain all = {0};
    jp_add(&all, left);
    while (jp_accept_name(p, word))
        jp_add(&all, type == JN_AND ? negation(p) : logical(p, JN_AND));
    n->kids = all.first;
    return n;
}

jnode *jp_expr(jparse *p)
{
    if (!jp_enter(p)) return &p->dummy;
    jnode *value = logical(p, JN_OR);
    unsigned n_if = 0;
    while (jp_accept_name(p, "if")) {
        jnode *n = jp_node(p, JN_COND);
        n->a = value;
        n->b = logical(p, JN_OR);
        if (jp_accept_name(p, "else")) n->c = jp_expr(p);
        value = n;
        if (++n_if > JPARSE_MAX_DEPTH) jp_fail(p, CN_E_LIMIT, "too many conditions in a row");
    }
    p->depth--;
    return value;
}

/* ---- primaries */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    return -1;
}

static size_t put_rune(char *out, uint32_t c)
{
    bool valid = c < 0x110000 && (c < 0xd800 || c > 0xdfff);
    return cn_utf8_encode(valid ? c : 0xfffd, out);
}

/* \xhh, \uhhhh, \Uhhhhhhhh: how many bytes of s they take, 0 if malformed. */
static size_t hex_escape(cn_str s, uint32_t *c)
{
    size_t digits = s.p[0] == 'x' ? 2 : s.p[0] == 'u' ? 4 : 8;
    *c = 0;
    if (s.n < digits + 1) return 0;
    for (size_t i = 1; i <= digits; i++) {
        if (hex_value(s.p[i]) < 0) return 0;
        *c = *c << 4 | (uint32_t)hex_value(s.p[i]);
    }
    return digits + 1;
}

/* What stands after a backslash; gives the bytes of `s` used up. */
static size_t escape(jparse *p, cn_str s, char *out, size_t *n)
{
    static const char from[] = "nrt'\"\\abfv", to[] = "\n\r\t'\"\\\a\b\f\v";
    char c = s.p[0];
    const char *at = c ? strchr(from, c) : NULL;
    if (at) {
        out[(*n)++] = to[at - from];
        return 1;
    }
    if (c == '\n') return 1;
    if (c == 'N') jp_fail(p, CN_E_UNSUPPORTED, "characters by name: \\N{...}");
    uint32_t code = 0;
    if (c == 'x' || c == 'u' || c == 'U') {
        size_t used = hex_escape(s, &code);
        if (!used) jp_fail(p, CN_E_FORMAT, "a malformed escape in a string");
        *n += put_rune(out + *n, code);
        return used;
    }
    size_t i = 0;
    for (; i < 3 && i < s.n && s.p[i] >= '0' && s.p[i] <= '7'; i++)
        code = code * 8 + (uint32_t)(s.p[i] - '0');
    if (i) {
        *n += put_rune(out + *n, code);
        return i;
    }
    out[(*n)++] = '\\'; /* not an escape: Python keeps the backslash */
    return 0;
}

static size_t unescape(jparse *p, cn_str s, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n && !p->status;) {
        if (s.p[i] != '\\' || i + 1 == s.n)
            out[n++] = s.p[i++];
        else
            i += 1 + escape(p, cn_str_skip(s, i + 1), out, &n);
    }
    return n;
}

/* 'one' "after" 'the other' are one string. An escape never gets longer by more than a byte:
 * \377 is two bytes of UTF-8. */
static jnode *string(jparse *p)
{
    jnode *node = jp_node(p, JN_CONST);
    cn_str so_far = {"", 0};
    while (p->cur.kind == JT_STRING && !p->status) {
        char *text = cn_arena_alloc(&p->t->arena, so_far.n + p->cur.text.n + 4, 1);
        if (!text) {
            jp_fail(p, CN_E_NOMEM, "a string of %zu bytes", so_far.n + p->cur.text.n);
            break;
        }
        memcpy(text, so_far.p, so_far.n);
        so_far.n += unescape(p, p->cur.text, text + so_far.n);
        so_far.p = text;
        jp_next(p);
    }
    node->value = j_of(J_STR, jp_str(p, so_far));
    return node;
}

static jnode *constant(jparse *p, jv v)
{
    jnode *n = jp_node(p, JN_CONST);
    n->value = v;
    jp_next(p);
    return n;
}

static jnode *name(jparse *p)
{
    if (jp_at_name(p, "true") || jp_at_name(p, "True")) return constant(p, j_bool(true));
    if (jp_at_name(p, "false") || jp_at_name(p, "False")) return constant(p, j_bool(false));
    if (jp_at_name(p, "none") || jp_at_name(p, "None")) return constant(p, j_none());
    jnode *n = jp_node(p, JN_NAME);
    n->name = jp_intern(p, p->cur.text);
    if (n->name == p->t->varargs) p->says |= JM_SAYS_VARARGS;
    if (n->name == p->t->kwargs) p->says |= JM_SAYS_KWARGS;
    jp_next(p);
    return n;
}

static jnode *list(jparse *p)
{
    jnode *n = jp_node(p, JN_LIST);
    jchain items = {0};
    jp_next(p);
    while (p->cur.kind != JT_RBRACKET && !p->status) {
        jp_add(&items, jp_expr(p));
        if (!jp_accept(p, JT_COMMA)) break;
    }
    jp_expect(p, JT_RBRACKET, "]");
    n->kids = items.first;
    return n;
}

static jnode *dict(jparse *p)
{
    jnode *n = jp_node(p, JN_DICT);
    jchain items = {0};
    jp_next(p);
    while (p->cur.kind != JT_RBRACE && !p->status) {
        jp_add(&items, jp_expr(p));
        jp_expect(p, JT_COLON, ":");
        jp_add(&items, jp_expr(p));
        if (!jp_accept(p, JT_COMMA)) break;
    }
    jp_expect(p, JT_RBRACE, "}");
    n->kids = items.first;
    return n;
}

static jnode *primary(jparse *p)
{
    jnode *n;
    switch (p->cur.kind) {
    case JT_NAME:
        return name(p);
    case JT_STRING:
        return string(p);
    case JT_INT:
        return constant(p, j_int(p->cur.i));
    case JT_FLOAT:
        return constant(p, j_float(p->cur.f));
    case JT_LBRACKET:
        return list(p);
    case JT_LBRACE:
        return dict(p);
    case JT_LPAREN:
        jp_next(p);
        n = jp_tuple(p, true, true, NULL);
        jp_expect(p, JT_RPAREN, ")");
        return n;
    default:
        jp_unexpected(p, "an expression");
        return &p->dummy;
    }
}

static bool tuple_ends(const jparse *p, const char *ends)
{
    return p->cur.kind == JT_VAR_END || p->cur.kind == JT_BLOCK_END ||
           p->cur.kind == JT_RPAREN || p->cur.kind == JT_EOF || (ends && jp_at_name(p, ends));
}

static jnode *tuple(jparse *p, jnode *(*part)(jparse *), bool in_parens, const char *ends)
{
    jchain items = {0};
    bool comma = false;
    while (!tuple_ends(p, ends)) {
        jp_add(&items, part(p));
        if (!jp_accept(p, JT_COMMA)) break;
        comma = true;
    }
    if (!comma && items.first) return items.first;
    if (!comma && !in_parens) jp_unexpected(p, "an expression");
    jnode *n = jp_node(p, JN_TUPLE);
    n->kids = items.first;
    return n;
}

static jnode *without_cond(jparse *p)
{
    return logical(p, JN_OR);
}

jnode *jp_tuple(jparse *p, bool with_cond, bool in_parens, const char *ends)
{
    return tuple(p, with_cond ? jp_expr : without_cond, in_parens, ends);
}

static jnode *target_part(jparse *p)
{
    jnode *n;
    if (!jp_enter(p)) return &p->dummy;
    if (jp_accept(p, JT_LPAREN)) {
        n = tuple(p, target_part, true, NULL);
        jp_expect(p, JT_RPAREN, ")");
    } else {
        n = jp_node(p, JN_NAME);
        cn_str s = jp_name(p);
        static const char *const fixed[] = {"true", "false", "none", "True", "False", "None"};
        for (size_t i = 0; i < CN_ARRAY_LEN(fixed); i++)
            if (cn_str_is(s, fixed[i])) jp_fail(p, CN_E_FORMAT, "can't assign to %s", fixed[i]);
        n->name = jp_intern(p, s);
    }
    if (p->cur.kind == JT_DOT && n->type == JN_NAME) {
        n->type = JN_NSREF;
        jp_next(p);
        n->key = jp_str(p, jp_name(p));
    }
    p->depth--;
    return n;
}

static bool has_nsref(const jnode *n)
{
    if (n->type == JN_NSREF) return true;
    if (n->type == JN_TUPLE)
        for (const jnode *k = n->kids; k; k = k->next)
            if (has_nsref(k)) return true;
    return false;
}

jnode *jp_target(jparse *p, bool of_set)
{
    jnode *n = tuple(p, target_part, false, of_set ? NULL : "in");
    if (!p->status && !of_set && has_nsref(n))
        jp_fail(p, CN_E_FORMAT, "can't assign to an attribute");
    return n;
}

/* ---- what follows a primary */

static jnode *arguments(jparse *p)
{
    jchain all = {0};
    uint8_t seen = JA_POSITIONAL;
    jp_next(p);
    while (p->cur.kind != JT_RPAREN && !p->status) {
        uint8_t role = JA_POSITIONAL;
        jstr *key = NULL;
        if (jp_accept(p, JT_MUL)) {
            role = JA_STAR;
        } else if (jp_accept(p, JT_POW)) {
            role = JA_DOUBLE_STAR;
        } else if (p->cur.kind == JT_NAME && jp_look(p)->kind == JT_ASSIGN) {
            role = JA_KEYWORD;
            key = jp_str(p, p->cur.text);
            jp_next(p);
            jp_next(p);
        }
        if (role == JA_POSITIONAL && seen != JA_POSITIONAL)
            jp_fail(p, CN_E_FORMAT, "a positional argument after a keyword argument");
        seen = CN_MAX(seen, role);
        jnode *value = jp_expr(p);
        value->role = role;
        value->keyword = key;
        jp_add(&all, value);
        if (!jp_accept(p, JT_COMMA)) break;
    }
    jp_expect(p, JT_RPAREN, ")");
    return all.first;
}

static jnode *subscript_part(jparse *p)
{
    jnode *start = NULL, *n;
    if (p->cur.kind != JT_COLON) {
        start = jp_expr(p);
        if (p->cur.kind != JT_COLON) return start;
    }
    n = jp_node(p, JN_SLICE);
    jp_next(p);
    n->a = start;
    if (p->cur.kind != JT_COLON && p->cur.kind != JT_RBRACKET && p->cur.kind != JT_COMMA)
        n->b = jp_expr(p);
    if (jp_accept(p, JT_COLON) && p->cur.kind != JT_RBRACKET && p->cur.kind != JT_COMMA)
        n->c = jp_expr(p);
    return n;
}

static jnode *subscript(jparse *p, jnode *of)
{
    jnode *n = jp_node(p, JN_ITEM);
    jchain parts = {0};
    n->a = of;
    jp_next(p);
    while (p->cur.kind != JT_RBRACKET && !p->status) {
        jp_add(&parts, subscript_part(p));
        if (!jp_accept(p, JT_COMMA)) break;
    }
    jp_expect(p, JT_RBRACKET, "]");
    n->b = parts.first;
    if (!n->b || n->b->next) {
        n->b = jp_node(p, JN_TUPLE);
        n->b->kids = parts.first;
    }
    return n;
}

static const jfunc *const *methods_named(jparse *p, cn_str s)
{
    const jfunc **all = NULL;
    for (int kind = 0; kind < JM_KINDS; kind++) {
        const jfunc *fn = jfunc_find(j_methods[kind], s);
        if (!fn) continue;
        if (!all) all = cn_arena_alloc(&p->t->arena, JM_KINDS, sizeof *all);
        if (!all) break;
        all[kind] = fn;
    }
    return all;
}

static jnode *attribute(jparse *p, jnode *of)
{
    jp_next(p);
    jnode *n = jp_node(p, JN_ATTR);
    n->a = of;
    if (p->cur.kind == JT_INT) {
        n->type = JN_ITEM;
        n->b = constant(p, j_int(p->cur.i));
        return n;
    }
    cn_str s = jp_name(p);
    n->key = jp_str(p, s);
    n->methods = methods_named(p, s);
    return n;
}

static jnode *call(jparse *p, jnode *callee)
{
    jnode *n = jp_node(p, JN_CALL);
    n->a = callee;
    n->kids = arguments(p);
    return n;
}

static jnode *postfix(jparse *p, jnode *n)
{
    for (unsigned links = 0; !p->status; links++) {
        if (links > JPARSE_MAX_DEPTH) jp_fail(p, CN_E_LIMIT, "an expression too long");
        if (p->cur.kind == JT_DOT)
            n = attribute(p, n);
        else if (p->cur.kind == JT_LBRACKET)
            n = subscript(p, n);
        else if (p->cur.kind == JT_LPAREN)
            n = call(p, n);
        else
            break;
    }
    return n;
}

jnode *jp_filter(jparse *p, jnode *subject)
{
    jnode *n = jp_node(p, JN_FILTER);
    cn_str s = jp_name(p);
    n->a = subject;
    n->key = jp_str(p, s);
    n->func = jfilter_find(s);
    if (p->cur.kind == JT_LPAREN) n->kids = arguments(p);
    return n;
}

jnode *jp_filters(jparse *p, jnode *n)
{
    unsigned links = 0;
    while (jp_accept(p, JT_PIPE)) {
        n = jp_filter(p, n);
        if (++links > JPARSE_MAX_DEPTH) jp_fail(p, CN_E_LIMIT, "too many filters in a row");
    }
    return n;
}

static bool test_argument(const jparse *p)
{
    jtok_kind k = p->cur.kind;
    if (k == JT_NAME)
        return !jp_at_name(p, "else") && !jp_at_name(p, "or") && !jp_at_name(p, "and");
    return k == JT_STRING || k == JT_INT || k == JT_FLOAT || k == JT_LBRACKET || k == JT_LBRACE;
}

static jnode *test(jparse *p, jnode *subject)
{
    jp_next(p); /* is */
    bool negated = jp_accept_name(p, "not");
    jnode *n = jp_node(p, JN_TEST), *not ;
    cn_str s = jp_name(p);
    n->a = subject;
    n->key = jp_str(p, s);
    n->func = jfunc_find(j_tests, s);
    if (p->cur.kind == JT_LPAREN) {
        n->kids = arguments(p);
    } else if (test_argument(p)) {
        if (jp_at_name(p, "is")) jp_fail(p, CN_E_FORMAT, "tests cannot be chained with is");
        n->kids = postfix(p, primary(p));
        n->kids->role = JA_POSITIONAL;
    }
    if (!negated) return n;
    not = jp_node(p, JN_NOT);
    not ->a = n;
    return not ;
}

static jnode *filters_and_tests(jparse *p, jnode *n)
{
    for (unsigned links = 0; !p->status; links++) {
        if (links > JPARSE_MAX_DEPTH) jp_fail(p, CN_E_LIMIT, "an expression too long");
        if (jp_accept(p, JT_PIPE))
            n = jp_filter(p, n);
        else if (jp_at_name(p, "is"))
            n = test(p, n);
        else if (p->cur.kind == JT_LPAREN)
            n = call(p, n);
        else
            break;
    }
    return n;
}

static jnode *unary(jparse *p, bool with_filters)
{
    jnode *n;
    if (!jp_enter(p)) return &p->dummy;
    if (p->cur.kind == JT_SUB || p->cur.kind == JT_ADD) {
        n = jp_node(p, p->cur.kind == JT_SUB ? JN_NEG : JN_POS);
        jp_next(p);
        n->a = unary(p, false);
    } else {
        n = primary(p);
    }
    n = postfix(p, n);
    if (with_filters) n = filters_and_tests(p, n);
    p->depth--;
    return n;
}
