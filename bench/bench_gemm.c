/* How fast the products of a training step are: JSON, one record a line.
 *   bench_gemm [--threads N] [--kernel NAME] [--seconds S] [--tokens N] [--type NAME]
 * gflops counts a multiplication and an addition as two; times are medians and count everything
 * (operands are f32 in memory, rearranged and rounded in the product). peak_share is of what
 * the same threads' multipliers do in registers, f32 for f32, bf16 for bf16. The last lines sum
 * the products of one step of GPT-2 124M: `times` of each. --type: the weights are of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "gemm.h"
#include "mem.h"
#include "pool.h"
#include "timing.h"

static struct {
    unsigned threads;
    const char *kernel, *type;
    double seconds;
    size_t tokens;
} opt = {2, NULL, NULL, 0.3, 256};

/* FORWARD Y = X W^T, INPUT dX = dY W, WEIGHT dW = dY^T X: W is (out, in). The others are A B^T
 * and A B on one thread. */
typedef enum kind { FORWARD, INPUT, WEIGHT, ONE_BT, ONE_B } kind;

/* Products of `times` layers or heads; 0: not in the step. */
typedef struct shape {
    kind kind;
    size_t out, in, tokens; /* ONE: n, k, m */
    unsigned times;
} shape;

static const char *const kind_names[] = {"y=x*w'", "dx=dy*w", "dw=dy'*x", "a*b'", "a*b"};

#define LINEAR(out, in, times)                                                                 \
    {FORWARD, out, in, 0, times}, {INPUT, out, in, 0, times},                                  \
    {                                                                                          \
        WEIGHT, out, in, 0, times                                                              \
    }

static const shape shapes[] = {
    LINEAR(2304, 768, 12),   LINEAR(768, 768, 12),   LINEAR(3072, 768, 12),
    LINEAR(768, 3072, 12),   LINEAR(50257, 768, 1),  LINEAR(16, 768, 0),
    LINEAR(768, 16, 0),      LINEAR(64, 3072, 0),    LINEAR(3072, 64, 0),
    {ONE_BT, 64, 64, 64, 0}, {ONE_B, 64, 64, 64, 0}, {ONE_BT, 512, 64, 512, 0},
    {ONE_B, 64, 512, 512, 0}};

typedef struct bench {
    cn_pool *pool;
    const gemm_kernel *kernel;
    float *x, *y, *w, *c; /* each as large as the largest operand */
    kern_mat mat;
    void *scratch;
} bench;

static gemm product(bench *b, const shape *s)
{
    size_t t = opt.tokens, in = s->in, out = s->out;
    gemm g = {.c = b->c, .kernel = b->kernel};
    switch (s->kind) {
    case FORWARD:
        g.m = t, g.n = out, g.k = in;
        g.a = (gemm_view){b->x, in, 1}, g.b = (gemm_view){b->w, 1, in};
        break;
    case INPUT:
        g.m = t, g.n = in, g.k = out;
        g.a = (gemm_view){b->y, out, 1}, g.b = (gemm_view){b->w, in, 1};
        break;
    case WEIGHT:
        g.m = out, g.n = in, g.k = t, g.add = true;
        g.a = (gemm_view){b->y, 1, out}, g.b = (gemm_view){b->x, in, 1};
        break;
    case ONE_BT:
    case ONE_B:
        g.m = s->tokens, g.n = out, g.k = in;
        g.a = (gemm_view){b->x, in, 1};
        g.b = s->kind == ONE_B ? (gemm_view){b->w, out, 1} : (gemm_view){b->w, 1, in};
    }
    g.ldc = g.n;
    if (opt.type && s->kind < WEIGHT && cn_dtype_row_bytes(b->mat.type, in)) {
        b->mat.n_rows = (uint32_t)out, b->mat.n_cols = (uint32_t)in;
        b->mat.row_bytes = cn_dtype_row_bytes(b->mat.type, in);
        g.b_mat = &b->mat, g.b_mat_transposed = s->kind == FORWARD;
    }
    return g;
}

static void run(bench *b, const gemm *g, kind what, gemm_precision p)
{
    if (what >= ONE_BT)
        gemm_one(g, p, b->scratch);
    else
        gemm_run(b->pool, g, p, b->scratch);
}

/* The median time of a product, and the shortest, which a busy machine disturbs less. */
static double median(bench *b, const gemm *g, kind what, gemm_precision p, double *shortest)
{
    double times[1000];
    size_t n = 0, repeat = 1 + (size_t)(4e6 / (double)(g->m * g->n * g->k));
    run(b, g, what, p); /* warm */
    uint64_t begin = cn_now_ns();
    while (n < 3 || (n < CN_ARRAY_LEN(times) && cn_seconds_since(begin) < opt.seconds)) {
        uint64_t t = cn_now_ns();
        for (size_t i = 0; i < repeat; i++)
            run(b, g, what, p);
        times[n++] = cn_seconds_since(t) / (double)repeat;
    }
    qsort(times, n, sizeof *times, compare);
    *shortest = times[0];
    return times[n / 2];
}

