/* str() and repr() of values, and JSON out of them. */
#include "jinja_run.h"
#include "jinja_text.h"
#include "utf8.h"

static void put_lit(jrun *r, const char *text) /* data-neutral punctuation of containers */
{
    j_put(r, text, strlen(text), false);
}

void j_put_float(jrun *r, double f)
{
    char text[40];
    if (!j_charge(r, J_FLOAT_COST)) return;
    j_put(r, text, jtext_repr_float(text, f), true);
}

static void escape_rune(jrun *r, const jstr *s, size_t at, uint32_t c)
{
    static const char hex[] = "0123456789abcdef";
    char text[10] = {'\\', c < 0x100 ? 'x' : c < 0x10000 ? 'u' : 'U'};
    int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
    for (int i = 0; i < digits; i++)
        text[2 + i] = hex[c >> (4 * (digits - 1 - i)) & 15];
    j_put_as(r, s, at, text, 2 + (size_t)digits);
}

static void repr_char(jrun *r, const jstr *s, size_t at, size_t len, uint32_t c, char quote)
{
    const char *named = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
    if (c == '\\') named = "\\\\";
    if (c == (unsigned char)quote) named = quote == '"' ? "\\\"" : "\\'";
    if (named)
        j_put_as(r, s, at, named, 2);
    else if (jtext_printable(c))
        j_put_part(r, s, at, len);
    else
        escape_rune(r, s, at, c);
}

static void repr_str(jrun *r, const jstr *s)
{
    bool single = s->n && memchr(s->p, '\'', s->n), twice = s->n && memchr(s->p, '"', s->n);
    char quote = single && !twice ? '"' : '\'';
    j_put(r, &quote, 1, false);
    for (size_t i = 0, len; i < s->n && j_charge(r, 1); i += len) {
        uint32_t c = 0xfffd;
        len = cn_utf8_decode(s->p + i, s->n - i, &c);
        if (!len) len = 1;
        repr_char(r, s, i, len, c, quote);
    }
    j_put(r, &quote, 1, false);
}

static void repr_list(jrun *r, const jlist *l, const char *open, const char *close)
{
    put_lit(r, open);
    for (size_t i = 0; i < l->n && !r->status; i++) {
        if (i) put_lit(r, ", ");
        j_put_repr(r, l->v[i]);
    }
    put_lit(r, close);
}

static void repr_dict(jrun *r, const jdict *d)
{
    put_lit(r, "{");
    for (size_t i = 0; i < d->n && !r->status; i++) {
        if (i) put_lit(r, ", ");
        j_put_repr(r, d->e[i].key);
        put_lit(r, ": ");
        j_put_repr(r, d->e[i].value);
    }
    put_lit(r, "}");
}

static void repr_range(jrun *r, const jrange *g)
{
    j_printf(r, "range(%lld, %lld", (long long)g->start, (long long)g->stop);
    if (g->step != 1) j_printf(r, ", %lld", (long long)g->step);
    j_put(r, ")", 1, true);
}

static void repr_container(jrun *r, jv v)
{
    static const char *const views[] = {"dict_items([", "dict_keys([", "dict_values(["};
    if (!j_enter(r)) return;
    switch (v.kind) {
    case J_LIST:
        repr_list(r, v.u.list, "[", "]");
        break;
    case J_TUPLE:
        repr_list(r, v.u.list, "(", v.u.list->n == 1 ? ",)" : ")");
        break;
    case J_VIEW:
        repr_list(r, v.u.list, views[v.u.list->read % 3], "])");
        break;
    case J_DICT:
        repr_dict(r, v.u.dict);
        break;
    default:
        put_lit(r, "<Namespace ");
        repr_dict(r, v.u.dict);
        put_lit(r, ">");
    }
    j_leave(r);
}

void j_put_repr(jrun *r, jv v)
{
    if (v.kind == J_STR) {
        repr_str(r, v.u.s);
    } else if (v.kind == J_UNDEF) {
        j_put(r, "Undefined", 9, true);
    } else {
        j_put_value(r, v);
    }
}

void j_put_value(jrun *r, jv v)
{
    if (!j_charge(r, 1)) return;
    switch (v.kind) {
    case J_ABSENT:
    case J_UNDEF:
        return;
    case J_NONE:
        j_put(r, "None", 4, true);
        return;
    case J_BOOL:
        j_put(r, v.u.b ? "True" : "False", v.u.b ? 4 : 5, true);
        return;
    case J_INT:
        j_printf(r, "%lld", (long long)v.u.i);
        return;
    case J_FLOAT:
        j_put_float(r, v.u.f);
        return;
    case J_STR:
        j_put_str(r, v.u.s);
        return;
    case J_LIST:
    case J_TUPLE:
    case J_VIEW:
    case J_DICT:
    case J_NAMESPACE:
        repr_container(r, v);
        return;
    case J_RANGE:
        repr_range(r, v.u.range);
        return;
    default:
        j_printf(r, "<%s object>", j_type_name(v));
    }
}
