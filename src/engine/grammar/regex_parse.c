/* The parser of regular expressions. */
#include <stdlib.h>

#include "regex_priv.h"
#include "utf8.h"

typedef struct parser {
    gctx *c;
    cn_str s;
    size_t at;
    const char *ptr;
    unsigned depth;
} parser;

static rx *alternatives(parser *p);

static rx *refuse(parser *p, const char *what)
{
    gctx_fail(p->c, CN_E_UNSUPPORTED, p->ptr, "regular expression: %s (at byte %zu)", what,
              p->at);
    return NULL;
}

static rx *node(parser *p, rx_kind kind, rx *a, rx *b)
{
    rx *r = gctx_alloc(p->c, 1, sizeof *r);
    if (r) *r = (rx){.kind = kind, .a = a, .b = b};
    return r;
}

static int peek(const parser *p)
{
    return p->at < p->s.n ? (unsigned char)p->s.p[p->at] : -1;
}

static bool eat(parser *p, const char *text)
{
    cn_str t = cn_str_of(text);
    if (!cn_str_starts(cn_str_skip(p->s, p->at), t)) return false;
    p->at += t.n;
    return true;
}

static bool rune(parser *p, uint32_t *out)
{
    size_t n = p->at < p->s.n ? cn_utf8_decode(p->s.p + p->at, p->s.n - p->at, out) : 0;
    p->at += n;
    return n != 0;
}

static bool hex(parser *p, unsigned digits, uint32_t *out)
{
    *out = 0;
    for (unsigned i = 0; i < digits; i++, p->at++) {
        int ch = peek(p), low = ch | 32;
        int v = ch >= '0' && ch <= '9'     ? ch - '0'
                : low >= 'a' && low <= 'f' ? low - 'a' + 10
                                           : -1;
        if (v < 0) return false;
        *out = *out * 16 + (uint32_t)v;
    }
    return true;
}

/* After "\u": four digits, a surrogate pair, or {digits}. */
static bool unicode_escape(parser *p, uint32_t *out)
{
    if (eat(p, "{")) {
        uint32_t v = 0, d;
        while (peek(p) != '}') {
            if (!hex(p, 1, &d) || v > 0x10ffff) return false;
            v = v * 16 + d;
        }
        p->at++;
        *out = v;
        return v <= 0x10ffff;
    }
    if (!hex(p, 4, out)) return false;
    uint32_t low;
    size_t back = p->at;
    if (*out >= 0xd800 && *out < 0xdc00 && eat(p, "\\u") && hex(p, 4, &low) && low >= 0xdc00 &&
        low < 0xe000)
        *out = 0x10000 + ((*out - 0xd800) << 10) + (low - 0xdc00);
    else if (*out >= 0xd800 && *out < 0xdc00)
        p->at = back;
    return true;
}

/* An escape after its backslash: one code point, or a class put into *set (then true in
 * *is_class). */
static bool escape(parser *p, uint32_t *out, charset *set, bool *is_class)
{
    int ch = peek(p);
    *is_class = false;
    if (ch < 0) return refuse(p, "a backslash at the end") != NULL;
    if (strchr("dDwWsS", ch)) {
        p->at++;
        *is_class = true;
        return charset_class(p->c, set, (char)ch);
    }
    if (ch == 'p' || ch == 'P') {
        p->at++;
        if (!eat(p, "{")) return refuse(p, "\\p without {") != NULL;
        size_t from = p->at;
        while (peek(p) >= 0 && peek(p) != '}')
            p->at++;
        cn_str name = {p->s.p + from, p->at - from};
        if (!eat(p, "}")) return refuse(p, "\\p{ without }") != NULL;
        *is_class = true;
        return charset_property(p->c, set, name, ch == 'P', p->ptr);
    }
    static const char from[] = "tnvfr", to[] = "\t\n\v\f\r";
    const char *simple = strchr(from, ch);
    if (simple) {
        p->at++;
        *out = (unsigned char)to[simple - from];
        return true;
    }
    if (eat(p, "u")) return unicode_escape(p, out) || refuse(p, "a bad \\u escape");
    if (eat(p, "x")) return hex(p, 2, out) || refuse(p, "a bad \\x escape");
    if (ch == 'c') {
        p->at++;
        int l = peek(p) | 32;
        if (l < 'a' || l > 'z') return refuse(p, "a bad \\c escape") != NULL;
        p->at++;
        *out = (uint32_t)(l - 'a' + 1);
        return true;
    }
    if (ch == '0') {
        p->at++;
        *out = 0;
        return (peek(p) < '0' || peek(p) > '9') || refuse(p, "an octal escape");
    }
    if ((ch >= '1' && ch <= '9') || ch == 'k') return refuse(p, "a back reference") != NULL;
    if (ch == 'b' || ch == 'B') return refuse(p, "\\b, a word border") != NULL;
    if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'))
        return refuse(p, "an unknown escape") != NULL;
    return rune(p, out) || refuse(p, "bad UTF-8");
}

/* One member of [...]: a code point, or a class already added. */
static bool class_atom(parser *p, uint32_t *out, charset *set, bool *is_class)
{
    *is_class = false;
    if (eat(p, "\\")) {
        if (eat(p, "b")) {
            *out = 8;
            return true;
        }
        if (eat(p, "-")) {
            *out = '-';
            return true;
        }
        return escape(p, out, set, is_class);
    }
    return rune(p, out) || refuse(p, "bad UTF-8");
}

