#include "jinja_string.h"

#include "jinja_lex.h"
#include "jinja_text.h"
#include "utf8.h"

jstr *js_arg(jrun *r, jv v, const char *what)
{
    if (v.kind == J_STR) return v.u.s;
    if (v.kind == J_UNDEF)
        j_get_attr(r, v, &r->empty);
    else if (!r->status)
        j_fail(r, CN_E_FORMAT, "%s must be str, not %s", what, j_type_name(v));
    return &r->empty;
}

static size_t char_at(const jstr *s, size_t at, uint32_t *c)
{
    unsigned char first = (unsigned char)s->p[at];
    *c = first;
    if (first < 0x80) return 1;
    size_t n = cn_utf8_decode(s->p + at, s->n - at, c);
    return n ? n : 1;
}

static size_t char_before(const jstr *s, size_t at)
{
    size_t i = at - 1;
    while (i && ((unsigned char)s->p[i] & 0xc0) == 0x80)
        i--;
    return i;
}

static bool strips(const jstr *set, const char *p, size_t n)
{
    if (!set) return jspace(p, n) == n;
    return set->n && memmem(set->p, set->n, p, n);
}

jv js_strip(jrun *r, jstr *s, jv chars, int sides)
{
    const jstr *set = chars.kind == J_STR ? chars.u.s : NULL;
    size_t from = 0, to = s->n;
    uint32_t c;
    if (!set && chars.kind != J_NONE && chars.kind != J_ABSENT) js_arg(r, chars, "strip arg");
    size_t cost = set ? 1 + set->n / 16 : 1;
    while ((sides & JS_LEFT) && from < to && j_charge(r, cost)) {
        size_t n = char_at(s, from, &c);
        if (!strips(set, s->p + from, n)) break;
        from += n;
    }
    while ((sides & JS_RIGHT) && to > from && j_charge(r, cost)) {
        size_t at = char_before(s, to);
        if (!strips(set, s->p + at, to - at)) break;
        to = at;
    }
    return j_str_slice(r, s, from, to - from);
}

ptrdiff_t js_find(jrun *r, const jstr *s, const jstr *needle, size_t from)
{
    if (from > s->n) return -1;
    if (!needle->n) return (ptrdiff_t)from;
    const char *at = memmem(s->p + from, s->n - from, needle->p, needle->n);
    size_t seen = at ? (size_t)(at - s->p) - from : s->n - from;
    return j_charge(r, seen / 16) && at ? at - s->p : -1;
}

ptrdiff_t js_rfind(jrun *r, const jstr *s, const jstr *needle)
{
    if (needle->n > s->n) return -1;
    size_t cost = 4 + needle->n / 4; /* for 64 places */
    for (size_t at = s->n - needle->n + 1; at-- > 0;) {
        if (memcmp(s->p + at, needle->p, needle->n) == 0) return (ptrdiff_t)at;
        if (at % 64 == 0 && !j_charge(r, cost)) return -1;
    }
    return -1;
}

/* "".replace("", x): x before every character and at the end. */
static void replace_between(jrun *r, const jstr *s, const jstr *to, int64_t most)
{
    uint32_t c;
    size_t at = 0;
    for (; at < s->n && most && j_charge(r, 1); most--) {
        size_t n = char_at(s, at, &c);
        j_put_str(r, to);
        j_put_part(r, s, at, n);
        at += n;
    }
    if (at < s->n) j_put_part(r, s, at, s->n - at);
    if (most) j_put_str(r, to);
}

jv js_replace(jrun *r, jstr *s, const jstr *from, const jstr *to, int64_t most)
{
    size_t start = r->out.n, at = 0;
    if (most < 0) most = INT64_MAX;
    if (!from->n) {
        replace_between(r, s, to, most);
        return j_take(r, start);
    }
    if (!j_charge(r, s->n / 16)) return j_none();
    for (; most && j_charge(r, 1); most--) {
        const char *hit =
            s->n - at >= from->n ? memmem(s->p + at, s->n - at, from->p, from->n) : NULL;
        if (!hit) break;
        size_t found = (size_t)(hit - s->p);
        j_put_part(r, s, at, found - at);
        j_put_str(r, to);
        at = found + from->n;
    }
    if (!at && !r->status) return j_of(J_STR, s);
    j_put_part(r, s, at, s->n - at);
    return j_take(r, start);
}

