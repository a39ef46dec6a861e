/* Writing GGUF: metadata and tensor table are gathered in memory and leave with the first byte
 * of data. */
#include "gguf_write.h"

#include <inttypes.h>
#include <stdlib.h>

#include "arena.h"
#include "buf.h"
#include "compiler.h"
#include "gguf_file_priv.h"
#include "mem.h"
#include "outfile_priv.h"

/* One key with its value as both go to the file. */
typedef struct entry {
    cn_str key, bytes;
    size_t order;
    bool stale; /* a later entry has the same key */
} entry;

typedef struct pending {
    cn_str name;
    uint64_t size;
} pending;

struct gguf_writer {
    outfile out;
    cn_err failure; /* of a put, told by the next call that can */
    cn_arena arena; /* keys, values, names */
    cn_buf scratch;
    cn_buf entries; /* entry[] */
    cn_buf tensors; /* pending[] */
    cn_buf table;   /* tensor table, serialized */
    uint64_t data_size;
    bool in_data;  /* the header is written */
    size_t tensor; /* the one whose bytes come now, and */
    uint64_t done; /* how many of them came */
};

static entry *entries_of(const gguf_writer *w)
{
    return (entry *)(void *)w->entries.p;
}

static const pending *tensors_of(const gguf_writer *w)
{
    return (const pending *)(const void *)w->tensors.p;
}

static size_t n_entries(const gguf_writer *w)
{
    return w->entries.n / sizeof(entry);
}

static size_t n_tensors(const gguf_writer *w)
{
    return w->tensors.n / sizeof(pending);
}

static uint64_t align_up(uint64_t n)
{
    return (n + GGUF_ALIGNMENT - 1) & ~(uint64_t)(GGUF_ALIGNMENT - 1);
}

cn_status gguf_writer_new(gguf_writer **out, const char *path, cn_err *err)
{
    gguf_writer *w = cn_xcalloc(1, sizeof *w);
    cn_status st = outfile_open(&w->out, path, err);
    *out = st ? NULL : w;
    if (st) gguf_writer_free(w);
    return st ? cn_ctx(err, st, "writing %s", path) : CN_OK;
}

void gguf_writer_free(gguf_writer *w)
{
    if (!w) return;
    outfile_abandon(&w->out);
    cn_arena_deinit(&w->arena);
    cn_buf_deinit(&w->scratch);
    cn_buf_deinit(&w->entries);
    cn_buf_deinit(&w->tensors);
    cn_buf_deinit(&w->table);
    cn_free(w);
}

static void put_u32(cn_buf *b, uint32_t v)
{
    cn_buf_append(b, &v, sizeof v);
}

static void put_u64(cn_buf *b, uint64_t v)
{
    cn_buf_append(b, &v, sizeof v);
}

static void put_str(cn_buf *b, cn_str s)
{
    put_u64(b, s.n);
    cn_buf_str(b, s);
}

/* These describe how a file is laid out, which is this writer's to say: 32 bytes, one part. */
static bool is_layout_key(cn_str key)
{
    return cn_str_is(key, "general.alignment") || cn_str_starts(key, CN_STR("split."));
}

/* Where the value's bytes go, until commit(). */
static cn_buf *begin(gguf_writer *w, cn_str key, gguf_kind kind)
{
    cn_buf_clear(&w->scratch);
    put_str(&w->scratch, key);
    put_u32(&w->scratch, (uint32_t)kind);
    return &w->scratch;
}

static cn_buf *begin_array(gguf_writer *w, cn_str key, gguf_kind item, uint64_t n)
{
    cn_buf *b = begin(w, key, GGUF_ARRAY);
    put_u32(b, (uint32_t)item);
    put_u64(b, n);
    return b;
}

