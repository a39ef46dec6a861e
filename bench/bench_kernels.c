/* How fast the matrix products and attention are: JSON, one record a line.
 *   bench_kernels [--threads N] [--variant NAME] [--type NAME] [--seconds S]
 * gbps counts the bytes of the weights once; gops counts a multiplication and an addition as
 * two, shares are of stream_gbps and peak_gops (medians). stream_gbps is what the same threads
 * read from memory, peak_gops what one thread's multipliers do in registers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "kernels.h"
#include "mem.h"
#include "pool.h"
#include "rng.h"
#include "timing.h"

static struct {
    unsigned threads;
    const char *variant, *type;
    double seconds;
} opt = {1, NULL, NULL, 0.2};

typedef struct job {
    const kern_table *k;
    kern_mat w;
    kern_act a;
    float *y;
    uint8_t *scratch;
    uint64_t sum[256];
} job;

static void read_part(void *arg, unsigned index, unsigned n)
{
    job *j = arg;
    size_t from, to, words = j->w.n_rows * j->w.row_bytes / 64;
    cn_pool_part(words, 64, index, n, &from, &to);
    const uint64_t *p = j->w.data;
    uint64_t s[8] = {0};
    for (size_t i = from; i < to; i++)
        for (size_t l = 0; l < 8; l++)
            s[l] ^= p[8 * i + l];
    for (size_t l = 0; l < 8; l++)
        j->sum[index] ^= s[l];
}

static void multiply_part(void *arg, unsigned index, unsigned n)
{
    job *j = arg;
    size_t from, to;
    cn_pool_part(j->w.n_rows, 16, index, n, &from, &to);
    j->k->matmul(&j->w, &j->a, KERN_FAST, j->y, j->w.n_rows, from, to,
                 j->scratch + index * KERN_SCRATCH);
}

/* The median time of a run, in seconds, and the shortest, which a busy machine disturbs less.
 */
static double median(cn_pool *pool, cn_pool_fn *fn, void *j, double *shortest)
{
    double times[1000];
    uint64_t begin = cn_now_ns();
    size_t n = 0;
    cn_pool_run(pool, fn, j); /* warm */
    while (n < 3 || (n < 1000 && cn_seconds_since(begin) < opt.seconds)) {
        uint64_t t = cn_now_ns();
        cn_pool_run(pool, fn, j);
        times[n++] = cn_seconds_since(t);
    }
    qsort(times, n, sizeof *times, compare);
    *shortest = times[0];
    return times[n / 2];
}

#if defined(__x86_64__)
PEAK(peak_vnni, zmm, "vpdpbusd %%zmm15,%%zmm15,%%zmm\\r")
PEAK(peak_maddubs, ymm, "vpmaddubsw %%ymm15,%%ymm15,%%ymm\\r")
PEAK(peak_fma512, zmm, "vfmadd231ps %%zmm15,%%zmm15,%%zmm\\r")
PEAK(peak_fma256, ymm, "vfmadd231ps %%ymm15,%%ymm15,%%ymm\\r")

static double peak_gops(const kern_table *k, bool integer)
{
    if (strcmp(k->name, "avx512") == 0)
        return integer ? peak_vnni() * 128e-9 : peak_fma512() * 32e-9;
    if (strcmp(k->name, "avx2") == 0)
        return integer ? peak_maddubs() * 64e-9 : peak_fma256() * 16e-9;
    return 0;
}
#else
static double peak_gops(const kern_table *k, bool integer)
{
    (void)k, (void)integer;
    return 0;
}
#endif

static void fill(uint8_t *p, size_t n)
{
    cn_rng rng = cn_rng_seeded(1);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)cn_rng_below(&rng, 256) & 0x37; /* no half is infinite or NaN */
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

#define HEAD_DIM 128

/* Queries of one group or one block of tokens that see the same positions; on one thread. */
typedef struct attention {
    const kern_table *k;
    kern_cache keys, values;
    kern_queries q;
    float *scores;
} attention;

static void attend_once(void *arg, unsigned index, unsigned n)
{
    const attention *a = arg;
    (void)n;
    if (index == 0) a->k->attend_many(&a->q, &a->keys, &a->values, HEAD_DIM, 0.1F, a->scores);
}

static void bench_attention(cn_pool *pool, const kern_table *k, cn_dtype type,
                            const uint8_t *data)
{
    static const size_t queries[] = {1, 4, KERN_ATTEND_TOGETHER}, lengths[] = {512, 8192};
    size_t at[KERN_ATTEND_TOGETHER], from[KERN_ATTEND_TOGETHER] = {0}, to[KERN_ATTEND_TOGETHER];
    float q[KERN_ATTEND_TOGETHER * HEAD_DIM], out[KERN_ATTEND_TOGETHER * HEAD_DIM];
    for (size_t i = 0; i < CN_ARRAY_LEN(q); i++)
        q[i] = (float)(i % 61) / 61 - 0.5F;
    for (size_t i = 0; i < CN_ARRAY_LEN(queries) * CN_ARRAY_LEN(lengths); i++) {
        size_t n = queries[i % 3], n_ctx = lengths[i / 3],
               stride = cn_dtype_row_bytes(type, HEAD_DIM);
        for (size_t t = 0; t < n; t++)
            at[t] = t * HEAD_DIM, to[t] = n_ctx;
        attention a = {k,
                       {type, data, stride},
                       {type, data + n_ctx * stride, stride},
                       {n, q, out, at, at, from, to},
                       cn_alloc_array(n * n_ctx, sizeof(float))};
        double best, s = median(pool, attend_once, &a, &best), peak = peak_gops(k, false),
                     gops = 4e-9 * (double)(n * n_ctx * HEAD_DIM);
        printf("{\"variant\":\"%s\",\"attend\":\"%s\",\"queries\":%zu,\"positions\":%zu,"
               "\"gops\":%.1f,\"best_gops\":%.1f,\"peak_gops\":%.0f,\"peak_share\":%.2f}\n",
               k->name, cn_dtype_info_of((uint32_t)type)->name, n, n_ctx, gops / s, gops / best,
               peak, share(gops / s, peak));
        fflush(stdout);
        cn_free(a.scores);
    }
}

