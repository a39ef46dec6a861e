#include "ordered.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include <conatus/grammar.h>

#include "mem.h"

enum { MAX_DEPTH = 128, MAX_REFS = 32 };

typedef struct writer {
    cn_buf *out;
    const cn_json *root;
    bool whole;
    unsigned depth;
} writer;

/* The members of one object value, and which are written already. */
typedef struct members {
    const cn_json *object;
    bool *done; /* by position */
    size_t n_done;
} members;

static void write_value(writer *w, const cn_json *value, const cn_json *schema);

/* "#/$defs/a~1b" from the root; NULL when it leads nowhere. */
static const cn_json *follow(const cn_json *root, cn_str ref)
{
    const cn_json *at = root;
    if (ref.n == 0 || ref.p[0] != '#') return NULL;
    for (size_t i = 1; i < ref.n && at;) {
        char name[256];
        size_t n = 0;
        if (ref.p[i++] != '/') return NULL;
        for (; i < ref.n && ref.p[i] != '/' && n < sizeof name - 1; i++) {
            bool escape = ref.p[i] == '~' && i + 1 < ref.n;
            name[n++] = !escape ? ref.p[i] : ref.p[++i] == '1' ? '/' : '~';
        }
        name[n] = '\0';
        at = cn_json_kind_of(at) == CN_JSON_ARRAY ? cn_json_at(at, strtoul(name, NULL, 10))
                                                  : cn_json_get(at, name);
    }
    return at;
}

/* `branch` as a document of its own: with the root's definitions, so that references hold. */
static bool is_valid(const writer *w, const cn_json *value, const cn_json *branch)
{
    cn_buf schema = {0}, text = {0};
    static const char *const shared[] = {"$defs", "definitions"};
    cn_json_write(&text, value);
    if (cn_json_kind_of(branch) != CN_JSON_OBJECT) {
        cn_json_write(&schema, branch);
    } else {
        cn_buf_lit(&schema, "{\"allOf\":[");
        cn_json_write(&schema, branch);
        cn_buf_putc(&schema, ']');
        for (size_t i = 0; i < 2; i++) {
            const cn_json *defs = cn_json_get(w->root, shared[i]);
            if (!defs) continue;
            cn_buf_printf(&schema, ",\"%s\":", shared[i]);
            cn_json_write(&schema, defs);
        }
        cn_buf_putc(&schema, '}');
    }
    bool valid = !schema.failed && !text.failed &&
                 cn_schema_validate(schema.p, schema.n, text.p, text.n, NULL) == CN_OK;
    cn_buf_deinit(&schema);
    cn_buf_deinit(&text);
    return valid;
}

/* The first alternative of anyOf or oneOf that the value satisfies. */
static const cn_json *branch_for(const writer *w, const cn_json *value, const cn_json *schema)
{
    static const char *const keywords[] = {"anyOf", "oneOf"};
    for (size_t k = 0; k < 2; k++) {
        const cn_json *list = cn_json_get(schema, keywords[k]);
        for (size_t i = 0; i < cn_json_size(list); i++)
            if (is_valid(w, value, cn_json_at(list, i))) return cn_json_at(list, i);
    }
    return NULL;
}

static void write_member(writer *w, members *m, cn_str key, const cn_json *value,
                         const cn_json *schema)
{
    if (m->n_done++) cn_buf_putc(w->out, ',');
    cn_buf_json(w->out, key);
    cn_buf_putc(w->out, ':');
    write_value(w, value, schema);
}

/* Where `key` stands in the object. */
static size_t position(const cn_json *object, cn_str key)
{
    size_t i = 0;
    for (cn_json_member m = cn_json_first(object); m.value; m = cn_json_next(object, m), i++)
        if (cn_str_eq(m.key, key)) break;
    return i;
}

