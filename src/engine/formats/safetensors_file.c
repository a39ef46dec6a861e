/* Parsing one safetensors file: eight bytes of header length, a JSON object that names every
 * tensor with its type, shape and place, then the bytes, which the tensors cover without
 * overlap or hole. */
#include "safetensors_file_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#include "compiler.h"
#include "cursor_priv.h"
#include "mem.h"

static const st_dtype dtypes[] = {
    {"F32", 4, CN_F32, false},   {"F16", 2, CN_F16, false},   {"BF16", 2, CN_BF16, false},
    {"F64", 8, CN_F64, false},   {"I64", 8, CN_I64, false},   {"I32", 4, CN_I32, false},
    {"I16", 2, CN_I16, false},   {"I8", 1, CN_I8, false},     {"U64", 8, CN_I64, true},
    {"U32", 4, CN_I32, true},    {"U16", 2, CN_I16, true},    {"U8", 1, CN_I8, true},
    {"BOOL", 1, CN_I8, true},    {"F8_E4M3", 1, CN_I8, true}, {"F8_E5M2", 1, CN_I8, true},
    {"F8_E8M0", 1, CN_I8, true}, {"C64", 8, CN_I64, true},
};

const st_dtype *st_dtype_named(cn_str name)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(dtypes); i++)
        if (cn_str_is(name, dtypes[i].name)) return &dtypes[i];
    return NULL;
}

const st_dtype *st_dtype_of(cn_dtype type)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(dtypes); i++)
        if (dtypes[i].type == type && !dtypes[i].foreign) return &dtypes[i];
    return NULL;
}

/* A whole number that is not negative. */
static bool read_size(const cn_json *j, uint64_t *out)
{
    int64_t v = cn_json_kind_of(j) == CN_JSON_INT ? cn_json_int(j, -1) : -1;
    *out = (uint64_t)v;
    return v >= 0;
}

/* Turns the shape around; of more than four dimensions those of 1 are left out. */
static cn_status read_shape(file_tensor *t, const cn_json *shape, size_t *n_items, cn_err *err)
{
    size_t n = cn_json_size(shape);
    bool drop_ones = n > FORMATS_MAX_DIMS;
    if (cn_json_kind_of(shape) != CN_JSON_ARRAY)
        return cn_fail(err, CN_E_FORMAT, "no shape, want an array of numbers");
    if (n > ST_MAX_SHAPE)
        return cn_fail(err, CN_E_LIMIT, "%zu dimensions, at most %u", n, ST_MAX_SHAPE);
    *n_items = 1;
    t->n_dims = 0;
    for (size_t d = 0; d < FORMATS_MAX_DIMS; d++)
        t->dims[d] = 1;
    for (size_t i = n; i-- > 0;) {
        uint64_t v;
        if (!read_size(cn_json_at(shape, i), &v))
            return cn_fail(err, CN_E_FORMAT, "dimension %zu of %zu is no whole number", i + 1,
                           n);
        if (cn_mul_overflow(*n_items, v, n_items))
            return cn_fail(err, CN_E_FORMAT, "its dimensions multiply to over 2^64");
        if (drop_ones && v == 1) continue;
        if (t->n_dims == FORMATS_MAX_DIMS)
            return cn_fail(err, CN_E_LIMIT, "more than %d dimensions that are not 1",
                           FORMATS_MAX_DIMS);
        t->dims[t->n_dims++] = v;
    }
    return CN_OK;
}

/* The data's range in the file must be exactly what type and shape need. */
static cn_status read_place(file_tensor *t, const cn_json *offsets, cn_str data, size_t want,
                            cn_err *err)
{
    uint64_t from, to;
    if (cn_json_size(offsets) != 2 || !read_size(cn_json_at(offsets, 0), &from) ||
        !read_size(cn_json_at(offsets, 1), &to))
        return cn_fail(err, CN_E_FORMAT, "no data_offsets, want two whole numbers");
    if (from > to || to > data.n)
        return cn_fail(err, CN_E_FORMAT,
                       "bytes %" PRIu64 " to %" PRIu64 " of data that is %zu bytes long", from,
                       to, data.n);
    if (to - from != want)
        return cn_fail(err, CN_E_FORMAT, "%" PRIu64 " bytes, its shape needs %zu", to - from,
                       want);
    t->data = data.p + from;
    t->size = want;
    return CN_OK;
}

