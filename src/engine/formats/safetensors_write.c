/* Writing one safetensors file: wider elements first, so that all lie aligned. */
#include <inttypes.h>

#include "buf.h"
#include "mem.h"
#include "outfile_priv.h"
#include "safetensors_file_priv.h"

static cn_status measure(const safetensors_item *it, size_t *bytes, cn_err *err)
{
    const st_dtype *dtype = st_dtype_of(it->type);
    if (!dtype)
        return cn_fail(err, CN_E_UNSUPPORTED, "tensor %s: element type %d is not of the format",
                       it->name, it->type);
    if (it->n_dims > FORMATS_MAX_DIMS || !name_is_clean(cn_str_of(it->name), ST_MAX_NAME) ||
        cn_str_is(cn_str_of(it->name), "__metadata__"))
        return cn_fail(err, CN_E_ARG, "tensor %s: its name, or %" PRIu32 " dimensions",
                       it->name, it->n_dims);
    *bytes = dtype->bytes;
    for (uint32_t d = 0; d < it->n_dims; d++)
        if (cn_mul_overflow(*bytes, (size_t)it->dims[d], bytes))
            return cn_fail(err, CN_E_LIMIT, "tensor %s is over 2^64 bytes", it->name);
    return CN_OK;
}

static void describe(cn_buf *h, const safetensors_item *it, size_t from, size_t to)
{
    cn_buf_putc(h, ',');
    cn_buf_json(h, cn_str_of(it->name));
    cn_buf_printf(h, ":{\"dtype\":\"%s\",\"shape\":[", st_dtype_of(it->type)->name);
    for (uint32_t d = it->n_dims; d-- > 0;)
        cn_buf_printf(h, "%" PRIu64 "%s", it->dims[d], d ? "," : "");
    cn_buf_printf(h, "],\"data_offsets\":[%zu,%zu]}", from, to);
}

/* The items in the order of their data: by falling element size, else as given. */
static cn_status lay_out(const safetensors_item **order, cn_buf *h,
                         const safetensors_item *items, size_t n, uint64_t *data_bytes,
                         cn_err *err)
{
    size_t at = 0, k = 0;
    cn_buf_lit(h, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (uint8_t width = 8; width; width /= 2)
        for (size_t i = 0; i < n; i++) {
            size_t bytes = 0;
            cn_status st = measure(&items[i], &bytes, err);
            if (st) return st;
            if (st_dtype_of(items[i].type)->bytes != width) continue;
            if (__builtin_add_overflow(at, bytes, &at) || at > INT64_MAX)
                return cn_fail(err, CN_E_LIMIT, "the file would be over 2^63 bytes");
            describe(h, &items[i], at - bytes, at);
            order[k++] = &items[i];
        }
    *data_bytes = at;
    cn_buf_putc(h, '}');
    while (h->n % 8)
        cn_buf_putc(h, ' ');
    if (h->failed) return cn_fail(err, CN_E_NOMEM, "header of %zu tensors", n);
    return h->n > ST_MAX_HEADER ? cn_fail(err, CN_E_LIMIT, "a header of %zu bytes, at most %u",
                                          h->n, ST_MAX_HEADER)
                                : CN_OK;
}

static cn_status check_names(const safetensors_item *items, size_t n, cn_err *err)
{
    name_index names = {0};
    if (n > ST_MAX_TENSORS)
        return cn_fail(err, CN_E_LIMIT, "%zu tensors, at most %u", n, ST_MAX_TENSORS);
    cn_str *list = cn_alloc_array(n, sizeof *list);
    if (!list) return cn_fail(err, CN_E_NOMEM, "%zu names", n);
    for (size_t i = 0; i < n; i++)
        list[i] = cn_str_of(items[i].name);
    cn_status st = name_index_build(&names, list, sizeof *list, n, "tensor", err);
    name_index_deinit(&names);
    cn_free(list);
    return st;
}

typedef struct source {
    const safetensors_item *items;
    safetensors_row_fn *row;
    void *user;
} source;

static cn_status write_item(outfile *out, const safetensors_item *it, const source *s,
                            cn_err *err)
{
    size_t bytes = 0;
    cn_status st = measure(it, &bytes, err);
    if (st || it->data || bytes == 0) return st ? st : outfile_write(out, it->data, bytes, err);
    size_t row_bytes = st_dtype_of(it->type)->bytes * (it->n_dims ? (size_t)it->dims[0] : 1);
    char *row = cn_alloc_array(row_bytes, 1);
    if (!row)
        return cn_fail(err, CN_E_NOMEM, "tensor %s: a row of %zu bytes", it->name, row_bytes);
    for (size_t r = 0; r < bytes / row_bytes && !st; r++) {
        st = s->row(s->user, (size_t)(it - s->items), r, row, err);
        if (!st) st = outfile_write(out, row, row_bytes, err);
    }
    cn_free(row);
    return st;
}

static cn_status write_all(const char *path, cn_str header, uint64_t data_bytes,
                           const safetensors_item **order, size_t n, const source *s,
                           cn_err *err)
{
    outfile out;
    uint64_t n_header = header.n;
    cn_status st = outfile_open(&out, path, err);
    if (st) return st;
    st = outfile_reserve(&out, sizeof n_header + n_header + data_bytes, err);
    if (!st) st = outfile_write(&out, &n_header, sizeof n_header, err);
    if (!st) st = outfile_write(&out, header.p, header.n, err);
    for (size_t i = 0; i < n && !st; i++)
        st = write_item(&out, order[i], s, err);
    if (!st) return outfile_finish(&out, err);
    outfile_abandon(&out);
    return st;
}

cn_status safetensors_write_rows(const char *path, const safetensors_item *items, size_t n,
                                 safetensors_row_fn *row, void *user, cn_err *err)
{
    cn_buf header = {0};
    source s = {items, row, user};
    uint64_t bytes = 0;
    const safetensors_item **order = cn_alloc_array(n, sizeof *order);
    cn_status st =
        order ? check_names(items, n, err) : cn_fail(err, CN_E_NOMEM, "%zu tensors", n);
    if (!st) st = lay_out(order, &header, items, n, &bytes, err);
    if (!st) st = write_all(path, cn_buf_view(&header), bytes, order, n, &s, err);
    cn_buf_deinit(&header);
    cn_free(order);
    return st ? cn_ctx(err, st, "writing %s", path) : CN_OK;
}

cn_status safetensors_write(const char *path, const safetensors_item *items, size_t n,
                            cn_err *err)
{
    return safetensors_write_rows(path, items, n, NULL, NULL, err);
}
