/* The graph of a schema: nodes by JSON value, references, endless loops. */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

snode *schema_new(schema *s, const char *pointer)
{
    gctx *c = s->c;
    if (!gctx_work(c, 100)) return NULL;
    if (s->n >= SCHEMA_MAX_NODES) {
        gctx_fail(c, CN_E_LIMIT, pointer, "more than %d schemas in one", SCHEMA_MAX_NODES);
        return NULL;
    }
    if (s->n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 64;
        snode **p = gctx_alloc(c, cap, sizeof *p);
        if (!p) return NULL;
        if (s->n) memcpy(p, s->by_id, s->n * sizeof *p);
        s->by_id = p;
        s->cap = cap;
    }
    snode *n = gctx_alloc(c, 1, sizeof *n);
    if (!n) return NULL;
    *n = (snode){.id = s->n,
                 .pointer = pointer,
                 .types = S_ALL,
                 .max_length = UINT32_MAX,
                 .max_items = UINT32_MAX,
                 .max_contains = UINT32_MAX,
                 .min_contains = 1,
                 .max_properties = UINT32_MAX};
    return s->by_id[s->n++] = n;
}

const char *schema_pointer(schema *s, const char *base, cn_str key)
{
    cn_buf b = {0};
    cn_buf_append(&b, base, strlen(base));
    cn_buf_putc(&b, '/');
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] == '~')
            cn_buf_lit(&b, "~0");
        else if (key.p[i] == '/')
            cn_buf_lit(&b, "~1");
        else
            cn_buf_putc(&b, key.p[i]);
    }
    const char *p = b.failed ? NULL : cn_arena_strndup(&s->c->arena, b.p, b.n);
    cn_buf_deinit(&b);
    if (!p) gctx_fail(s->c, CN_E_NOMEM, base, "memory for a pointer");
    return p ? p : "";
}

static bool grow_slots(schema *s)
{
    uint32_t n = s->n_slots ? s->n_slots * 2 : 256;
    snode **slots = gctx_alloc(s->c, n, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < s->n_slots; i++) {
        snode *o = s->slots[i];
        if (!o) continue;
        size_t h = ((uintptr_t)o->json >> 4) * 0x9e3779b97f4a7c15u >> 20;
        while (slots[h & (n - 1)])
            h++;
        slots[h & (n - 1)] = o;
    }
    s->slots = slots;
    s->n_slots = n;
    return true;
}

snode *schema_node(schema *s, const cn_json *json, const cn_json *base, const char *pointer)
{
    if (s->c->status) return NULL;
    if (cn_json_kind_of(json) == CN_JSON_BOOL)
        return cn_json_bool(json, true) ? s->always : s->never;
    if (cn_json_kind_of(json) != CN_JSON_OBJECT) {
        gctx_fail(s->c, CN_E_FORMAT, pointer, "a schema is an object, true or false");
        return NULL;
    }
    if (s->n * 2 >= s->n_slots && !grow_slots(s)) return NULL;
    size_t h = ((uintptr_t)json >> 4) * 0x9e3779b97f4a7c15u >> 20;
    for (; s->slots[h & (s->n_slots - 1)]; h++)
        if (s->slots[h & (s->n_slots - 1)]->json == json) return s->slots[h & (s->n_slots - 1)];
    snode *n = schema_new(s, pointer);
    if (!n) return NULL;
    n->json = json;
    n->base = cn_json_str(cn_json_get(json, "$id")).p ? json : base;
    return s->slots[h & (s->n_slots - 1)] = n;
}

/* "a%25b~1c" to "a%b/c". */
static cn_str unescape(schema *s, cn_str t)
{
    char *p = gctx_alloc(s->c, t.n + 1, 1);
    size_t n = 0;
    if (!p) return (cn_str){0};
    for (size_t i = 0; i < t.n; i++) {
        char hex[3] = {0};
        char *end = hex;
        if (t.p[i] == '%' && i + 2 < t.n + 0u) {
            memcpy(hex, t.p + i + 1, 2);
            unsigned long v = strtoul(hex, &end, 16);
            if (end == hex + 2) {
                p[n++] = (char)v;
                i += 2;
                continue;
            }
        }
        p[n++] = t.p[i];
    }
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        bool tilde = p[i] == '~' && i + 1 < n && (p[i + 1] == '0' || p[i + 1] == '1');
        p[m++] = (char)(tilde ? (p[++i] == '0' ? '~' : '/') : p[i]);
    }
    p[m] = '\0';
    return (cn_str){p, m};
}

