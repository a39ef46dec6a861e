/* The keywords of one schema object. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats.h"
#include "regex.h"
#include "schema.h"

typedef struct keyword {
    schema *s;
    snode *n;
    const cn_json *value;
    const char *pointer; /* of the keyword */
} keyword;

static bool bad(const keyword *k, const char *want)
{
    return gctx_fail(k->s->c, CN_E_FORMAT, k->pointer, "want %s", want);
}

static snode *sub(const keyword *k, const cn_json *json, const char *pointer)
{
    return schema_node(k->s, json, k->n->base, pointer);
}

static bool one_schema(const keyword *k, snode **out)
{
    return (*out = sub(k, k->value, k->pointer)) != NULL;
}

static bool schemas(const keyword *k, slist *out)
{
    size_t n = cn_json_size(k->value);
    if (cn_json_kind_of(k->value) != CN_JSON_ARRAY || !n) return bad(k, "a list of schemas");
    out->at = gctx_alloc(k->s->c, n, sizeof *out->at);
    if (!out->at) return false;
    for (; out->n < n; out->n++) {
        char index[24];
        snprintf(index, sizeof index, "%u", out->n);
        const char *p = schema_pointer(k->s, k->pointer, cn_str_of(index));
        out->at[out->n] = sub(k, cn_json_at(k->value, out->n), p);
        if (!out->at[out->n]) return false;
    }
    return true;
}

static bool member_schemas(const keyword *k, smembers *out, bool patterns)
{
    if (cn_json_kind_of(k->value) != CN_JSON_OBJECT) return bad(k, "an object of schemas");
    smember *at = gctx_alloc(k->s->c, cn_json_size(k->value), sizeof *at);
    if (!at) return false;
    out->at = at;
    for (cn_json_member m = cn_json_first(k->value); m.value; m = cn_json_next(k->value, m)) {
        const char *p = schema_pointer(k->s, k->pointer, m.key);
        smember *o = &at[out->n++];
        *o = (smember){.name = m.key, .node = sub(k, m.value, p)};
        if (!o->node) return false;
        if (patterns && !(o->pattern = regex_compile(k->s->c, m.key, p))) return false;
    }
    return true;
}

static bool names(const keyword *k, const cn_json *list, cn_str **out, uint32_t *n_out)
{
    size_t n = cn_json_size(list);
    if (cn_json_kind_of(list) != CN_JSON_ARRAY) return bad(k, "a list of names");
    cn_str *at = gctx_alloc(k->s->c, n, sizeof *at);
    if (!at) return false;
    for (size_t i = 0; i < n; i++) {
        at[i] = cn_json_str(cn_json_at(list, i));
        if (!at[i].p) return bad(k, "a list of names");
    }
    *out = at;
    *n_out = (uint32_t)n;
    return true;
}

static bool count(const keyword *k, uint32_t *out)
{
    double d = cn_json_num(k->value, -1);
    if (!(d >= 0) || d != floor(d)) return bad(k, "a whole number, not negative");
    *out = d >= UINT32_MAX - 1.0 ? UINT32_MAX - 1 : (uint32_t)d;
    return true;
}

static bool type_bits(const keyword *k, const cn_json *v, uint8_t *bits)
{
    static const struct {
        const char *name;
        uint8_t bits;
    } types[] = {{"null", S_NULL},           {"boolean", S_TRUE | S_FALSE}, {"integer", S_INT},
                 {"number", S_INT | S_REAL}, {"string", S_STRING},          {"array", S_ARRAY},
                 {"object", S_OBJECT}};
    for (size_t i = 0; i < CN_ARRAY_LEN(types); i++) {
        if (!cn_json_is(v, types[i].name)) continue;
        *bits |= types[i].bits;
        return true;
    }
    return gctx_fail(k->s->c, CN_E_UNSUPPORTED, k->pointer, "an unknown type");
}

static bool types(const keyword *k)
{
    uint8_t bits = 0;
    if (cn_json_kind_of(k->value) == CN_JSON_ARRAY) {
        for (size_t i = 0; i < cn_json_size(k->value); i++)
            if (!type_bits(k, cn_json_at(k->value, i), &bits)) return false;
    } else if (!type_bits(k, k->value, &bits)) {
        return false;
    }
    k->n->types &= bits;
    return true;
}

static bool bound(const keyword *k, int which)
{
    cn_json_kind kind = cn_json_kind_of(k->value);
    if (kind == CN_JSON_BOOL && (which == B_ABOVE || which == B_BELOW)) return true;
    if (kind != CN_JSON_INT && kind != CN_JSON_REAL) return bad(k, "a number");
    k->n->bound[which] = decimal_of(k->s->c, k->value);
    return k->n->bound[which] ||
           gctx_fail(k->s->c, CN_E_UNSUPPORTED, k->pointer, "a number of over 60 digits");
}

