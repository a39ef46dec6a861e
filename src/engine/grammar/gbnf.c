/* The reader of GBNF grammars: rules become states straight away. Each rule starts at a state
 * of its own; `end` is where all of them end. Character classes go through the automata over
 * characters. */
#include "gbnf.h"

#include <stdio.h>
#include <string.h>

#include "lower.h"
#include "regex.h"
#include "utf8.h"

typedef struct grule {
    cn_str name;
    uint32_t start;
    bool defined;
    uint32_t line;
} grule;

typedef struct gbnf {
    gctx *c;
    aut_builder *b;
    cn_str s;
    size_t at;
    uint32_t line;
    size_t line_start;
    grule *rules;
    uint32_t n_rules, cap_rules, end;
    unsigned depth;
} gbnf;

static uint32_t alternates(gbnf *g, uint32_t from, bool nested);

static bool bad(gbnf *g, cn_status st, const char *what)
{
    char where[48];
    snprintf(where, sizeof where, "%u:%zu", g->line, g->at - g->line_start + 1);
    return gctx_fail(g->c, st, where, "%s", what);
}

static int peek(const gbnf *g)
{
    return g->at < g->s.n ? (unsigned char)g->s.p[g->at] : -1;
}

static bool eat(gbnf *g, const char *text)
{
    cn_str t = cn_str_of(text);
    if (!cn_str_starts(cn_str_skip(g->s, g->at), t)) return false;
    g->at += t.n;
    return true;
}

/* White space and comments; line ends only where `lines`. */
static void space(gbnf *g, bool lines)
{
    for (;; g->at++) {
        int ch = peek(g);
        if (ch == '#')
            while (peek(g) >= 0 && peek(g) != '\n')
                g->at++;
        ch = peek(g);
        if (ch == '\n' && lines) {
            g->line++;
            g->line_start = g->at + 1;
        } else if (ch != ' ' && ch != '\t' && ch != '\r') {
            return;
        }
    }
}

static bool is_word(int ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '-' || ch == '_';
}

static cn_str word(gbnf *g)
{
    size_t from = g->at;
    while (is_word(peek(g)))
        g->at++;
    return (cn_str){g->s.p + from, g->at - from};
}

static grule *rule_of(gbnf *g, cn_str name)
{
    for (uint32_t i = 0; i < g->n_rules; i++)
        if (cn_str_eq(g->rules[i].name, name)) return &g->rules[i];
    if (!gctx_work(g->c, 100 + g->n_rules)) return NULL;
    if (g->n_rules == GBNF_MAX_RULES) {
        bad(g, CN_E_LIMIT, "too many rules");
        return NULL;
    }
    if (g->n_rules == g->cap_rules) {
        uint32_t cap = g->cap_rules ? g->cap_rules * 2 : 32;
        grule *p = gctx_alloc(g->c, cap, sizeof *p);
        if (!p) return NULL;
        if (g->n_rules) memcpy(p, g->rules, g->n_rules * sizeof *p);
        g->rules = p;
        g->cap_rules = cap;
    }
    grule *r = &g->rules[g->n_rules++];
    *r = (grule){.name = name, .start = aut_add(g->b, 0), .line = g->line};
    return r;
}

static bool hex(gbnf *g, unsigned digits, uint32_t *out)
{
    *out = 0;
    for (; digits; digits--, g->at++) {
        int ch = peek(g), low = ch | 32;
        int v = ch >= '0' && ch <= '9'     ? ch - '0'
                : low >= 'a' && low <= 'f' ? low - 'a' + 10
                                           : -1;
        if (v < 0) return bad(g, CN_E_FORMAT, "a bad hexadecimal escape");
        *out = *out * 16 + (uint32_t)v;
    }
    return (*out <= 0x10ffff && (*out < 0xd800 || *out > 0xdfff)) ||
           bad(g, CN_E_FORMAT, "an escape that is no character");
}

/* One character of a literal or class. */
static bool character(gbnf *g, uint32_t *out)
{
    static const char from[] = "nrt\"\\[]^-/", to[] = "\n\r\t\"\\[]^-/";
    if (!eat(g, "\\")) {
        size_t n = peek(g) < 0 ? 0 : cn_utf8_decode(g->s.p + g->at, g->s.n - g->at, out);
        g->at += n;
        return (n && *out != '\n') || bad(g, CN_E_FORMAT, "an unfinished literal");
    }
    int ch = peek(g);
    const char *simple = ch > 0 ? strchr(from, ch) : NULL;
    if (eat(g, "x")) return hex(g, 2, out);
    if (eat(g, "u")) return hex(g, 4, out);
    if (eat(g, "U")) return hex(g, 8, out);
    if (!simple) return bad(g, CN_E_FORMAT, "an unknown escape");
    g->at++;
    *out = (unsigned char)to[simple - from];
    return true;
}