/* Looks below `j` for the schema with this $id, or this $anchor when `anchor`. */
static const cn_json *find_named(const cn_json *j, const char *key, cn_str name, unsigned depth)
{
    if (depth > 64) return NULL;
    const cn_json *found = NULL;
    if (cn_json_kind_of(j) == CN_JSON_ARRAY) {
        for (size_t i = 0; i < cn_json_size(j) && !found; i++)
            found = find_named(cn_json_at(j, i), key, name, depth + 1);
    } else if (cn_json_kind_of(j) == CN_JSON_OBJECT) {
        cn_str id = cn_json_str(cn_json_get(j, key));
        if (id.p && id.n && id.p[id.n - 1] == '#') id.n--;
        if (id.p && cn_str_eq(id, name)) return j;
        for (cn_json_member m = cn_json_first(j); m.value && !found; m = cn_json_next(j, m))
            if (!cn_str_is(m.key, "enum") && !cn_str_is(m.key, "const"))
                found = find_named(m.value, key, name, depth + 1);
    }
    return found;
}

static const cn_json *step_into(const cn_json *j, cn_str key)
{
    if (cn_json_kind_of(j) == CN_JSON_OBJECT) return cn_json_get(j, key.p);
    char *end = NULL;
    unsigned long i = key.n ? strtoul(key.p, &end, 10) : 0;
    return end && !*end ? cn_json_at(j, i) : NULL;
}

snode *schema_resolve(schema *s, snode *n, cn_str ref, const char *pointer)
{
    const char *hash = memchr(ref.p, '#', ref.n);
    cn_str uri = {ref.p, hash ? (size_t)(hash - ref.p) : ref.n};
    cn_str part = hash ? cn_str_skip(ref, uri.n + 1) : (cn_str){ref.p + ref.n, 0};
    const cn_json *base = n->base, *at;
    if (uri.n) base = find_named(s->root_json, "$id", uri, 0);
    at = base;
    const char *where = base == s->root_json ? "" : pointer;
    if (base && part.n && part.p[0] != '/') at = find_named(base, "$anchor", part, 0);
    for (size_t i = 0; at && part.n && part.p[0] == '/' && i < part.n;) {
        const char *slash = memchr(part.p + i + 1, '/', part.n - i - 1);
        size_t end = slash ? (size_t)(slash - part.p) : part.n;
        cn_str key = unescape(s, (cn_str){part.p + i + 1, end - i - 1});
        if (!key.p) return NULL;
        at = step_into(at, key);
        where = schema_pointer(s, where, key);
        i = end;
    }
    if (!at) {
        gctx_fail(s->c, CN_E_UNSUPPORTED, pointer, "%.*s is not in this schema",
                  CN_STR_ARG(ref));
        return NULL;
    }
    return schema_node(s, at, base, where);
}

/* References that come back to themselves without entering a value say nothing. */
static bool endless(schema *s, snode *n, unsigned depth)
{
    enum { WHITE, GREY, BLACK };
    if (!n || n->colour == BLACK) return true;
    if (n->colour == GREY)
        return gctx_fail(s->c, CN_E_UNSUPPORTED, n->pointer, "refers to itself without end");
    if (depth > 500)
        return gctx_fail(s->c, CN_E_LIMIT, n->pointer, "schemas nested over 500 deep");
    n->colour = GREY;
    const slist *lists[] = {&n->all_of, &n->any_of, &n->one_of};
    for (size_t k = 0; k < 3; k++)
        for (uint32_t i = 0; i < lists[k]->n; i++)
            if (!endless(s, lists[k]->at[i], depth + 1)) return false;
    for (uint32_t i = 0; i < n->dependent.n; i++)
        if (!endless(s, n->dependent.at[i].node, depth + 1)) return false;
    snode *one[] = {n->not, n->ref, n->when, n->then, n->otherwise};
    for (size_t i = 0; i < 5; i++)
        if (!endless(s, one[i], depth + 1)) return false;
    n->colour = BLACK;
    return true;
}

bool schema_read(schema *s, gctx *c, const cn_json *json)
{
    *s = (schema){.c = c, .root_json = json};
    s->always = schema_new(s, "");
    s->never = schema_new(s, "");
    if (!s->always || !s->never) return false;
    s->never->types = 0;
    s->root = schema_node(s, json, json, "");
    for (uint32_t i = 0; i < s->n && !c->status; i++)
        if (s->by_id[i]->json && !s->by_id[i]->parsed) schema_keywords(s, s->by_id[i]);
    for (uint32_t i = 0; i < s->n && !c->status; i++)
        endless(s, s->by_id[i], 0);
    return !c->status;
}
