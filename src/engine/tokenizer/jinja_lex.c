#include "jinja_lex.h"

#include "compiler.h"
#include "jinja_text.h"
#include "utf8.h"

void jlex_init(jlex *l, cn_str source, jsyntax syntax, cn_err *err)
{
    *l = (jlex){.p = source.p,
                .begin = source.p,
                .end = source.p + source.n,
                .syntax = syntax,
                .line = 1,
                .line_start = true,
                .err = err};
}

size_t jspace(const char *p, size_t n)
{
    if (n == 0) return 0;
    unsigned char c = (unsigned char)*p;
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
    uint32_t u;
    size_t len = cn_utf8_decode(p, n, &u);
    bool space = u == 0x85 || u == 0xa0 || u == 0x1680 || (u >= 0x2000 && u <= 0x200a) ||
                 u == 0x2028 || u == 0x2029 || u == 0x202f || u == 0x205f || u == 0x3000;
    return space ? len : 0;
}

size_t jspace_tail(const char *p, size_t n)
{
    size_t end = n;
    while (end) {
        size_t at = end - 1;
        while (at && ((unsigned char)p[at] & 0xc0) == 0x80)
            at--;
        if (!jspace(p + at, end - at)) break;
        end = at;
    }
    return n - end;
}

static jtok fail(jlex *l, cn_status st, const char *what)
{
    if (!l->status) l->status = cn_fail(l->err, st, "line %u: %s", l->line, what);
    l->p = l->end;
    return (jtok){.kind = JT_EOF, .line = l->line};
}

static size_t left(const jlex *l)
{
    return (size_t)(l->end - l->p);
}

static bool at(const jlex *l, const char *p, const char *lit)
{
    size_t n = strlen(lit);
    return (size_t)(l->end - p) >= n && memcmp(p, lit, n) == 0;
}

/* Moves to p, counting lines. */
static void advance(jlex *l, const char *p)
{
    for (; l->p < p; l->p++)
        if (*l->p == '\n') l->line++;
}

static void skip_space(jlex *l)
{
    size_t n;
    while ((n = jspace(l->p, left(l))))
        advance(l, l->p + n);
}

/* After the closing two characters of a tag: what white space goes with them. */
static void close_tag(jlex *l, char sign, bool trims)
{
    if (sign == '-') {
        skip_space(l);
    } else if (sign != '+' && trims && l->syntax.trim_blocks && at(l, l->p, "\n")) {
        advance(l, l->p + 1);
    }
    l->line_start = l->p[-1] == '\n';
}

/* Where a text ends that stands before a tag with `sign`. */
static size_t text_end(const jlex *l, const char *p, size_t n, char sign, bool is_variable)
{
    if (sign == '-') return n - jspace_tail(p, n);
    if (sign == '+' || !l->syntax.lstrip_blocks || is_variable) return n;
    size_t line = n;
    while (line && p[line - 1] != '\n')
        line--;
    if (line == 0 && !l->line_start) return n;
    size_t tail = jspace_tail(p + line, n - line);
    return tail == n - line ? line : n;
}

static char sign_at(const jlex *l, const char *p)
{
    return p < l->end && (*p == '-' || *p == '+') ? *p : 0;
}

/* `{%- word -%}` with any white space at p: the address of its closing sign or "%}", or NULL.
 */
static const char *word_tag(const jlex *l, const char *p, const char *word)
{
    if (!at(l, p, "{%")) return NULL;
    p += 2;
    if (sign_at(l, p)) p++;
    size_t n;
    while ((n = jspace(p, (size_t)(l->end - p))))
        p += n;
    if (!at(l, p, word)) return NULL;
    p += strlen(word);
    while ((n = jspace(p, (size_t)(l->end - p))))
        p += n;
    return at(l, p, "%}") || at(l, p, "-%}") || at(l, p, "+%}") ? p : NULL;
}

static jtok data(jlex *l, const char *p, size_t n, uint32_t line)
{
    (void)l;
    return (jtok){.kind = JT_DATA, .line = line, .text = {p, n}};
}

static void skip_comment(jlex *l)
{
    const char *p = l->p + 2;
    if (sign_at(l, p)) p++;
    for (const char *from = p; p < l->end; p++) {
        if (!at(l, p, "#}")) continue;
        char sign = p > from ? sign_at(l, p - 1) : 0;
        advance(l, p + 2);
        close_tag(l, sign, true);
        return;
    }
    fail(l, CN_E_FORMAT, "a comment without its end #}");
}

