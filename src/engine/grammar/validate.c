/* The validator: types, arrays, objects, and what combines schemas. */
#include "validate.h"

#include <math.h>
#include <string.h>

#include "compiler.h"

bool validate_fail(validator *v, const char *keyword, const char *why)
{
    if (!v->quiet && !v->status)
        cn_fail(v->err, CN_E_REFUSED, "%.*s: %s: %s",
                v->where.n ? (int)CN_MIN(v->where.n, 300u) : 300,
                v->where.n ? v->where.p : "the document", keyword, why);
    return false;
}

bool validate_stop(validator *v, cn_status st, const char *why)
{
    if (!v->status) v->status = cn_fail(v->err, st, "%s", why);
    return false;
}

/* Like validate_value, for schemas that may fail. */
static bool holds(validator *v, const cn_json *schema, const cn_json *base,
                  const cn_json *value)
{
    v->quiet++;
    bool ok = validate_value(v, schema, base, value);
    v->quiet--;
    return ok;
}

static bool below(validator *v, const cn_json *schema, const cn_json *base, cn_str key,
                  const cn_json *value)
{
    size_t n = v->where.n;
    cn_buf_putc(&v->where, '/');
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] == '~')
            cn_buf_lit(&v->where, "~0");
        else if (key.p[i] == '/')
            cn_buf_lit(&v->where, "~1");
        else
            cn_buf_putc(&v->where, key.p[i]);
    }
    bool ok = validate_value(v, schema, base, value);
    v->where.n = n;
    return ok;
}

static bool below_index(validator *v, const cn_json *schema, const cn_json *base, size_t i,
                        const cn_json *value)
{
    size_t n = v->where.n;
    cn_buf_printf(&v->where, "/%zu", i);
    bool ok = validate_value(v, schema, base, value);
    v->where.n = n;
    return ok;
}

static bool is_type(validator *v, const cn_json *name, const cn_json *value)
{
    static const char *const names[] = {"null", "boolean", "", "", "string", "array", "object"};
    cn_json_kind k = cn_json_kind_of(value);
    double d = cn_json_num(value, 0.5);
    if (cn_json_is(name, "number")) return k == CN_JSON_INT || k == CN_JSON_REAL;
    if (cn_json_is(name, "integer"))
        return k == CN_JSON_INT || (k == CN_JSON_REAL && d == trunc(d));
    for (size_t i = 0; i < CN_ARRAY_LEN(names); i++)
        if (*names[i] && cn_json_is(name, names[i])) return k == (cn_json_kind)i;
    return validate_stop(v, CN_E_UNSUPPORTED, "an unknown type");
}

static bool type(validator *v, const cn_json *want, const cn_json *value)
{
    if (cn_json_kind_of(want) != CN_JSON_ARRAY) return is_type(v, want, value);
    for (size_t i = 0; i < cn_json_size(want); i++)
        if (is_type(v, cn_json_at(want, i), value)) return true;
    return false;
}

static bool one_of_values(const cn_json *list, const cn_json *value)
{
    for (size_t i = 0; i < cn_json_size(list); i++)
        if (validate_equal(cn_json_at(list, i), value)) return true;
    return false;
}

static double limit(const cn_json *schema, const char *name, double none)
{
    return cn_json_num(cn_json_get(schema, name), none);
}

static bool contains(validator *v, const cn_json *s, const cn_json *base, const cn_json *value)
{
    const cn_json *c = cn_json_get(s, "contains");
    double n = 0;
    if (!c) return true;
    for (size_t i = 0; i < cn_json_size(value); i++)
        n += holds(v, c, base, cn_json_at(value, i));
    if (n < limit(s, "minContains", 1))
        return validate_fail(v, "contains", "too few such items");
    return n <= limit(s, "maxContains", (double)INFINITY) ||
           validate_fail(v, "maxContains", "too many such items");
}

static bool array(validator *v, const cn_json *s, const cn_json *base, const cn_json *value)
{
    size_t n = cn_json_size(value);
    const cn_json *items = cn_json_get(s, "items"), *prefix = cn_json_get(s, "prefixItems");
    if ((double)n < limit(s, "minItems", 0))
        return validate_fail(v, "minItems", "too few items");
    if ((double)n > limit(s, "maxItems", (double)INFINITY))
        return validate_fail(v, "maxItems", "too many items");
    if (cn_json_kind_of(items) == CN_JSON_ARRAY) { /* before draft 2020-12 */
        prefix = items;
        items = cn_json_get(s, "additionalItems");
    }
    if (!items) items = cn_json_get(s, "unevaluatedItems");
    for (size_t i = 0; i < n; i++) {
        const cn_json *o = cn_json_at(prefix, i);
        if (!o && i >= cn_json_size(prefix)) o = items;
        if (o && !below_index(v, o, base, i, cn_json_at(value, i))) return false;
    }
    for (size_t i = 0; cn_json_bool(cn_json_get(s, "uniqueItems"), false) && i < n; i++)
        for (size_t j = 0; j < i; j++) {
            if (++v->steps > VALIDATE_MAX_STEPS)
                return validate_stop(v, CN_E_LIMIT, "too much work");
            if (validate_equal(cn_json_at(value, i), cn_json_at(value, j)))
                return validate_fail(v, "uniqueItems", "two equal items");
        }
    return contains(v, s, base, value);
}

