/* tojson, as json.dumps(ensure_ascii=False) writes; and the render's variables out of JSON. */
#include <math.h>

#include "jinja_run.h"
#include "jinja_text.h"
#include "json.h"
#include "utf8.h"

typedef struct dump {
    jrun *r;
    bool ascii, sort;
    bool lines; /* indent was given */
    jstr *indent, *item, *colon;
    unsigned level;
} dump;

static void lit(dump *d, const char *text)
{
    j_put(d->r, text, strlen(text), false);
}

static void escape_u(dump *d, const jstr *s, size_t at, unsigned unit)
{
    char text[6] = "\\u";
    for (int i = 0; i < 4; i++)
        text[2 + i] = "0123456789abcdef"[unit >> (12 - 4 * i) & 15];
    j_put_as(d->r, s, at, text, 6);
}

static void dump_char(dump *d, const jstr *s, size_t at, size_t len, uint32_t c)
{
    static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
    const char *named = c && c < 0x80 ? strchr(from, (int)c) : NULL;
    if (named) {
        char text[2] = {'\\', to[named - from]};
        j_put_as(d->r, s, at, text, 2);
    } else if (c >= 0x10000 && d->ascii) {
        escape_u(d, s, at, 0xd800 + ((c - 0x10000) >> 10));
        escape_u(d, s, at, 0xdc00 + ((c - 0x10000) & 0x3ff));
    } else if (c < 0x20 || (d->ascii && c >= 0x7f)) {
        escape_u(d, s, at, c);
    } else {
        j_put_part(d->r, s, at, len);
    }
}

static bool needs_escape(const dump *d, unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || (d->ascii && c >= 0x7f);
}

static void dump_str(dump *d, const jstr *s)
{
    lit(d, "\"");
    size_t plain = 0, i = 0, len;
    for (; i < s->n; i += len) {
        len = 1;
        if (!needs_escape(d, (unsigned char)s->p[i])) continue;
        uint32_t c = 0xfffd;
        len = cn_utf8_decode(s->p + i, s->n - i, &c);
        if (!len) len = 1;
        j_put_part(d->r, s, plain, i - plain);
        dump_char(d, s, i, len, c);
        plain = i + len;
    }
    if (plain < s->n) j_put_part(d->r, s, plain, s->n - plain);
    lit(d, "\"");
}

static void new_line(dump *d)
{
    if (!d->lines) return;
    lit(d, "\n");
    for (unsigned i = 0; i < d->level && !d->r->status; i++)
        j_put_str(d->r, d->indent);
}

static void dump_value(dump *d, jv v);

static void dump_list(dump *d, const jlist *l)
{
    lit(d, "[");
    d->level++;
    for (size_t i = 0; i < l->n && !d->r->status; i++) {
        if (i) j_put_str(d->r, d->item);
        new_line(d);
        dump_value(d, l->v[i]);
    }
    d->level--;
    if (l->n) new_line(d);
    lit(d, "]");
}

static void dump_key(dump *d, jv key)
{
    if (key.kind == J_STR) {
        dump_str(d, key.u.s);
    } else if (key.kind == J_NONE || j_is_number(key)) {
        lit(d, "\"");
        dump_value(d, key);
        lit(d, "\"");
    } else {
        j_fail(d->r, CN_E_FORMAT, "keys must be str, int, float, bool or None, not %s",
               j_type_name(key));
    }
}

static const jdict *sorted(dump *d, const jdict *dict)
{
    jlist *pairs = j_list_new(d->r, dict->n);
    jdict *out = j_dict_new(d->r);
    for (size_t i = 0; i < dict->n; i++)
        j_push(d->r, pairs, j_pair(d->r, dict->e[i].key, dict->e[i].value));
    if (d->r->status || !pairs || !out) return dict;
    j_sort(d->r, pairs, pairs, false);
    for (size_t i = 0; i < pairs->n && !d->r->status; i++)
        j_dict_set(d->r, out, pairs->v[i].u.list->v[0], pairs->v[i].u.list->v[1]);
    return out;
}

static void dump_dict(dump *d, const jdict *dict)
{
    if (d->sort) dict = sorted(d, dict);
    lit(d, "{");
    d->level++;
    for (size_t i = 0; i < dict->n && !d->r->status; i++) {
        if (i) j_put_str(d->r, d->item);
        new_line(d);
        dump_key(d, dict->e[i].key);
        j_put_str(d->r, d->colon);
        dump_value(d, dict->e[i].value);
    }
    d->level--;
    if (dict->n) new_line(d);
    lit(d, "}");
}

/* Digits of data are data. */
static void dump_number(dump *d, jv v)
{
    size_t start = d->r->out.n;
    j_put_value(d->r, v);
    if (!d->r->status) memset(d->r->out.mark + start, 0, d->r->out.n - start);
}

static void dump_float(dump *d, double f)
{
    if (isnan(f))
        lit(d, "NaN");
    else if (isinf(f))
        lit(d, f < 0 ? "-Infinity" : "Infinity");
    else
        dump_number(d, j_float(f));
}

static void dump_value(dump *d, jv v)
{
    if (!j_charge(d->r, 1) || !j_enter(d->r)) return;
    switch (v.kind) {
    case J_NONE:
        lit(d, "null");
        break;
    case J_BOOL:
        lit(d, v.u.b ? "true" : "false");
        break;
    case J_INT:
        dump_number(d, v);
        break;
    case J_FLOAT:
        dump_float(d, v.u.f);
        break;
    case J_STR:
        dump_str(d, v.u.s);
        break;
    case J_LIST:
    case J_TUPLE:
        dump_list(d, v.u.list);
        break;
    case J_DICT:
        dump_dict(d, v.u.dict);
        break;
    default:
        j_fail(d->r, CN_E_FORMAT, "Object of type %s is not JSON serializable", j_type_name(v));
    }
    j_leave(d->r);
}

