/* The walk: a cursor with a sticky error. */
#include "json_walk.h"

#include <math.h>
#include <stdlib.h>

#include "utf8.h"

enum { MAX_DEPTH = 256 };

static bool broken(json_walk *w)
{
    w->broken = true;
    return false;
}

char json_walk_peek(json_walk *w)
{
    while (w->p < w->end && (*w->p == ' ' || *w->p == '\n' || *w->p == '\r' || *w->p == '\t'))
        w->p++;
    return w->broken || w->p == w->end ? 0 : *w->p;
}

static bool take(json_walk *w, char c)
{
    if (json_walk_peek(w) != c) return broken(w);
    w->p++;
    return true;
}

bool json_walk_enter(json_walk *w, char bracket)
{
    return take(w, bracket);
}

bool json_walk_more(json_walk *w, size_t i)
{
    char c = json_walk_peek(w);
    if (c == '}' || c == ']') {
        w->p++;
        return false;
    }
    if (i > 0 && !take(w, ',')) return false;
    c = json_walk_peek(w);
    return c != '}' && c != ']' && c != 0 ? true : broken(w);
}

/* The raw inside of a string; *plain when it has no escapes. */
static cn_str raw_string(json_walk *w, bool *plain)
{
    *plain = true;
    if (!take(w, '"')) return (cn_str){NULL, 0};
    const char *from = w->p;
    for (; w->p < w->end && *w->p != '"'; w->p++) {
        if ((unsigned char)*w->p < 0x20) break;
        if (*w->p != '\\') continue;
        *plain = false;
        if (++w->p == w->end) break;
    }
    if (w->p >= w->end || *w->p != '"') {
        broken(w);
        return (cn_str){NULL, 0};
    }
    return (cn_str){from, (size_t)(w->p++ - from)};
}

static int hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0) return -1;
        v = v << 4 | d;
    }
    return v;
}

/* \uXXXX at s.p[i], maybe with its second half; returns what it took, 0 when broken. */
static size_t unescape_unit(cn_str s, size_t i, cn_buf *out)
{
    char bytes[4];
    int a = i + 6 <= s.n ? hex4(s.p + i + 2) : -1;
    if (a < 0 || (a >= 0xdc00 && a <= 0xdfff)) return 0;
    if (a < 0xd800 || a > 0xdfff) {
        cn_buf_append(out, bytes, cn_utf8_encode((uint32_t)a, bytes));
        return 6;
    }
    int b = i + 12 <= s.n && s.p[i + 6] == '\\' && s.p[i + 7] == 'u' ? hex4(s.p + i + 8) : -1;
    if (b < 0xdc00 || b > 0xdfff) return 0;
    uint32_t c = 0x10000 + ((uint32_t)(a - 0xd800) << 10) + (uint32_t)(b - 0xdc00);
    cn_buf_append(out, bytes, cn_utf8_encode(c, bytes));
    return 12;
}

static bool unescape(cn_str s, cn_buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    cn_buf_clear(out);
    for (size_t i = 0, took; i < s.n; i += took) {
        took = 1;
        if (s.p[i] != '\\') {
            cn_buf_putc(out, s.p[i]);
            continue;
        }
        const char *simple = s.p[i + 1] ? strchr(from, s.p[i + 1]) : NULL;
        took = simple ? 2 : s.p[i + 1] == 'u' ? unescape_unit(s, i, out) : 0;
        if (simple) cn_buf_putc(out, to[simple - from]);
        if (took == 0) return false;
    }
    return !out->failed;
}

cn_str json_walk_string(json_walk *w)
{
    bool plain;
    cn_str s = raw_string(w, &plain);
    if (w->broken || !cn_utf8_valid(s.p, s.n)) {
        broken(w);
        return (cn_str){NULL, 0};
    }
    if (plain) return s;
    if (!unescape(s, w->text)) {
        broken(w);
        return (cn_str){NULL, 0};
    }
    return (cn_str){w->text->n ? w->text->p : "", w->text->n};
}

cn_str json_walk_key(json_walk *w)
{
    cn_str s = json_walk_string(w);
    return take(w, ':') ? s : (cn_str){NULL, 0};
}

double json_walk_number(json_walk *w)
{
    char text[64];
    size_t n = 0;
    json_walk_peek(w);
    while (w->p < w->end && n + 1 < sizeof text && *w->p && strchr("+-.eE0123456789", *w->p))
        text[n++] = *w->p++;
    text[n] = '\0';
    char *stop = text;
    double v = n ? strtod(text, &stop) : 0;
    if (n == 0 || *stop || !isfinite(v)) broken(w);
    return v;
}

int64_t json_walk_int(json_walk *w)
{
    int64_t n = 0;
    size_t digits = 0;
    json_walk_peek(w);
    for (; digits < 15 && w->p + digits < w->end && w->p[digits] >= '0' && w->p[digits] <= '9';
         digits++)
        n = 10 * n + (w->p[digits] - '0');
    bool plain = digits > 0 && digits < 15 && w->p + digits < w->end &&
                 strchr(" \t\r\n,]}", w->p[digits]) && (n == 0 ? digits == 1 : *w->p != '0');
    if (plain) {
        w->p += digits;
        return n;
    }
    double v = json_walk_number(w);
    return v >= 0 && v <= 9007199254740992.0 && v == floor(v) ? (int64_t)v : -1;
}

/* Brackets match and strings end: all that finding the end of a value needs. */
cn_str json_walk_skip(json_walk *w)
{
    char open[MAX_DEPTH];
    size_t depth = 0;
    bool plain;
    json_walk_peek(w);
    const char *from = w->p;
    do {
        char c = json_walk_peek(w);
        if (c == '"') {
            raw_string(w, &plain);
        } else if (c == '{' || c == '[') {
            if (depth == MAX_DEPTH)
                broken(w);
            else
                open[depth++] = c == '{' ? '}' : ']';
            w->p++;
        } else if (c == '}' || c == ']') {
            if (depth == 0 || open[--depth] != c) broken(w);
            w->p++;
        } else if (c == 0 || ((c == ',' || c == ':') && depth == 0)) {
            broken(w);
        } else if (c == ',' || c == ':') {
            w->p++;
        } else {
            while (w->p < w->end && !strchr(" \t\r\n,:{}[]\"", *w->p))
                w->p++;
            if (w->p < w->end && *w->p == '\0') broken(w);
        }
    } while (!w->broken && depth > 0);
    return w->broken ? (cn_str){NULL, 0} : (cn_str){from, (size_t)(w->p - from)};
}

cn_status json_walk_failed(const json_walk *w, const char *what, cn_err *err)
{
    return cn_fail(err, CN_E_FORMAT, "%s: broken JSON at byte %zu", what,
                   (size_t)(w->p - w->start));
}
