/* Filters on single values: text, numbers, JSON. */
#include <math.h>

#include "jinja_string.h"

#include "jinja_lex.h"
#include "jinja_text.h"
#include "utf8.h"

int64_t j_arg_int(jrun *r, jv v, int64_t fallback)
{
    if (v.kind == J_ABSENT || v.kind == J_NONE) return fallback;
    if (j_is_int(v)) return j_as_int(v);
    if (!r->status)
        j_fail(r, CN_E_FORMAT, "'%s' object cannot be interpreted as an integer",
               j_type_name(v));
    return fallback;
}

bool j_arg_bool(jv v, bool fallback)
{
    return v.kind == J_ABSENT ? fallback : j_truth(v);
}

JFUNC(f_upper)
{
    return js_case(r, j_to_str(r, self), JC_UPPER);
}
JFUNC(f_lower)
{
    return js_case(r, j_to_str(r, self), JC_LOWER);
}
JFUNC(f_title)
{
    return js_case(r, j_to_str(r, self), JC_TITLE_FILTER);
}
JFUNC(f_capitalize)
{
    return js_case(r, j_to_str(r, self), JC_CAPITALIZE);
}
JFUNC(f_trim)
{
    return js_strip(r, j_to_str(r, self), a[0], JS_BOTH);
}
JFUNC(f_string)
{
    return j_of(J_STR, j_to_str(r, self));
}

JFUNC(f_replace)
{
    return js_replace(r, j_to_str(r, self), j_to_str(r, a[0]), j_to_str(r, a[1]),
                      j_arg_int(r, a[2], -1));
}

JFUNC(f_center)
{
    jstr space = {.p = " ", .n = 1, .chars = 1, .trusted = true};
    return js_center(r, j_to_str(r, self), j_arg_int(r, a[0], 80), JS_BOTH, &space);
}

void j_put_markup(jrun *r, const jstr *s, bool escape)
{
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    if (!escape) {
        j_put_str(r, s);
        return;
    }
    for (size_t i = 0; i < s->n && j_charge(r, 1); i++) {
        const char *at = s->p[i] ? strchr(from, s->p[i]) : NULL;
        if (at)
            j_put_as(r, s, i, to[at - from], strlen(to[at - from]));
        else
            j_put_part(r, s, i, 1);
    }
}

jv j_take_markup(jrun *r, size_t start, bool markup)
{
    jv s = j_take(r, start);
    if (markup && s.kind == J_STR) s.u.s->markup = true;
    return s;
}

static jv escaped(jrun *r, jv v, bool escape)
{
    const jstr *s = j_to_str(r, v);
    size_t start = r->out.n;
    j_put_markup(r, s, escape);
    return j_take_markup(r, start, true);
}

JFUNC(f_safe)
{
    return escaped(r, self, false);
}

JFUNC(f_escape)
{
    return escaped(r, self, self.kind != J_STR || !self.u.s->markup);
}

JFUNC(f_forceescape)
{
    return escaped(r, self, true);
}

JFUNC(f_default)
{
    bool missing = self.kind == J_UNDEF || (j_arg_bool(a[1], false) && !j_truth(self));
    if (!missing) return self;
    return a[0].kind == J_ABSENT ? j_str_lit(r, "") : a[0];
}

/* ---- numbers */

jv j_parse_int(jrun *r, const jstr *s, int base)
{
    const char *p = s->p, *end = s->p + (s->n - jspace_tail(s->p, s->n));
    size_t n;
    int64_t value = 0;
    bool digits = false;
    while ((n = jspace(p, (size_t)(end - p))))
        p += n;
    bool minus = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (end - p > 2 && *p == '0') {
        char b = (char)(p[1] | 32);
        int named = b == 'x' ? 16 : b == 'o' ? 8 : b == 'b' ? 2 : 0;
        if (named && (base == named || base == 0)) p += 2, base = named;
    }
    if (base == 0) base = 10;
    for (; p < end; p++) {
        char c = *p;
        int d = c >= '0' && c <= '9'                 ? c - '0'
                : (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10
                                                     : 99;
        if (c == '_' && digits && p + 1 < end && p[1] != '_') continue;
        if (d >= base) return (jv){0};
        digits = true;
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_sub_overflow(value, d, &value)) {
            j_fail(r, CN_E_FORMAT, "a whole number over 64 bits");
            return (jv){0};
        }
    }
    if (!digits) return (jv){0};
    if (!minus && value == INT64_MIN) {
        j_fail(r, CN_E_FORMAT, "a whole number over 64 bits");
        return (jv){0};
    }
    return j_int(minus ? value : -value);
}

bool j_parse_float(const jstr *s, double *f)
{
    size_t from = 0, n;
    size_t end = s->n - jspace_tail(s->p, s->n);
    while (from < end && (n = jspace(s->p + from, end - from)))
        from += n;
    return jtext_float((cn_str){s->p + from, end - from}, f);
}

static jv whole(double f, jv fallback)
{
    if (isnan(f) || fabs(f) >= 9.2e18) return fallback;
    return j_int((int64_t)f);
}