/* {% raw %}text{% endraw %} */
static jtok raw_text(jlex *l, const char *close)
{
    char sign = sign_at(l, close);
    advance(l, close + (sign ? 3 : 2));
    if (sign == '-') skip_space(l);
    l->line_start = l->p[-1] == '\n';
    const char *text = l->p;
    uint32_t line = l->line;
    for (const char *p = l->p; (p = memchr(p, '{', (size_t)(l->end - p))); p++) {
        const char *end = word_tag(l, p, "endraw");
        if (!end) continue;
        size_t n = text_end(l, text, (size_t)(p - text), sign_at(l, p + 2), false);
        sign = sign_at(l, end);
        advance(l, end + (sign ? 3 : 2));
        close_tag(l, sign, true);
        return data(l, text, n, line);
    }
    return fail(l, CN_E_FORMAT, "{% raw %} without {% endraw %}");
}

static const char *next_tag(const jlex *l)
{
    for (const char *p = l->p; p < l->end && (p = memchr(p, '{', (size_t)(l->end - p))); p++)
        if (at(l, p, "{{") || at(l, p, "{%") || at(l, p, "{#")) return p;
    return l->end;
}

/* Outside of tags. May give an empty text. */
static jtok outside(jlex *l)
{
    const char *text = l->p, *tag = next_tag(l);
    uint32_t line = l->line;
    if (text == l->end) return (jtok){.kind = JT_EOF, .line = line};
    if (tag == l->end) {
        advance(l, tag);
        return data(l, text, (size_t)(tag - text), line);
    }
    char sign = sign_at(l, tag + 2);
    size_t n = text_end(l, text, (size_t)(tag - text), sign, tag[1] == '{');
    if (n) {
        /* the tag is looked at again, then with nothing before it: line_start must not
         * apply to its (empty) text */
        advance(l, tag);
        l->line_start = false;
        return data(l, text, n, line);
    }
    advance(l, tag);
    const char *close = word_tag(l, tag, "raw");
    if (close && *close != '+') return raw_text(l, close);
    if (tag[1] == '#') {
        skip_comment(l);
        return data(l, text, 0, line);
    }
    l->inside = tag[1] == '{' ? JT_VAR_BEGIN : JT_BLOCK_BEGIN;
    l->n_braces = 0;
    advance(l, tag + (sign ? 3 : 2));
    return (jtok){.kind = l->inside, .line = l->line};
}

static bool closes(jlex *l, jtok *t)
{
    const char *end = l->inside == JT_VAR_BEGIN ? "}}" : "%}";
    char sign = sign_at(l, l->p);
    if (sign == '+' && l->inside == JT_VAR_BEGIN) return false;
    if (!at(l, l->p + (sign ? 1 : 0), end)) return false;
    *t = (jtok){.kind = l->inside == JT_VAR_BEGIN ? JT_VAR_END : JT_BLOCK_END, .line = l->line};
    l->p += sign ? 3 : 2;
    close_tag(l, sign, l->inside == JT_BLOCK_BEGIN);
    l->inside = JT_EOF;
    return true;
}

static bool digit(const jlex *l, const char *p)
{
    return p < l->end && *p >= '0' && *p <= '9';
}

static const char *digits(const jlex *l, const char *p)
{
    while (digit(l, p) || (p < l->end && *p == '_' && digit(l, p + 1)))
        p++;
    return p;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    return 99;
}

static jtok whole_number(jlex *l, jtok t)
{
    const char *p = l->p;
    int base = 10;
    if (*p == '0' && p + 1 < l->end) {
        char b = (char)(p[1] | 32);
        base = b == 'x' ? 16 : b == 'o' ? 8 : b == 'b' ? 2 : 10;
    }
    if (base != 10) p += 2;
    for (; p < l->end && (digit_value(*p) < base || *p == '_'); p++) {
        if (*p == '_') continue;
        if (__builtin_mul_overflow(t.i, base, &t.i) ||
            __builtin_add_overflow(t.i, digit_value(*p), &t.i))
            return fail(l, CN_E_FORMAT, "a whole number over 64 bits");
    }
    t.text.n = (size_t)(p - l->p);
    bool octal = base == 10 && t.text.n > 1 && *l->p == '0' && t.i;
    if (octal || (base != 10 && t.text.n == 2))
        return fail(l, CN_E_FORMAT, "a malformed whole number");
    l->p = p;
    return t;
}