static bool member(validator *v, const cn_json *s, const cn_json *base, cn_json_member m)
{
    const cn_json *rest = cn_json_get(s, "additionalProperties");
    const cn_json *p = cn_json_get(cn_json_get(s, "properties"), m.key.p);
    const cn_json *patterns = cn_json_get(s, "patternProperties");
    bool matched = p != NULL;
    if (p && !below(v, p, base, m.key, m.value)) return false;
    for (cn_json_member k = cn_json_first(patterns); k.value; k = cn_json_next(patterns, k)) {
        if (!validate_matches(v, k.key, m.key)) {
            if (v->status) return false;
            continue;
        }
        matched = true;
        if (!below(v, k.value, base, m.key, m.value)) return false;
    }
    if (!rest) rest = cn_json_get(s, "unevaluatedProperties");
    return matched || !rest || below(v, rest, base, m.key, m.value);
}

static bool present(validator *v, const cn_json *names, const cn_json *value,
                    const char *keyword)
{
    for (size_t i = 0; i < cn_json_size(names); i++)
        if (!cn_json_get(value, cn_json_str(cn_json_at(names, i)).p))
            return validate_fail(v, keyword, "a member is missing");
    return true;
}

static bool dependents(validator *v, const cn_json *s, const cn_json *base,
                       const cn_json *value)
{
    static const char *const keywords[] = {"dependentRequired", "dependentSchemas",
                                           "dependencies"};
    for (size_t i = 0; i < 3; i++) {
        const cn_json *d = cn_json_get(s, keywords[i]);
        for (cn_json_member m = cn_json_first(d); m.value; m = cn_json_next(d, m)) {
            if (!cn_json_get(value, m.key.p)) continue;
            bool list = cn_json_kind_of(m.value) == CN_JSON_ARRAY;
            if (list ? !present(v, m.value, value, keywords[i])
                     : !validate_value(v, m.value, base, value))
                return false;
        }
    }
    return true;
}

static bool object(validator *v, const cn_json *s, const cn_json *base, const cn_json *value)
{
    double n = (double)cn_json_size(value);
    const cn_json *names = cn_json_get(s, "propertyNames");
    if (n < limit(s, "minProperties", 0))
        return validate_fail(v, "minProperties", "too few members");
    if (n > limit(s, "maxProperties", (double)INFINITY))
        return validate_fail(v, "maxProperties", "too many members");
    if (!present(v, cn_json_get(s, "required"), value, "required")) return false;
    for (cn_json_member m = cn_json_first(value); m.value; m = cn_json_next(value, m)) {
        if (!member(v, s, base, m)) return false;
        if (!names) continue;
        cn_buf text = {0};
        cn_json *key = NULL;
        cn_buf_json(&text, m.key);
        bool ok = cn_json_parse(&key, cn_buf_view(&text), NULL) == CN_OK &&
                  holds(v, names, base, key);
        cn_json_free(key);
        cn_buf_deinit(&text);
        if (!ok) return validate_fail(v, "propertyNames", "a name that is not allowed");
    }
    return dependents(v, s, base, value);
}

static bool combined(validator *v, const cn_json *s, const cn_json *base, const cn_json *value)
{
    const cn_json *all = cn_json_get(s, "allOf"), *any = cn_json_get(s, "anyOf");
    const cn_json *one = cn_json_get(s, "oneOf"), *no = cn_json_get(s, "not");
    const cn_json *when = cn_json_get(s, "if");
    for (size_t i = 0; i < cn_json_size(all); i++)
        if (!validate_value(v, cn_json_at(all, i), base, value)) return false;
    size_t n = 0;
    for (size_t i = 0; any && i < cn_json_size(any) && !n; i++)
        n += holds(v, cn_json_at(any, i), base, value);
    if (any && !n) return validate_fail(v, "anyOf", "no case fits");
    n = 0;
    for (size_t i = 0; i < cn_json_size(one); i++)
        n += holds(v, cn_json_at(one, i), base, value);
    if (one && n != 1)
        return validate_fail(v, "oneOf", n ? "several cases fit" : "no case fits");
    if (no && holds(v, no, base, value))
        return validate_fail(v, "not", "fits what it must not");
    if (!when) return true;
    const cn_json *rest = cn_json_get(s, holds(v, when, base, value) ? "then" : "else");
    return !rest || validate_value(v, rest, base, value);
}

