/* Methods of strings, lists, dicts and cyclers. */
#include "jinja_string.h"

#include "jinja_lex.h"
#include "jinja_text.h"
#include "utf8.h"

int jmethods_of(jv v)
{
    switch (v.kind) {
    case J_STR:
        return JM_STR;
    case J_LIST:
        return JM_LIST;
    case J_TUPLE:
        return JM_TUPLE;
    case J_DICT:
        return JM_DICT;
    case J_CYCLER:
        return JM_CYCLER;
    case J_LOOP:
        return JM_LOOP;
    default:
        return -1;
    }
}

/* ---- str */

JFUNC(s_strip)
{
    return js_strip(r, self.u.s, a[0], JS_BOTH);
}
JFUNC(s_lstrip)
{
    return js_strip(r, self.u.s, a[0], JS_LEFT);
}
JFUNC(s_rstrip)
{
    return js_strip(r, self.u.s, a[0], JS_RIGHT);
}
JFUNC(s_upper)
{
    return js_case(r, self.u.s, JC_UPPER);
}
JFUNC(s_lower)
{
    return js_case(r, self.u.s, JC_LOWER);
}
JFUNC(s_title)
{
    return js_case(r, self.u.s, JC_TITLE);
}
JFUNC(s_capitalize)
{
    return js_case(r, self.u.s, JC_CAPITALIZE);
}
JFUNC(s_swapcase)
{
    return js_case(r, self.u.s, JC_SWAP);
}
JFUNC(s_islower)
{
    return j_bool(js_is_case(r, self.u.s, false));
}
JFUNC(s_isupper)
{
    return j_bool(js_is_case(r, self.u.s, true));
}
JFUNC(s_format)
{
    return j_format(r, self.u.s, all);
}

JFUNC(s_replace)
{
    return js_replace(r, self.u.s, js_arg(r, a[0], "replace() argument 1"),
                      js_arg(r, a[1], "replace() argument 2"), j_arg_int(r, a[2], -1));
}

static jv split_space(jrun *r, jstr *s, int64_t most)
{
    jlist *l = j_list_new(r, 0);
    size_t n;
    for (size_t at = 0; at < s->n && l && !r->status;) {
        while (at < s->n && (n = jspace(s->p + at, s->n - at)))
            at += n;
        if (at == s->n) break;
        size_t from = at;
        if (most-- == 0) {
            size_t end = s->n - jspace_tail(s->p + from, s->n - from);
            j_push(r, l, j_str_slice(r, s, from, end - from));
            break;
        }
        while (at < s->n && !jspace(s->p + at, s->n - at))
            at++;
        j_push(r, l, j_str_slice(r, s, from, at - from));
    }
    j_charge(r, s->n / 16);
    return l ? j_of(J_LIST, l) : j_none();
}

static void reverse(jlist *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        jv v = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = v;
    }
}

static jv rsplit_space(jrun *r, jstr *s, int64_t most)
{
    jlist *l = j_list_new(r, 0);
    size_t end = s->n;
    while (l && !r->status) {
        end -= jspace_tail(s->p, end);
        if (!end) break;
        size_t from = end;
        if (most-- == 0) {
            size_t begin = 0, n;
            while ((n = jspace(s->p + begin, end - begin)))
                begin += n;
            j_push(r, l, j_str_slice(r, s, begin, end - begin));
            break;
        }
        while (from && !jspace_tail(s->p, from))
            from--;
        j_push(r, l, j_str_slice(r, s, from, end - from));
        end = from;
    }
    if (!l) return j_none();
    j_charge(r, s->n / 16);
    reverse(l);
    return j_of(J_LIST, l);
}

static bool separator(jrun *r, jv v, jstr **sep)
{
    *sep = js_arg(r, v, "the separator");
    if (!r->status && !(*sep)->n) j_fail(r, CN_E_FORMAT, "empty separator");
    return !r->status;
}

JFUNC(s_split)
{
    jstr *s = self.u.s, *sep;
    int64_t most = j_arg_int(r, a[1], -1);
    if (a[0].kind == J_ABSENT || a[0].kind == J_NONE) return split_space(r, s, most);
    if (!separator(r, a[0], &sep)) return j_none();
    jlist *l = j_list_new(r, 4);
    size_t from = 0;
    for (const char *hit; most != 0 && j_charge(r, 1); most--) {
        hit = memmem(s->p + from, s->n - from, sep->p, sep->n);
        if (!hit) break;
        j_push(r, l, j_str_slice(r, s, from, (size_t)(hit - s->p) - from));
        from = (size_t)(hit - s->p) + sep->n;
    }
    j_push(r, l, j_str_slice(r, s, from, s->n - from));
    return l && j_charge(r, s->n / 16) ? j_of(J_LIST, l) : j_none();
}