JFUNC(f_int)
{
    jv fallback = a[0].kind == J_ABSENT ? j_int(0) : a[0];
    double f;
    if (self.kind == J_FLOAT) return whole(self.u.f, fallback);
    if (j_is_int(self)) return j_int(j_as_int(self));
    if (self.kind == J_UNDEF) return j_get_attr(r, self, &r->empty);
    if (self.kind != J_STR) return fallback;
    jv v = j_parse_int(r, self.u.s, (int)j_arg_int(r, a[1], 10));
    if (v.kind != J_ABSENT) return v;
    return j_parse_float(self.u.s, &f) ? whole(f, fallback) : fallback;
}

JFUNC(f_float)
{
    double f;
    if (j_is_number(self)) return j_float(j_as_float(self));
    if (self.kind == J_UNDEF) return j_get_attr(r, self, &r->empty);
    if (self.kind == J_STR && j_parse_float(self.u.s, &f)) return j_float(f);
    return a[0].kind == J_ABSENT ? j_float(0) : a[0];
}

JFUNC(f_abs)
{
    if (self.kind == J_FLOAT) return j_float(fabs(self.u.f));
    if (j_is_int(self)) return j_as_int(self) < 0 ? j_negate(r, self) : j_int(j_as_int(self));
    return j_negate(r, self); /* fails */
}

/* To the nearest, halves to even, as Python rounds the exact decimal value. */
static double rounded(jrun *r, double f, int64_t precision)
{
    char text[100];
    double out;
    if (!j_charge(r, J_FLOAT_COST)) return f;
    if (precision >= 0 && fabs(f) >= 0x1p53) return f; /* whole already */

    if (precision < 0) {
        double unit = pow(10, (double)-precision);
        return nearbyint(f / unit) * unit;
    }
    size_t n = jtext_printf_float(text, sizeof text, f, (int)CN_MIN(precision, 60), 'f');
    return jtext_float((cn_str){text, n}, &out) ? out : f;
}

JFUNC(f_round)
{
    int64_t precision = j_arg_int(r, a[0], 0);
    cn_str how = a[1].kind == J_STR ? j_view(a[1].u.s) : CN_STR("common");
    if (!j_is_number(self)) return j_negate(r, self); /* fails */
    double f = j_as_float(self), unit = pow(10, (double)precision);
    if (cn_str_is(how, "ceil")) return j_float(ceil(f * unit) / unit);
    if (cn_str_is(how, "floor")) return j_float(floor(f * unit) / unit);
    if (j_is_int(self) && precision >= 0) return j_int(j_as_int(self));
    return j_is_int(self) ? whole(rounded(r, f, precision), self)
                          : j_float(rounded(r, f, precision));
}

/* ---- longer texts */

JFUNC(f_indent)
{
    jstr *s = js_arg(r, self, "indent() value");
    jstr *by = a[0].kind == J_STR ? a[0].u.s : NULL;
    int64_t width = by ? 0 : j_arg_int(r, a[0], 4);
    bool first = j_arg_bool(a[1], false), blank = j_arg_bool(a[2], false);
    size_t start = r->out.n;
    if (width > 0 && !by) j_fill(r, " ", 1, true, (size_t)width);
    if (!by) by = j_to_str(r, j_take(r, start));
    jlist *lines = js_lines(r, s, false);
    if (lines && (!s->n || (s->p[s->n - 1] == '\n' || s->p[s->n - 1] == '\r')))
        j_push(r, lines, j_of(J_STR, &r->empty)); /* what follows the last line end */
    if (first) j_put_str(r, by);
    for (size_t i = 0; lines && i < lines->n && !r->status; i++) {
        const jstr *line = lines->v[i].u.s;
        if (i) j_put(r, "\n", 1, s->trusted && !s->mark);
        if (i && (blank || line->n)) j_put_str(r, by);
        j_put_str(r, line);
    }
    return j_take(r, start);
}

JFUNC(f_truncate)
{
    int64_t length = j_arg_int(r, a[0], 255), leeway = j_arg_int(r, a[3], 5);
    jstr *s, dots = {.p = "...", .n = 3, .chars = 3, .trusted = true};
    jstr *end = a[2].kind == J_ABSENT ? &dots : js_arg(r, a[2], "end");
    int64_t keep = length - (int64_t)jstr_chars(end);
    size_t n;
    if (keep < 0 || leeway < 0)
        j_fail(r, CN_E_FORMAT, "truncate(): length or leeway too small");
    if (r->status || (j_len(self, &n) && (int64_t)n <= length + leeway)) return self;
    s = js_arg(r, self, "truncate() value");
    jslice w = {j_none(), j_int(keep), j_none()};
    jv head = j_slice_of(r, j_of(J_STR, s), &w);
    if (head.kind != J_STR) return j_none();
    jstr space = {.p = " ", .n = 1};
    ptrdiff_t cut = j_arg_bool(a[1], false) ? -1 : js_rfind(r, head.u.s, &space);
    size_t start = r->out.n;
    j_put_part(r, head.u.s, 0, cut < 0 ? head.u.s->n : (size_t)cut);
    j_put_str(r, end);
    return j_take(r, start);
}

