/* Formats for the validator, by hand. */
#include <arpa/inet.h>
#include <string.h>

#include "compiler.h"
#include "validate.h"

typedef struct cursor {
    const char *p, *end;
} cursor;

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

static bool is_alnum(int c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool in(int c, const char *set)
{
    return c && strchr(set, c) != NULL;
}

static int peek(const cursor *c)
{
    return c->p < c->end ? (unsigned char)*c->p : -1;
}

static bool eat(cursor *c, const char *set)
{
    if (c->p == c->end || !in(*c->p, set)) return false;
    c->p++;
    return true;
}

/* Exactly n digits, or -1. */
static int digits(cursor *c, int n)
{
    int v = 0;
    for (; n; n--, c->p++) {
        if (!is_digit(peek(c))) return -1;
        v = v * 10 + (*c->p - '0');
    }
    return v;
}

static bool date(cursor *c)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y = digits(c, 4), m, d;
    if (y < 0 || !eat(c, "-") || (m = digits(c, 2)) < 1 || m > 12 || !eat(c, "-")) return false;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    d = digits(c, 2);
    return d >= 1 && d <= length[m - 1] + (m == 2 && leap);
}

static bool time_of_day(cursor *c)
{
    int h = digits(c, 2), m, s, offset = 0;
    if (h < 0 || h > 23 || !eat(c, ":") || (m = digits(c, 2)) < 0 || m > 59 || !eat(c, ":"))
        return false;
    s = digits(c, 2);
    if (s < 0 || s > 60) return false;
    if (eat(c, ".")) {
        if (!is_digit(peek(c))) return false;
        while (is_digit(peek(c)))
            c->p++;
    }
    int sign = peek(c) == '-' ? -1 : 1;
    if (!eat(c, "zZ")) {
        if (!eat(c, "+-")) return false;
        int oh = digits(c, 2), om;
        if (oh < 0 || oh > 23 || !eat(c, ":") || (om = digits(c, 2)) < 0 || om > 59)
            return false;
        offset = sign * (oh * 60 + om);
    }
    /* Leap seconds end a day of UTC; offsets beside quarters of an hour are of no place. */
    return s < 60 || (offset % 15 == 0 && (h * 60 + m - offset + 2880) % 1440 == 23 * 60 + 59);
}

static bool address(int family, const char *p, size_t n)
{
    char text[64];
    unsigned char out[16];
    if (n >= sizeof text || memchr(p, '\0', n)) return false;
    memcpy(text, p, n);
    text[n] = '\0';
    return inet_pton(family, text, out) == 1;
}

static bool uuid(cn_str s)
{
    if (s.n != 36) return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s.p[i] != '-' : !is_hex(s.p[i])) return false;
    }
    return true;
}

static bool domain(cn_str s)
{
    size_t label = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') {
            if (!label || s.p[i - 1] == '-') return false;
            label = 0;
        } else if (!is_alnum(s.p[i]) && (s.p[i] != '-' || !label)) {
            return false;
        } else if (++label > 63) {
            return false;
        }
    }
    return label && s.p[s.n - 1] != '-';
}

static bool email(cn_str s)
{
    static const char atext[] = "!#$%&'*+/=?^_`{|}~-";
    size_t i = 0;
    if (s.n && s.p[0] == '"') {
        for (i = 1; i < s.n && s.p[i] != '"'; i++) {
            if (s.p[i] < ' ' || s.p[i] > '~') return false;
            if (s.p[i] == '\\' && (++i == s.n || s.p[i] < ' ' || s.p[i] > '~')) return false;
        }
        if (i++ >= s.n) return false;
    } else {
        for (; i < s.n && s.p[i] != '@'; i++) {
            bool dot = s.p[i] == '.';
            if (dot && (!i || s.p[i - 1] == '.')) return false;
            if (!dot && !is_alnum(s.p[i]) && !in(s.p[i], atext)) return false;
        }
        if (!i || s.p[i - 1] == '.') return false;
    }
    if (i >= s.n || s.p[i] != '@') return false;
    cn_str d = cn_str_skip(s, i + 1);
    if (d.n < 3 || d.p[0] != '[' || d.p[d.n - 1] != ']') return domain(d);
    d = (cn_str){d.p + 1, d.n - 2};
    bool six = d.n > 5 && (d.p[0] | 32) == 'i' && (d.p[1] | 32) == 'p' &&
               (d.p[2] | 32) == 'v' && d.p[3] == '6' && d.p[4] == ':';
    return six ? address(AF_INET6, d.p + 5, d.n - 5) : address(AF_INET, d.p, d.n);
}

/* Characters of a part of a URI: unreserved, sub-delims, what `more` adds, and %XX. */
static bool uri_part(cursor *c, const char *more)
{
    for (;;) {
        int ch = peek(c);
        if (ch == '%') {
            if (c->end - c->p < 3 || !is_hex(c->p[1]) || !is_hex(c->p[2])) return false;
            c->p += 3;
        } else if (ch > 0 && (is_alnum(ch) || in(ch, "-._~!$&'()*+,;=") || in(ch, more))) {
            c->p++;
        } else {
            return true;
        }
    }
}