static bool values(const keyword *k, const cn_json *one)
{
    slist *out = &k->n->enums, more = {0};
    size_t n = one ? 1 : cn_json_size(k->value);
    if (!one && cn_json_kind_of(k->value) != CN_JSON_ARRAY) return bad(k, "a list of values");
    more.at = gctx_alloc(k->s->c, n, sizeof *more.at);
    if (!more.at) return false;
    for (; more.n < n; more.n++) {
        const cn_json *v = one ? one : cn_json_at(k->value, more.n);
        more.at[more.n] = schema_value(k->s, v, k->pointer);
        if (!more.at[more.n]) return false;
    }
    if (k->n->has_enum) { /* both const and enum: the second as a schema of its own */
        snode *o = schema_new(k->s, k->pointer);
        snode **list = gctx_alloc(k->s->c, k->n->all_of.n + 1, sizeof *list);
        if (!o || !list) return false;
        o->has_enum = true;
        o->enums = more;
        if (k->n->all_of.n) memcpy(list, k->n->all_of.at, k->n->all_of.n * sizeof *list);
        list[k->n->all_of.n] = o;
        k->n->all_of = (slist){list, k->n->all_of.n + 1};
        return true;
    }
    k->n->has_enum = true;
    *out = more;
    return true;
}

static bool pattern(const keyword *k)
{
    cn_str p = cn_json_str(k->value);
    if (!p.p) return bad(k, "a regular expression");
    k->n->pattern = regex_compile(k->s->c, p, k->pointer);
    return k->n->pattern != NULL;
}

static bool format(const keyword *k)
{
    cn_str name = cn_json_str(k->value);
    if (!name.p) return bad(k, "the name of a format");
    switch (format_class_of(name)) {
    case FORMAT_ANNOTATION:
        return true;
    case FORMAT_REFUSED:
        return gctx_fail(k->s->c, CN_E_UNSUPPORTED, k->pointer,
                         "format \"%.*s\" is out of reach of an automaton", CN_STR_ARG(name));
    case FORMAT_ENFORCED:
        break;
    }
    k->n->format = format_automaton(k->s->c, name, k->pointer);
    return k->n->format != NULL;
}

static bool needs(const keyword *k, cn_str name, const cn_json *list)
{
    snode *n = k->n;
    sneeds *at = gctx_alloc(k->s->c, n->n_needs + 1, sizeof *at);
    if (!at) return false;
    if (n->n_needs) memcpy(at, n->needs, n->n_needs * sizeof *at);
    n->needs = at;
    at[n->n_needs].name = name;
    return names(k, list, &at[n->n_needs].needs, &at[n->n_needs].n_needs) && ++n->n_needs;
}

/* dependentRequired, dependentSchemas, and `dependencies` of the drafts before, which is both.
 */
static bool dependents(const keyword *k)
{
    if (cn_json_kind_of(k->value) != CN_JSON_OBJECT) return bad(k, "an object");
    smembers *d = &k->n->dependent;
    smember *at = gctx_alloc(k->s->c, d->n + cn_json_size(k->value), sizeof *at);
    if (!at) return false;
    if (d->n) memcpy(at, d->at, d->n * sizeof *at);
    d->at = at;
    for (cn_json_member m = cn_json_first(k->value); m.value; m = cn_json_next(k->value, m)) {
        if (cn_json_kind_of(m.value) == CN_JSON_ARRAY) {
            if (!needs(k, m.key, m.value)) return false;
            continue;
        }
        snode *o = sub(k, m.value, schema_pointer(k->s, k->pointer, m.key));
        if (!o) return false;
        at[d->n++] = (smember){.name = m.key, .node = o};
    }
    return true;
}

static bool reference(const keyword *k)
{
    cn_str ref = cn_json_str(k->value);
    if (!ref.p) return bad(k, "a reference");
    k->n->ref = schema_resolve(k->s, k->n, ref, k->pointer);
    return k->n->ref != NULL;
}

/* `unevaluated...` next to nothing that applies in place is plain `additional...`. */
static bool unevaluated(const keyword *k, const char *rival, snode **out)
{
    static const char *const in_place[] = {
        "allOf",        "anyOf",   "oneOf", "not", "if", "$ref", "dependentSchemas",
        "dependencies", "contains"};
    if (cn_json_kind_of(k->value) == CN_JSON_BOOL && cn_json_bool(k->value, false)) return true;
    for (size_t i = 0; i < CN_ARRAY_LEN(in_place); i++)
        if (cn_json_get(k->n->json, in_place[i]))
            return gctx_fail(k->s->c, CN_E_UNSUPPORTED, k->pointer, "together with %s",
                             in_place[i]);
    return cn_json_get(k->n->json, rival) || one_schema(k, out);
}

