/* Quantising a whole model, a slab of rows at a time: rows are read as f32, written as blocks,
 * and read back to tell the error. Only NF4_DQ needs a tensor whole, as its scales are made of
 * all of it. */
#include <conatus/quantize.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "buf.h"
#include "compiler.h"
#include "file.h"
#include "mem.h"
#include "pool.h"
#include "quant_mix.h"
#include "quantize_source.h"
#include "quants.h"

#define SLAB_BYTES ((size_t)8 << 20)

/* What one thread knows of a tensor. */
typedef struct tally {
    double sum_error2, sum2, max_error;
    uint64_t n;
} tally;

/* Memory that grows and never shrinks. */
typedef struct room {
    void *p;
    size_t bytes;
} room;

typedef struct job {
    const quantize_source *source;
    gguf_writer *out;
    cn_pool *pool;
    size_t n_threads;
    cn_dtype *types; /* of each tensor */
    float *rows;     /* of each thread two: as it was, as it is now */
    size_t max_cols;
    tally *tallies;    /* of each thread */
    room slab, absmax; /* rows as written; NF4_DQ: a float for each block */

    source_tensor t; /* the one that is worked on */
    cn_dtype to;
    size_t row_bytes;         /* of `to` */
    uint64_t row0, slab_rows; /* the rows now in `slab` */
    bool write, measure;      /* what a pass over the slab does */
    bool is_told;             /* somebody hears about the errors */
} job;

/* Weights that were not finite have no distance to what became of them. */
static void compare(tally *t, const float *was, const float *is, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(was[i])) continue;
        double error = fabs((double)is[i] - (double)was[i]);
        t->sum_error2 += error * error;
        t->sum2 += (double)was[i] * (double)was[i];
        t->max_error = fmax(t->max_error, error);
        t->n++;
    }
}

static void write_row(job *j, uint64_t r, const float *x)
{
    size_t n = (size_t)j->t.n_cols;
    char *out = (char *)j->slab.p + r * j->row_bytes;
    if (j->to == CN_NF4_DQ)
        quant_row_to_nf4_dq(x, n, out, (float *)j->absmax.p + r * (n / 64));
    else
        quant_row_from_f32(j->to, x, n, out);
}

/* What has the type already loses nothing. */
static bool is_copy(const job *j)
{
    return j->t.as_is && j->to == j->t.type;
}

static void work(void *job_, unsigned index, unsigned n_threads)
{
    job *j = job_;
    float *was = j->rows + 2 * j->max_cols * index, *is = was + j->max_cols;
    size_t from, to;
    cn_pool_part((size_t)j->slab_rows, 1, index, n_threads, &from, &to);
    kern_mat m = {.type = j->to,
                  .n_rows = (uint32_t)j->slab_rows,
                  .n_cols = (uint32_t)j->t.n_cols,
                  .row_bytes = j->row_bytes,
                  .data = j->slab.p,
                  .aux = j->slab.p ? (char *)j->slab.p + j->slab_rows * j->row_bytes : NULL};
    for (size_t r = from; r < to; r++) {
        quantize_source_row(j->source, &j->t, j->row0 + r, was);
        if (j->write) write_row(j, r, was);
        if (!j->measure) continue;
        if (!is_copy(j)) quant_row_to_f32(&m, r, is);
        compare(&j->tallies[index], was, is_copy(j) ? was : is, (size_t)j->t.n_cols);
    }
}

static void pass(job *j, bool write, bool measure)
{
    j->write = write;
    j->measure = measure && j->is_told;
    if (j->write || j->measure) cn_pool_run(j->pool, work, j);
}

static cn_status grow(room *r, size_t n, size_t size, const char *what, cn_err *err)
{
    size_t bytes;
    bool big = cn_mul_overflow(n, size, &bytes);
    if (!big && bytes <= r->bytes) return CN_OK;
    cn_free(r->p);
    r->p = big ? NULL : cn_alloc_array(bytes, 1);
    r->bytes = r->p ? bytes : 0;
    return r->p ? CN_OK : cn_fail(err, CN_E_NOMEM, "%zu %s of %zu bytes", n, what, size);
}

