/* safetensors models: a file, or the shards of a folder joined by their index. */
#include "safetensors.h"

#include <stdlib.h>

#include "file.h"
#include "mem.h"
#include "safetensors_file_priv.h"

#define MAX_INDEX_BYTES ((size_t)16 << 20)

struct safetensors {
    st_file *shards; /* owned */
    size_t n_shards;
    const file_tensor **tensors; /* owned table over all shards */
    cn_str *names;               /* of the tensors, in the same order */
    size_t n;
    name_index by_name;
};

static cn_status alloc_shards(safetensors *s, size_t n, cn_err *err)
{
    s->shards = cn_alloc_array(n, sizeof *s->shards);
    s->n_shards = s->shards ? n : 0;
    return s->shards ? CN_OK : cn_fail(err, CN_E_NOMEM, "%zu shards", n);
}

static cn_status alloc_tables(safetensors *s, size_t n, cn_err *err)
{
    s->tensors = cn_alloc_array(n, sizeof *s->tensors);
    s->names = cn_alloc_array(n, sizeof *s->names);
    return s->tensors && s->names ? CN_OK : cn_fail(err, CN_E_NOMEM, "%zu tensors", n);
}

static void add(safetensors *s, const file_tensor *t)
{
    s->tensors[s->n] = t;
    s->names[s->n++] = t->name;
}

static cn_status index_names(safetensors *s, cn_err *err)
{
    return name_index_build(&s->by_name, s->names, sizeof *s->names, s->n, "tensor", err);
}

static cn_status take_all(safetensors *s, cn_err *err)
{
    const st_file *f = &s->shards[0];
    cn_status st = alloc_tables(s, f->n, err);
    if (st) return st;
    for (size_t i = 0; i < f->n; i++)
        add(s, &f->tensors[i]);
    return index_names(s, err);
}

/* One line of the index: a tensor and the file that holds it; both borrowed from the JSON. */
typedef struct placement {
    cn_str file, tensor;
} placement;

static int order_placements(const void *a, const void *b)
{
    cn_str x = ((const placement *)a)->file, y = ((const placement *)b)->file;
    int o = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);
    return o ? o : (x.n > y.n) - (x.n < y.n);
}

/* A plain name of a file in the same folder. */
static bool is_plain_name(cn_str s)
{
    return name_is_clean(s, 255) && !memchr(s.p, '/', s.n) && s.p[0] != '.';
}

static cn_status read_placements(placement *out, const cn_json *map, size_t *n_files,
                                 cn_err *err)
{
    size_t n = 0;
    for (cn_json_member m = cn_json_first(map); m.value; m = cn_json_next(map, m)) {
        out[n] = (placement){cn_json_str(m.value), m.key};
        if (!name_is_clean(m.key, ST_MAX_NAME) || !out[n].file.p || !is_plain_name(out[n].file))
            return cn_fail(err, CN_E_FORMAT,
                           "weight_map entry %zu of %zu names no file of this folder", n + 1,
                           cn_json_size(map));
        n++;
    }
    qsort(out, n, sizeof *out, order_placements);
    *n_files = n > 0;
    for (size_t i = 1; i < n; i++)
        *n_files += !cn_str_eq(out[i].file, out[i - 1].file);
    if (*n_files > ST_MAX_SHARDS)
        return cn_fail(err, CN_E_LIMIT, "%zu shards, at most %u", *n_files, ST_MAX_SHARDS);
    return CN_OK;
}

static cn_status open_shard(st_file *f, const char *folder, cn_str name, cn_err *err)
{
    char *plain = cn_xstrndup(name.p, name.n), *path = cn_path_join(folder, plain);
    cn_status st = st_file_open(f, path, err);
    cn_free(path);
    cn_free(plain);
    return st;
}

static int order_by_address(const void *a, const void *b)
{
    const file_tensor *x = *(const file_tensor *const *)a, *y = *(const file_tensor *const *)b;
    return x < y ? -1 : x > y;
}

/* Puts the tensors of one shard (added since `first`) into the order of their bytes. */
static void sort_shard(safetensors *s, size_t first)
{
    qsort(s->tensors + first, s->n - first, sizeof *s->tensors, order_by_address);
    for (size_t i = first; i < s->n; i++)
        s->names[i] = s->tensors[i]->name;
}

