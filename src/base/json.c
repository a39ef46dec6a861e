/* JSON in, over jansson. */
#include "json.h"

#include <jansson.h>
#include <math.h>

#include "file.h"

cn_status cn_json_parse(cn_json **out, cn_str text, cn_err *err)
{
    json_error_t e;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    *out = json_loadb(text.p ? text.p : "", text.n, flags, &e);
    if (*out) return CN_OK;
    return cn_fail(err, CN_E_FORMAT, "JSON, line %d column %d: %s", e.line, e.column, e.text);
}

cn_status cn_json_read_file(cn_json **out, const char *path, size_t max_bytes, cn_err *err)
{
    cn_buf text = {0};
    *out = NULL;
    cn_status st = cn_file_read(&text, path, max_bytes, err);
    if (!st) st = cn_json_parse(out, cn_buf_view(&text), err);
    if (st == CN_E_FORMAT) cn_ctx(err, st, "reading %s", cn_path_base(path));
    cn_buf_deinit(&text);
    return st;
}

void cn_json_free(cn_json *root)
{
    json_decref(root);
}

cn_json_kind cn_json_kind_of(const cn_json *j)
{
    if (!j) return CN_JSON_NULL;
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return CN_JSON_OBJECT;
    case JSON_ARRAY:
        return CN_JSON_ARRAY;
    case JSON_STRING:
        return CN_JSON_STRING;
    case JSON_INTEGER:
        return CN_JSON_INT;
    case JSON_REAL:
        return CN_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return CN_JSON_BOOL;
    default:
        return CN_JSON_NULL;
    }
}

size_t cn_json_size(const cn_json *j)
{
    return json_is_array(j) ? json_array_size(j) : json_object_size(j);
}

const cn_json *cn_json_at(const cn_json *array, size_t i)
{
    return json_array_get(array, i);
}

const cn_json *cn_json_get(const cn_json *object, const char *key)
{
    return json_object_get(object, key);
}

cn_str cn_json_str(const cn_json *j)
{
    return (cn_str){json_string_value(j), json_string_length(j)};
}

bool cn_json_is(const cn_json *j, const char *string)
{
    return json_is_string(j) && cn_str_is(cn_json_str(j), string);
}

int64_t cn_json_int(const cn_json *j, int64_t fallback)
{
    if (json_is_integer(j)) return json_integer_value(j);
    double d = json_is_real(j) ? json_real_value(j) : (double)NAN;
    return d == trunc(d) && fabs(d) < 9007199254740992.0 ? (int64_t)d : fallback;
}

double cn_json_num(const cn_json *j, double fallback)
{
    return json_is_number(j) ? json_number_value(j) : fallback;
}

bool cn_json_bool(const cn_json *j, bool fallback)
{
    return json_is_boolean(j) ? json_is_true(j) : fallback;
}

static cn_json_member member_at(void *iter)
{
    if (!iter) return (cn_json_member){0};
    const char *key = json_object_iter_key(iter);
    return (cn_json_member){cn_str_of(key), json_object_iter_value(iter), iter};
}

/* jansson's iterator takes a mutable object but only reads it. */
static cn_json *unconst(const cn_json *j)
{
    return (cn_json *)(uintptr_t)j;
}

cn_json_member cn_json_first(const cn_json *object)
{
    return member_at(json_object_iter(unconst(object)));
}

cn_json_member cn_json_next(const cn_json *object, cn_json_member m)
{
    return member_at(json_object_iter_next(unconst(object), m.iter));
}

static int append(const char *p, size_t n, void *out)
{
    cn_buf_append(out, p, n);
    return ((cn_buf *)out)->failed ? -1 : 0;
}

void cn_json_write(cn_buf *out, const cn_json *j)
{
    if (json_dump_callback(j, append, out,
                           JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)))
        out->failed = true;
}