/* Does a word begin after c? For str.title after all but cased letters, for the filter `title`
 * after
 * -, white space and opening brackets. */
static bool begins_word(jcase how, uint32_t c, const char *p, size_t n)
{
    if (how == JC_TITLE) return !jtext_cased(c);
    return jspace(p, n) || (c < 0x80 && c && strchr("-({[<", (int)c));
}

/* Steps that the case of a character beyond ASCII costs: it is looked for in a table. */
#define OTHER_CASE 16

static void put_cased(jrun *r, const jstr *s, size_t at, size_t n, uint32_t c, bool upper,
                      bool title)
{
    char text[4];
    if (c >= 0x80 && !j_charge(r, OTHER_CASE)) return;
    uint32_t to = upper ? jtext_upper(c) : jtext_lower(c);
    if (upper && c == 0xdf)
        j_put_as(r, s, at, title ? "Ss" : "SS", 2);
    else if (to == c)
        j_put_part(r, s, at, n);
    else
        j_put_as(r, s, at, text, cn_utf8_encode(to, text));
}

jv js_case(jrun *r, const jstr *s, jcase how)
{
    size_t start = r->out.n, n;
    uint32_t c;
    bool word = true;
    for (size_t at = 0; at < s->n && j_charge(r, 1); at += n) {
        n = char_at(s, at, &c);
        bool upper = how == JC_UPPER || (how != JC_LOWER && word);
        if (how == JC_SWAP) upper = jtext_upper(c) != c;
        put_cased(r, s, at, n, c, upper, how == JC_TITLE || how == JC_CAPITALIZE);
        word = how != JC_CAPITALIZE && begins_word(how, c, s->p + at, n);
    }
    return j_take(r, start);
}

bool js_is_case(jrun *r, const jstr *s, bool upper)
{
    bool some = false;
    uint32_t c;
    for (size_t at = 0; at < s->n;) {
        at += char_at(s, at, &c);
        if (!j_charge(r, c < 0x80 ? 1 : OTHER_CASE)) return false;
        bool is_lower = jtext_upper(c) != c || c == 0xdf, is_upper = jtext_lower(c) != c;
        if (upper ? is_lower : is_upper) return false;
        some |= is_lower || is_upper;
    }
    return some;
}

/* Length of the line end at p: \n \r \r\n and the rarer ones of str.splitlines. */
static size_t line_end(const char *p, size_t n)
{
    unsigned char c = (unsigned char)*p;
    if (c == '\r') return n > 1 && p[1] == '\n' ? 2 : 1;
    if (c == '\n' || c == 0x0b || c == 0x0c || (c >= 0x1c && c <= 0x1e)) return 1;
    if (n > 1 && memcmp(p, "\xc2\x85", 2) == 0) return 2;
    if (n > 2 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0))
        return 3;
    return 0;
}

jlist *js_lines(jrun *r, const jstr *s, bool keep_ends)
{
    jlist *l = j_list_new(r, 0);
    if (!j_charge(r, s->n / 16)) return l;
    for (size_t line = 0, at = 0; at < s->n; at++) {
        size_t end = line_end(s->p + at, s->n - at);
        if (!end && at + 1 < s->n) continue;
        size_t n = end ? at - line + (keep_ends ? end : 0) : s->n - line;
        if (!j_push(r, l, j_str_slice(r, s, line, n))) break;
        line = at + end;
        at += end ? end - 1 : 0;
    }
    return l;
}

static void pad(jrun *r, const jstr *fill, size_t n)
{
    if (fill->n && fill->n <= 4) j_fill(r, fill->p, fill->n, fill->trusted && !fill->mark, n);
}

/* JS_LEFT pads on the left (rjust). */
jv js_center(jrun *r, jstr *s, int64_t width, int sides, jstr *fill)
{
    size_t chars = jstr_chars(s), start = r->out.n;
    if (width <= 0 || (uint64_t)width <= chars) return j_of(J_STR, s);
    if (jstr_chars(fill) != 1)
        j_fail(r, CN_E_FORMAT, "the fill character must be exactly one character long");
    size_t all = (size_t)width - chars;
    size_t left = sides == JS_BOTH   ? all / 2 + (all & (size_t)width & 1)
                  : sides == JS_LEFT ? all
                                     : 0;
    pad(r, fill, left);
    j_put_str(r, s);
    pad(r, fill, all - left);
    return j_take(r, start);
}
