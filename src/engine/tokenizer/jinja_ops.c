/* Operators: arithmetic as Python does it, repetition, slices. */
#include <math.h>

#include "jinja_run.h"
#include "utf8.h"

static const char *const op_text[] = {
    [JO_ADD] = "+", [JO_SUB] = "-",       [JO_MUL] = "*",           [JO_DIV] = "/",
    [JO_MOD] = "%", [JO_FLOORDIV] = "//", [JO_POW] = "** or pow()",
};

static jv unsupported(jrun *r, jop op, jv a, jv b)
{
    if (a.kind == J_UNDEF || b.kind == J_UNDEF)
        return j_get_attr(r, a.kind == J_UNDEF ? a : b, &r->empty);
    j_fail(r, CN_E_FORMAT, "unsupported operand type(s) for %s: '%s' and '%s'", op_text[op],
           j_type_name(a), j_type_name(b));
    return j_none();
}

static jv overflow(jrun *r, jop op)
{
    j_fail(r, CN_E_FORMAT, "the result of %s does not fit into 64 bits", op_text[op]);
    return j_int(0);
}

static jv by_zero(jrun *r)
{
    j_fail(r, CN_E_FORMAT, "division by zero");
    return j_int(0);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b && (a < 0) != (b < 0) ? q - 1 : q;
}

static jv int_pow(jrun *r, int64_t base, int64_t exp)
{
    if (exp < 0) return base ? j_float(pow((double)base, (double)exp)) : by_zero(r);
    int64_t result = 1;
    for (;;) {
        if (exp & 1 && __builtin_mul_overflow(result, base, &result))
            return overflow(r, JO_POW);
        exp >>= 1;
        if (!exp) return j_int(result);
        if (__builtin_mul_overflow(base, base, &base)) return overflow(r, JO_POW);
    }
}

static jv int_arith(jrun *r, jop op, int64_t a, int64_t b)
{
    int64_t c = 0;
    bool wide = false;
    switch (op) {
    case JO_ADD:
        wide = __builtin_add_overflow(a, b, &c);
        break;
    case JO_SUB:
        wide = __builtin_sub_overflow(a, b, &c);
        break;
    case JO_MUL:
        wide = __builtin_mul_overflow(a, b, &c);
        break;
    case JO_DIV:
        return b ? j_float((double)a / (double)b) : by_zero(r);
    case JO_POW:
        return int_pow(r, a, b);
    default:
        if (!b) return by_zero(r);
        if (b == -1) { /* INT64_MIN / -1 would trap */
            wide = op == JO_FLOORDIV && __builtin_sub_overflow((int64_t)0, a, &c);
        } else {
            int64_t q = floor_div(a, b);
            c = op == JO_FLOORDIV ? q : a - q * b;
        }
    }
    return wide ? overflow(r, op) : j_int(c);
}

static jv float_arith(jrun *r, jop op, double a, double b)
{
    switch (op) {
    case JO_ADD:
        return j_float(a + b);
    case JO_SUB:
        return j_float(a - b);
    case JO_MUL:
        return j_float(a * b);
    case JO_POW:
        return a == 0 && b < 0 ? by_zero(r) : j_float(pow(a, b));
    case JO_DIV:
        return b == 0 ? by_zero(r) : j_float(a / b);
    case JO_FLOORDIV:
        return b == 0 ? by_zero(r) : j_float(floor(a / b));
    default: {
        if (b == 0) return by_zero(r);
        double m = fmod(a, b);
        return j_float(m != 0 && (m < 0) != (b < 0) ? m + b : m);
    }
    }
}

static jv join_lists(jrun *r, jv a, jv b)
{
    const jlist *x = a.u.list, *y = b.u.list;
    if (!j_charge(r, x->n + y->n)) return j_none();
    jlist *l = j_list_new(r, x->n + y->n);
    if (!l) return j_none();
    for (size_t i = 0; i < x->n; i++)
        j_push(r, l, x->v[i]);
    for (size_t i = 0; i < y->n; i++)
        j_push(r, l, y->v[i]);
    return j_of(a.kind, l);
}

static jv add(jrun *r, jv a, jv b)
{
    if (a.kind == J_STR && b.kind == J_STR) {
        size_t start = r->out.n;
        bool markup = a.u.s->markup || b.u.s->markup;
        j_put_markup(r, a.u.s, markup && !a.u.s->markup);
        j_put_markup(r, b.u.s, markup && !b.u.s->markup);
        return j_take_markup(r, start, markup);
    }
    if (j_is_seq(a) && a.kind == b.kind) return join_lists(r, a, b);
    return unsupported(r, JO_ADD, a, b);
}

static jv repeat(jrun *r, jv v, int64_t times)
{
    size_t start = r->out.n;
    if (v.kind == J_STR) {
        if (times > 0 && v.u.s->n > r->out.max / (size_t)times)
            j_fail(r, CN_E_LIMIT, "output over %zu bytes", r->out.max);
        for (int64_t i = 0; i < times && v.u.s->n && j_charge(r, 1); i++)
            j_put_str(r, v.u.s);
        return j_take(r, start);
    }
    jlist *l = j_list_new(r, 0);
    for (int64_t i = 0; i < times && v.u.list->n && !r->status; i++)
        for (size_t k = 0; k < v.u.list->n; k++)
            if (!j_push(r, l, v.u.list->v[k])) break;
    return l ? j_of(v.kind, l) : j_none();
}