JFUNC(f_wordcount)
{
    const jstr *s = j_to_str(r, self);
    int64_t words = 0;
    bool inside = false;
    for (size_t i = 0, n; i < s->n && j_charge(r, 1); i += n) {
        uint32_t c = 0;
        n = cn_utf8_decode(s->p + i, s->n - i, &c);
        if (!n) n = 1;
        bool word = c == '_' || jtext_alpha(c) || jtext_digit(c);
        words += word && !inside;
        inside = word;
    }
    return j_int(words);
}

/* Tags and comments away, runs of white space to one blank. */
JFUNC(f_striptags)
{
    const jstr *s = j_to_str(r, self);
    size_t start = r->out.n, n;
    bool gap = false;
    for (size_t i = 0; i < s->n && j_charge(r, 1);) {
        const char *close = s->p[i] == '<' ? memchr(s->p + i, '>', s->n - i) : NULL;
        if (close) {
            i = (size_t)(close - s->p) + 1;
        } else if ((n = jspace(s->p + i, s->n - i))) {
            gap = true;
            i += n;
        } else {
            if (gap && r->out.n > start) j_put_as(r, s, i, " ", 1);
            gap = false;
            j_put_part(r, s, i++, 1);
        }
    }
    return j_take(r, start);
}

JFUNC(f_urlencode)
{
    bool pairs = j_iterable(self) && self.kind != J_STR && self.kind != J_UNDEF;
    if (pairs) j_fail(r, CN_E_UNSUPPORTED, "urlencode of anything but text");
    const jstr *s = j_to_str(r, self);
    size_t start = r->out.n;
    for (size_t i = 0; i < s->n && j_charge(r, 1); i++) {
        unsigned char c = (unsigned char)s->p[i];
        bool plain = (c | 32) >= 'a' && (c | 32) <= 'z' && c < 0x80;
        if (plain || (c >= '0' && c <= '9') || (c && strchr("_.-~/", c))) {
            j_put_part(r, s, i, 1);
        } else {
            char text[3] = {'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]};
            j_put_as(r, s, i, text, 3);
        }
    }
    return j_take(r, start);
}

JFUNC(f_format)
{
    jlist pos = {.v = all->pos, .n = all->n};
    jdict *kw = j_dict_new(r);
    for (size_t i = 0; i < all->n_kw; i++)
        j_dict_set(r, kw, j_of(J_STR, all->kw[i].name), all->kw[i].value);
    return j_percent(r, j_to_str(r, self), all->n_kw ? j_of(J_DICT, kw) : j_of(J_TUPLE, &pos));
}

JFUNC(f_attr)
{
    jstr *name = js_arg(r, a[0], "attribute name");
    jv got =
        r->status || self.kind == J_DICT ? j_undef(name, self.kind) : j_get_attr(r, self, name);
    return got;
}

JFUNC(f_pprint)
{
    size_t start = r->out.n;
    j_put_repr(r, self);
    return j_take(r, start);
}

const jfunc j_filters[] = {
    {"tojson", j_tojson, 0, 4, {"ensure_ascii", "indent", "separators", "sort_keys"}},
    {"trim", f_trim, 0, 1, {"chars"}},
    {"string", f_string, 0, 0, {0}},
    {"upper", f_upper, 0, 0, {0}},
    {"lower", f_lower, 0, 0, {0}},
    {"title", f_title, 0, 0, {0}},
    {"capitalize", f_capitalize, 0, 0, {0}},
    {"replace", f_replace, 2, 3, {"old", "new", "count"}},
    {"default", f_default, 0, 2, {"default_value", "boolean"}},
    {"d", f_default, 0, 2, {"default_value", "boolean"}},
    {"safe", f_safe, 0, 0, {0}},
    {"escape", f_escape, 0, 0, {0}},
    {"e", f_escape, 0, 0, {0}},
    {"forceescape", f_forceescape, 0, 0, {0}},
    {"int", f_int, 0, 2, {"default", "base"}},
    {"float", f_float, 0, 1, {"default"}},
    {"abs", f_abs, 0, 0, {0}},
    {"round", f_round, 0, 2, {"precision", "method"}},
    {"indent", f_indent, 0, 3, {"width", "first", "blank"}},
    {"truncate", f_truncate, 0, 4, {"length", "killwords", "end", "leeway"}},
    {"center", f_center, 0, 1, {"width"}},
    {"wordcount", f_wordcount, 0, 0, {0}},
    {"striptags", f_striptags, 0, 0, {0}},
    {"urlencode", f_urlencode, 0, 0, {0}},
    {"format", f_format, 0, -1, {0}},
    {"attr", f_attr, 1, 1, {"name"}},
    {"pprint", f_pprint, 0, 0, {0}},
    {0},
};

const jfunc *jfilter_find(cn_str name)
{
    const jfunc *f = jfunc_find(j_filters, name);
    return f ? f : jfunc_find(j_list_filters, name);
}