JFUNC(s_rsplit)
{
    jstr *s = self.u.s, *sep;
    int64_t most = j_arg_int(r, a[1], -1);
    if (a[0].kind == J_ABSENT || a[0].kind == J_NONE) return rsplit_space(r, s, most);
    if (!separator(r, a[0], &sep)) return j_none();
    if (most < 0) return s_split(r, self, a, all);
    jlist *l = j_list_new(r, 4);
    jstr head = *s;
    for (ptrdiff_t at; most > 0 && (at = js_rfind(r, &head, sep)) >= 0; most--) {
        size_t from = (size_t)at + sep->n;
        j_push(r, l, j_str_slice(r, s, from, head.n - from));
        head.n = (size_t)at;
    }
    j_push(r, l, j_str_slice(r, s, 0, head.n));
    if (!l) return j_none();
    reverse(l);
    return j_of(J_LIST, l);
}

static jv parted(jrun *r, jstr *s, ptrdiff_t at, size_t n_sep, bool last)
{
    jlist *l = j_list_new(r, 3);
    bool hit = at >= 0;
    size_t cut = hit ? (size_t)at : last ? 0 : s->n;
    j_push(r, l, j_str_slice(r, s, 0, cut));
    j_push(r, l, j_str_slice(r, s, cut, hit ? n_sep : 0));
    cut += hit ? n_sep : 0;
    j_push(r, l, j_str_slice(r, s, cut, s->n - cut));
    return l ? j_of(J_TUPLE, l) : j_none();
}

JFUNC(s_partition)
{
    jstr *sep;
    if (!separator(r, a[0], &sep)) return j_none();
    return parted(r, self.u.s, js_find(r, self.u.s, sep, 0), sep->n, false);
}

JFUNC(s_rpartition)
{
    jstr *sep;
    if (!separator(r, a[0], &sep)) return j_none();
    return parted(r, self.u.s, js_rfind(r, self.u.s, sep), sep->n, true);
}

JFUNC(s_splitlines)
{
    jlist *l = js_lines(r, self.u.s, j_arg_bool(a[0], false));
    return l ? j_of(J_LIST, l) : j_none();
}

static bool one_edge(jrun *r, jstr *s, jv part, bool end)
{
    cn_str p = j_view(js_arg(r, part, end ? "endswith arg" : "startswith arg"));
    return end ? cn_str_ends(j_view(s), p) : cn_str_starts(j_view(s), p);
}

static jv edge(jrun *r, jv self, const jv *a, bool end)
{
    jstr *s = self.u.s;
    if (a[1].kind != J_ABSENT) { /* from a start, to an end */
        jslice w = {a[1], a[2].kind == J_ABSENT ? j_none() : a[2], j_none()};
        jv part = j_slice_of(r, self, &w);
        if (part.kind == J_STR) s = part.u.s;
    }
    if (a[0].kind != J_TUPLE) return j_bool(one_edge(r, s, a[0], end));
    for (size_t i = 0; i < a[0].u.list->n && j_charge(r, 1); i++)
        if (one_edge(r, s, a[0].u.list->v[i], end)) return j_bool(true);
    return j_bool(false);
}

JFUNC(s_startswith)
{
    return edge(r, self, a, false);
}
JFUNC(s_endswith)
{
    return edge(r, self, a, true);
}

static jv char_index(jrun *r, jstr *s, ptrdiff_t at)
{
    if (at < 0) return j_int(-1);
    jv head = j_str_slice(r, s, 0, (size_t)at);
    return head.kind == J_STR ? j_int((int64_t)jstr_chars(head.u.s)) : j_none();
}

JFUNC(s_find)
{
    jstr *s = self.u.s;
    size_t from = 0;
    if (a[1].kind != J_ABSENT) {
        jslice w = {j_none(), a[1], j_none()};
        jv head = j_slice_of(r, self, &w);
        if (head.kind == J_STR) from = head.u.s->n;
    }
    return char_index(r, s, js_find(r, s, js_arg(r, a[0], "find() argument 1"), from));
}

JFUNC(s_rfind)
{
    return char_index(r, self.u.s,
                      js_rfind(r, self.u.s, js_arg(r, a[0], "rfind() argument 1")));
}

JFUNC(s_index)
{
    jv at = s_find(r, self, a, all);
    if (at.kind == J_INT && at.u.i < 0) j_fail(r, CN_E_FORMAT, "substring not found");
    return at;
}

JFUNC(s_count)
{
    const jstr *s = self.u.s, *part = js_arg(r, a[0], "count() argument 1");
    int64_t n = 0;
    if (!part->n) return j_int((int64_t)jstr_chars(self.u.s) + 1);
    for (ptrdiff_t at = 0; (at = js_find(r, s, part, (size_t)at)) >= 0;
         at += (ptrdiff_t)part->n)
        n++;
    return j_int(n);
}

JFUNC(s_join)
{
    size_t start = r->out.n, i = 0;
    jv item;
    for (jiter it = j_iter(r, a[0]); j_next(r, &it, &item); i++) {
        if (i) j_put_str(r, self.u.s);
        j_put_str(r, js_arg(r, item, "sequence item"));
    }
    return j_take(r, start);
}

typedef bool char_test(uint32_t c);