static cn_status copy_tensor(job *j, cn_err *err)
{
    j->row0 = 0;
    j->slab_rows = j->t.n_rows;
    if (quant_is_weight_type(j->to)) pass(j, false, true);
    return gguf_write_data(j->out, j->t.data, j->t.size, err);
}

static cn_status write_slabs(job *j, cn_err *err)
{
    uint64_t step = CN_MAX(SLAB_BYTES / j->row_bytes, 1);
    cn_status st = grow(&j->slab, (size_t)CN_MIN(step, j->t.n_rows), j->row_bytes, "rows", err);
    for (j->row0 = 0; j->row0 < j->t.n_rows && !st; j->row0 += step) {
        j->slab_rows = CN_MIN(step, j->t.n_rows - j->row0);
        pass(j, true, true);
        st = gguf_write_data(j->out, j->slab.p, (size_t)j->slab_rows * j->row_bytes, err);
    }
    return st;
}

static cn_status write_whole(job *j, cn_err *err)
{
    size_t bytes = cn_dtype_tensor_bytes(j->to, j->t.n_rows, j->t.n_cols),
           n_blocks = (size_t)(j->t.n_rows * (j->t.n_cols / 64));
    cn_status st = grow(&j->slab, 1, bytes, "tensor", err);
    if (!st) st = grow(&j->absmax, n_blocks, sizeof(float), "scales", err);
    if (st) return st;
    j->row0 = 0;
    j->slab_rows = j->t.n_rows;
    pass(j, true, false);
    quant_finish_nf4_dq(j->slab.p, n_blocks, j->absmax.p);
    pass(j, false, true);
    return gguf_write_data(j->out, j->slab.p, bytes, err);
}

static cn_quantized_tensor report(const job *j, const char *name)
{
    tally sum = {0};
    for (size_t i = 0; i < j->n_threads; i++) {
        const tally *t = &j->tallies[i];
        sum.sum_error2 += t->sum_error2;
        sum.sum2 += t->sum2;
        sum.max_error = fmax(sum.max_error, t->max_error);
        sum.n += t->n;
    }
    double n = sum.n ? (double)sum.n : 1;
    return (cn_quantized_tensor){
        .name = name,
        .from = j->t.type,
        .to = j->to,
        .n_elements = j->t.n_rows * j->t.n_cols,
        .bytes = cn_dtype_tensor_bytes(j->to, j->t.n_rows, j->t.n_cols),
        .rmse = sqrt(sum.sum_error2 / n),
        .max_error = sum.max_error,
        .rms = sqrt(sum.sum2 / n),
    };
}

static cn_status write_tensor(job *j, size_t i, char name[256], cn_quantized_tensor *done,
                              cn_err *err)
{
    j->t = quantize_source_at(j->source, i);
    j->to = j->types[i];
    j->row_bytes = cn_dtype_row_bytes(j->to, j->t.n_cols);
    memset(j->tallies, 0, j->n_threads * sizeof *j->tallies);
    cn_status st = is_copy(j)           ? copy_tensor(j, err)
                   : j->to == CN_NF4_DQ ? write_whole(j, err)
                                        : write_slabs(j, err);
    snprintf(name, 256, "%.*s", (int)j->t.name.n, j->t.name.p);
    *done = report(j, name);
    return st ? cn_ctx(err, st, "tensor %s", name) : CN_OK;
}

static cn_status write_tensors(job *j, const cn_quantize_options *o, cn_err *err)
{
    uint64_t total = 0, read = 0;
    size_t n = quantize_source_n(j->source);
    for (size_t i = 0; i < n; i++)
        total += quantize_source_at(j->source, i).size;
    for (size_t i = 0; i < n; i++) {
        char name[256];
        cn_quantized_tensor done;
        cn_status st = write_tensor(j, i, name, &done, err);
        if (st) return st;
        read += j->t.size;
        if (o->on_tensor && !o->on_tensor(o->user, &done, read, total))
            return cn_fail(err, CN_E_CANCELLED, "stopped after %zu of %zu tensors", i + 1, n);
    }
    return CN_OK;
}