static jstr *indent_of(jrun *r, jv indent)
{
    size_t start = r->out.n;
    if (indent.kind == J_STR) return indent.u.s;
    int64_t n = j_arg_int(r, indent, 0);
    if (n > 0) j_fill(r, " ", 1, false, (size_t)n);
    jv s = j_take(r, start);
    return s.kind == J_STR ? s.u.s : &r->empty;
}

/* tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false) */
jv j_tojson(jrun *r, jv self, const jv *a, const jargs *all)
{
    (void)all;
    dump d = {.r = r, .ascii = j_arg_bool(a[0], false), .sort = j_arg_bool(a[3], false)};
    d.lines = a[1].kind != J_ABSENT && a[1].kind != J_NONE;
    if (d.lines) d.indent = indent_of(r, a[1]);
    d.item = j_to_str(r, j_str_new(r, d.lines ? "," : ", ", d.lines ? 1 : 2, false));
    d.colon = j_to_str(r, j_str_new(r, ": ", 2, false));
    if (j_is_seq(a[2]) && a[2].u.list->n == 2) {
        d.item = j_to_str(r, a[2].u.list->v[0]);
        d.colon = j_to_str(r, a[2].u.list->v[1]);
    }
    size_t start = r->out.n;
    dump_value(&d, self);
    return j_take(r, start);
}

/* ---- variables out of JSON: all strings are data, but for the roles of messages */

typedef enum place { IN_DATA, IN_MESSAGES, IN_MESSAGE, AT_ROLE } place;

/* Some templates make a control token out of the role ("<|" + role + "|>"): a free choice of
 * words would let a message be called "end". */
static bool known_role(cn_str s)
{
    static const char *const roles[] = {"system",    "user",        "assistant",  "tool",
                                        "developer", "function",    "functions",  "ipython",
                                        "model",     "observation", "environment"};
    for (size_t i = 0; i < CN_ARRAY_LEN(roles); i++)
        if (cn_str_is(s, roles[i])) return true;
    return false;
}

static jv value_of(jrun *r, const cn_json *j, place at);

static jv list_of(jrun *r, const cn_json *j, place at)
{
    size_t n = cn_json_size(j);
    jlist *l = j_list_new(r, n);
    for (size_t i = 0; i < n && !r->status; i++)
        j_push(r, l, value_of(r, cn_json_at(j, i), at == IN_MESSAGES ? IN_MESSAGE : IN_DATA));
    return l ? j_of(J_LIST, l) : j_none();
}

static jv dict_of(jrun *r, const cn_json *j, place at)
{
    jdict *d = j_dict_new(r);
    for (cn_json_member m = cn_json_first(j); m.value && !r->status; m = cn_json_next(j, m)) {
        bool role = at == IN_MESSAGE && cn_str_is(m.key, "role");
        j_dict_set(r, d, j_str_new(r, m.key.p, m.key.n, false),
                   value_of(r, m.value, role ? AT_ROLE : IN_DATA));
    }
    return d ? j_of(J_DICT, d) : j_none();
}

static jv value_of(jrun *r, const cn_json *j, place at)
{
    jv v = j_none();
    cn_str s;
    if (!j_charge(r, 1) || !j_enter(r)) return v;
    switch (cn_json_kind_of(j)) {
    case CN_JSON_NULL:
        break;
    case CN_JSON_BOOL:
        v = j_bool(cn_json_bool(j, false));
        break;
    case CN_JSON_INT:
        v = j_int(cn_json_int(j, 0));
        break;
    case CN_JSON_REAL:
        v = j_float(cn_json_num(j, 0));
        break;
    case CN_JSON_STRING:
        s = cn_json_str(j);
        v = j_str_new(r, s.p, s.n, at == AT_ROLE && known_role(s));
        break;
    case CN_JSON_ARRAY:
        v = list_of(r, j, at);
        break;
    case CN_JSON_OBJECT:
        v = dict_of(r, j, at);
        break;
    }
    j_leave(r);
    return v;
}

static bool is_token_name(cn_str s)
{
    return cn_str_is(s, "bos_token") || cn_str_is(s, "eos_token") ||
           cn_str_is(s, "pad_token") || cn_str_is(s, "unk_token");
}

/* Members whose name the template never says cannot be seen by it: they are left out. */
bool j_from_json(jrun *r, const char *text, size_t n)
{
    cn_json *root = NULL;
    cn_status st = cn_json_parse(&root, (cn_str){text, n}, r->err);
    if (st) {
        r->status = st == CN_E_FORMAT ? CN_E_ARG : st;
        if (r->err) r->err->status = r->status;
        return false;
    }
    if (cn_json_kind_of(root) != CN_JSON_OBJECT)
        r->status = cn_fail(r->err, CN_E_ARG, "the variables are no JSON object");
    for (uint32_t i = 0; i < r->t->n_names && !r->status; i++) {
        jstr *name = r->t->names[i];
        const cn_json *j = cn_json_get(root, name->p);
        if (!j) continue;
        r->root[i] = value_of(r, j, i == r->t->messages ? IN_MESSAGES : IN_DATA);
        if (r->root[i].kind == J_STR) r->root[i].u.s->trusted = is_token_name(j_view(name));
    }
    cn_json_free(root);
    return !r->status;
}
