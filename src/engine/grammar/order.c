/* The order of members, and values written in it. */
#include "order.h"

#include <string.h>

static bool push(schema *s, nodes *out, snode *n)
{
    if (!n) return true;
    for (uint32_t i = 0; i < out->n; i++)
        if (out->at[i] == n) return true;
    if (!(out->n & (out->n - 1))) { /* full at powers of two */
        snode **p = gctx_alloc(s->c, out->n ? out->n * 2 : 1, sizeof *p);
        if (!p) return false;
        if (out->n) memcpy(p, out->at, out->n * sizeof *p);
        out->at = p;
    }
    out->at[out->n++] = n;
    return gctx_work(s->c, out->n);
}

static bool push_list(schema *s, nodes *out, const slist *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (!push(s, out, l->at[i])) return false;
    return true;
}

bool order_reach(schema *s, const nodes *from, nodes *out)
{
    *out = (nodes){0};
    for (uint32_t i = 0; i < from->n; i++)
        if (!push(s, out, from->at[i])) return false;
    for (uint32_t i = 0; i < out->n; i++) {
        const snode *n = out->at[i];
        if (!push(s, out, n->ref) || !push_list(s, out, &n->all_of) ||
            !push_list(s, out, &n->any_of) || !push_list(s, out, &n->one_of) ||
            !push(s, out, n->when) || !push(s, out, n->then) || !push(s, out, n->otherwise) ||
            !push(s, out, n->not ) || !push_list(s, out, &n->enums))
            return false;
        for (uint32_t j = 0; j < n->dependent.n; j++)
            if (!push(s, out, n->dependent.at[j].node)) return false;
    }
    return true;
}

/* Names are looked up in a hash table of their own: schemas have thousands of them. */
typedef struct name_set {
    gctx *c;
    name_list *list;
    uint32_t *slots, n_slots;
} name_set;

static uint32_t name_hash(cn_str s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (uint8_t)s.p[i]) * 16777619u;
    return h ^ h >> 15;
}

static void put(name_set *t, uint32_t i)
{
    uint32_t h = name_hash(t->list->at[i]);
    while (t->slots[h & (t->n_slots - 1)])
        h++;
    t->slots[h & (t->n_slots - 1)] = i + 1;
}

static bool add_name(name_set *t, cn_str name)
{
    name_list *l = t->list;
    if (l->n * 2 >= t->n_slots) {
        uint32_t n = t->n_slots ? t->n_slots * 2 : 32;
        cn_str *at = gctx_alloc(t->c, n, sizeof *at);
        t->slots = gctx_alloc(t->c, n, 4);
        if (!at || !t->slots) return false;
        if (l->n) memcpy(at, l->at, l->n * sizeof *at);
        l->at = at;
        t->n_slots = n;
        for (uint32_t i = 0; i < l->n; i++)
            put(t, i);
    }
    for (uint32_t h = name_hash(name), i; (i = t->slots[h & (t->n_slots - 1)]) != 0; h++)
        if (cn_str_eq(l->at[i - 1], name)) return true;
    l->at[l->n++] = name;
    put(t, l->n - 1);
    return gctx_work(t->c, 1);
}

static bool add_words(name_set *t, const cdfa *d)
{
    cn_str words[ORDER_MAX_WORDS];
    size_t n = cdfa_words(t->c, d, words, ORDER_MAX_WORDS);
    if (n == SIZE_MAX) return !t->c->status;
    for (size_t i = 0; i < n; i++)
        if (!add_name(t, words[i])) return false;
    return !t->c->status;
}

/* The few names that a propertyNames schema leaves. */
static bool add_allowed(schema *s, name_set *t, snode *names)
{
    nodes from = {&names, 1}, all;
    if (!order_reach(s, &from, &all)) return false;
    for (uint32_t i = 0; i < all.n; i++) {
        if (all.at[i]->text && !add_name(t, *all.at[i]->text)) return false;
        if (all.at[i]->pattern && !add_words(t, all.at[i]->pattern)) return false;
    }
    return true;
}

bool order_names(schema *s, const nodes *reached, name_list *out)
{
    *out = (name_list){0};
    name_set t = {s->c, out, NULL, 0};
    for (uint32_t i = 0; i < reached->n; i++)
        for (uint32_t j = 0; j < reached->at[i]->properties.n; j++)
            if (!add_name(&t, reached->at[i]->properties.at[j].name)) return false;
    for (uint32_t i = 0; i < reached->n; i++) {
        const snode *n = reached->at[i];
        for (uint32_t j = 0; j < n->n_required; j++)
            if (!add_name(&t, n->required[j])) return false;
        for (uint32_t j = 0; j < n->n_needs; j++) {
            if (!add_name(&t, n->needs[j].name)) return false;
            for (uint32_t k = 0; k < n->needs[j].n_needs; k++)
                if (!add_name(&t, n->needs[j].needs[k])) return false;
        }
        for (uint32_t j = 0; j < n->dependent.n; j++)
            if (!add_name(&t, n->dependent.at[j].name)) return false;
    }
    for (uint32_t i = 0; i < reached->n; i++) {
        const snode *n = reached->at[i];
        for (uint32_t j = 0; j < n->patterns.n; j++)
            if (!add_words(&t, n->patterns.at[j].pattern)) return false;
        if (n->names && !add_allowed(s, &t, n->names)) return false;
    }
    return true;
}