jv j_arith(jrun *r, jop op, jv a, jv b)
{
    if (r->status) return j_none();
    if (j_is_int(a) && j_is_int(b)) return int_arith(r, op, j_as_int(a), j_as_int(b));
    if (j_is_number(a) && j_is_number(b))
        return float_arith(r, op, j_as_float(a), j_as_float(b));
    if (op == JO_ADD) return add(r, a, b);
    if (op == JO_MOD && a.kind == J_STR) return j_percent(r, a.u.s, b);
    if (op == JO_MUL && (a.kind == J_STR || j_is_seq(a)) && j_is_int(b))
        return repeat(r, a, j_as_int(b));
    if (op == JO_MUL && (b.kind == J_STR || j_is_seq(b)) && j_is_int(a))
        return repeat(r, b, j_as_int(a));
    return unsupported(r, op, a, b);
}

jv j_negate(jrun *r, jv v)
{
    if (v.kind == J_FLOAT) return j_float(-v.u.f);
    if (j_is_int(v)) return int_arith(r, JO_SUB, 0, j_as_int(v));
    if (v.kind == J_UNDEF) return j_get_attr(r, v, &r->empty);
    if (!r->status)
        j_fail(r, CN_E_FORMAT, "bad operand type for unary -: '%s'", j_type_name(v));
    return j_none();
}

/* A slice of n elements: first, step and count, as Python's slice.indices. */
typedef struct span {
    int64_t first, step;
    size_t count;
} span;

static int64_t bound(jv v, int64_t n, int64_t step, int64_t missing)
{
    if (!j_is_int(v)) return missing;
    int64_t i = j_as_int(v), low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
    if (i < 0) i = i < -n ? low : i + n;
    return CN_MAX(low, CN_MIN(i, high));
}

static bool span_of(jrun *r, const jslice *s, size_t len, span *out)
{
    const jv *parts[] = {&s->start, &s->stop, &s->step};
    for (size_t i = 0; i < 3; i++) {
        if (!j_is_int(*parts[i]) && parts[i]->kind != J_NONE) return false;
    }
    int64_t n = (int64_t)len, step = j_is_int(s->step) ? j_as_int(s->step) : 1;
    if (step == 0) {
        j_fail(r, CN_E_FORMAT, "slice step cannot be zero");
        return false;
    }
    step = CN_MAX(step, -n - 1); /* larger steps take one element just the same */
    step = CN_MIN(step, n + 1);
    int64_t first = bound(s->start, n, step, step < 0 ? n - 1 : 0);
    int64_t stop = bound(s->stop, n, step, step < 0 ? -1 : n);
    int64_t distance = step < 0 ? first - stop : stop - first, by = step < 0 ? -step : step;
    *out = (span){first, step, distance > 0 ? (size_t)((distance - 1) / by + 1) : 0};
    return true;
}

/* Byte offset of the i-th character (i may be the count). */
static size_t byte_of(const jstr *s, size_t i)
{
    if (s->chars == s->n) return i;
    size_t at = 0;
    for (; i && at < s->n; i--) {
        do
            at++;
        while (at < s->n && ((unsigned char)s->p[at] & 0xc0) == 0x80);
    }
    return at;
}

static jv slice_text(jrun *r, jstr *s, span w)
{
    if (!w.count) return j_str_lit(r, "");
    if (!j_charge(r, s->n / 16)) return j_none();
    if (w.step == 1) {
        size_t from = byte_of(s, (size_t)w.first);
        size_t to = byte_of(s, (size_t)w.first + w.count);
        return j_str_slice(r, s, from, to - from);
    }
    size_t start = r->out.n, chars = s->chars, n = 0;
    uint32_t *offset = j_alloc(r, chars + 1, sizeof *offset);
    if (!offset) return j_none();
    for (size_t i = 0; i < s->n; i++)
        if (((unsigned char)s->p[i] & 0xc0) != 0x80) offset[n++] = (uint32_t)i;
    offset[n] = (uint32_t)s->n;
    for (size_t i = 0; i < w.count && !r->status; i++) {
        size_t at = (size_t)(w.first + (int64_t)i * w.step);
        j_put_part(r, s, offset[at], offset[at + 1] - offset[at]);
    }
    return j_take(r, start);
}

jv j_slice_of(jrun *r, jv v, const jslice *s)
{
    size_t n;
    span w;
    bool can = v.kind == J_STR || j_is_seq(v) || v.kind == J_RANGE;
    if (!can || !j_len(v, &n) || !span_of(r, s, n, &w)) return (jv){0};
    if (v.kind == J_STR) return slice_text(r, v.u.s, w);
    if (v.kind == J_RANGE) {
        jrange *g = j_alloc(r, 1, sizeof *g);
        if (!g) return j_none();
        const jrange *from = v.u.range;
        g->start = jrange_at(from, (uint64_t)w.first);
        g->stop = jrange_at(from, (uint64_t)w.first + w.count * (uint64_t)w.step);
        g->step = (int64_t)((uint64_t)from->step * (uint64_t)w.step);
        g->n = w.count;
        return j_of(J_RANGE, g);
    }
    jlist *l = j_list_new(r, w.count);
    for (size_t i = 0; i < w.count && l && !r->status; i++)
        j_push(r, l, v.u.list->v[w.first + (int64_t)i * w.step]);
    return l ? j_of(v.kind, l) : j_none();
}