/* The members that `schema` names, in its order; what it refers to comes after its own. */
static void write_named(writer *w, members *m, const cn_json *schema, unsigned refs)
{
    if (cn_json_kind_of(schema) != CN_JSON_OBJECT || refs == MAX_REFS) return;
    const cn_json *ref = cn_json_get(schema, "$ref"), *all = cn_json_get(schema, "allOf"),
                  *properties = cn_json_get(schema, "properties");
    for (cn_json_member p = cn_json_first(properties); p.value;
         p = cn_json_next(properties, p)) {
        const cn_json *value = cn_json_get(m->object, p.key.p);
        if (!value) continue;
        size_t at = position(m->object, p.key);
        if (!m->done[at]) write_member(w, m, p.key, value, p.value);
        m->done[at] = true;
    }
    if (ref) write_named(w, m, follow(w->root, cn_json_str(ref)), refs + 1);
    for (size_t i = 0; i < cn_json_size(all); i++)
        write_named(w, m, cn_json_at(all, i), refs + 1);
    write_named(w, m, branch_for(w, m->object, schema), refs + 1);
}

static void write_object(writer *w, const cn_json *object, const cn_json *schema)
{
    members m = {.object = object, .done = cn_xcalloc(cn_json_size(object) + 1, 1)};
    size_t i = 0;
    cn_buf_putc(w->out, '{');
    write_named(w, &m, schema, 0);
    const cn_json *rest = cn_json_get(schema, "additionalProperties");
    for (cn_json_member p = cn_json_first(object); p.value; p = cn_json_next(object, p), i++)
        if (!m.done[i]) write_member(w, &m, p.key, p.value, rest);
    cn_buf_putc(w->out, '}');
    cn_free(m.done);
}

/* The schema that element i of an array is held to, through references and alternatives. */
static const cn_json *item_schema(const writer *w, const cn_json *array, const cn_json *schema,
                                  size_t i, unsigned refs)
{
    if (cn_json_kind_of(schema) != CN_JSON_OBJECT || refs == MAX_REFS) return NULL;
    const cn_json *items = cn_json_get(schema, "items"),
                  *prefix = cn_json_get(schema, "prefixItems"),
                  *ref = cn_json_get(schema, "$ref"), *all = cn_json_get(schema, "allOf"),
                  *found = NULL;
    if (i < cn_json_size(prefix)) return cn_json_at(prefix, i);
    if (items) return items;
    if (ref) found = item_schema(w, array, follow(w->root, cn_json_str(ref)), i, refs + 1);
    for (size_t k = 0; !found && k < cn_json_size(all); k++)
        found = item_schema(w, array, cn_json_at(all, k), i, refs + 1);
    if (!found) found = item_schema(w, array, branch_for(w, array, schema), i, refs + 1);
    return found;
}

static void write_array(writer *w, const cn_json *array, const cn_json *schema)
{
    cn_buf_putc(w->out, '[');
    for (size_t i = 0; i < cn_json_size(array); i++) {
        if (i) cn_buf_putc(w->out, ',');
        write_value(w, cn_json_at(array, i), item_schema(w, array, schema, i, 0));
    }
    cn_buf_putc(w->out, ']');
}

static void write_number(writer *w, const cn_json *value)
{
    double d = cn_json_num(value, 0);
    if (w->whole && d == trunc(d) && fabs(d) < 9007199254740992.0)
        cn_buf_printf(w->out, "%" PRId64, (int64_t)d);
    else
        cn_json_write(w->out, value);
}

static void write_value(writer *w, const cn_json *value, const cn_json *schema)
{
    cn_json_kind kind = cn_json_kind_of(value);
    if (w->depth == MAX_DEPTH) {
        cn_json_write(w->out, value);
        return;
    }
    w->depth++;
    if (kind == CN_JSON_OBJECT)
        write_object(w, value, schema);
    else if (kind == CN_JSON_ARRAY)
        write_array(w, value, schema);
    else if (kind == CN_JSON_REAL)
        write_number(w, value);
    else
        cn_json_write(w->out, value);
    w->depth--;
}

void cli_write_ordered(cn_buf *out, const cn_json *value, const cn_json *schema,
                       const cn_json *root, bool whole)
{
    writer w = {.out = out, .root = root, .whole = whole};
    write_value(&w, value, schema);
}