static jtok number(jlex *l)
{
    jtok t = {.kind = JT_INT, .line = l->line, .text = {l->p, 0}};
    const char *p = digits(l, l->p), *end = p;
    bool after_dot = l->p > l->begin && l->p[-1] == '.';
    if (!after_dot && p < l->end && *p == '.' && digit(l, p + 1)) end = p = digits(l, p + 1);
    if (!after_dot && p < l->end && (*p | 32) == 'e') {
        const char *exp = p + 1 < l->end && (p[1] == '+' || p[1] == '-') ? p + 2 : p + 1;
        if (digit(l, exp)) end = digits(l, exp);
    }
    if (end == digits(l, l->p)) return whole_number(l, t);
    t.kind = JT_FLOAT;
    t.text.n = (size_t)(end - l->p);
    if (!jtext_float(t.text, &t.f)) return fail(l, CN_E_FORMAT, "a malformed number");
    l->p = end;
    return t;
}

static bool name_char(const jlex *l, const char *p)
{
    if (p >= l->end) return false;
    unsigned char c = (unsigned char)*p;
    return (c | 32) >= 'a' && (c | 32) <= 'z' ? true
           : c >= 0x80                        ? jspace(p, (size_t)(l->end - p)) == 0
                                              : c == '_' || (c >= '0' && c <= '9');
}

static jtok name(jlex *l)
{
    const char *p = l->p;
    while (name_char(l, p))
        p++;
    jtok t = {.kind = JT_NAME, .line = l->line, .text = {l->p, (size_t)(p - l->p)}};
    l->p = p;
    return t;
}

static jtok string(jlex *l)
{
    char quote = *l->p;
    const char *p = l->p + 1;
    while (p < l->end && *p != quote)
        p += *p == '\\' ? 2 : 1;
    if (p >= l->end) return fail(l, CN_E_FORMAT, "a string without its closing quote");
    jtok t = {.kind = JT_STRING, .line = l->line, .text = {l->p + 1, (size_t)(p - l->p - 1)}};
    advance(l, p + 1);
    return t;
}

static const char operators[][3] = {
    "**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[",
    "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";",
};

static bool balance(jlex *l, char c)
{
    const char *open = "([{", *close = ")]}", *at_open = strchr(open, c);
    if (at_open) {
        if (l->n_braces == JLEX_MAX_BRACES) {
            fail(l, CN_E_LIMIT, "brackets nested deeper than 256");
            return false;
        }
        l->braces[l->n_braces++] = close[at_open - open];
    } else if (strchr(close, c)) {
        if (!l->n_braces || l->braces[--l->n_braces] != c) {
            fail(l, CN_E_FORMAT, "a closing bracket that was not opened");
            return false;
        }
    }
    return true;
}

static jtok operator(jlex *l)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(operators); i++) {
        if (!at(l, l->p, operators[i])) continue;
        if (!operators[i][1] && !balance(l, *l->p)) return (jtok){.kind = JT_EOF};
        l->p += strlen(operators[i]);
        return (jtok){.kind = (jtok_kind)(JT_POW + i), .line = l->line};
    }
    return fail(l, CN_E_FORMAT, "a character that has no meaning inside a tag");
}

static jtok inside(jlex *l)
{
    jtok t;
    skip_space(l);
    if (l->p >= l->end) return fail(l, CN_E_FORMAT, "a tag without its end");
    if (!l->n_braces && closes(l, &t)) return t;
    char c = *l->p;
    if (c >= '0' && c <= '9') return number(l);
    if (name_char(l, l->p)) return name(l);
    if (c == '\'' || c == '"') return string(l);
    return operator(l);
}

jtok jlex_next(jlex *l)
{
    jtok t;
    do {
        if (l->status) return (jtok){.kind = JT_EOF, .line = l->line};
        t = l->inside == JT_EOF ? outside(l) : inside(l);
    } while (t.kind == JT_DATA && t.text.n == 0);
    return t;
}
