/* The products of training: every kernel against sums in double precision, and against plain C
 * bit by bit. */
#include "kern_testing.h"

#include <float.h>

#include "gemm.h"
#include "pool.h"

#define MAX_KERNELS 8

static struct {
    const gemm_kernel *kernels[MAX_KERNELS];
    size_t n_kernels;
    cn_pool *pool;
    void *scratch;
} all;

enum { THREADS = 7 };

static int setup(void **state)
{
    (void)state;
    all.n_kernels = gemm_kernels(all.kernels, MAX_KERNELS);
    all.scratch = cn_alloc_array(gemm_scratch_bytes(THREADS), 1);
    return !all.scratch || cn_pool_new(&all.pool, 2, NULL);
}

static int teardown(void **state)
{
    (void)state;
    cn_pool_free(all.pool);
    cn_free(all.scratch);
    return 0;
}

/* One product with what it should give. */
typedef struct problem {
    gemm g;
    guarded a, b, c, bias, data, aux;
    kern_mat w;
    float *b_plain; /* (k, n) */
    float *c_before;
    size_t c_floats;
} problem;

typedef struct shape {
    size_t m, n, k;
} shape;

/* A view of `rows` x `cols` random numbers that end at a forbidden page; `gap` numbers between
 * its lines. */
static gemm_view view_new(guarded *memory, cn_rng *rng, size_t rows, size_t cols, bool by_row,
                          size_t gap)
{
    size_t lines = by_row ? rows : cols, length = by_row ? cols : rows, stride = length + gap;
    size_t n = lines && length ? (lines - 1) * stride + length : 0;
    *memory = guarded_new(n * sizeof(float));
    random_floats(rng, memory->p, n);
    return by_row ? (gemm_view){memory->p, stride, 1} : (gemm_view){memory->p, 1, stride};
}

static void c_new(problem *p, cn_rng *rng, size_t gap)
{
    gemm *g = &p->g;
    g->ldc = g->n + gap;
    p->c_floats = (g->m - 1) * g->ldc + g->n;
    p->c = guarded_new(p->c_floats * sizeof(float));
    random_floats(rng, p->c.p, p->c_floats);
    p->c_before = cn_alloc_array(p->c_floats, sizeof(float));
    memcpy(p->c_before, p->c.p, p->c_floats * sizeof(float));
    g->c = p->c.p;
}

/* `how`: the orientations in bits 0 and 1, then add, bias, alpha, and gaps. */
static problem problem_new(shape s, unsigned how)
{
    cn_rng rng = cn_rng_seeded(s.m * 1000003 + s.n * 1009 + s.k + how);
    size_t gap = how & 32 ? 3 : 0;
    problem p = {.g = {.m = s.m, .n = s.n, .k = s.k, .add = how & 4}};
    p.g.a = view_new(&p.a, &rng, s.m, s.k, how & 1, gap);
    p.g.b = view_new(&p.b, &rng, s.k, s.n, how & 2, gap);
    p.bias = guarded_new(s.n * sizeof(float));
    random_floats(&rng, p.bias.p, s.n);
    if (how & 8) p.g.bias = p.bias.p;
    if (how & 16) p.g.alpha = -0.37F;
    c_new(&p, &rng, gap);
    p.b_plain = cn_alloc_array(s.k * s.n + 1, sizeof(float));
    for (size_t k = 0; k < s.k; k++)
        for (size_t j = 0; j < s.n; j++)
            p.b_plain[k * s.n + j] = p.g.b.p[k * p.g.b.row + j * p.g.b.col];
    return p;
}

/* The same with B taken from random weights. */
static void use_weights(problem *p, cn_dtype type, bool transposed)
{
    gemm *g = &p->g;
    size_t rows = transposed ? g->n : g->k, cols = transposed ? g->k : g->n;
    const cn_dtype_info *info = cn_dtype_info_of((uint32_t)type);
    size_t row_bytes = cn_dtype_row_bytes(type, cols), blocks = rows * cols / info->block;
    cn_rng rng = cn_rng_seeded(blocks + (size_t)type);
    p->data = guarded_new(rows * row_bytes);
    p->aux = guarded_new(4 + 4 * (blocks / 256 + 2));
    random_floats(&rng, p->aux.p, blocks / 256 + 3);
    for (size_t i = 0; i < blocks; i++)
        random_block(&rng, type, (uint8_t *)p->data.p + i * info->block_bytes,
                     info->block_bytes);
    p->w = (kern_mat){type, (uint32_t)rows, (uint32_t)cols, row_bytes, p->data.p, p->aux.p, 1};
    float *row = cn_alloc_array(cols, sizeof *row);
    for (size_t r = 0; r < rows; r++) {
        quant_row_to_f32(&p->w, r, row);
        for (size_t c = 0; c < cols; c++)
            p->b_plain[transposed ? c * rows + r : r * cols + c] = row[c];
    }
    cn_free(row);
    g->b_mat = &p->w;
    g->b_mat_transposed = transposed;
    g->b = (gemm_view){NULL, 0, 0};
}