static cn_status read_tensor(file_tensor *t, const cn_json *j, cn_str data, cn_err *err)
{
    size_t n_items, bytes;
    if (cn_json_kind_of(j) != CN_JSON_OBJECT)
        return cn_fail(err, CN_E_FORMAT, "described by no object");
    cn_str name = cn_json_str(cn_json_get(j, "dtype"));
    if (!name.p) return cn_fail(err, CN_E_FORMAT, "no dtype");
    const st_dtype *dtype = st_dtype_named(name);
    if (!dtype)
        return cn_fail(err, CN_E_UNSUPPORTED, "dtype %.*s is not supported",
                       name_is_clean(name, 32) ? (int)name.n : 0, name.p);
    t->type = dtype->type;
    t->foreign = dtype->foreign ? dtype->name : NULL;
    cn_status st = read_shape(t, cn_json_get(j, "shape"), &n_items, err);
    if (st) return st;
    if (cn_mul_overflow(n_items, dtype->bytes, &bytes))
        return cn_fail(err, CN_E_FORMAT, "%zu elements of %u bytes are over 2^64", n_items,
                       dtype->bytes);
    return read_place(t, cn_json_get(j, "data_offsets"), data, bytes, err);
}

static cn_status check_metadata(const cn_json *j, cn_err *err)
{
    if (cn_json_kind_of(j) != CN_JSON_OBJECT)
        return cn_fail(err, CN_E_FORMAT, "__metadata__ is no object");
    for (cn_json_member m = cn_json_first(j); m.value; m = cn_json_next(j, m))
        if (cn_json_kind_of(m.value) != CN_JSON_STRING)
            return cn_fail(err, CN_E_FORMAT, "__metadata__ holds something that is no text");
    return CN_OK;
}

static cn_status read_tensors(st_file *f, const cn_json *header, cn_str data, cn_err *err)
{
    size_t n = cn_json_size(header) - (cn_json_get(header, "__metadata__") != NULL);
    if (n > ST_MAX_TENSORS)
        return cn_fail(err, CN_E_LIMIT, "%zu tensors, at most %u", n, ST_MAX_TENSORS);
    f->tensors = cn_alloc_array(n, sizeof *f->tensors);
    if (!f->tensors) return cn_fail(err, CN_E_NOMEM, "%zu tensors", n);
    cn_status st = CN_OK;
    for (cn_json_member m = cn_json_first(header); m.value && !st;
         m = cn_json_next(header, m)) {
        if (cn_str_is(m.key, "__metadata__")) {
            st = check_metadata(m.value, err);
            continue;
        }
        file_tensor *t = &f->tensors[f->n++];
        if (!name_is_clean(m.key, ST_MAX_NAME))
            return cn_fail(err, CN_E_FORMAT,
                           "tensor %zu: a name of %zu bytes, want 1 to %u, printable", f->n,
                           m.key.n, ST_MAX_NAME);
        t->name = cn_arena_str(&f->names, m.key);
        if (!t->name.p) return cn_fail(err, CN_E_NOMEM, "names of %zu tensors", n);
        st = read_tensor(t, m.value, data, err);
        if (st) cn_ctx(err, st, "tensor %.*s", CN_STR_ARG(t->name));
    }
    return st;
}

/* By place; an empty tensor comes before the one that begins where it lies. */
static int order_by_place(const void *a, const void *b)
{
    const file_tensor *x = a, *y = b;
    if (x->data != y->data) return (uintptr_t)x->data < (uintptr_t)y->data ? -1 : 1;
    return x->size < y->size ? -1 : x->size > y->size;
}