bool order_member(schema *s, const nodes *reached, cn_str name, nodes *out)
{
    *out = (nodes){0};
    for (uint32_t i = 0; i < reached->n; i++) {
        const snode *n = reached->at[i];
        bool matched = false;
        for (uint32_t j = 0; j < n->properties.n; j++) {
            if (!cn_str_eq(n->properties.at[j].name, name)) continue;
            matched = true;
            if (!push(s, out, n->properties.at[j].node)) return false;
        }
        for (uint32_t j = 0; j < n->patterns.n; j++) {
            if (!cdfa_accepts(n->patterns.at[j].pattern, name)) continue;
            matched = true;
            if (!push(s, out, n->patterns.at[j].node)) return false;
        }
        if (!matched && !push(s, out, n->additional)) return false;
    }
    return true;
}

bool order_item(schema *s, const nodes *reached, uint32_t index, nodes *out)
{
    *out = (nodes){0};
    for (uint32_t i = 0; i < reached->n; i++) {
        const snode *n = reached->at[i];
        snode *o = index < n->prefix.n ? n->prefix.at[index] : n->items;
        if (!push(s, out, o) || !push(s, out, n->contains)) return false;
    }
    return true;
}

void order_quote(cn_buf *out, cn_str name)
{
    static const char chars[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    cn_buf_putc(out, '"');
    for (size_t i = 0; i < name.n; i++) {
        unsigned char ch = (unsigned char)name.p[i];
        const char *s = ch ? strchr(chars, ch) : NULL;
        if (s)
            cn_buf_printf(out, "\\%c", letters[s - chars]);
        else if (ch < 0x20)
            cn_buf_printf(out, "\\u%04x", (unsigned)ch);
        else
            cn_buf_putc(out, (char)ch);
    }
    cn_buf_putc(out, '"');
}

static bool write_member(cn_buf *out, schema *s, const nodes *reached, cn_str name,
                         const cn_json *value, bool *first)
{
    nodes below;
    if (!order_member(s, reached, name, &below)) return false;
    if (!*first) cn_buf_putc(out, ',');
    *first = false;
    order_quote(out, name);
    cn_buf_putc(out, ':');
    return order_write(out, s, &below, value);
}

static bool write_object(cn_buf *out, schema *s, const nodes *reached, const cn_json *value)
{
    name_list names;
    bool first = true;
    if (!order_names(s, reached, &names)) return false;
    cn_buf_putc(out, '{');
    for (uint32_t i = 0; i < names.n; i++) {
        char *key = cn_arena_strndup(&s->c->arena, names.at[i].p, names.at[i].n);
        if (!key) return false;
        const cn_json *v = strlen(key) == names.at[i].n ? cn_json_get(value, key) : NULL;
        if (v && !write_member(out, s, reached, names.at[i], v, &first)) return false;
    }
    name_set t = {s->c, &names, NULL, 0};
    const name_list ordered = names;
    names = (name_list){0};
    for (uint32_t i = 0; i < ordered.n; i++)
        if (!add_name(&t, ordered.at[i])) return false;
    for (cn_json_member m = cn_json_first(value); m.value; m = cn_json_next(value, m)) {
        uint32_t before = names.n;
        if (!add_name(&t, m.key)) return false;
        if (names.n > before && !write_member(out, s, reached, m.key, m.value, &first))
            return false;
    }
    cn_buf_putc(out, '}');
    return true;
}

bool order_write(cn_buf *out, schema *s, const nodes *at, const cn_json *value)
{
    nodes reached, below;
    switch (cn_json_kind_of(value)) {
    case CN_JSON_OBJECT:
        return order_reach(s, at, &reached) && write_object(out, s, &reached, value);
    case CN_JSON_ARRAY:
        if (!order_reach(s, at, &reached)) return false;
        cn_buf_putc(out, '[');
        for (size_t i = 0; i < cn_json_size(value); i++) {
            if (i) cn_buf_putc(out, ',');
            if (!order_item(s, &reached, (uint32_t)i, &below) ||
                !order_write(out, s, &below, cn_json_at(value, i)))
                return false;
        }
        cn_buf_putc(out, ']');
        return true;
    case CN_JSON_STRING:
        order_quote(out, cn_json_str(value));
        return true;
    case CN_JSON_INT:
    case CN_JSON_REAL:
        number_text(out, value);
        return true;
    default:
        cn_json_write(out, value);
        return true;
    }
}