static rx *class_set(parser *p)
{
    rx *r = node(p, RX_SET, NULL, NULL);
    if (!r) return NULL;
    bool negate = eat(p, "^"), is_class;
    while (!eat(p, "]")) {
        uint32_t lo, hi;
        if (peek(p) < 0) return refuse(p, "[ without ]");
        if (!class_atom(p, &lo, &r->set, &is_class)) return NULL;
        if (is_class) continue;
        hi = lo;
        size_t back = p->at;
        if (eat(p, "-")) {
            bool high_class = false;
            if (peek(p) == ']') {
                p->at = back;
            } else {
                if (!class_atom(p, &hi, &r->set, &high_class)) return NULL;
                if (high_class) { /* "a-\d" means a, '-', \d */
                    hi = lo;
                    if (!charset_add(p->c, &r->set, '-', '-')) return NULL;
                }
            }
        }
        if (hi < lo) return refuse(p, "a range out of order");
        if (!charset_add(p->c, &r->set, lo, hi)) return NULL;
    }
    return charset_normalise(p->c, &r->set, negate) ? r : NULL;
}

static rx *group(parser *p)
{
    if (eat(p, "?")) {
        if (peek(p) == '=' || peek(p) == '!') return refuse(p, "lookahead");
        if (eat(p, "<")) {
            if (peek(p) == '=' || peek(p) == '!') return refuse(p, "lookbehind");
            while (peek(p) >= 0 && peek(p) != '>')
                p->at++;
            if (!eat(p, ">")) return refuse(p, "a bad group name");
        } else if (!eat(p, ":")) {
            return refuse(p, "flags in a group");
        }
    }
    if (++p->depth > REGEX_MAX_DEPTH) return refuse(p, "nested too deeply");
    rx *r = alternatives(p);
    p->depth--;
    if (r && !eat(p, ")")) return refuse(p, "( without )");
    return r;
}

static rx *atom(parser *p)
{
    if (eat(p, "(")) return group(p);
    if (eat(p, "[")) return class_set(p);
    if (eat(p, "^")) return node(p, RX_BEGIN, NULL, NULL);
    if (eat(p, "$")) return node(p, RX_END, NULL, NULL);
    rx *r = node(p, RX_SET, NULL, NULL);
    if (!r) return NULL;
    uint32_t ch = 0;
    bool is_class = false;
    if (eat(p, ".")) {
        static const uint32_t line[][2] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
        for (size_t i = 0; i < 3; i++)
            if (!charset_add(p->c, &r->set, line[i][0], line[i][1])) return NULL;
        return charset_normalise(p->c, &r->set, true) ? r : NULL;
    }
    if (eat(p, "\\")) {
        if (!escape(p, &ch, &r->set, &is_class)) return NULL;
    } else if (peek(p) == '*' || peek(p) == '+' || peek(p) == '?') {
        return refuse(p, "nothing to repeat");
    } else if (!rune(p, &ch)) {
        return refuse(p, "bad UTF-8");
    }
    if (!is_class && !charset_add(p->c, &r->set, ch, ch)) return NULL;
    return charset_normalise(p->c, &r->set, false) ? r : NULL;
}

static bool number(parser *p, uint32_t *out)
{
    size_t from = p->at;
    *out = 0;
    for (; peek(p) >= '0' && peek(p) <= '9'; p->at++)
        if (*out < 1000000) *out = *out * 10 + (uint32_t)(peek(p) - '0');
    return p->at > from;
}

/* {m}, {m,}, {m,n}; anything else after '{' is text. */
static bool braces(parser *p, uint32_t *min, uint32_t *max)
{
    size_t back = p->at;
    p->at++;
    bool ok = number(p, min);
    *max = *min;
    if (ok && eat(p, ",") && !number(p, max)) *max = UINT32_MAX;
    if (ok && eat(p, "}")) return true;
    p->at = back;
    return false;
}

static rx *repeated(parser *p)
{
    rx *r = atom(p);
    while (r) {
        uint32_t min, max = UINT32_MAX;
        int ch = peek(p);
        if (ch == '*')
            min = 0;
        else if (ch == '+')
            min = 1;
        else if (ch == '?')
            min = 0, max = 1;
        else if (ch != '{' || !braces(p, &min, &max))
            return r;
        if (ch != '{') p->at++;
        eat(p, "?"); /* lazy: the same language */
        if (max < min) return refuse(p, "a repetition out of order");
        if (r->kind == RX_BEGIN || r->kind == RX_END) return refuse(p, "a repeated border");
        r = node(p, RX_REPEAT, r, NULL);
        if (!r) return NULL;
        r->min = min;
        r->max = max;
    }
    return NULL;
}

static rx *sequence(parser *p)
{
    rx *all = NULL;
    while (peek(p) >= 0 && peek(p) != '|' && peek(p) != ')') {
        rx *r = repeated(p);
        if (!r) return NULL;
        all = all ? node(p, RX_CAT, all, r) : r;
        if (!all) return NULL;
    }
    return all ? all : node(p, RX_EMPTY, NULL, NULL);
}

static rx *alternatives(parser *p)
{
    rx *all = sequence(p);
    while (all && eat(p, "|")) {
        rx *r = sequence(p);
        all = r ? node(p, RX_ALT, all, r) : NULL;
    }
    return all;
}

rx *regex_parse(gctx *c, cn_str pattern, const char *ptr)
{
    parser p = {.c = c, .s = pattern, .ptr = ptr};
    if (pattern.n > REGEX_MAX_BYTES) {
        gctx_fail(c, CN_E_UNSUPPORTED, ptr, "regular expression of %zu bytes, at most %d",
                  pattern.n, REGEX_MAX_BYTES);
        return NULL;
    }
    rx *r = alternatives(&p);
    if (r && p.at < pattern.n) return refuse(&p, ") without (");
    return r;
}
