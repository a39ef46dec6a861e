/* "..." % args and "...".format(args). */
#include <math.h>
#include <stdio.h>

#include "jinja_string.h"
#include "jinja_text.h"
#include "utf8.h"

#define MAX_WIDTH 100000
#define MAX_PRECISION 100
#define NUMBER_ROOM 512 /* digits of the largest double, MAX_PRECISION more, separators */

typedef struct spec {
    char fill[4];
    size_t n_fill;
    char align; /* < > ^ =, 0: by kind */
    char sign;  /* + or blank */
    bool alt, zero;
    char comma;
    char type;
    int64_t width, precision; /* -1: not given */
} spec;

static void pad(jrun *r, const spec *s, size_t n)
{
    j_fill(r, s->fill, s->n_fill, true, n);
}

/* Pads what was put since `start`; sign and digits of numbers go apart with '='. */
static void align(jrun *r, const spec *s, size_t start, char by_kind)
{
    jv text = j_take(r, start);
    if (text.kind != J_STR) return;
    jstr *t = text.u.s;
    size_t chars = jstr_chars(t);
    size_t room = s->width > 0 && (size_t)s->width > chars ? (size_t)s->width - chars : 0;
    char how = s->align ? s->align : by_kind;
    size_t head = how == '=' && t->n && strchr("+- ", t->p[0]) ? 1 : 0;
    if (how == '=' && t->n > head + 1 && t->p[head] == '0' &&
        strchr("xob", t->p[head + 1] | 32))
        head += 2;
    size_t left = how == '>' || how == '=' ? room : how == '^' ? room / 2 : 0;
    j_put_part(r, t, 0, head);
    pad(r, s, left);
    j_put_part(r, t, head, t->n - head);
    pad(r, s, room - left);
}

static void put_text(jrun *r, const spec *s, jstr *t)
{
    size_t start = r->out.n;
    if (s->precision >= 0) {
        jslice w = {j_none(), j_int(s->precision), j_none()};
        jv cut = j_slice_of(r, j_of(J_STR, t), &w);
        if (cut.kind == J_STR) t = cut.u.s;
    }
    j_put_str(r, t);
    align(r, s, start, '<');
}

/* Puts a separator between groups of three digits of the whole part. */
static size_t group(char *text, size_t n, char sep)
{
    size_t from = strspn(text, "+- "), digits = strspn(text + from, "0123456789");
    for (size_t k = 3; k < digits; k += 3) {
        size_t at = from + digits - k;
        if (n + 1 >= NUMBER_ROOM) break;
        memmove(text + at + 1, text + at, n - at + 1);
        text[at] = sep;
        n++;
    }
    return n;
}

static void put_number(jrun *r, const spec *s, char *text, size_t n)
{
    size_t start = r->out.n;
    if (s->comma) n = group(text, n, s->comma);
    if (text[0] != '-' && s->sign) j_put(r, &s->sign, 1, true);
    j_put(r, text, n, true);
    align(r, s, start, s->zero ? '=' : '>');
}