static bool items(const keyword *k)
{
    if (cn_json_kind_of(k->value) != CN_JSON_ARRAY) return one_schema(k, &k->n->items);
    const cn_json *rest = cn_json_get(k->n->json, "additionalItems"); /* older drafts */
    if (rest) {
        k->n->items =
            sub(k, rest, schema_pointer(k->s, k->n->pointer, CN_STR("additionalItems")));
        if (!k->n->items) return false;
    }
    return !cn_json_size(k->value) || schemas(k, &k->n->prefix);
}

static bool flag(const keyword *k, bool *out)
{
    *out = cn_json_bool(k->value, false);
    return cn_json_kind_of(k->value) == CN_JSON_BOOL || bad(k, "true or false");
}

static bool is(cn_str key, const char *name)
{
    return cn_str_is(key, name);
}

static bool of_arrays(const keyword *k, cn_str key, bool *known)
{
    snode *n = k->n;
    *known = true;
    if (is(key, "items")) return items(k);
    if (is(key, "prefixItems")) return schemas(k, &n->prefix);
    if (is(key, "minItems")) return count(k, &n->min_items);
    if (is(key, "maxItems")) return count(k, &n->max_items);
    if (is(key, "contains")) return one_schema(k, &n->contains);
    if (is(key, "minContains")) return count(k, &n->min_contains);
    if (is(key, "maxContains")) return count(k, &n->max_contains);
    if (is(key, "uniqueItems")) return flag(k, &n->unique);
    if (is(key, "unevaluatedItems")) return unevaluated(k, "items", &n->items);
    *known = false;
    return true;
}

static bool of_objects(const keyword *k, cn_str key, bool *known)
{
    snode *n = k->n;
    *known = true;
    if (is(key, "properties")) return member_schemas(k, &n->properties, false);
    if (is(key, "patternProperties")) return member_schemas(k, &n->patterns, true);
    if (is(key, "additionalProperties")) return one_schema(k, &n->additional);
    if (is(key, "propertyNames")) return one_schema(k, &n->names);
    if (is(key, "required")) return names(k, k->value, &n->required, &n->n_required);
    if (is(key, "minProperties")) return count(k, &n->min_properties);
    if (is(key, "maxProperties")) return count(k, &n->max_properties);
    if (is(key, "dependentRequired") || is(key, "dependentSchemas") || is(key, "dependencies"))
        return dependents(k);
    if (is(key, "unevaluatedProperties"))
        return unevaluated(k, "additionalProperties", &n->additional);
    *known = false;
    return true;
}

static bool of_scalars(const keyword *k, cn_str key, bool *known)
{
    snode *n = k->n;
    *known = true;
    if (is(key, "minLength")) return count(k, &n->min_length);
    if (is(key, "maxLength")) return count(k, &n->max_length);
    if (is(key, "pattern")) return pattern(k);
    if (is(key, "format")) return format(k);
    if (is(key, "minimum")) return bound(k, B_MIN);
    if (is(key, "maximum")) return bound(k, B_MAX);
    if (is(key, "exclusiveMinimum")) return bound(k, B_ABOVE);
    if (is(key, "exclusiveMaximum")) return bound(k, B_BELOW);
    if (is(key, "multipleOf")) return bound(k, B_MULTIPLE);
    if (is(key, "type")) return types(k);
    if (is(key, "enum")) return values(k, NULL);
    if (is(key, "const")) return values(k, k->value);
    *known = false;
    return true;
}

static bool of_all(const keyword *k, cn_str key)
{
    static const char *const refused[] = {"$dynamicRef", "$recursiveRef", "extends",
                                          "disallow"};
    snode *n = k->n;
    if (is(key, "allOf")) {
        slist both = n->all_of;
        n->all_of = (slist){0};
        if (!schemas(k, &n->all_of)) return false;
        if (!both.n) return true;
        snode **list = gctx_alloc(k->s->c, both.n + n->all_of.n, sizeof *list);
        if (!list) return false;
        memcpy(list, both.at, both.n * sizeof *list);
        memcpy(list + both.n, n->all_of.at, n->all_of.n * sizeof *list);
        n->all_of = (slist){list, both.n + n->all_of.n};
        return true;
    }
    if (is(key, "anyOf")) return schemas(k, &n->any_of);
    if (is(key, "oneOf")) return schemas(k, &n->one_of);
    if (is(key, "not")) return one_schema(k, &n->not );
    if (is(key, "if")) return one_schema(k, &n->when);
    if (is(key, "then")) return one_schema(k, &n->then);
    if (is(key, "else")) return one_schema(k, &n->otherwise);
    if (is(key, "$ref")) return reference(k);
    for (size_t i = 0; i < CN_ARRAY_LEN(refused); i++)
        if (is(key, refused[i]))
            return gctx_fail(k->s->c, CN_E_UNSUPPORTED, k->pointer, "not supported");
    return true; /* anything else is an annotation */
}

