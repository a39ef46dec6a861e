/* Reading for the quantiser. A GGUF file is taken as it is, whatever its architecture; a
 * Hugging Face folder must be of an architecture that this program knows, as names, order of
 * rows and metadata change on the way. */
#include "quantize_source.h"

#include <stdio.h>
#include <sys/stat.h>

#include "compiler.h"
#include "file.h"
#include "mem.h"
#include "quantize_meta.h"
#include "quants.h"
#include "weights.h"

struct quantize_source {
    char *path;
    gguf *gguf; /* or else */
    weights *folder;
    const quantize_feed *feed;
    float *rope_freqs; /* a folder's further tensor: GGUF has Llama 3's scaling as a table */
};

static cn_status open_folder(quantize_source *s, cn_err *err)
{
    cn_status st = weights_open(&s->folder, s->path, err);
    if (st) return st;
    const hparams *hp = weights_hparams(s->folder);
    if (hp->rope_factor == 0) return CN_OK;
    s->rope_freqs = cn_alloc_array(hp->n_rot / 2, sizeof *s->rope_freqs);
    if (!s->rope_freqs) return cn_fail(err, CN_E_NOMEM, "table of %u angles", hp->n_rot / 2);
    quantize_rope_freqs(hp, s->rope_freqs);
    return CN_OK;
}

cn_status quantize_source_open(quantize_source **out, const char *path, cn_err *err)
{
    quantize_source *s = cn_xcalloc(1, sizeof *s);
    s->path = cn_xstrndup(path, strlen(path));
    cn_status st = cn_is_dir(path) ? open_folder(s, err) : gguf_open(&s->gguf, path, err);
    *out = st ? NULL : s;
    if (st) quantize_source_close(s);
    return st;
}

quantize_source *quantize_source_over(const quantize_feed *f)
{
    quantize_source *s = cn_xcalloc(1, sizeof *s);
    s->feed = f;
    return s;
}

void quantize_source_close(quantize_source *s)
{
    if (!s) return;
    gguf_close(s->gguf);
    weights_close(s->folder);
    cn_free(s->rope_freqs);
    cn_free(s->path);
    cn_free(s);
}

size_t quantize_source_n(const quantize_source *s)
{
    if (s->feed) return s->feed->n;
    return s->gguf ? gguf_n_tensors(s->gguf) : weights_n(s->folder) + (s->rope_freqs ? 1 : 0);
}

static source_tensor rope_tensor(const quantize_source *s)
{
    uint64_t n = weights_hparams(s->folder)->n_rot / 2;
    return (source_tensor){.name = CN_STR("rope_freqs.weight"),
                           .type = CN_F32,
                           .n_dims = 1,
                           .dims = {n, 1, 1, 1},
                           .n_rows = 1,
                           .n_cols = n,
                           .data = s->rope_freqs,
                           .size = (size_t)n * sizeof(float),
                           .as_is = true};
}

static source_tensor folder_tensor(const weight *w)
{
    return (source_tensor){.name = cn_str_of(w->name),
                           .type = w->type,
                           .n_dims = w->n_dims < 2 ? 1 : 2,
                           .dims = {w->n_cols, w->n_rows, 1, 1},
                           .n_rows = w->n_rows,
                           .n_cols = w->n_cols,
                           .data = w->data,
                           .size = w->size,
                           .as_is = !w->transposed && !w->rotary_heads,
                           .weight = w};
}