static void put_int(jrun *r, const spec *s, int64_t i)
{
    char text[NUMBER_ROOM];
    uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;
    unsigned base = s->type == 'x' || s->type == 'X' ? 16
                    : s->type == 'o'                 ? 8
                    : s->type == 'b'                 ? 2
                                                     : 10;
    char digits[70];
    size_t n = 0, k = 0;
    do
        digits[k++] = (s->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
    while ((u /= base));
    if (i < 0) text[n++] = '-';
    if (s->alt && base != 10) {
        text[n++] = '0';
        text[n++] = s->type;
    }
    for (int64_t zeros = s->precision - (int64_t)k; zeros > 0; zeros--)
        text[n++] = '0';
    while (k)
        text[n++] = digits[--k];
    text[n] = 0;
    put_number(r, s, text, n);
}

static void put_float(jrun *r, const spec *s, double f)
{
    char text[NUMBER_ROOM], type = s->type ? s->type : 'g';
    size_t n;
    if (!j_charge(r, J_FLOAT_COST)) return;
    if (!s->type && s->precision < 0) {
        n = jtext_repr_float(text, f);
    } else {
        if (type == '%') f *= 100;
        n = jtext_printf_float(text, sizeof text - 2, f,
                               s->precision < 0 ? 6 : (int)s->precision,
                               type == '%' ? 'f' : type);
        if (type == '%') text[n++] = '%';
        if (!s->type && !strpbrk(text, ".en")) n += (size_t)snprintf(text + n, 3, ".0");
    }
    text[n] = 0;
    put_number(r, s, text, n);
}

static bool in_set(char c, const char *set)
{
    return c && strchr(set, c);
}

/* Without a type, a bool is a word, unless it is to be laid out as a number. */
static bool bare_int(const spec *s, jv v)
{
    return !s->type && (v.kind == J_INT || s->width >= 0 || s->sign || s->comma);
}

static void put_formatted(jrun *r, const spec *s, jv v)
{
    if (s->width > MAX_WIDTH || s->precision > MAX_PRECISION) {
        j_fail(r, CN_E_LIMIT, "a format wider than %d", MAX_WIDTH);
    } else if (in_set(s->type, "eEfFgG%") && j_is_number(v)) {
        put_float(r, s, j_as_float(v));
    } else if (v.kind == J_FLOAT && !s->type) {
        put_float(r, s, v.u.f);
    } else if (j_is_int(v) && (in_set(s->type, "dxXob") || bare_int(s, v))) {
        put_int(r, s, j_as_int(v));
    } else if (!s->type || s->type == 's') {
        put_text(r, s, j_to_str(r, v));
    } else if (!r->status) {
        j_fail(r, CN_E_FORMAT, "format '%c' does not fit a value of type %s", s->type,
               j_type_name(v));
    }
}

/* ---- % */

typedef struct percent {
    jrun *r;
    const jstr *f;
    size_t at; /* in f */
    jv args;
    size_t used;
} percent;

static char peek(const percent *p)
{
    return p->at < p->f->n ? p->f->p[p->at] : 0;
}

static jv next_arg(percent *p)
{
    if (p->args.kind != J_TUPLE) {
        if (p->used++ == 0) return p->args;
    } else if (p->used < p->args.u.list->n) {
        return p->args.u.list->v[p->used++];
    }
    j_fail(p->r, CN_E_FORMAT, "not enough arguments for format string");
    return j_none();
}

static int64_t number_or_star(percent *p)
{
    int64_t n = 0;
    if (peek(p) == '*') {
        p->at++;
        return j_arg_int(p->r, next_arg(p), 0);
    }
    for (; in_set(peek(p), "0123456789"); p->at++)
        n = CN_MIN(n * 10 + (peek(p) - '0'), MAX_WIDTH + 1);
    return n;
}

static bool mapped(percent *p, jv *v)
{
    const char *close = peek(p) == '(' ? memchr(p->f->p + p->at, ')', p->f->n - p->at) : NULL;
    if (!close) return false;
    size_t from = p->at + 1, n = (size_t)(close - p->f->p) - from;
    p->at = from + n + 1;
    p->used = 1;
    jv key = j_str_slice(p->r, p->f, from, n);
    *v = p->args.kind == J_DICT ? j_dict_get(p->r, p->args.u.dict, key) : (jv){0};
    if (v->kind == J_ABSENT) j_fail(p->r, CN_E_FORMAT, "format key not found in the mapping");
    return true;
}

static void flags(percent *p, spec *s)
{
    for (; in_set(peek(p), "-+ #0"); p->at++) {
        char c = peek(p);
        if (c == '-') s->align = '<';
        if (c == '+' || (c == ' ' && !s->sign)) s->sign = c;
        if (c == '#') s->alt = true;
        if (c == '0') s->zero = true;
    }
    s->width = number_or_star(p);
    if (s->width < 0) {
        s->align = '<';
        s->width = -s->width;
    }
    if (peek(p) == '.') {
        p->at++;
        s->precision = number_or_star(p);
    }
}

static void convert(percent *p, spec *s, jv v)
{
    jrun *r = p->r;
    char c = s->type;
    if (c == 'r' || c == 'a') {
        size_t start = r->out.n;
        j_put_repr(r, v);
        v = j_take(r, start);
        s->type = 's';
    } else if (c == 'c' && v.kind == J_STR) {
        s->type = 's';
    } else if (c == 'c' && j_is_int(v)) {
        char text[4];
        bool valid = j_as_int(v) > 0 && j_as_int(v) < 0xd800;
        v = j_str_new(r, text, cn_utf8_encode(valid ? (uint32_t)j_as_int(v) : 0xfffd, text),
                      true);
        s->type = 's';
    } else if (in_set(c, "diu") && v.kind == J_FLOAT && fabs(v.u.f) < 9e18) {
        v = j_int((int64_t)v.u.f);
        s->type = 'd';
    } else if (in_set(c, "iu")) {
        s->type = 'd';
    } else if (!in_set(c, "sdxXoeEfFgG")) {
        j_fail(r, CN_E_FORMAT, "unsupported format character");
    }
    if (s->type == 's' && !s->align) s->align = '>';
    if (s->zero && s->type != 's' && !s->align) s->fill[0] = '0';
    put_formatted(r, s, v);
}

static void conversion(percent *p)
{
    spec s = {.fill = " ", .n_fill = 1, .precision = -1};
    jv v;
    p->at++;
    bool named = mapped(p, &v);
    flags(p, &s);
    while (in_set(peek(p), "hlL"))
        p->at++;
    s.type = peek(p);
    p->at++;
    if (s.type == '%') {
        j_put_part(p->r, p->f, p->at - 1, 1);
    } else {
        if (!named) v = next_arg(p);
        if (!p->r->status) convert(p, &s, v);
    }
}

jv j_percent(jrun *r, jstr *format, jv args)
{
    percent p = {.r = r, .f = format, .args = args};
    size_t start = r->out.n;
    while (p.at < format->n && j_charge(r, 1)) {
        const char *sign = memchr(format->p + p.at, '%', format->n - p.at);
        size_t to = sign ? (size_t)(sign - format->p) : format->n;
        j_put_part(r, format, p.at, to - p.at);
        p.at = to;
        if (sign) conversion(&p);
    }
    size_t given =
        args.kind == J_TUPLE ? args.u.list->n : args.kind > J_UNDEF && args.kind <= J_STR;
    if (!r->status && p.used < given)
        j_fail(r, CN_E_FORMAT, "not all arguments converted during string formatting");
    return j_take(r, start);
}

/* ---- format() */

typedef struct braces {
    jrun *r;
    const jargs *args;
    size_t next;
} braces;

static jv argument(braces *b, jrun *r, jv name)
{
    const jstr *s = name.u.s;
    jv index = s->n ? j_parse_int(r, s, 10) : j_int((int64_t)b->next++);
    if (index.kind == J_INT) {
        if (index.u.i >= 0 && (uint64_t)index.u.i < b->args->n) return b->args->pos[index.u.i];
        j_fail(r, CN_E_FORMAT, "Replacement index %lld out of range", (long long)index.u.i);
        return j_none();
    }
    for (size_t i = 0; i < b->args->n_kw; i++)
        if (cn_str_eq(j_view(b->args->kw[i].name), j_view(s))) return b->args->kw[i].value;
    j_fail(r, CN_E_FORMAT, "format(): no argument '%.*s'", CN_STR_ARG(j_view(s)));
    return j_none();
}

static size_t span_until(const jstr *s, size_t at, const char *set)
{
    size_t n = 0;
    while (at + n < s->n && !in_set(s->p[at + n], set))
        n++;
    return n;
}

/* name.attr[key]... */
static jv field_value(braces *b, const jstr *f)
{
    jrun *r = b->r;
    size_t at = span_until(f, 0, ".[");
    jv part = j_str_slice(r, f, 0, at);
    if (part.kind != J_STR) return j_none();
    jv v = argument(b, r, part);
    while (at < f->n && !r->status) {
        bool bracket = f->p[at++] == '[';
        size_t n = span_until(f, at, bracket ? "]" : ".[");
        part = j_str_slice(r, f, at, n);
        if (part.kind != J_STR) break;
        jv index = bracket ? j_parse_int(r, part.u.s, 10) : (jv){0};
        v = bracket ? j_get_item(r, v, index.kind == J_INT ? index : part)
                    : j_get_attr(r, v, part.u.s);
        at += n + bracket;
    }
    return v;
}

static int64_t digits(const jstr *s, size_t *at)
{
    int64_t n = -1;
    for (; *at < s->n && in_set(s->p[*at], "0123456789"); ++*at)
        n = CN_MIN((n < 0 ? 0 : n) * 10 + (s->p[*at] - '0'), MAX_WIDTH + 1);
    return n;
}

static spec parse_spec(jrun *r, const jstr *s)
{
    spec out = {.fill = " ", .n_fill = 1, .precision = -1};
    size_t at = 0, first = 1;
    while (first < s->n && ((unsigned char)s->p[first] & 0xc0) == 0x80)
        first++;
    if (first < s->n && first <= 4 && in_set(s->p[first], "<>^=")) {
        memcpy(out.fill, s->p, first);
        out.n_fill = first;
        out.align = s->p[first];
        at = first + 1;
    } else if (s->n && in_set(s->p[0], "<>^=")) {
        out.align = s->p[at++];
    }
    if (at < s->n && in_set(s->p[at], "+- ")) out.sign = s->p[at++];
    if (out.sign == '-') out.sign = 0;
    out.alt = at < s->n && s->p[at] == '#';
    at += out.alt;
    if (at < s->n && s->p[at] == '0') {
        out.zero = true;
        if (!out.align) out.fill[0] = '0';
        at++;
    }
    out.width = digits(s, &at);
    if (at < s->n && in_set(s->p[at], ",_")) out.comma = s->p[at++];
    if (at < s->n && s->p[at] == '.') {
        at++;
        out.precision = digits(s, &at);
    }
    if (at < s->n) out.type = s->p[at++];
    if (at < s->n) j_fail(r, CN_E_FORMAT, "Invalid format specifier");
    return out;
}

static void replacement(braces *b, const jstr *f)
{
    jrun *r = b->r;
    size_t colon = span_until(f, 0, ":"), bang = span_until(f, 0, "!");
    size_t name = CN_MIN(colon, bang);
    jv head = j_str_slice(r, f, 0, name);
    size_t skip = CN_MIN(colon + 1, f->n);
    jv tail = j_str_slice(r, f, skip, f->n - skip);
    if (head.kind != J_STR || tail.kind != J_STR) return;
    jv v = field_value(b, head.u.s);
    if (bang < colon && bang + 1 < f->n) {
        size_t start = r->out.n;
        if (f->p[bang + 1] == 's')
            j_put_value(r, v);
        else
            j_put_repr(r, v);
        v = j_take(r, start);
    }
    spec s = parse_spec(r, tail.u.s);
    if (s.type == 's' && v.kind != J_STR && !r->status)
        j_fail(r, CN_E_FORMAT, "format 's' does not fit a value of type %s", j_type_name(v));
    if (!r->status) put_formatted(r, &s, v);
}

jv j_format(jrun *r, jstr *f, const jargs *args)
{
    braces b = {.r = r, .args = args};
    size_t start = r->out.n;
    for (size_t at = 0; at < f->n && j_charge(r, 1);) {
        size_t n = span_until(f, at, "{}");
        j_put_part(r, f, at, n);
        at += n;
        if (at >= f->n) break;
        char c = f->p[at];
        if (at + 1 < f->n && f->p[at + 1] == c) {
            j_put_part(r, f, at, 1);
            at += 2;
            continue;
        }
        size_t end = span_until(f, at, "}");
        if (c == '}' || at + end >= f->n) {
            j_fail(r, CN_E_FORMAT, "a single '%c' in a format string", c);
            break;
        }
        jv field = j_str_slice(r, f, at + 1, end - 1);
        if (field.kind == J_STR) replacement(&b, field.u.s);
        at += end + 1;
    }
    return j_take(r, start);
}
