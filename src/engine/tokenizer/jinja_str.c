/* Strings: made, measured, sliced, and the output buffer in which new ones grow. */
#include <stdarg.h>
#include <stdio.h>

#include "jinja_run.h"
#include "mem.h"
#include "utf8.h"

uint32_t j_hash_bytes(const char *p, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 16777619u;
    return h | 1;
}

uint32_t jstr_hash(jstr *s)
{
    if (!s->hash) s->hash = j_hash_bytes(s->p, s->n);
    return s->hash;
}

size_t jstr_chars(jstr *s)
{
    if (s->chars != SIZE_MAX) return s->chars;
    size_t chars = 0;
    for (size_t i = 0; i < s->n; i++)
        chars += ((unsigned char)s->p[i] & 0xc0) != 0x80;
    return s->chars = chars;
}

static jstr *str_alloc(jrun *r, const char *p, size_t n, const uint8_t *mark, bool trusted)
{
    jstr *s = j_alloc(r, 1, sizeof *s);
    if (s) *s = (jstr){.p = p, .n = n, .mark = mark, .trusted = trusted, .chars = SIZE_MAX};
    return s;
}

static jv str_value(jstr *s)
{
    return s ? j_of(J_STR, s) : j_none();
}

jv j_str_new(jrun *r, const char *p, size_t n, bool trusted)
{
    char *copy = j_alloc(r, n + 1, 1);
    if (!copy) return j_none();
    if (n) memcpy(copy, p, n);
    return str_value(str_alloc(r, copy, n, NULL, trusted));
}

jv j_str_lit(jrun *r, const char *text)
{
    return str_value(str_alloc(r, text, strlen(text), NULL, true));
}

jv j_str_slice(jrun *r, const jstr *s, size_t from, size_t n)
{
    jstr *part = str_alloc(r, s->p + from, n, s->mark ? s->mark + from : NULL, s->trusted);
    if (part && s->chars == s->n) part->chars = n;
    if (part) part->markup = s->markup;
    return str_value(part);
}

/* Room for n more bytes of output; false when over the limit. */
static bool grow(jrun *r, size_t n)
{
    if (r->status) return false;
    if (n > r->out.max || r->out.n > r->out.max - n) {
        j_fail(r, CN_E_LIMIT, "output over %zu bytes", r->out.max);
        return false;
    }
    size_t cap = CN_MAX(r->out.cap, (size_t)4096);
    while (cap < r->out.n + n)
        cap *= 2;
    char *text = cn_realloc_array(r->out.text, cap, 1);
    if (text) r->out.text = text;
    uint8_t *mark = text ? cn_realloc_array(r->out.mark, cap, 1) : NULL;
    if (!mark) {
        j_fail(r, CN_E_NOMEM, "output of %zu bytes", cap);
        return false;
    }
    r->out.mark = mark;
    r->out.cap = cap;
    return true;
}

void j_put(jrun *r, const char *p, size_t n, bool trusted)
{
    if (r->out.cap - r->out.n < n || r->out.cap == 0) {
        if (!grow(r, n)) return;
    }
    if (r->status || !n || !j_charge(r, n / 64)) return;
    memcpy(r->out.text + r->out.n, p, n);
    memset(r->out.mark + r->out.n, trusted, n);
    r->out.n += n;
}

void j_fill(jrun *r, const char *p, size_t n, bool trusted, size_t times)
{
    char block[256];
    size_t fit = CN_MIN(sizeof block / n, times);
    for (size_t i = 0; i < fit; i++)
        memcpy(block + i * n, p, n);
    for (; times && j_charge(r, 1); times -= CN_MIN(fit, times))
        j_put(r, block, CN_MIN(fit, times) * n, trusted);
}

void j_put_part(jrun *r, const jstr *s, size_t from, size_t n)
{
    size_t at = r->out.n;
    j_put(r, s->p + from, n, s->trusted);
    if (s->mark && r->out.n == at + n && n) memcpy(r->out.mark + at, s->mark + from, n);
}

void j_put_str(jrun *r, const jstr *s)
{
    j_put_part(r, s, 0, s->n);
}

void j_put_as(jrun *r, const jstr *like, size_t at, const char *p, size_t n)
{
    j_put(r, p, n, like->mark ? like->mark[at] : like->trusted);
}

void j_printf(jrun *r, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0) j_put(r, text, CN_MIN((size_t)n, sizeof text - 1), true);
}

/* What was put since `start`, as a string of its own. */
jv j_take(jrun *r, size_t start)
{
    if (r->status) return j_none();
    size_t n = r->out.n - start;
    r->out.n = start;
    if (n == 0) return j_str_lit(r, "");
    const uint8_t *mark = r->out.mark + start;
    if (!memchr(mark, !mark[0], n)) return j_str_new(r, r->out.text + start, n, mark[0]);
    uint8_t *copy = j_alloc(r, n, 1);
    jv s = j_str_new(r, r->out.text + start, n, false);
    if (!copy || s.kind != J_STR) return j_none();
    memcpy(copy, mark, n);
    s.u.s->mark = copy;
    return s;
}

jstr *j_to_str(jrun *r, jv v)
{
    if (v.kind == J_STR) return v.u.s;
    size_t start = r->out.n;
    j_put_value(r, v);
    jv s = j_take(r, start);
    return s.kind == J_STR ? s.u.s : &r->empty;
}
