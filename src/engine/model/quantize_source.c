/* Reading for the quantiser. A GGUF file is taken as it is, whatever its architecture. */
#include "quantize_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "compiler.h"
#include "mem.h"
#include "quants.h"

struct quantize_source {
    gguf *gguf;
    char *path;
    char arch[64];
};

cn_status quantize_source_open(quantize_source **out, const char *path, cn_err *err)
{
    *out = NULL;
    quantize_source *s = cn_xcalloc(1, sizeof *s);
    s->path = cn_xstrndup(path, strlen(path));
    cn_status st = gguf_open(&s->gguf, path, err);
    if (st) {
        quantize_source_close(s);
        return st;
    }
    cn_str arch = gguf_string(s->gguf, "general.architecture");
    snprintf(s->arch, sizeof s->arch, "%.*s", (int)CN_MIN(arch.n, sizeof s->arch - 1),
             arch.p ? arch.p : "");
    *out = s;
    return CN_OK;
}

void quantize_source_close(quantize_source *s)
{
    if (!s) return;
    gguf_close(s->gguf);
    cn_free(s->path);
    cn_free(s);
}

size_t quantize_source_n(const quantize_source *s)
{
    return gguf_n_tensors(s->gguf);
}

source_tensor quantize_source_at(const quantize_source *s, size_t i)
{
    const file_tensor *f = gguf_tensor_at(s->gguf, i);
    source_tensor t = {.name = f->name,
                       .type = f->type,
                       .n_dims = f->n_dims,
                       .n_rows = file_tensor_rows(f),
                       .n_cols = f->dims[0],
                       .data = f->data,
                       .size = f->size};
    memcpy(t.dims, f->dims, sizeof t.dims);
    return t;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool quantize_source_reads(const quantize_source *s, const char *path)
{
    unsigned n = (unsigned)gguf_n_parts(s->gguf) % 100000;
    size_t stem = strlen(s->path), suffix = sizeof "-00001-of-00003.gguf" - 1;
    bool found = same_file(s->path, path);
    if (n < 2 || stem < suffix) return found;
    char *part = cn_xstrndup(s->path, stem);
    for (unsigned i = 1; i <= n && !found; i++) {
        snprintf(part + stem - suffix, suffix + 1, "-%05u-of-%05u.gguf", i, n);
        found = same_file(part, path);
    }
    cn_free(part);
    return found;
}

void quantize_source_row(const quantize_source *s, const source_tensor *t, uint64_t row,
                         float *out)
{
    (void)s;
    size_t row_bytes = cn_dtype_row_bytes(t->type, t->n_cols);
    const char *at = t->data;
    kern_mat m = {.type = t->type,
                  .n_rows = 1,
                  .n_cols = (uint32_t)t->n_cols,
                  .row_bytes = row_bytes,
                  .data = at + row * row_bytes,
                  .aux = at + t->n_rows * row_bytes,
                  .row0 = row};
    quant_row_to_f32(&m, 0, out);
}

void quantize_source_put_metadata(const quantize_source *s, gguf_writer *w)
{
    for (size_t i = 0; i < gguf_n_values(s->gguf); i++)
        gguf_put_value(w, gguf_value_at(s->gguf, i));
}

static uint32_t number(const quantize_source *s, const char *rest, uint32_t fallback)
{
    char key[128];
    snprintf(key, sizeof key, "%s.%s", s->arch, rest);
    uint64_t v = gguf_uint(s->gguf, key, fallback);
    return v > UINT32_MAX ? fallback : (uint32_t)v;
}

uint32_t quantize_source_layers(const quantize_source *s)
{
    return number(s, "block_count", 0);
}

uint32_t quantize_source_gqa(const quantize_source *s)
{
    uint32_t heads = number(s, "attention.head_count", 1),
             shared = number(s, "attention.head_count_kv", heads);
    return shared ? heads / shared : 1;
}

bool quantize_source_is_tied(const quantize_source *s)
{
    return !gguf_tensor(s->gguf, "output.weight");
}