/* exclusiveMinimum: true of draft 4 makes minimum exclusive. */
static void old_bounds(snode *n)
{
    if (cn_json_bool(cn_json_get(n->json, "exclusiveMinimum"), false)) {
        n->bound[B_ABOVE] = n->bound[B_MIN];
        n->bound[B_MIN] = NULL;
    }
    if (cn_json_bool(cn_json_get(n->json, "exclusiveMaximum"), false)) {
        n->bound[B_BELOW] = n->bound[B_MAX];
        n->bound[B_MAX] = NULL;
    }
}

bool schema_keywords(schema *s, snode *n)
{
    n->parsed = true;
    for (cn_json_member m = cn_json_first(n->json); m.value; m = cn_json_next(n->json, m)) {
        keyword k = {s, n, m.value, NULL};
        bool known = false;
        k.pointer = schema_pointer(s, n->pointer, m.key);
        if (!of_scalars(&k, m.key, &known) || (!known && !of_arrays(&k, m.key, &known)) ||
            (!known && !of_objects(&k, m.key, &known)) || (!known && !of_all(&k, m.key)))
            return gctx_fail(s->c, CN_E_FORMAT, k.pointer, "not understood");
    }
    old_bounds(n);
    if (!n->contains) n->min_contains = 0, n->max_contains = UINT32_MAX;
    n->is_object_group = n->properties.n || n->patterns.n || n->additional;
    n->is_array_group = n->prefix.n || n->items;
    return true;
}

static bool object_value(schema *s, snode *n, const cn_json *v)
{
    size_t size = cn_json_size(v);
    n->types = S_OBJECT;
    n->properties.at = gctx_alloc(s->c, size, sizeof *n->properties.at);
    n->required = gctx_alloc(s->c, size, sizeof *n->required);
    if (!n->properties.at || !n->required) return false;
    for (cn_json_member m = cn_json_first(v); m.value; m = cn_json_next(v, m)) {
        snode *o = schema_value(s, m.value, n->pointer);
        if (!o) return false;
        n->properties.at[n->properties.n++] = (smember){.name = m.key, .node = o};
        n->required[n->n_required++] = m.key;
    }
    n->additional = s->never;
    n->is_object_group = true;
    return true;
}

static bool array_value(schema *s, snode *n, const cn_json *v)
{
    size_t size = cn_json_size(v);
    n->types = S_ARRAY;
    n->prefix.at = gctx_alloc(s->c, size, sizeof *n->prefix.at);
    if (!n->prefix.at) return false;
    for (; n->prefix.n < size; n->prefix.n++) {
        snode *o = schema_value(s, cn_json_at(v, n->prefix.n), n->pointer);
        if (!o) return false;
        n->prefix.at[n->prefix.n] = o;
    }
    n->items = s->never;
    n->min_items = (uint32_t)size;
    n->is_array_group = true;
    return true;
}

snode *schema_value(schema *s, const cn_json *v, const char *pointer)
{
    snode *n = schema_new(s, pointer);
    if (!n) return NULL;
    n->min_contains = 0;
    switch (cn_json_kind_of(v)) {
    case CN_JSON_NULL:
        n->types = S_NULL;
        break;
    case CN_JSON_BOOL:
        n->types = cn_json_bool(v, false) ? S_TRUE : S_FALSE;
        break;
    case CN_JSON_INT:
    case CN_JSON_REAL:
        n->number = decimal_of(s->c, v);
        if (!n->number)
            gctx_fail(s->c, CN_E_UNSUPPORTED, pointer, "a number of over 60 digits");
        else
            n->types = n->number->part.n ? S_REAL : S_INT;
        break;
    case CN_JSON_STRING: {
        cn_str *text = gctx_alloc(s->c, 1, sizeof *text);
        if (text) *text = cn_json_str(v);
        n->types = S_STRING;
        n->text = text;
        break;
    }
    case CN_JSON_ARRAY:
        array_value(s, n, v);
        break;
    case CN_JSON_OBJECT:
        object_value(s, n, v);
        break;
    }
    return s->c->status ? NULL : n;
}