static void problem_free(problem *p)
{
    guarded_free(&p->a);
    guarded_free(&p->b);
    guarded_free(&p->c);
    guarded_free(&p->bias);
    if (p->g.b_mat) guarded_free(&p->data);
    if (p->g.b_mat) guarded_free(&p->aux);
    cn_free(p->b_plain);
    cn_free(p->c_before);
}

static double operand(float x, gemm_precision precision)
{
    return (double)(precision == GEMM_BF16 ? quant_bf16_to_f32(quant_f32_to_bf16(x)) : x);
}

/* Element (i, j) against its sum in double precision: the error of a sum of n terms grows like
 * sqrt(n) (Higham and Mary 2019); 4 leaves room. */
static void check_element(const problem *p, gemm_precision precision, size_t i, size_t j)
{
    const gemm *g = &p->g;
    double sum = 0, size = 0, alpha = (double)(g->alpha == 0 ? 1 : g->alpha);
    for (size_t k = 0; k < g->k; k++) {
        double x = alpha * operand(g->a.p[i * g->a.row + k * g->a.col], precision) *
                   operand(p->b_plain[k * g->n + j], precision);
        sum += x;
        size += fabs(x);
    }
    double rest[] = {g->add ? (double)p->c_before[i * g->ldc + j] : 0,
                     g->bias ? (double)g->bias[j] : 0};
    sum += rest[0] + rest[1];
    size += fabs(rest[0]) + fabs(rest[1]);
    double got = (double)g->c[i * g->ldc + j],
           bound = 4 * sqrt((double)g->k + 4) * (double)FLT_EPSILON * size;
    if (!(fabs(got - sum) <= bound))
        fail_msg("%s %zux%zux%zu at %zu,%zu: %.9g, want %.9g within %g",
                 gemm_kernel_name(g->kernel), g->m, g->n, g->k, i, j, got, sum, bound);
}

/* All elements of a small product, some of a large one, and nothing between the rows. */
static void check_result(const problem *p, gemm_precision precision)
{
    const gemm *g = &p->g;
    size_t step = g->m * g->n * g->k / 300000 + 1;
    for (size_t at = 0; at < g->m * g->n; at += step)
        check_element(p, precision, at / g->n, at % g->n);
    for (size_t at = 0; at < p->c_floats; at++)
        if (at % g->ldc >= g->n) assert_true(g->c[at] == p->c_before[at]);
}

static void reset(const problem *p)
{
    memcpy(p->g.c, p->c_before, p->c_floats * sizeof(float));
}

/* With every kernel and both precisions; GEMM_F32 has the bits of plain C. */
static void check_problem(problem *p)
{
    float *want = cn_alloc_array(p->c_floats, sizeof *want);
    for (size_t i = 0; i < 2 * all.n_kernels; i++) {
        gemm_precision precision = i % 2 ? GEMM_BF16 : GEMM_F32;
        p->g.kernel = all.kernels[i / 2];
        reset(p);
        gemm_one(&p->g, precision, all.scratch);
        if (i < 2) check_result(p, precision);
        if (i == 0) memcpy(want, p->g.c, p->c_floats * sizeof *want);
        if (i % 2 == 0) assert_memory_equal(want, p->g.c, p->c_floats * sizeof *want);
        if (i % 2 == 1) check_result(p, precision);
    }
    cn_free(want);
}

static void test_small(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 47, 49, 64, 97};
    (void)state;
    cn_rng rng = cn_rng_seeded(3);
    for (unsigned i = 0; i < 640; i++) {
        size_t n = CN_ARRAY_LEN(sizes);
        shape s = {sizes[cn_rng_below(&rng, n)], sizes[cn_rng_below(&rng, n)],
                   sizes[cn_rng_below(&rng, n)]};
        problem p = problem_new(s, i % 64);
        check_problem(&p);
        problem_free(&p);
    }
}

/* Over the edges of the blocks that are rearranged at a time. */
static void test_large(void **state)
{
    static const shape shapes[] = {{3, 5, 511},   {9, 17, 512},  {8, 50, 513},
                                   {5, 40, 1030}, {255, 20, 40}, {257, 770, 33},
                                   {530, 3, 9},   {2, 1600, 70}, {70, 64, 700}};
    (void)state;
    for (unsigned i = 0; i < CN_ARRAY_LEN(shapes); i++)
        for (unsigned how = 0; how < 4; how++) {
            problem p = problem_new(shapes[i], how | (how * 7 + i) % 16 << 2);
            check_problem(&p);
            problem_free(&p);
        }
}