static void bench_type(cn_pool *pool, const kern_table *k, cn_dtype type, const uint8_t *data,
                       size_t bytes)
{
    static const size_t tokens[] = {1, 4, 16, 512};
    const cn_dtype_info *info = cn_dtype_info_of((uint32_t)type);
    bool integer = info->block > 1 && type != CN_NF4;
    uint32_t n_cols = 4096;
    job j = {.k = k};
    j.scratch = cn_alloc_array(cn_pool_size(pool), KERN_SCRATCH);
    for (size_t i = 0; i < CN_ARRAY_LEN(tokens); i++) {
        size_t n = tokens[i], row_bytes = cn_dtype_row_bytes(type, n_cols);
        uint32_t n_rows = n > 16 ? 1024 : (uint32_t)(bytes / row_bytes / 64 * 64);
        float *x = cn_alloc_array(n * n_cols, sizeof *x);
        for (size_t c = 0; c < n * n_cols; c++)
            x[c] = (float)(c % 61) / 61 - 0.5F;
        j.w = (kern_mat){.type = type,
                         .n_rows = n_rows,
                         .n_cols = n_cols,
                         .row_bytes = row_bytes,
                         .data = data};
        j.a = (kern_act){n, n_cols, x, cn_alloc_array(kern_act_bytes(n, n_cols), 1)};
        j.y = cn_alloc_array(n * n_rows, sizeof *j.y);
        k->quantize(&j.a, type, 0, n);
        double best, fastest;
        double s = median(pool, multiply_part, &j, &best),
               stream = median(pool, read_part, &j, &fastest), peak = peak_gops(k, integer),
               gops = 2.0 * (double)n * n_rows * n_cols / s * 1e-9,
               gbps = (double)n_rows * (double)row_bytes / s * 1e-9,
               stream_gbps = (double)n_rows * (double)row_bytes / stream * 1e-9;
        printf("{\"variant\":\"%s\",\"type\":\"%s\",\"threads\":%u,\"tokens\":%zu,"
               "\"gbps\":%.1f,\"stream_gbps\":%.1f,\"gops\":%.1f,\"best_gbps\":%.1f,"
               "\"best_stream_gbps\":%.1f,\"best_gops\":%.1f,\"peak_gops\":%.0f,"
               "\"stream_share\":%.2f,\"peak_share\":%.2f}\n",
               k->name, info->name, cn_pool_size(pool), n, gbps, stream_gbps, gops,
               gbps * s / best, stream_gbps * stream / fastest, gops * s / best, peak,
               gbps / stream_gbps, share(gops, peak * cn_pool_size(pool)));
        fflush(stdout);
        cn_free(x);
        cn_free(j.a.q);
        cn_free(j.y);
    }
    cn_free(j.scratch);
}

static bool options(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) return false;
        if (strcmp(argv[i], "--threads") == 0)
            opt.threads = (unsigned)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--variant") == 0)
            opt.variant = argv[i + 1];
        else if (strcmp(argv[i], "--type") == 0)
            opt.type = argv[i + 1];
        else if (strcmp(argv[i], "--seconds") == 0)
            opt.seconds = atof(argv[i + 1]);
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const cn_dtype types[] = {CN_F32,  CN_F16,  CN_BF16, CN_Q4_0,  CN_Q4_1,
                                     CN_Q5_0, CN_Q5_1, CN_Q8_0, CN_Q2_K,  CN_Q3_K,
                                     CN_Q4_K, CN_Q5_K, CN_Q6_K, CN_IQ4_NL};
    cn_dtype only = CN_F32;
    cn_pool *pool = NULL;
    if (!options(argc, argv) || (opt.type && cn_dtype_parse(&only, opt.type)) ||
        cn_pool_new(&pool, opt.threads, NULL)) {
        fprintf(stderr, "usage: bench_kernels [--threads N] [--variant NAME] [--type NAME] "
                        "[--seconds S]\n");
        return 2;
    }
    size_t bytes = (size_t)128 << 20;
    uint8_t *data = cn_alloc_array(bytes, 1);
    fill(data, bytes);
    const kern_table *k[4];
    size_t n = kern_variants(k, CN_ARRAY_LEN(k));
    for (size_t v = 0; v < n; v++)
        for (size_t t = 0; t < CN_ARRAY_LEN(types); t++) {
            if (opt.variant ? strcmp(opt.variant, k[v]->name) != 0 : v == 0) continue;
            if (opt.type && only != types[t]) continue;
            bench_type(pool, k[v], types[t], data, bytes);
            if (types[t] == CN_F32 || types[t] == CN_F16 || types[t] == CN_Q8_0)
                bench_attention(pool, k[v], types[t], data);
        }
    cn_free(data);
    cn_pool_free(pool);
    return 0;
}