static cn_status check_cover(st_file *f, cn_str data, cn_err *err)
{
    size_t at = 0;
    qsort(f->tensors, f->n, sizeof *f->tensors, order_by_place);
    for (size_t i = 0; i < f->n; i++) {
        const file_tensor *t = &f->tensors[i];
        size_t from = (size_t)((const char *)t->data - data.p);
        if (from != at)
            return cn_fail(err, CN_E_FORMAT, "tensor %.*s begins at byte %zu, want %zu: %s",
                           CN_STR_ARG(t->name), from, at,
                           from < at ? "it overlaps its neighbour" : "there is a hole");
        at += t->size;
    }
    if (at != data.n)
        return cn_fail(err, CN_E_FORMAT, "the tensors cover %zu bytes of %zu", at, data.n);
    return CN_OK;
}

/* How many values the JSON can hold at most: what its reader will ask memory for. */
static size_t count_values(cn_str json)
{
    size_t n = 1;
    bool in_text = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (c == '"')
            in_text = !in_text;
        else if (in_text)
            i += c == '\\';
        else
            n += c == ',' || c == '[' || c == '{';
    }
    return n;
}

static cn_status parse_header(st_file *f, cn_str header, cn_str data, cn_err *err)
{
    cn_json *root = NULL;
    cn_status st = CN_OK;
    if (header.n < 2 || header.p[0] != '{')
        st = cn_fail(err, CN_E_FORMAT, "the header of %zu bytes is no JSON object", header.n);
    size_t n_values = st ? 0 : count_values(header);
    if (n_values > ST_MAX_VALUES)
        st = cn_fail(err, CN_E_LIMIT, "a header of %zu values, at most %u", n_values,
                     ST_MAX_VALUES);
    if (!st) st = cn_json_parse(&root, header, err);
    if (!st) st = read_tensors(f, root, data, err);
    cn_json_free(root);
    return st;
}

cn_status st_file_parse(st_file *f, const void *bytes, size_t size, cn_err *err)
{
    cursor c = {bytes, size, false};
    uint64_t n_header = cursor_u64(&c);
    f->size = size;
    if (c.failed)
        return cn_fail(err, CN_E_FORMAT, "not a safetensors file: %zu bytes, want at least 10",
                       size);
    if (n_header > c.left)
        return cn_fail(err, CN_E_FORMAT,
                       "not a safetensors file, or cut: a header of %" PRIu64
                       " bytes where %zu are left",
                       n_header, c.left);
    if (n_header > ST_MAX_HEADER)
        return cn_fail(err, CN_E_LIMIT, "a header of %" PRIu64 " bytes, at most %u", n_header,
                       ST_MAX_HEADER);
    cn_str header = cursor_str(&c, n_header), data = {(const char *)c.p, c.left};
    cn_status st = parse_header(f, header, data, err);
    if (!st) st = check_cover(f, data, err);
    if (!st)
        st = name_index_build(&f->by_name, &f->tensors->name, sizeof *f->tensors, f->n,
                              "tensor", err);
    return st;
}

cn_status st_file_open(st_file *f, const char *path, cn_err *err)
{
    cn_status st = cn_map_open(&f->map, path, err);
    if (!st) st = st_file_parse(f, f->map.base, f->map.size, err);
    return st ? cn_ctx(err, st, "reading %s", path) : CN_OK;
}

void st_file_deinit(st_file *f)
{
    cn_free(f->tensors);
    name_index_deinit(&f->by_name);
    cn_arena_deinit(&f->names);
    cn_map_close(&f->map);
    *f = (st_file){0};
}

const file_tensor *st_file_find(const st_file *f, cn_str name)
{
    size_t i = name_index_find(&f->by_name, name);
    return i == SIZE_MAX ? NULL : &f->tensors[i];
}