static cn_status check_put(const gguf_writer *w, cn_str key, cn_err *err)
{
    if (w->in_data)
        return cn_fail(err, CN_E_ARG, "key %.*s comes after the first data", CN_STR_ARG(key));
    if (!name_is_clean(key, GGUF_MAX_KEY))
        return cn_fail(err, CN_E_ARG, "a key of %zu bytes, want 1 to %u, printable", key.n,
                       GGUF_MAX_KEY);
    return CN_OK;
}

static void commit(gguf_writer *w, cn_str key)
{
    if (w->failure.status || is_layout_key(key) || check_put(w, key, &w->failure)) return;
    entry e = {cn_arena_str(&w->arena, key), cn_arena_str(&w->arena, cn_buf_view(&w->scratch)),
               n_entries(w), false};
    cn_buf_append(&w->entries, &e, sizeof e);
    if (w->scratch.failed || w->entries.failed || !e.key.p || !e.bytes.p)
        (void)cn_fail(&w->failure, CN_E_NOMEM, "key %.*s of %zu bytes", CN_STR_ARG(key),
                      w->scratch.n);
}

static void put_strings(gguf_writer *w, cn_str key, const cn_str *v, uint64_t n)
{
    cn_buf *b = begin_array(w, key, GGUF_STRING, n);
    for (uint64_t i = 0; i < n; i++)
        put_str(b, v[i]);
    commit(w, key);
}

void gguf_put_value(gguf_writer *w, const gguf_value *v)
{
    if (v->kind == GGUF_ARRAY && v->item == GGUF_STRING) {
        put_strings(w, v->key, v->strings, v->n);
        return;
    }
    if (v->kind == GGUF_ARRAY) {
        cn_buf *b = begin_array(w, v->key, v->item, v->n);
        cn_buf_append(b, v->items, (size_t)v->n * gguf_kind_bytes((uint32_t)v->item));
    } else if (v->kind == GGUF_STRING) {
        put_str(begin(w, v->key, v->kind), v->s);
    } else if (v->kind == GGUF_F32) {
        float f = (float)v->f;
        cn_buf_append(begin(w, v->key, v->kind), &f, sizeof f);
    } else { /* the low bytes of an integer, all of an F64 */
        cn_buf_append(begin(w, v->key, v->kind), &v->u, gguf_kind_bytes((uint32_t)v->kind));
    }
    commit(w, v->key);
}

void gguf_put_uint(gguf_writer *w, const char *key, uint32_t v)
{
    gguf_put_value(w, &(gguf_value){.key = cn_str_of(key), .kind = GGUF_U32, .n = 1, .u = v});
}

void gguf_put_float(gguf_writer *w, const char *key, float v)
{
    gguf_put_value(
        w, &(gguf_value){.key = cn_str_of(key), .kind = GGUF_F32, .n = 1, .f = (double)v});
}

void gguf_put_bool(gguf_writer *w, const char *key, bool v)
{
    gguf_put_value(w, &(gguf_value){.key = cn_str_of(key), .kind = GGUF_BOOL, .n = 1, .u = v});
}

void gguf_put_string(gguf_writer *w, const char *key, cn_str v)
{
    gguf_put_value(w,
                   &(gguf_value){.key = cn_str_of(key), .kind = GGUF_STRING, .n = 1, .s = v});
}

void gguf_put_strings(gguf_writer *w, const char *key, const cn_str *v, size_t n)
{
    put_strings(w, cn_str_of(key), v, n);
}

void gguf_put_ints(gguf_writer *w, const char *key, const int32_t *v, size_t n)
{
    cn_buf_append(begin_array(w, cn_str_of(key), GGUF_I32, n), v, n * sizeof *v);
    commit(w, cn_str_of(key));
}

void gguf_put_floats(gguf_writer *w, const char *key, const float *v, size_t n)
{
    cn_buf_append(begin_array(w, cn_str_of(key), GGUF_F32, n), v, n * sizeof *v);
    commit(w, cn_str_of(key));
}