static jv all_chars(jrun *r, const jstr *s, char_test *is)
{
    size_t n = 1;
    if (!j_charge(r, s->n)) return j_none();
    for (size_t at = 0; at < s->n; at += n) {
        uint32_t c = 0;
        n = cn_utf8_decode(s->p + at, s->n - at, &c);
        if (!n || !is(c)) return j_bool(false);
    }
    return j_bool(s->n > 0);
}

static bool alnum(uint32_t c)
{
    return jtext_alpha(c) || jtext_digit(c);
}

JFUNC(s_isdigit)
{
    return all_chars(r, self.u.s, jtext_digit);
}
JFUNC(s_isalpha)
{
    return all_chars(r, self.u.s, jtext_alpha);
}
JFUNC(s_isalnum)
{
    return all_chars(r, self.u.s, alnum);
}
JFUNC(s_isspace)
{
    return j_bool(self.u.s->n && jspace_tail(self.u.s->p, self.u.s->n) == self.u.s->n);
}

static jv pad(jrun *r, jv self, const jv *a, int sides)
{
    jv fill = a[1].kind == J_ABSENT ? j_str_lit(r, " ") : a[1];
    return js_center(r, self.u.s, j_arg_int(r, a[0], 0), sides, js_arg(r, fill, "fillchar"));
}

JFUNC(s_center)
{
    return pad(r, self, a, JS_BOTH);
}
JFUNC(s_ljust)
{
    return pad(r, self, a, JS_RIGHT);
}
JFUNC(s_rjust)
{
    return pad(r, self, a, JS_LEFT);
}

JFUNC(s_zfill)
{
    jstr *s = self.u.s;
    size_t start = r->out.n, sign = s->n && (*s->p == '-' || *s->p == '+');
    int64_t zeros = j_arg_int(r, a[0], 0) - (int64_t)jstr_chars(s);
    if (zeros <= 0) return self;
    j_put_part(r, s, 0, sign);
    j_fill(r, "0", 1, true, (size_t)zeros);
    j_put_part(r, s, sign, s->n - sign);
    return j_take(r, start);
}

JFUNC(s_removeprefix)
{
    cn_str part = j_view(js_arg(r, a[0], "removeprefix() argument"));
    if (!cn_str_starts(j_view(self.u.s), part)) return self;
    return j_str_slice(r, self.u.s, part.n, self.u.s->n - part.n);
}

JFUNC(s_removesuffix)
{
    cn_str part = j_view(js_arg(r, a[0], "removesuffix() argument"));
    if (!cn_str_ends(j_view(self.u.s), part)) return self;
    return j_str_slice(r, self.u.s, 0, self.u.s->n - part.n);
}

const jfunc j_str_methods[] = {
    {"strip", s_strip, 0, 1, {"chars"}},
    {"lstrip", s_lstrip, 0, 1, {"chars"}},
    {"rstrip", s_rstrip, 0, 1, {"chars"}},
    {"split", s_split, 0, 2, {"sep", "maxsplit"}},
    {"rsplit", s_rsplit, 0, 2, {"sep", "maxsplit"}},
    {"splitlines", s_splitlines, 0, 1, {"keepends"}},
    {"partition", s_partition, 1, 1, {"sep"}},
    {"rpartition", s_rpartition, 1, 1, {"sep"}},
    {"replace", s_replace, 2, 3, {"old", "new", "count"}},
    {"upper", s_upper, 0, 0, {0}},
    {"lower", s_lower, 0, 0, {0}},
    {"casefold", s_lower, 0, 0, {0}},
    {"title", s_title, 0, 0, {0}},
    {"capitalize", s_capitalize, 0, 0, {0}},
    {"swapcase", s_swapcase, 0, 0, {0}},
    {"startswith", s_startswith, 1, 3, {"prefix", "start", "end"}},
    {"endswith", s_endswith, 1, 3, {"suffix", "start", "end"}},
    {"find", s_find, 1, 2, {"sub", "start"}},
    {"rfind", s_rfind, 1, 1, {"sub"}},
    {"index", s_index, 1, 2, {"sub", "start"}},
    {"count", s_count, 1, 1, {"sub"}},
    {"join", s_join, 1, 1, {"iterable"}},
    {"format", s_format, 0, -1, {0}},
    {"isdigit", s_isdigit, 0, 0, {0}},
    {"isdecimal", s_isdigit, 0, 0, {0}},
    {"isnumeric", s_isdigit, 0, 0, {0}},
    {"isalpha", s_isalpha, 0, 0, {0}},
    {"isalnum", s_isalnum, 0, 0, {0}},
    {"isspace", s_isspace, 0, 0, {0}},
    {"islower", s_islower, 0, 0, {0}},
    {"isupper", s_isupper, 0, 0, {0}},
    {"center", s_center, 1, 2, {"width", "fillchar"}},
    {"ljust", s_ljust, 1, 2, {"width", "fillchar"}},
    {"rjust", s_rjust, 1, 2, {"width", "fillchar"}},
    {"zfill", s_zfill, 1, 1, {"width"}},
    {"removeprefix", s_removeprefix, 1, 1, {"prefix"}},
    {"removesuffix", s_removesuffix, 1, 1, {"suffix"}},
    {0},
};