/* Chooses the types and announces the tensors. */
static cn_status plan(job *j, const quant_mix *mix, cn_err *err)
{
    size_t n = quantize_source_n(j->source);
    j->types = cn_alloc_array(n, sizeof *j->types);
    if (!j->types) return cn_fail(err, CN_E_NOMEM, "types of %zu tensors", n);
    quant_place p = {.n_layers = quantize_source_layers(j->source),
                     .gqa = quantize_source_gqa(j->source),
                     .tied = quantize_source_is_tied(j->source)};
    for (size_t i = 0; i < n; i++) {
        source_tensor t = quantize_source_at(j->source, i);
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)t.name.n, t.name.p);
        if (t.n_cols > INT32_MAX)
            return cn_fail(err, CN_E_LIMIT, "tensor %s: rows of %" PRIu64 " weights", name,
                           t.n_cols);
        p.name = t.name;
        p.n_dims = t.n_dims;
        p.n_cols = t.n_cols;
        j->types[i] = quant_is_weight_type(t.type) ? quant_mix_type(mix, &p) : t.type;
        j->max_cols = CN_MAX(j->max_cols, (size_t)t.n_cols);
        cn_status st = gguf_put_tensor(j->out, name, j->types[i], t.n_dims, t.dims, err);
        if (st) return st;
    }
    return CN_OK;
}

static cn_status prepare_threads(job *j, unsigned n_threads, cn_err *err)
{
    cn_status st = cn_pool_new(&j->pool, n_threads, err);
    if (st) return st;
    j->n_threads = cn_pool_size(j->pool);
    size_t n = 0;
    bool big = cn_mul_overflow(2 * j->n_threads, j->max_cols, &n);
    j->rows = big ? NULL : cn_alloc_array(n, sizeof *j->rows);
    j->tallies = cn_alloc_array(j->n_threads, sizeof *j->tallies);
    return j->rows && j->tallies
               ? CN_OK
               : cn_fail(err, CN_E_NOMEM, "rows of %zu weights for %zu threads", j->max_cols,
                         j->n_threads);
}

static cn_status put_metadata(job *j, const quant_mix *mix, cn_err *err)
{
    cn_status st = quantize_source_put_metadata(j->source, j->out, err);
    gguf_put_uint(j->out, "general.file_type", mix->file_type);
    gguf_put_uint(j->out, "general.quantization_version", 2);
    return st;
}

static cn_status unknown_type(const char *type, cn_err *err)
{
    cn_buf names = {0};
    for (size_t i = 0; quant_mix_at(i); i++)
        cn_buf_printf(&names, "%s%s", i ? ", " : "", quant_mix_at(i)->name);
    (void)cn_fail(err, CN_E_ARG, "no type \"%.40s\"", type);
    cn_status st = cn_next(err, CN_E_ARG, "choose one of %s", names.p);
    cn_buf_deinit(&names);
    return st;
}

cn_status quantize_write(const quantize_source *source, const char *out, const quant_mix *mix,
                         const cn_quantize_options *o, cn_err *err)
{
    job j = {.source = source, .is_told = o->on_tensor != NULL};
    cn_status st = gguf_writer_new(&j.out, out, err);
    if (!st) st = put_metadata(&j, mix, err);
    if (!st) st = plan(&j, mix, err);
    if (!st) st = prepare_threads(&j, o->n_threads, err);
    if (!st) st = write_tensors(&j, o, err);
    if (!st) st = gguf_writer_finish(j.out, err);
    cn_pool_free(j.pool);
    gguf_writer_free(j.out);
    cn_free(j.types);
    cn_free(j.rows);
    cn_free(j.tallies);
    cn_free(j.slab.p);
    cn_free(j.absmax.p);
    return st;
}

cn_status cn_quantize(const char *in, const char *out, const char *type,
                      const cn_quantize_options *o, cn_err *err)
{
    static const cn_quantize_options defaults = {0};
    const quant_mix *mix = quant_mix_find(type);
    quantize_source *source = NULL;
    if (!mix) return unknown_type(type, err);

    cn_status st = quantize_source_open(&source, in, err);
    if (st) return st;
    if (quantize_source_reads(source, out)) {
        st = cn_fail(err, CN_E_ARG, "%s is what is to be read", out);
        (void)cn_next(err, st, "give the output another name");
    }
    if (!st) st = quantize_write(source, out, mix, o ? o : &defaults, err);
    quantize_source_close(source);
    return st ? cn_ctx(err, st, "quantising %s", cn_path_base(in)) : CN_OK;
}