/* The failure of an earlier put. */
static cn_status earlier(const gguf_writer *w, cn_err *err)
{
    if (err && w->failure.status) *err = w->failure;
    return w->failure.status;
}

static cn_status size_of_tensor(const file_tensor *t, uint64_t *out, cn_err *err)
{
    size_t rows;
    bool big = cn_mul_overflow(t->dims[1], t->dims[2], &rows) ||
               cn_mul_overflow(rows, t->dims[3], &rows);
    *out = big ? 0 : cn_dtype_tensor_bytes(t->type, rows, t->dims[0]);
    if (*out && *out <= INT64_MAX) return CN_OK;
    return cn_fail(err, CN_E_ARG,
                   "shape %" PRIu64 "x%" PRIu64 "x%" PRIu64 "x%" PRIu64 " of type %d is empty, "
                   "too large or no whole blocks",
                   t->dims[0], t->dims[1], t->dims[2], t->dims[3], t->type);
}

static cn_status announce(gguf_writer *w, const file_tensor *t, cn_err *err)
{
    pending p = {cn_arena_str(&w->arena, t->name), 0};
    cn_status st = size_of_tensor(t, &p.size, err);
    if (st) return st;
    if (w->data_size > INT64_MAX - p.size - GGUF_ALIGNMENT)
        return cn_fail(err, CN_E_LIMIT, "the file would be over 2^63 bytes");
    put_str(&w->table, t->name);
    put_u32(&w->table, t->n_dims);
    for (uint32_t d = 0; d < t->n_dims; d++)
        put_u64(&w->table, t->dims[d]);
    put_u32(&w->table, (uint32_t)t->type);
    put_u64(&w->table, w->data_size);
    cn_buf_append(&w->tensors, &p, sizeof p);
    w->data_size = align_up(w->data_size + p.size);
    if (w->table.failed || w->tensors.failed || !p.name.p)
        return cn_fail(err, CN_E_NOMEM, "table of %zu tensors", n_tensors(w));
    return CN_OK;
}

cn_status gguf_put_tensor(gguf_writer *w, const char *name, cn_dtype type, uint32_t n_dims,
                          const uint64_t *dims, cn_err *err)
{
    file_tensor t = {.name = cn_str_of(name), .type = type, .dims = {1, 1, 1, 1}};
    cn_status st = earlier(w, err);
    if (st) return st;
    if (w->in_data || n_tensors(w) == GGUF_MAX_TENSORS)
        st = cn_fail(err, CN_E_ARG, "it comes after the first data, or is one over %u",
                     GGUF_MAX_TENSORS);
    else if (!name_is_clean(t.name, GGUF_MAX_NAME))
        st = cn_fail(err, CN_E_ARG, "a name of %zu bytes, want 1 to %u, printable", t.name.n,
                     GGUF_MAX_NAME);
    else if (n_dims > FORMATS_MAX_DIMS)
        st = cn_fail(err, CN_E_ARG, "%" PRIu32 " dimensions, at most %d", n_dims,
                     FORMATS_MAX_DIMS);
    t.n_dims = CN_MAX(n_dims, 1);
    for (uint32_t d = 0; d < n_dims && !st; d++)
        t.dims[d] = dims[d];
    if (!st) st = announce(w, &t, err);
    return st ? cn_ctx(err, st, "writing tensor %.*s", CN_STR_ARG(t.name)) : CN_OK;
}