static bool authority(cursor *c)
{
    cursor user = *c;
    if (uri_part(&user, ":") && peek(&user) == '@') {
        c->p = user.p + 1;
    }
    if (eat(c, "[")) {
        const char *end = memchr(c->p, ']', (size_t)(c->end - c->p));
        if (!end) return false;
        if ((*c->p | 32) == 'v') {
            const char *p = c->p + 1;
            while (p < end && is_hex(*p))
                p++;
            if (p == c->p + 1 || *p != '.' || p + 1 == end) return false;
            for (p++; p < end; p++)
                if (!is_alnum(*p) && !in(*p, "-._~!$&'()*+,;=:")) return false;
        } else if (!address(AF_INET6, c->p, (size_t)(end - c->p))) {
            return false;
        }
        c->p = end + 1;
    } else if (!uri_part(c, "")) {
        return false;
    }
    if (eat(c, ":"))
        while (is_digit(peek(c)))
            c->p++;
    return peek(c) < 0 || in(peek(c), "/?#");
}

static bool uri(cn_str s, bool relative)
{
    cursor c = {s.p, s.p + s.n};
    const char *p = c.p;
    while (p < c.end && (is_alnum(*p) || in(*p, "+-.")))
        p++;
    bool scheme = p < c.end && *p == ':' && p > c.p && is_alnum(*c.p) && !is_digit(*c.p);
    if (!scheme && !relative) return false;
    if (scheme) c.p = p + 1;
    if (c.end - c.p >= 2 && c.p[0] == '/' && c.p[1] == '/') {
        c.p += 2;
        if (!authority(&c)) return false;
    } else if (!scheme) { /* no ':' in the first segment */
        cursor first = c;
        if (!uri_part(&first, "@") || peek(&first) == ':') return false;
    }
    if (!uri_part(&c, ":@/")) return false;
    if (eat(&c, "?") && !uri_part(&c, ":@/?")) return false;
    if (eat(&c, "#") && !uri_part(&c, ":@/?")) return false;
    return c.p == c.end;
}

static bool pointer(cursor *c)
{
    if (c->p < c->end && *c->p != '/') return false;
    for (; c->p < c->end; c->p++)
        if (*c->p == '~' && (c->p + 1 == c->end || !in(c->p[1], "01"))) return false;
    return true;
}

static bool relative_pointer(cursor *c)
{
    if (eat(c, "0")) {
        if (is_digit(peek(c))) return false;
    } else {
        const char *from = c->p;
        while (is_digit(peek(c)))
            c->p++;
        if (c->p == from) return false;
    }
    if (c->p + 1 == c->end && *c->p == '#') return true;
    return pointer(c);
}

/* Units in order, each after the one before it, without a gap (RFC 3339, appendix A). */
static bool units(cursor *c, const char *order)
{
    const char *last = NULL;
    while (is_digit(peek(c))) {
        while (is_digit(peek(c)))
            c->p++;
        const char *u = peek(c) > 0 ? strchr(order, peek(c)) : NULL;
        if (!u || (last && u != last + 1)) return false;
        last = u;
        c->p++;
    }
    return last != NULL;
}

static bool duration(cursor *c)
{
    if (!eat(c, "P")) return false;
    cursor weeks = *c;
    if (units(&weeks, "W") && weeks.p == weeks.end) return true;
    if (is_digit(peek(c)) && !units(c, "YMD")) return false;
    if (c->p == c->end) return c->p[-1] != 'P';
    return eat(c, "T") && units(c, "HMS") && c->p == c->end;
}

int validate_format(cn_str name, cn_str s)
{
    static const char *const unsupported[] = {"hostname", "idn-hostname",  "idn-email",
                                              "iri",      "iri-reference", "uri-template",
                                              "regex"};
    cursor c = {s.p, s.p + s.n};
    for (size_t i = 0; i < CN_ARRAY_LEN(unsupported); i++)
        if (cn_str_is(name, unsupported[i])) return -2;
    if (cn_str_is(name, "date")) return date(&c) && c.p == c.end;
    if (cn_str_is(name, "time")) return time_of_day(&c) && c.p == c.end;
    if (cn_str_is(name, "date-time"))
        return date(&c) && eat(&c, "Tt") && time_of_day(&c) && c.p == c.end;
    if (cn_str_is(name, "email")) return email(s);
    if (cn_str_is(name, "uuid")) return uuid(s);
    if (cn_str_is(name, "ipv4")) return address(AF_INET, s.p, s.n);
    if (cn_str_is(name, "ipv6")) return address(AF_INET6, s.p, s.n);
    if (cn_str_is(name, "uri")) return uri(s, false);
    if (cn_str_is(name, "uri-reference")) return uri(s, true);
    if (cn_str_is(name, "json-pointer")) return pointer(&c);
    if (cn_str_is(name, "relative-json-pointer")) return relative_pointer(&c);
    if (cn_str_is(name, "duration")) return duration(&c);
    return -1;
}