static uint32_t literal(gbnf *g, uint32_t from)
{
    while (!eat(g, "\"")) {
        char bytes[4];
        uint32_t rune;
        if (!character(g, &rune)) return from;
        from = aut_text(g->b, from, bytes, cn_utf8_encode(rune, bytes));
    }
    return from;
}

/* An automaton of one step over the set. */
static uint32_t one_of(gbnf *g, uint32_t from, charset *set, bool negate)
{
    gctx *c = g->c;
    uint32_t to = aut_add(g->b, 0), k = 0;
    if (!charset_normalise(c, set, negate)) return to;
    uint32_t *lo = gctx_alloc(c, 2 * set->n + 1, 4), *next = gctx_alloc(c, 4 * (set->n + 1), 4);
    uint8_t *final = gctx_alloc(c, 2, 1);
    if (!lo || !next || !final) return to;
    if (!set->n || set->r[0][0]) lo[k++] = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        lo[k++] = set->r[i][0];
        if (set->r[i][1] < 0x10ffff) lo[k++] = set->r[i][1] + 1;
    }
    bool first = set->n && !set->r[0][0];
    for (uint32_t j = 0; j < k; j++) {
        next[j] = (j % 2 == 0) == first ? 1 : CDFA_DEAD;
        next[k + j] = CDFA_DEAD;
    }
    final[1] = 1;
    cdfa d = {.n = 2, .k = k, .lo = lo, .next = next, .final = final};
    const cdfa *parts[] = {&d, cdfa_all(c)};
    uint32_t start =
        lower_cdfa(c, g->b, cdfa_combine(c, parts[0], parts[1], CDFA_AND, ""), LOWER_RAW, to);
    if (start != AUT_NONE) aut_copy_edges(g->b, from, start);
    return to;
}

static uint32_t class_of(gbnf *g, uint32_t from)
{
    charset set = {0};
    bool negate = eat(g, "^");
    while (!eat(g, "]")) {
        uint32_t lo, hi;
        if (!character(g, &lo)) return from;
        hi = lo;
        if (peek(g) == '-' && g->at + 1 < g->s.n && g->s.p[g->at + 1] != ']') {
            g->at++;
            if (!character(g, &hi)) return from;
        }
        if (hi < lo) {
            bad(g, CN_E_FORMAT, "a range out of order");
            return from;
        }
        if (!charset_add(g->c, &set, lo, hi)) return from;
    }
    return one_of(g, from, &set, negate);
}

/* One element from a state of its own; returns the state after it. */
static uint32_t element(gbnf *g, uint32_t from)
{
    if (eat(g, "\"")) return literal(g, from);
    if (eat(g, "[")) return class_of(g, from);
    if (eat(g, ".")) {
        charset none = {0};
        return one_of(g, from, &none, true);
    }
    if (eat(g, "(")) {
        if (++g->depth > GBNF_MAX_DEPTH) bad(g, CN_E_LIMIT, "groups nested too deeply");
        uint32_t to = g->c->status ? from : alternates(g, from, true);
        g->depth--;
        if (!g->c->status && !eat(g, ")")) bad(g, CN_E_FORMAT, "( without )");
        return to;
    }
    if (is_word(peek(g))) {
        const grule *r = rule_of(g, word(g));
        uint32_t to = aut_add(g->b, 0);
        if (r) aut_rule(g->b, from, r->start, to);
        return to;
    }
    bad(g, CN_E_FORMAT, "not understood");
    return from;
}

static bool number(gbnf *g, uint32_t *out)
{
    size_t from = g->at;
    for (*out = 0; peek(g) >= '0' && peek(g) <= '9'; g->at++)
        if (*out < 10000000) *out = *out * 10 + (uint32_t)(peek(g) - '0');
    return g->at > from;
}

static bool repetition(gbnf *g, uint32_t *min, uint32_t *max)
{
    *min = *max = 1;
    if (eat(g, "*"))
        *min = 0, *max = UINT32_MAX;
    else if (eat(g, "+"))
        *max = UINT32_MAX;
    else if (eat(g, "?"))
        *min = 0;
    else if (eat(g, "{")) {
        space(g, false);
        if (!number(g, min)) *min = 0;
        space(g, false);
        *max = *min;
        if (eat(g, ",")) {
            space(g, false);
            if (!number(g, max)) *max = UINT32_MAX;
            space(g, false);
        }
        if (!eat(g, "}")) return bad(g, CN_E_FORMAT, "{ without }");
        if (*max < *min) return bad(g, CN_E_FORMAT, "a repetition out of order");
        if (*min > GBNF_MAX_REPEAT || (*max != UINT32_MAX && *max > GBNF_MAX_REPEAT))
            return bad(g, CN_E_LIMIT, "too many repetitions");
    } else {
        return false;
    }
    return true;
}