/* unevaluated... beside what applies in place would need to know what that looked at. */
static bool supported(validator *v, const cn_json *s)
{
    static const char *const keywords[] = {"unevaluatedProperties", "unevaluatedItems"};
    static const char *const in_place[] = {
        "allOf",        "anyOf",   "oneOf", "not", "if", "$ref", "dependentSchemas",
        "dependencies", "contains"};
    for (size_t i = 0; i < 2; i++) {
        const cn_json *u = cn_json_get(s, keywords[i]);
        if (!u || cn_json_bool(u, false)) continue;
        for (size_t j = 0; j < CN_ARRAY_LEN(in_place); j++)
            if (cn_json_get(s, in_place[j]))
                return validate_stop(v, CN_E_UNSUPPORTED,
                                     "unevaluated... beside other schemas");
    }
    return !cn_json_get(s, "$dynamicRef") || validate_stop(v, CN_E_UNSUPPORTED, "$dynamicRef");
}

static bool keywords(validator *v, const cn_json *s, const cn_json *base, const cn_json *value)
{
    const cn_json *want = cn_json_get(s, "type"), *values = cn_json_get(s, "enum");
    const cn_json *same = cn_json_get(s, "const");
    cn_str ref = cn_json_str(cn_json_get(s, "$ref"));
    if (!supported(v, s)) return false;
    if (want && !type(v, want, value)) return validate_fail(v, "type", "another type");
    if (values && !one_of_values(values, value))
        return validate_fail(v, "enum", "none of these");
    if (same && !validate_equal(same, value)) return validate_fail(v, "const", "not equal");
    if (ref.p) {
        const cn_json *new_base, *o = validate_find(v->root, base, ref, &new_base);
        if (!o) return validate_stop(v, CN_E_UNSUPPORTED, "a reference to another document");
        if (!validate_value(v, o, new_base, value)) return false;
    }
    switch (cn_json_kind_of(value)) {
    case CN_JSON_STRING:
        if (!validate_string(v, s, cn_json_str(value))) return false;
        break;
    case CN_JSON_INT:
    case CN_JSON_REAL:
        if (!validate_number(v, s, value)) return false;
        break;
    case CN_JSON_ARRAY:
        if (!array(v, s, base, value)) return false;
        break;
    case CN_JSON_OBJECT:
        if (!object(v, s, base, value)) return false;
        break;
    default:
        break;
    }
    return combined(v, s, base, value);
}

bool validate_value(validator *v, const cn_json *schema, const cn_json *base,
                    const cn_json *value)
{
    if (v->status) return false;
    if (cn_json_kind_of(schema) == CN_JSON_BOOL)
        return cn_json_bool(schema, false) || validate_fail(v, "false", "nothing is allowed");
    if (cn_json_kind_of(schema) != CN_JSON_OBJECT)
        return validate_stop(v, CN_E_FORMAT, "a schema is an object, true or false");
    if (++v->steps > VALIDATE_MAX_STEPS) return validate_stop(v, CN_E_LIMIT, "too much work");
    if (v->depth == VALIDATE_MAX_DEPTH)
        return validate_stop(v, CN_E_LIMIT, "nested too deeply");
    v->depth++;
    bool ok = keywords(v, schema, cn_json_get(schema, "$id") ? schema : base, value);
    v->depth--;
    return ok && !v->status;
}

cn_status cn_schema_validate(const char *schema, size_t schema_n, const char *text, size_t n,
                             cn_err *err)
{
    cn_json *s = NULL, *j = NULL;
    validator v = {.err = err, .where = {.cap = 1 << 20}};
    cn_status st = cn_json_parse(&s, (cn_str){schema, schema_n}, err);
    if (st) {
        cn_ctx(err, st, "reading the schema");
        goto done;
    }
    st = cn_json_parse(&j, (cn_str){text, n}, err);
    if (st) {
        st = CN_E_REFUSED;
        if (err) err->status = st;
        goto done;
    }
    v.root = s;
    if (!validate_value(&v, s, s, j)) st = v.status ? v.status : CN_E_REFUSED;
done:
    cn_json_free(s);
    cn_json_free(j);
    cn_buf_deinit(&v.where);
    return st;
}