source_tensor quantize_source_at(const quantize_source *s, size_t i)
{
    if (s->feed) return s->feed->at(s->feed->user, i);
    if (s->folder && i == weights_n(s->folder)) return rope_tensor(s);
    if (s->folder) return folder_tensor(weights_at(s->folder, i));
    const file_tensor *f = gguf_tensor_at(s->gguf, i);
    source_tensor t = {.name = f->name,
                       .type = f->type,
                       .n_dims = f->n_dims,
                       .n_rows = file_tensor_rows(f),
                       .n_cols = f->dims[0],
                       .data = f->data,
                       .size = f->size,
                       .as_is = true};
    memcpy(t.dims, f->dims, sizeof t.dims);
    return t;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The other parts of "name-00001-of-00003.gguf". */
static bool is_part(const quantize_source *s, const char *path)
{
    unsigned n = (unsigned)gguf_n_parts(s->gguf) % 100000;
    size_t stem = strlen(s->path), suffix = sizeof "-00001-of-00003.gguf" - 1;
    bool found = false;
    if (n < 2 || stem < suffix) return false;
    char *part = cn_xstrndup(s->path, stem);
    for (unsigned i = 1; i <= n && !found; i++) {
        snprintf(part + stem - suffix, suffix + 1, "-%05u-of-%05u.gguf", i, n);
        found = same_file(part, path);
    }
    cn_free(part);
    return found;
}

bool quantize_source_reads(const quantize_source *s, const char *path)
{
    if (s->feed) return false;
    if (same_file(s->path, path)) return true;
    if (s->gguf) return is_part(s, path);
    /* any file of the folder but a GGUF file may be one that is read */
    char *beside = cn_path_join(s->path, cn_path_base(path));
    bool found = same_file(beside, path) && !cn_str_ends(cn_str_of(path), CN_STR(".gguf"));
    cn_free(beside);
    return found;
}

/* The order that weight_rows_to_f32() gives to the rows of a matrix, for its bias. */
static void interleave(float *x, uint64_t n, uint32_t heads)
{
    uint64_t dim = n / heads;
    float *was = cn_xmalloc((size_t)n * sizeof *was);
    memcpy(was, x, (size_t)n * sizeof *was);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t r = i % dim;
        x[i] = was[i - r + (r % 2) * (dim / 2) + r / 2];
    }
    cn_free(was);
}

void quantize_source_row(const quantize_source *s, const source_tensor *t, uint64_t row,
                         float *out)
{
    if (s->feed) {
        s->feed->row(s->feed->user, t->index, row, out);
        return;
    }
    if (t->weight) {
        uint32_t heads = t->weight->rotary_heads;
        weight_rows_to_f32(t->weight, row, 1, out);
        if (heads && t->n_dims == 1 && t->n_cols % heads == 0)
            interleave(out, t->n_cols, heads);
        return;
    }
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

cn_status quantize_source_put_metadata(const quantize_source *s, gguf_writer *w, cn_err *err)
{
    if (s->feed) return s->feed->put_metadata(s->feed->user, w, err);
    if (s->folder) {
        const hparams *hp = weights_hparams(s->folder);
        quantize_put_hparams(w, hp);
        return quantize_put_vocab(w, s->path, hp->n_vocab, err);
    }
    for (size_t i = 0; i < gguf_n_values(s->gguf); i++)
        gguf_put_value(w, gguf_value_at(s->gguf, i));
    return CN_OK;
}

static uint32_t number(const quantize_source *s, const char *rest, uint32_t fallback)
{
    cn_str arch = gguf_string(s->gguf, "general.architecture");
    char key[128];
    snprintf(key, sizeof key, "%.*s.%s", (int)CN_MIN(arch.n, 64), arch.p ? arch.p : "", rest);
    uint64_t v = gguf_uint(s->gguf, key, fallback);
    return v > UINT32_MAX ? fallback : (uint32_t)v;
}

uint32_t quantize_source_layers(const quantize_source *s)
{
    if (s->feed) return s->feed->n_layers;
    return s->folder ? weights_hparams(s->folder)->n_layers : number(s, "block_count", 0);
}

uint32_t quantize_source_gqa(const quantize_source *s)
{
    if (s->feed) return s->feed->gqa;
    const hparams *hp = s->folder ? weights_hparams(s->folder) : NULL;
    uint32_t heads = hp ? hp->n_heads : number(s, "attention.head_count", 1),
             shared = hp ? hp->n_kv_heads : number(s, "attention.head_count_kv", heads);
    return shared ? heads / shared : 1;
}

bool quantize_source_is_tied(const quantize_source *s)
{
    if (s->feed) return s->feed->tied;
    return s->folder ? !weights_find(s->folder, "output.weight")
                     : !gguf_tensor(s->gguf, "output.weight");
}
