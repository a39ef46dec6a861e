/* Parsing one GGUF file: header, metadata, tensor table. Every count and length is proven
 * against the bytes that are left before memory is asked for or a byte is read. */
#include "gguf_file_priv.h"

#include <inttypes.h>

#include "compiler.h"
#include "cursor_priv.h"
#include "mem.h"

/* The least a value and a tensor can take in the file: they bound the counts. */
#define VALUE_MIN_BYTES (8 + 1 + 4 + 1)
#define TENSOR_MIN_BYTES (8 + 1 + 4 + 8 + 4 + 8)

#define INCOMPLETE "the download may be incomplete: compare its size with the origin's"

static const uint8_t kind_bytes[] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,  [GGUF_U16] = 2, [GGUF_I16] = 2,
    [GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
    [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

size_t gguf_kind_bytes(uint32_t kind)
{
    return kind < CN_ARRAY_LEN(kind_bytes) ? kind_bytes[kind] : 0;
}

static cn_status cut(const char *where, cn_err *err)
{
    cn_status st = cn_fail(err, CN_E_FORMAT, "the file ends inside %s", where);
    return cn_next(err, st, INCOMPLETE);
}

static cn_status read_header(gguf_file *f, cursor *c, cn_err *err)
{
    uint32_t magic = cursor_u32(c);
    f->version = cursor_u32(c);
    uint64_t n_tensors = cursor_u64(c), n_values = cursor_u64(c);
    if (magic != GGUF_MAGIC)
        return cn_fail(err, CN_E_FORMAT,
                       "not a GGUF file: its first bytes are %08" PRIx32
                       ", want 47475546 (\"GGUF\")",
                       __builtin_bswap32(magic));
    if (c->failed) return cut("the header", err);
    if (f->version == __builtin_bswap32(2) || f->version == __builtin_bswap32(3))
        return cn_fail(err, CN_E_UNSUPPORTED, "a big-endian GGUF file");
    if (f->version < 2 || f->version > 3)
        return cn_fail(err, CN_E_UNSUPPORTED, "GGUF version %" PRIu32 ", want 2 or 3",
                       f->version);
    if (n_tensors > GGUF_MAX_TENSORS || n_values > GGUF_MAX_VALUES)
        return cn_fail(err, CN_E_LIMIT,
                       "%" PRIu64 " tensors and %" PRIu64 " keys, at most %u and %u", n_tensors,
                       n_values, GGUF_MAX_TENSORS, GGUF_MAX_VALUES);
    if (n_tensors * TENSOR_MIN_BYTES + n_values * VALUE_MIN_BYTES > c->left)
        return cn_fail(err, CN_E_FORMAT,
                       "%" PRIu64 " tensors and %" PRIu64 " keys cannot fit into %zu bytes",
                       n_tensors, n_values, c->left);
    f->n_values = (size_t)n_values;
    f->n_tensors = (size_t)n_tensors;
    return CN_OK;
}

static cn_status read_string(cn_str *out, cursor *c, cn_err *err)
{
    uint64_t n = cursor_u64(c);
    if (c->failed || n > c->left)
        return cn_fail(err, CN_E_FORMAT, "a string of %" PRIu64 " bytes where %zu are left", n,
                       c->left);
    if (n > GGUF_MAX_STRING)
        return cn_fail(err, CN_E_LIMIT, "a string of %" PRIu64 " bytes, at most %" PRIu64, n,
                       GGUF_MAX_STRING);
    *out = cursor_str(c, n);
    return CN_OK;
}

static cn_status check_bools(const uint8_t *p, uint64_t n, cn_err *err)
{
    for (uint64_t i = 0; i < n; i++)
        if (p[i] > 1) return cn_fail(err, CN_E_FORMAT, "a boolean of %u, want 0 or 1", p[i]);
    return CN_OK;
}

static cn_status read_string_array(gguf_value *v, cursor *c, cn_err *err)
{
    if (v->n > c->left / 8)
        return cn_fail(err, CN_E_FORMAT, "%" PRIu64 " strings cannot fit into %zu bytes", v->n,
                       c->left);
    cn_str *table = cn_alloc_array((size_t)v->n, sizeof *table);
    if (!table) return cn_fail(err, CN_E_NOMEM, "table of %" PRIu64 " strings", v->n);
    v->strings = table; /* owned by the file from here, also when a string is broken */
    cn_status st = CN_OK;
    for (uint64_t i = 0; i < v->n && !st; i++)
        st = read_string(&table[i], c, err);
    return st;
}

static cn_status read_array(gguf_value *v, cursor *c, cn_err *err)
{
    uint32_t item = cursor_u32(c);
    uint64_t n = cursor_u64(c);
    if (c->failed) return cut("an array", err);
    size_t bytes = gguf_kind_bytes(item);
    if (!bytes && item != GGUF_STRING)
        return cn_fail(err, CN_E_FORMAT, "an array of type %" PRIu32, item);
    if (n > GGUF_MAX_ITEMS)
        return cn_fail(err, CN_E_LIMIT, "an array of %" PRIu64 " elements, at most %" PRIu64, n,
                       GGUF_MAX_ITEMS);
    v->n = n;
    v->item = (gguf_kind)item;
    if (item == GGUF_STRING) return read_string_array(v, c, err);
    v->items = cursor_take(c, n * bytes);
    if (c->failed)
        return cn_fail(err, CN_E_FORMAT, "%" PRIu64 " elements of %zu bytes where %zu are left",
                       n, bytes, c->left);
    return item == GGUF_BOOL ? check_bools(v->items, n, err) : CN_OK;
}

static void read_integer(gguf_value *v, cursor *c, size_t bytes, bool is_signed)
{
    uint64_t u = 0;
    cursor_copy(c, &u, bytes);
    unsigned shift = 64 - 8 * (unsigned)bytes;
    if (is_signed)
        v->i = (int64_t)(u << shift) >> shift;
    else
        v->u = u;
}

static cn_status read_content(gguf_value *v, cursor *c, cn_err *err)
{
    switch (v->kind) {
    case GGUF_STRING:
        return read_string(&v->s, c, err);
    case GGUF_ARRAY:
        return read_array(v, c, err);
    case GGUF_F32: {
        float f;
        cursor_copy(c, &f, sizeof f);
        v->f = (double)f;
        break;
    }
    case GGUF_F64:
        cursor_copy(c, &v->f, sizeof v->f);
        break;
    case GGUF_I8:
    case GGUF_I16:
    case GGUF_I32:
    case GGUF_I64:
        read_integer(v, c, kind_bytes[v->kind], true);
        break;
    default:
        read_integer(v, c, kind_bytes[v->kind], false);
    }
    if (c->failed) return cut("a value", err);
    if (v->kind == GGUF_BOOL && v->u > 1)
        return cn_fail(err, CN_E_FORMAT, "a boolean of %" PRIu64 ", want 0 or 1", v->u);
    return CN_OK;
}

static cn_status read_value(gguf_value *v, cursor *c, cn_err *err)
{
    cn_status st = read_string(&v->key, c, err);
    if (st) return st;
    if (!name_is_clean(v->key, GGUF_MAX_KEY))
        return cn_fail(err, CN_E_FORMAT,
                       "a key of %zu bytes that is empty, too long or not printable", v->key.n);
    uint32_t kind = cursor_u32(c);
    if (c->failed || kind > GGUF_F64)
        return cn_fail(err, CN_E_FORMAT, "key %.*s: value type %" PRIu32 ", the last one is %d",
                       CN_STR_ARG(v->key), kind, GGUF_F64);
    v->n = 1;
    v->kind = (gguf_kind)kind;
    st = read_content(v, c, err);
    return st ? cn_ctx(err, st, "key %.*s", CN_STR_ARG(v->key)) : CN_OK;
}

static cn_status read_values(gguf_file *f, cursor *c, cn_err *err)
{
    f->values = cn_alloc_array(f->n_values, sizeof *f->values);
    if (!f->values) return cn_fail(err, CN_E_NOMEM, "%zu keys", f->n_values);
    for (size_t i = 0; i < f->n_values; i++) {
        cn_status st = read_value(&f->values[i], c, err);
        if (st) return cn_ctx(err, st, "metadata entry %zu of %zu", i + 1, f->n_values);
    }
    return name_index_build(&f->keys, &f->values->key, sizeof *f->values, f->n_values, "key",
                            err);
}

static cn_status read_alignment(const gguf_file *f, uint64_t *out, cn_err *err)
{
    const gguf_value *v = gguf_file_find(f, CN_STR("general.alignment"));
    *out = GGUF_ALIGNMENT;
    if (!v) return CN_OK;
    if (v->kind != GGUF_U32)
        return cn_fail(err, CN_E_FORMAT, "general.alignment is of kind %d, want %d", v->kind,
                       GGUF_U32);
    if (v->u < 8 || v->u > GGUF_MAX_ALIGNMENT || (v->u & (v->u - 1)))
        return cn_fail(err, CN_E_FORMAT,
                       "general.alignment %" PRIu64 ", want a power of two from 8 to %u", v->u,
                       GGUF_MAX_ALIGNMENT);
    *out = v->u;
    return CN_OK;
}

static cn_status read_dims(file_tensor *t, cursor *c, cn_err *err)
{
    t->n_dims = cursor_u32(c);
    if (!c->failed && (t->n_dims < 1 || t->n_dims > FORMATS_MAX_DIMS))
        return cn_fail(err, CN_E_FORMAT, "%" PRIu32 " dimensions, want 1 to %d", t->n_dims,
                       FORMATS_MAX_DIMS);
    for (uint32_t d = 0; d < FORMATS_MAX_DIMS; d++) {
        t->dims[d] = d < t->n_dims ? cursor_u64(c) : 1;
        if (!c->failed && t->dims[d] == 0)
            return cn_fail(err, CN_E_FORMAT, "dimension %" PRIu32 " is 0", d);
    }
    return CN_OK;
}

static cn_status too_short(uint64_t want, size_t have, cn_err *err)
{
    cn_status st =
        cn_fail(err, CN_E_FORMAT, "its data would end at byte %" PRIu64 ", the file has %zu",
                want, have);
    return cn_next(err, st, INCOMPLETE);
}

/* Types of ggml that this program does not have, by name, for those who met them elsewhere. */
static cn_status refuse_type(uint32_t type, cn_err *err)
{
    static const char *const names[] = {
        [4] = "Q4_2",      [5] = "Q4_3",      [9] = "Q8_1",      [15] = "Q8_K",
        [16] = "IQ2_XXS",  [17] = "IQ2_XS",   [18] = "IQ3_XXS",  [19] = "IQ1_S",
        [21] = "IQ3_S",    [22] = "IQ2_S",    [23] = "IQ4_XS",   [29] = "IQ1_M",
        [31] = "Q4_0_4_4", [32] = "Q4_0_4_8", [33] = "Q4_0_8_8", [34] = "TQ1_0",
        [35] = "TQ2_0",    [39] = "MXFP4",    [40] = "NVFP4",
    };
    const char *name = type < CN_ARRAY_LEN(names) && names[type] ? names[type] : "unknown here";
    cn_status st = cn_fail(err, CN_E_UNSUPPORTED,
                           "element type %" PRIu32 " (%s) is not supported", type, name);
    return cn_next(err, st,
                   "take a file of another type, such as Q4_K_M, Q5_K_M, Q6_K or Q8_0");
}

/* Its size in bytes, which must be less than `limit` (the file's), so that sums cannot
 * overflow. */
static cn_status measure(file_tensor *t, uint32_t type, size_t limit, cn_err *err)
{
    const cn_dtype_info *info = cn_dtype_info_of(type);
    if (!info) return refuse_type(type, err);
    if (t->dims[0] % info->block)
        return cn_fail(err, CN_E_FORMAT,
                       "rows of %" PRIu64 " values are no whole blocks of %s, which hold %u",
                       t->dims[0], info->name, info->block);
    size_t rows;
    bool big = cn_mul_overflow(t->dims[1], t->dims[2], &rows) ||
               cn_mul_overflow(rows, t->dims[3], &rows);
    t->type = (cn_dtype)type;
    t->size = big ? 0 : cn_dtype_tensor_bytes(t->type, rows, t->dims[0]);
    if (t->size == 0)
        return cn_fail(err, CN_E_FORMAT,
                       "shape %" PRIu64 "x%" PRIu64 "x%" PRIu64 "x%" PRIu64
                       " of %s is over 2^64 bytes",
                       t->dims[0], t->dims[1], t->dims[2], t->dims[3], info->name);
    return t->size > limit ? too_short(t->size, limit, err) : CN_OK;
}

/* `want` is where the tensor must begin in the data: they follow each other without holes. */
static cn_status read_tensor(file_tensor *t, cursor *c, uint64_t want, size_t file_size,
                             cn_err *err)
{
    cn_status st = read_string(&t->name, c, err);
    if (st) return st;
    if (!name_is_clean(t->name, GGUF_MAX_NAME))
        return cn_fail(err, CN_E_FORMAT,
                       "a name of %zu bytes that is empty, over %u bytes or not printable",
                       t->name.n, GGUF_MAX_NAME);
    st = read_dims(t, c, err);
    uint32_t type = cursor_u32(c);
    uint64_t offset = cursor_u64(c);
    if (!st && c->failed) st = cut("the tensor table", err);
    if (!st) st = measure(t, type, file_size, err);
    if (!st && offset != want)
        st = cn_fail(err, CN_E_FORMAT, "data at offset %" PRIu64 ", want %" PRIu64, offset,
                     want);
    return st ? cn_ctx(err, st, "tensor %.*s", CN_STR_ARG(t->name)) : CN_OK;
}

static uint64_t align_up(uint64_t n, uint64_t alignment)
{
    return (n + alignment - 1) & ~(alignment - 1);
}

/* Gives every tensor its bytes; the last one need not be padded. */
static cn_status place_tensors(gguf_file *f, const uint8_t *bytes, uint64_t at,
                               uint64_t alignment, cn_err *err)
{
    for (size_t i = 0; i < f->n_tensors; i++) {
        file_tensor *t = &f->tensors[i];
        at = align_up(at, alignment);
        if (at > f->size || t->size > f->size - at) {
            cn_status st = too_short(at + t->size, f->size, err);
            return cn_ctx(err, st, "tensor %.*s", CN_STR_ARG(t->name));
        }
        t->data = f->is_head ? NULL : bytes + at;
        at += t->size;
    }
    return CN_OK;
}

static cn_status read_tensors(gguf_file *f, cursor *c, const uint8_t *bytes, cn_err *err)
{
    uint64_t alignment, want = 0;
    cn_status st = read_alignment(f, &alignment, err);
    if (st) return st;
    f->tensors = cn_alloc_array(f->n_tensors, sizeof *f->tensors);
    if (!f->tensors) return cn_fail(err, CN_E_NOMEM, "%zu tensors", f->n_tensors);
    for (size_t i = 0; i < f->n_tensors; i++) {
        st = read_tensor(&f->tensors[i], c, want, f->size, err);
        if (st) return cn_ctx(err, st, "tensor table entry %zu of %zu", i + 1, f->n_tensors);
        want = align_up(want + f->tensors[i].size, alignment);
    }
    return place_tensors(f, bytes, (uint64_t)(c->p - bytes), alignment, err);
}

cn_status gguf_file_parse(gguf_file *f, const void *bytes, size_t n, size_t size, cn_err *err)
{
    cursor c = {bytes, n, false};
    f->size = size;
    f->is_head = n < size;
    cn_status st = read_header(f, &c, err);
    if (!st) st = read_values(f, &c, err);
    if (!st) st = read_tensors(f, &c, bytes, err);
    return st;
}

void gguf_file_deinit(gguf_file *f)
{
    for (size_t i = 0; f->values && i < f->n_values; i++) {
        const gguf_value *v = &f->values[i];
        if (v->kind == GGUF_ARRAY && v->item == GGUF_STRING)
            cn_free((void *)(uintptr_t)v->strings);
    }
    cn_free(f->values);
    cn_free(f->tensors);
    name_index_deinit(&f->keys);
    cn_map_close(&f->map);
    *f = (gguf_file){0};
}

const gguf_value *gguf_file_find(const gguf_file *f, cn_str key)
{
    size_t i = name_index_find(&f->keys, key);
    return i == SIZE_MAX ? NULL : &f->values[i];
}