static void test_nothing_to_add(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 64; how++) {
        problem p = problem_new((shape){5, 19, 0}, how);
        check_problem(&p);
        for (size_t j = 0; j < 19; j++) {
            float want = how & 4 ? p.c_before[j] : 0;
            if (how & 8) want += p.g.bias[j];
            assert_true(p.g.c[j] == want);
        }
        problem_free(&p);
    }
}

static void test_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(weight_types); i++)
        for (unsigned j = 0; j < 8; j++) {
            size_t block = cn_dtype_info_of((uint32_t)weight_types[i])->block,
                   other = (size_t[]){1, 19, 50, 70}[j / 2],
                   length = block * (block > 1 ? (size_t[]){3, 5, 1, 4}[j / 2] : 17 * (1 + j));
            bool transposed = j % 2;
            shape s = {4 + j, transposed ? other : length, transposed ? length : other};
            problem p = problem_new(s, j * 5);
            use_weights(&p, weight_types[i], transposed);
            check_problem(&p);
            problem_free(&p);
        }
}

/* Threads that begin within a block of weights. */
static void test_threads(void **state)
{
    static const shape shapes[] = {{300, 1024, 20}, {17, 512, 64}, {1, 1, 9}, {900, 7, 30}};
    (void)state;
    for (unsigned i = 0; i < 4 * CN_ARRAY_LEN(shapes); i++) {
        shape s = shapes[i / 4];
        problem p = problem_new(s, i % 4 == 3 ? 4 + 8 + 2 : i % 4);
        if (s.n % 256 == 0 && i % 4 == 3) use_weights(&p, CN_Q4_K, false);
        float *want = cn_alloc_array(p.c_floats, sizeof *want);
        for (unsigned n = 1; n <= 2 * THREADS; n++) {
            gemm_precision precision = n > THREADS ? GEMM_BF16 : GEMM_F32;
            unsigned threads = (n - 1) % THREADS + 1;
            cn_pool *pool;
            assert_int_equal(cn_pool_new(&pool, threads, NULL), CN_OK);
            reset(&p);
            gemm_run(pool, &p.g, precision, all.scratch);
            cn_pool_free(pool);
            if (threads == 1) {
                check_result(&p, precision);
                memcpy(want, p.g.c, p.c_floats * sizeof *want);
            }
            assert_memory_equal(want, p.g.c, p.c_floats * sizeof *want);
        }
        cn_free(want);
        problem_free(&p);
    }
}

static void test_many(void **state)
{
    (void)state;
    problem p[3] = {problem_new((shape){40, 100, 30}, 3), problem_new((shape){40, 7, 30}, 13),
                    problem_new((shape){40, 256, 30}, 21)};
    gemm g[3] = {p[0].g, p[1].g, p[2].g};
    gemm_run_many(all.pool, g, 3, GEMM_F32, all.scratch);
    for (size_t i = 0; i < 3; i++) {
        check_result(&p[i], GEMM_F32);
        problem_free(&p[i]);
    }
    gemm_run_many(all.pool, NULL, 0, GEMM_F32, all.scratch);
}

/* Rounding to bf16 at its edges: ties, the largest, infinity, NaN. */
static void test_rounding(void **state)
{
    static const uint32_t bits[] = {0x3f808000, 0x3f818000, 0x3f808001, 0x7f7f0000, 0x7f800000,
                                    0xff800000, 0x7fc00001, 0x7f800001, 0x80000000, 0x3f817fff};
    (void)state;
    float a[CN_ARRAY_LEN(bits)], c[CN_ARRAY_LEN(bits)], one = 1;
    memcpy(a, bits, sizeof a);
    for (size_t i = 0; i < all.n_kernels; i++) {
        gemm g = {.m = CN_ARRAY_LEN(a), .n = 1, .k = 1, .a = {a, 1, 1}, .b = {&one, 1, 1}};
        g.c = c, g.ldc = 1, g.kernel = all.kernels[i];
        gemm_one(&g, GEMM_BF16, all.scratch);
        for (size_t j = 0; j < CN_ARRAY_LEN(a); j++) {
            float want = quant_bf16_to_f32(quant_f32_to_bf16(a[j]));
            assert_true(isnan(want) ? isnan(c[j]) : c[j] == want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),          cmocka_unit_test(test_large),
        cmocka_unit_test(test_nothing_to_add), cmocka_unit_test(test_weights),
        cmocka_unit_test(test_threads),        cmocka_unit_test(test_many),
        cmocka_unit_test(test_rounding),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