/* An element with what repeats it: its text is read again for every copy. */
static uint32_t repeated(gbnf *g, uint32_t from)
{
    size_t text = g->at, line_start = g->line_start;
    uint32_t line = g->line, min, max;
    uint32_t inner = aut_add(g->b, 0), after = element(g, inner);
    space(g, g->depth > 0);
    if (g->c->status || !repetition(g, &min, &max)) {
        aut_skip(g->b, from, inner);
        return after;
    }
    size_t end = g->at, end_line_start = g->line_start;
    uint32_t end_line = g->line, last = aut_add(g->b, 0);
    uint32_t copies = max == UINT32_MAX ? CN_MAX(min, 1u) : max;
    for (uint32_t i = 0; i < copies && !g->c->status && !aut_failed(g->b); i++) {
        if (i) {
            g->at = text;
            g->line = line;
            g->line_start = line_start;
            inner = aut_add(g->b, 0);
            after = element(g, inner);
        }
        if (!gctx_work(g->c, 20)) break;
        if (i >= min) aut_skip(g->b, from, last);
        aut_skip(g->b, from, inner);
        if (i + 1 == copies && max == UINT32_MAX) {
            uint32_t again = aut_add(g->b, 0);
            aut_skip(g->b, after, again);
            aut_skip(g->b, again, inner);
            after = again;
        }
        from = after;
    }
    aut_skip(g->b, from, last);
    g->at = end;
    g->line = end_line;
    g->line_start = end_line_start;
    return last;
}

static uint32_t sequence(gbnf *g, uint32_t from, bool nested)
{
    while (!g->c->status) {
        space(g, nested);
        int ch = peek(g);
        if (ch < 0 || ch == '|' || ch == ')' || ch == '\n') break;
        from = repeated(g, from);
    }
    return from;
}

/* Alternatives from `from`; returns the state after all of them. */
static uint32_t alternates(gbnf *g, uint32_t from, bool nested)
{
    uint32_t to = aut_add(g->b, 0);
    for (bool more = true; more && !g->c->status;) {
        uint32_t inner = aut_add(g->b, 0);
        aut_skip(g->b, from, inner);
        aut_skip(g->b, sequence(g, inner, nested), to);
        /* an alternative may begin on the next line */
        size_t at = g->at, line_start = g->line_start;
        uint32_t line = g->line;
        space(g, true);
        more = eat(g, "|");
        if (more) {
            space(g, true);
        } else if (!nested) {
            g->at = at;
            g->line = line;
            g->line_start = line_start;
        }
    }
    return to;
}

static bool rule(gbnf *g)
{
    cn_str name = word(g);
    if (!name.n) return bad(g, CN_E_FORMAT, "want the name of a rule");
    space(g, true);
    if (!eat(g, "::=")) return bad(g, CN_E_FORMAT, "want ::=");
    space(g, true);
    grule *r = rule_of(g, name);
    if (!r) return false;
    if (r->defined) return bad(g, CN_E_FORMAT, "a rule defined twice");
    r->defined = true;
    r->line = g->line;
    uint32_t start = r->start;
    aut_skip(g->b, alternates(g, start, false), g->end);
    if (!g->c->status && peek(g) >= 0 && peek(g) != '\n')
        return bad(g, CN_E_FORMAT, "not understood");
    return !g->c->status;
}

bool gbnf_build(gctx *c, aut_builder *b, cn_str source, uint32_t *root)
{
    gbnf g = {.c = c, .b = b, .s = source, .line = 1};
    g.end = aut_add(b, AUT_ACCEPT);
    space(&g, true);
    while (peek(&g) >= 0) {
        if (!rule(&g)) return false;
        space(&g, true);
    }
    bool have_root = false;
    uint32_t loop = aut_left_recursion(b);
    for (uint32_t i = 0; i < g.n_rules; i++) {
        const grule *r = &g.rules[i];
        char where[32];
        snprintf(where, sizeof where, "%u:1", r->line);
        if (!r->defined)
            return gctx_fail(c, CN_E_FORMAT, where, "rule %.*s is used and not defined",
                             CN_STR_ARG(r->name));
        if (loop == r->start)
            return gctx_fail(c, CN_E_UNSUPPORTED, where, "rule %.*s begins with itself",
                             CN_STR_ARG(r->name));
        if (!cn_str_is(r->name, "root")) continue;
        have_root = true;
        *root = r->start;
    }
    return have_root || gctx_fail(c, CN_E_FORMAT, "1:1", "no rule named root");
}
