/* The sorted index of names. */
#include "names_priv.h"

#include <stdlib.h>

#include "mem.h"
#include "utf8.h"

/* Any total order will do; lengths decide most comparisons at once. */
static int order(cn_str a, cn_str b)
{
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

static int order_entries(const void *a, const void *b)
{
    return order(((const name_entry *)a)->name, ((const name_entry *)b)->name);
}

cn_status name_index_build(name_index *out, const cn_str *first, size_t stride, size_t n,
                           const char *what, cn_err *err)
{
    *out = (name_index){cn_alloc_array(n, sizeof *out->entries), n};
    if (!out->entries) return cn_fail(err, CN_E_NOMEM, "index of %zu names", n);
    for (size_t i = 0; i < n; i++) {
        const void *at = (const char *)first + i * stride;
        out->entries[i] = (name_entry){*(const cn_str *)at, (uint32_t)i};
    }
    qsort(out->entries, n, sizeof *out->entries, order_entries);
    for (size_t i = 1; i < n; i++) {
        cn_str name = out->entries[i].name;
        if (cn_str_eq(name, out->entries[i - 1].name))
            return cn_fail(err, CN_E_FORMAT, "%s %.*s occurs twice", what, CN_STR_ARG(name));
    }
    return CN_OK;
}

void name_index_deinit(name_index *x)
{
    cn_free(x->entries);
    *x = (name_index){0};
}

size_t name_index_find(const name_index *x, cn_str name)
{
    size_t from = 0, to = x->n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        int o = order(name, x->entries[mid].name);
        if (o == 0) return x->entries[mid].at;
        if (o < 0)
            to = mid;
        else
            from = mid + 1;
    }
    return SIZE_MAX;
}

bool name_is_clean(cn_str name, size_t max_bytes)
{
    if (name.n == 0 || name.n > max_bytes || !cn_utf8_valid(name.p, name.n)) return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f) return false;
    return true;
}