static int order_by_key(const void *a, const void *b)
{
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    int o = memcmp(x->key.p, y->key.p, CN_MIN(x->key.n, y->key.n));
    if (o) return o;
    if (x->key.n != y->key.n) return x->key.n < y->key.n ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Marks all but the last entry of every key. */
static cn_status mark_stale(gguf_writer *w, size_t *n_fresh, cn_err *err)
{
    size_t n = n_entries(w);
    entry **sorted = cn_alloc_array(n, sizeof *sorted);
    if (!sorted) return cn_fail(err, CN_E_NOMEM, "%zu keys", n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &entries_of(w)[i];
    qsort(sorted, n, sizeof(entry *), order_by_key);
    *n_fresh = n;
    for (size_t i = 0; i + 1 < n; i++)
        if (cn_str_eq(sorted[i]->key, sorted[i + 1]->key)) {
            sorted[i]->stale = true;
            --*n_fresh;
        }
    cn_free(sorted);
    return CN_OK;
}

static cn_status check_names(const gguf_writer *w, cn_err *err)
{
    name_index names = {0};
    static const pending none;
    const pending *first = n_tensors(w) ? tensors_of(w) : &none;
    cn_status st =
        name_index_build(&names, &first->name, sizeof *first, n_tensors(w), "tensor", err);
    name_index_deinit(&names);
    return st;
}

static cn_status write_entries(gguf_writer *w, cn_err *err)
{
    cn_status st = CN_OK;
    for (size_t i = 0; i < n_entries(w) && !st; i++) {
        const entry *e = &entries_of(w)[i];
        if (!e->stale) st = outfile_write(&w->out, e->bytes.p, e->bytes.n, err);
    }
    return st;
}

static cn_status write_header(gguf_writer *w, cn_err *err)
{
    size_t n_fresh = 0;
    cn_status st = mark_stale(w, &n_fresh, err);
    if (!st) st = check_names(w, err);
    if (st) return st;
    cn_buf_clear(&w->scratch);
    put_u32(&w->scratch, GGUF_MAGIC);
    put_u32(&w->scratch, 3);
    put_u64(&w->scratch, n_tensors(w));
    put_u64(&w->scratch, n_fresh);
    st = outfile_write(&w->out, w->scratch.p, w->scratch.n, err);
    if (!st) st = write_entries(w, err);
    if (!st) st = outfile_write(&w->out, w->table.p, w->table.n, err);
    if (!st) st = outfile_pad(&w->out, GGUF_ALIGNMENT, err);
    if (!st) st = outfile_reserve(&w->out, w->out.written + w->data_size, err);
    w->in_data = true;
    return st;
}

/* The part of `n` bytes that belongs to the current tensor. */
static cn_status write_some(gguf_writer *w, const char *bytes, size_t n, size_t *taken,
                            cn_err *err)
{
    if (w->tensor == n_tensors(w))
        return cn_fail(err, CN_E_ARG, "%zu bytes after the last of %zu tensors", n, w->tensor);
    uint64_t left = tensors_of(w)[w->tensor].size - w->done;
    *taken = (size_t)CN_MIN(n, left);
    cn_status st = outfile_write(&w->out, bytes, *taken, err);
    w->done += *taken;
    if (!st && *taken == left) {
        st = outfile_pad(&w->out, GGUF_ALIGNMENT, err);
        w->tensor++;
        w->done = 0;
    }
    return st;
}

cn_status gguf_write_data(gguf_writer *w, const void *bytes, size_t n, cn_err *err)
{
    cn_status st = earlier(w, err);
    if (!st && !w->in_data) st = write_header(w, err);
    const char *p = bytes;
    while (n && !st) {
        size_t taken = 0;
        st = write_some(w, p, n, &taken, err);
        p += taken;
        n -= taken;
    }
    return st ? cn_ctx(err, st, "writing %s", w->out.path) : CN_OK;
}

cn_status gguf_writer_finish(gguf_writer *w, cn_err *err)
{
    cn_status st = earlier(w, err);
    if (!st && !w->in_data) st = write_header(w, err);
    if (!st && w->tensor < n_tensors(w)) {
        const pending *p = &tensors_of(w)[w->tensor];
        st = cn_fail(err, CN_E_ARG, "tensor %.*s got %" PRIu64 " of %" PRIu64 " bytes",
                     CN_STR_ARG(p->name), w->done, p->size);
    }
    if (!st) return outfile_finish(&w->out, err);
    outfile_abandon(&w->out);
    return st;
}