#if defined(__x86_64__)
PEAK(peak_bf16, zmm, "vdpbf16ps %%zmm15,%%zmm15,%%zmm\\r")
PEAK(peak_fma512, zmm, "vfmadd231ps %%zmm15,%%zmm15,%%zmm\\r")
PEAK(peak_fma256, ymm, "vfmadd231ps %%ymm15,%%ymm15,%%ymm\\r")

/* One thread's, in 10^9 a second. */
static double peak_gflops(const char *kernel, gemm_precision p)
{
    if (strcmp(kernel, "avx512bf16") == 0 && p == GEMM_BF16) return peak_bf16() * 64e-9;
    if (strncmp(kernel, "avx512", 6) == 0) return peak_fma512() * 32e-9;
    if (strcmp(kernel, "avx2") == 0) return peak_fma256() * 16e-9;
    return 0;
}
#else
static double peak_gflops(const char *kernel, gemm_precision p)
{
    (void)kernel, (void)p;
    return 0;
}
#endif

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static void bench_precision(bench *b, gemm_precision p)
{
    const char *name = gemm_kernel_name(b->kernel), *precision = p == GEMM_F32 ? "f32" : "bf16";
    double peak = peak_gflops(name, p), step = 0, step_flops = 0;
    for (size_t i = 0; i < CN_ARRAY_LEN(shapes); i++) {
        const shape *s = &shapes[i];
        gemm g = product(b, s);
        double best, t = median(b, &g, s->kind, p, &best),
                     flops = 2e-9 * (double)g.m * (double)g.n * (double)g.k,
                     threads = s->kind >= ONE_BT ? 1 : cn_pool_size(b->pool);
        printf("{\"kernel\":\"%s\",\"precision\":\"%s\",\"product\":\"%s\",\"m\":%zu,\"n\":%zu,"
               "\"k\":%zu,\"gflops\":%.1f,\"best_gflops\":%.1f,\"peak_gflops\":%.0f,"
               "\"peak_share\":%.2f,\"best_share\":%.2f}\n",
               name, precision, kind_names[s->kind], g.m, g.n, g.k, flops / t, flops / best,
               peak * threads, share(flops / t, peak * threads),
               share(flops / best, peak * threads));
        fflush(stdout);
        step += t * s->times;
        step_flops += flops * s->times;
    }
    printf("{\"kernel\":\"%s\",\"precision\":\"%s\",\"step\":\"gpt2-124m\",\"tokens\":%zu,"
           "\"seconds\":%.4f,\"gflops\":%.1f,\"peak_share\":%.2f}\n",
           name, precision, opt.tokens, step, step_flops / step,
           share(step_flops / step, peak * cn_pool_size(b->pool)));
}

static bool options(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) return false;
        if (strcmp(argv[i], "--threads") == 0)
            opt.threads = (unsigned)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--kernel") == 0)
            opt.kernel = argv[i + 1];
        else if (strcmp(argv[i], "--type") == 0)
            opt.type = argv[i + 1];
        else if (strcmp(argv[i], "--tokens") == 0)
            opt.tokens = (size_t)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            opt.seconds = atof(argv[i + 1]);
        else
            return false;
    }
    return opt.tokens > 0;
}

static float *numbers(size_t n)
{
    float *x = cn_alloc_array(n, sizeof *x);
    for (size_t i = 0; x && i < n; i++)
        x[i] = (float)(i % 61) / 61 - 0.5F;
    return x;
}

int main(int argc, char **argv)
{
    bench b = {.mat = {.type = CN_F32}};
    if (!options(argc, argv) || (opt.type && cn_dtype_parse(&b.mat.type, opt.type)) ||
        cn_pool_new(&b.pool, opt.threads, NULL)) {
        fprintf(stderr, "usage: bench_gemm [--threads N] [--kernel NAME] [--seconds S] "
                        "[--tokens N] [--type NAME]\n");
        return 2;
    }
    size_t rows = CN_MAX(opt.tokens, 512);
    b.x = numbers(rows * 3072);
    b.y = numbers(rows * 50257);
    b.w = numbers(50257 * 768);
    b.c = numbers(CN_MAX(rows, 768) * 50257);
    b.scratch = cn_alloc_array(gemm_scratch_bytes(cn_pool_size(b.pool)), 1);
    b.mat.data = b.mat.aux = b.w;
    const gemm_kernel *kernels[8];
    size_t n = gemm_kernels(kernels, CN_ARRAY_LEN(kernels));
    for (size_t i = 0; i < n; i++) {
        b.kernel = kernels[i];
        const char *name = gemm_kernel_name(kernels[i]);
        if (opt.kernel ? strcmp(name, opt.kernel) != 0 : i + 1 < n) continue;
        bench_precision(&b, GEMM_F32);
        bench_precision(&b, GEMM_BF16);
    }
    cn_pool_free(b.pool);
    cn_free(b.x);
    cn_free(b.y);
    cn_free(b.w);
    cn_free(b.c);
    cn_free(b.scratch);
    return 0;
}
