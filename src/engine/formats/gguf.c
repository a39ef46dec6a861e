/* GGUF models: the parts of a file joined, and the questions one asks about it. */
#include "gguf.h"

#include <inttypes.h>
#include <stdio.h>

#include "compiler.h"
#include "file.h"
#include "gguf_file_priv.h"
#include "mem.h"

#define PART_SUFFIX_BYTES 20 /* "-00001-of-00003.gguf" */

struct gguf {
    gguf_file *parts; /* owned, in their order */
    size_t n_parts;
    const file_tensor **tensors; /* owned table over all parts */
    cn_str *names;               /* of the tensors, in the same order */
    size_t n_tensors;
    name_index by_name;
};

/* Metadata and the tensor table of any known model lie within; so large a mapping is to be had
 * even where the whole file is not. */
#define HEAD_BYTES ((size_t)64 << 20)

static cn_status open_part(gguf_file *f, const char *path, bool head, cn_err *err)
{
    size_t file_size;
    cn_status st =
        cn_map_open_head(&f->map, path, head ? HEAD_BYTES : SIZE_MAX, &file_size, err);
    if (!st) st = gguf_file_parse(f, f->map.base, f->map.size, file_size, err);
    return st ? cn_ctx(err, st, "reading %s", path) : CN_OK;
}

/* The value of a "split." key, 0 when absent. */
static uint64_t split_value(const gguf_file *f, const char *key)
{
    const gguf_value *v = gguf_file_find(f, cn_str_of(key));
    uint64_t u;
    return v && gguf_value_uint(v, &u) ? u : 0;
}

static void part_suffix(char out[64], uint64_t index, uint64_t count)
{
    snprintf(out, 64, "-%05" PRIu64 "-of-%05" PRIu64 ".gguf", index + 1, count);
}

static cn_status open_sibling(gguf_file *f, const char *path, bool head, uint64_t index,
                              uint64_t count, cn_err *err)
{
    char suffix[64];
    cn_buf name = {0};
    part_suffix(suffix, index, count);
    cn_buf_append(&name, path, strlen(path) - PART_SUFFIX_BYTES);
    cn_buf_str(&name, cn_str_of(suffix));
    cn_status st = name.failed ? cn_fail(err, CN_E_NOMEM, "path of part %" PRIu64, index + 1)
                               : open_part(f, name.p, head, err);
    uint64_t no = split_value(f, "split.no"), of = split_value(f, "split.count");
    if (!st && (no != index || of != count))
        st = cn_fail(err, CN_E_MISMATCH,
                     "%s says it is part %" PRIu64 " of %" PRIu64 ", want %" PRIu64
                     " of %" PRIu64,
                     name.p, no + 1, of, index + 1, count);
    cn_buf_deinit(&name);
    return st;
}

/* `given` is the one part at hand; it moves to its place among the others. */
static cn_status open_parts(gguf *g, gguf_file *given, const char *path, bool head, cn_err *err)
{
    uint64_t count = CN_MAX(split_value(given, "split.count"), 1);
    uint64_t index = split_value(given, "split.no");
    char suffix[64];
    part_suffix(suffix, index, count);
    if (count > GGUF_MAX_PARTS || index >= count)
        return cn_fail(err, CN_E_FORMAT, "part %" PRIu64 " of %" PRIu64 ", at most %u parts",
                       index + 1, count, GGUF_MAX_PARTS);
    if (count > 1 && path && !cn_str_ends(cn_str_of(path), cn_str_of(suffix))) {
        cn_status st =
            cn_fail(err, CN_E_MISMATCH,
                    "%s is part %" PRIu64 " of %" PRIu64 ", but its name does not end in %s",
                    path, index + 1, count, suffix);
        return cn_next(err, st, "give the parts back the names they were published with");
    }
    if (!path) { /* bytes in memory stand alone */
        count = 1;
        index = 0;
    }
    g->parts = cn_alloc_array((size_t)count, sizeof *g->parts);
    if (!g->parts) return cn_fail(err, CN_E_NOMEM, "%" PRIu64 " parts", count);
    g->n_parts = (size_t)count;
    g->parts[index] = *given;
    *given = (gguf_file){0};
    cn_status st = CN_OK;
    for (uint64_t i = 0; i < count && !st; i++)
        if (i != index) st = open_sibling(&g->parts[i], path, head, i, count, err);
    return st;
}

