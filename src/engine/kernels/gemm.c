/* Who computes which part of C, and with which kernel. */
#include "gemm.h"

#include "gemm_priv.h"

#if defined(__x86_64__) || defined(__i386__)
#define CPU_HAS(feature) (__builtin_cpu_supports(feature) != 0)
#endif

static bool always(void)
{
    return true;
}
#ifdef HAVE_KERN_AVX2
static bool has_avx2(void)
{
    return CPU_HAS("avx2") && CPU_HAS("fma");
}
#endif
#ifdef HAVE_KERN_AVX512
static bool has_avx512(void)
{
    return has_avx2() && CPU_HAS("avx512f") && CPU_HAS("avx512bw") && CPU_HAS("avx512vl") &&
           CPU_HAS("avx512dq") && CPU_HAS("avx512vnni");
}
#endif
#ifdef HAVE_KERN_AVX512BF16
static bool has_avx512bf16(void)
{
    return has_avx512() && CPU_HAS("avx512bf16");
}
#endif

/* From the plainest to the best. */
static const struct {
    gemm_kernel kernel;
    bool (*runs)(void);
} kernels[] = {
    {{"ref", gemm_ref, NULL}, always},
#ifdef HAVE_KERN_NEON
    {{"neon", gemm_neon, NULL}, always},
#endif
#ifdef HAVE_KERN_AVX2
    {{"avx2", gemm_avx2, NULL}, has_avx2},
#endif
#ifdef HAVE_KERN_AVX512
    {{"avx512", gemm_avx512, NULL}, has_avx512},
#endif
#ifdef HAVE_KERN_AVX512BF16
    {{"avx512bf16", gemm_avx512, gemm_avx512bf16}, has_avx512bf16},
#endif
};

size_t gemm_kernels(const gemm_kernel *out[], size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < CN_ARRAY_LEN(kernels) && n < max; i++)
        if (kernels[i].runs()) out[n++] = &kernels[i].kernel;
    return n;
}

static const gemm_kernel *best_kernel(void)
{
    size_t i = CN_ARRAY_LEN(kernels) - 1;
    while (!kernels[i].runs())
        i--;
    return &kernels[i].kernel;
}

const char *gemm_kernel_name(const gemm_kernel *k)
{
    return (k ? k : best_kernel())->name;
}

bool gemm_has_bf16(void)
{
    return best_kernel()->pairs != NULL;
}

/* Weights that are floats already need no expanding. */
static gemm plain(const gemm *g)
{
    gemm r = *g;
    if (g->b_mat && g->b_mat->type == CN_F32) {
        size_t stride = g->b_mat->row_bytes / sizeof(float);
        r.b = g->b_mat_transposed ? (gemm_view){g->b_mat->data, 1, stride}
                                  : (gemm_view){g->b_mat->data, stride, 1};
        r.b_mat = NULL;
    }
    if (!r.kernel) r.kernel = best_kernel();
    return r;
}

static void check(const gemm *g)
{
    CN_BUG_ON(g->a.row != 1 && g->a.col != 1);
    CN_BUG_ON(!g->b_mat && g->b.row != 1 && g->b.col != 1);
    if (!g->b_mat) return;
    CN_BUG_ON(g->b_mat->n_rows != (g->b_mat_transposed ? g->n : g->k));
    CN_BUG_ON(g->b_mat->n_cols != (g->b_mat_transposed ? g->k : g->n));
}

static void run_part(const gemm_part *part, gemm_precision p)
{
    const gemm_kernel *k = part->g->kernel;
    if (part->m0 == part->m1 || part->n0 == part->n1) return;
    if (p == GEMM_BF16 && k->pairs)
        k->pairs(part);
    else
        k->f32(part);
}

enum { UNIT_M = 8, UNIT_N = 48 }; /* whole tiles of every kernel */

/* Threads in a grid over C: as many along m as makes the largest part small, and then what has
 * to be rearranged. */
static unsigned threads_along_m(const gemm *g, unsigned n_threads)
{
    size_t best_work = SIZE_MAX, best_edge = SIZE_MAX, units_m = (g->m + UNIT_M - 1) / UNIT_M,
           units_n = (g->n + UNIT_N - 1) / UNIT_N;
    unsigned best = 1;
    for (unsigned along_m = 1; along_m <= n_threads; along_m++) {
        unsigned along_n = n_threads / along_m;
        size_t m = (units_m + along_m - 1) / along_m * UNIT_M,
               n = (units_n + along_n - 1) / along_n * UNIT_N;
        if (m * n > best_work || (m * n == best_work && m + n >= best_edge)) continue;
        best = along_m, best_work = m * n, best_edge = m + n;
    }
    return best;
}

typedef struct job {
    const gemm *g;
    size_t n;
    gemm_precision precision;
    gemm_scratch *scratch;
} job;

static void run_thread(void *arg, unsigned index, unsigned n_threads)
{
    const job *j = arg;
    for (size_t i = 0; i < j->n; i++) {
        gemm g = plain(&j->g[i]);
        unsigned along_m = threads_along_m(&g, n_threads), along_n = n_threads / along_m;
        if (index >= along_m * along_n) continue;
        gemm_part part = {
            .g = &g, .round = j->precision == GEMM_BF16, .scratch = j->scratch + index};
        cn_pool_part(g.m, UNIT_M, index / along_n, along_m, &part.m0, &part.m1);
        cn_pool_part(g.n, UNIT_N, index % along_n, along_n, &part.n0, &part.n1);
        run_part(&part, j->precision);
    }
}

size_t gemm_scratch_bytes(unsigned n_threads)
{
    return n_threads * sizeof(gemm_scratch);
}

#define ALONE                                                                                  \
    ((size_t)1 << 19) /* multiplications that one thread does before the others are awake */

void gemm_run_many(cn_pool *pool, const gemm *g, size_t n, gemm_precision p, void *scratch)
{
    job j = {g, n, p, scratch};
    size_t work = 0;
    for (size_t i = 0; i < n; i++) {
        check(&g[i]);
        work += g[i].m * g[i].n * g[i].k;
    }
    if (work < ALONE)
        run_thread(&j, 0, 1);
    else
        cn_pool_run(pool, run_thread, &j);
}

void gemm_run(cn_pool *pool, const gemm *g, gemm_precision p, void *scratch)
{
    gemm_run_many(pool, g, 1, p, scratch);
}

void gemm_one(const gemm *g, gemm_precision p, void *scratch)
{
    job j = {g, 1, p, scratch};
    check(g);
    run_thread(&j, 0, 1);
}