/* Opens each shard once, as the placements come ordered by file. */
static cn_status take_placed(safetensors *s, const char *folder, const placement *p, size_t n,
                             cn_err *err)
{
    size_t first = 0, shard = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !cn_str_eq(p[i].file, p[i - 1].file)) {
            sort_shard(s, first);
            first = s->n;
            cn_status st = open_shard(&s->shards[++shard], folder, p[i].file, err);
            if (st) return st;
        }
        const file_tensor *t = st_file_find(&s->shards[shard], p[i].tensor);
        if (!t)
            return cn_fail(err, CN_E_MISMATCH, "%.*s does not hold tensor %.*s of the index",
                           CN_STR_ARG(p[i].file), CN_STR_ARG(p[i].tensor));
        add(s, t);
    }
    sort_shard(s, first);
    return index_names(s, err);
}

static cn_status read_index(safetensors *s, const char *folder, const cn_json *root,
                            cn_err *err)
{
    const cn_json *map = cn_json_get(root, "weight_map");
    size_t n = cn_json_size(map), n_files = 0;
    if (cn_json_kind_of(map) != CN_JSON_OBJECT || n == 0)
        return cn_fail(err, CN_E_FORMAT, "the index has no weight_map");
    if (n > ST_MAX_TENSORS)
        return cn_fail(err, CN_E_LIMIT, "%zu tensors, at most %u", n, ST_MAX_TENSORS);
    placement *p = cn_alloc_array(n, sizeof *p);
    cn_status st = p ? CN_OK : cn_fail(err, CN_E_NOMEM, "index of %zu tensors", n);
    if (!st) st = read_placements(p, map, &n_files, err);
    if (!st) st = alloc_shards(s, n_files, err);
    if (!st) st = alloc_tables(s, n, err);
    if (!st) st = take_placed(s, folder, p, n, err);
    cn_free(p);
    return st;
}

static cn_status open_index(safetensors *s, const char *folder, const char *path, cn_err *err)
{
    cn_json *root = NULL;
    cn_status st = cn_json_read_file(&root, path, MAX_INDEX_BYTES, err);
    if (!st) st = read_index(s, folder, root, err);
    cn_json_free(root);
    return st;
}

static cn_status open_single(safetensors *s, const char *path, cn_err *err)
{
    cn_status st = alloc_shards(s, 1, err);
    if (!st) st = st_file_open(&s->shards[0], path, err);
    return st ? st : take_all(s, err);
}

static cn_status open_folder(safetensors *s, const char *folder, cn_err *err)
{
    char *single = cn_path_join(folder, "model.safetensors");
    char *index = cn_path_join(folder, "model.safetensors.index.json");
    cn_status st;
    if (cn_is_file(single))
        st = open_single(s, single, err);
    else if (cn_is_file(index))
        st = open_index(s, folder, index, err);
    else
        st = cn_fail(err, CN_E_NOT_FOUND,
                     "%s holds neither model.safetensors nor model.safetensors.index.json",
                     folder);
    cn_free(single);
    cn_free(index);
    return st;
}

cn_status safetensors_open(safetensors **out, const char *path, cn_err *err)
{
    safetensors *s = cn_xcalloc(1, sizeof *s);
    cn_status st = cn_is_dir(path) ? open_folder(s, path, err) : open_single(s, path, err);
    *out = st ? NULL : s;
    if (st) safetensors_close(s);
    return st ? cn_ctx(err, st, "opening %s", path) : CN_OK;
}

cn_status safetensors_parse(safetensors **out, const void *bytes, size_t size, cn_err *err)
{
    safetensors *s = cn_xcalloc(1, sizeof *s);
    cn_status st = alloc_shards(s, 1, err);
    if (!st) st = st_file_parse(&s->shards[0], bytes, size, err);
    if (!st) st = take_all(s, err);
    *out = st ? NULL : s;
    if (st) safetensors_close(s);
    return st;
}

void safetensors_close(safetensors *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->n_shards; i++)
        st_file_deinit(&s->shards[i]);
    cn_free(s->shards);
    cn_free(s->tensors);
    cn_free(s->names);
    name_index_deinit(&s->by_name);
    cn_free(s);
}

size_t safetensors_n(const safetensors *s)
{
    return s->n;
}

size_t safetensors_file_bytes(const safetensors *s)
{
    size_t sum = 0;
    for (size_t i = 0; i < s->n_shards; i++)
        sum += s->shards[i].size;
    return sum;
}

const file_tensor *safetensors_at(const safetensors *s, size_t i)
{
    return i < s->n ? s->tensors[i] : NULL;
}

const file_tensor *safetensors_find(const safetensors *s, const char *name)
{
    return safetensors_at(s, name_index_find(&s->by_name, cn_str_of(name)));
}