static cn_status index_tensors(gguf *g, cn_err *err)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < g->n_parts; i++)
        n += g->parts[i].n_tensors;
    uint64_t want = split_value(&g->parts[0], "split.tensors.count");
    if (n > GGUF_MAX_TENSORS)
        return cn_fail(err, CN_E_LIMIT, "%zu tensors, at most %u", n, GGUF_MAX_TENSORS);
    if (g->n_parts > 1 && want && want != n)
        return cn_fail(err, CN_E_MISMATCH, "the parts hold %zu tensors, want %" PRIu64, n,
                       want);
    g->tensors = cn_alloc_array(n, sizeof *g->tensors);
    g->names = cn_alloc_array(n, sizeof *g->names);
    if (!g->tensors || !g->names) return cn_fail(err, CN_E_NOMEM, "%zu tensors", n);
    for (size_t i = 0; i < g->n_parts; i++)
        for (size_t j = 0; j < g->parts[i].n_tensors; j++, at++) {
            g->tensors[at] = &g->parts[i].tensors[j];
            g->names[at] = g->tensors[at]->name;
        }
    g->n_tensors = n;
    return name_index_build(&g->by_name, g->names, sizeof *g->names, n, "tensor", err);
}

/* Takes `given` over in any case. */
static cn_status assemble(gguf **out, gguf_file *given, const char *path, bool head,
                          cn_err *err)
{
    gguf *g = cn_xcalloc(1, sizeof *g);
    cn_status st = open_parts(g, given, path, head, err);
    if (!st) st = index_tensors(g, err);
    gguf_file_deinit(given); /* empty once it has moved */
    if (st) {
        gguf_close(g);
        return st;
    }
    *out = g;
    return CN_OK;
}

static cn_status open_any(gguf **out, const char *path, bool head, cn_err *err)
{
    gguf_file f = {0};
    *out = NULL;
    cn_status st = open_part(&f, path, head, err);
    if (st) {
        gguf_file_deinit(&f);
        return st;
    }
    st = assemble(out, &f, path, head, err);
    return st ? cn_ctx(err, st, "opening %s", path) : CN_OK;
}

cn_status gguf_open(gguf **out, const char *path, cn_err *err)
{
    return open_any(out, path, false, err);
}

cn_status gguf_open_head(gguf **out, const char *path, cn_err *err)
{
    return open_any(out, path, true, err);
}

cn_status gguf_parse(gguf **out, const void *bytes, size_t size, cn_err *err)
{
    gguf_file f = {0};
    *out = NULL;
    cn_status st = gguf_file_parse(&f, bytes, size, size, err);
    if (st) {
        gguf_file_deinit(&f);
        return st;
    }
    return assemble(out, &f, NULL, false, err);
}

void gguf_close(gguf *g)
{
    if (!g) return;
    for (size_t i = 0; i < g->n_parts; i++)
        gguf_file_deinit(&g->parts[i]);
    cn_free(g->parts);
    cn_free(g->tensors);
    cn_free(g->names);
    name_index_deinit(&g->by_name);
    cn_free(g);
}

uint32_t gguf_version(const gguf *g)
{
    return g->parts[0].version;
}

size_t gguf_file_bytes(const gguf *g)
{
    size_t sum = 0;
    for (size_t i = 0; i < g->n_parts; i++)
        sum += g->parts[i].size;
    return sum;
}

size_t gguf_n_parts(const gguf *g)
{
    return g->n_parts;
}

size_t gguf_n_values(const gguf *g)
{
    return g->parts[0].n_values;
}

const gguf_value *gguf_value_at(const gguf *g, size_t i)
{
    return i < g->parts[0].n_values ? &g->parts[0].values[i] : NULL;
}

const gguf_value *gguf_find(const gguf *g, const char *key)
{
    return gguf_file_find(&g->parts[0], cn_str_of(key));
}

size_t gguf_n_tensors(const gguf *g)
{
    return g->n_tensors;
}

const file_tensor *gguf_tensor_at(const gguf *g, size_t i)
{
    return i < g->n_tensors ? g->tensors[i] : NULL;
}

const file_tensor *gguf_tensor(const gguf *g, const char *name)
{
    return gguf_tensor_at(g, name_index_find(&g->by_name, cn_str_of(name)));
}
