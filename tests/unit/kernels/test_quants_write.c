/* f32 to blocks: as good as ggml's reference, byte for byte where the format leaves no choice,
 * and finite whatever comes in. */
#include "testing.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "compiler.h"
#include "quants.h"

enum { N = 64 * 1024, COLS = 1024 };

/* `rmse`: of ggml's reference on the weights of normal() below; NF4's are our own figures, as
 * its codes are exact (see nf4_bytes). `hash`: FNV-1a of ggml's bytes for those of exact();
 * 0 where the search for scales may end elsewhere. Both by tools/ggml_golden.c. */
static const struct {
    cn_dtype type;
    double rmse;
    uint64_t hash;
} types[] = {
    {CN_F32, 0, 0},
    {CN_F16, 0.000206, 0},
    {CN_BF16, 0.001655, 0},
    {CN_Q4_0, 0.085749, 0xf59369a527ec0853},
    {CN_Q4_1, 0.077915, 0xccdcc137865f401c},
    {CN_Q5_0, 0.042604, 0x29f2796ca98dd58d},
    {CN_Q5_1, 0.037742, 0xc5a775812cb03d39},
    {CN_Q8_0, 0.005343, 0x3c40c2bbdd0e158f},
    {CN_IQ4_NL, 0.076089, 0},
    {CN_Q2_K, 0.296109, 0},
    {CN_Q3_K, 0.150814, 0},
    {CN_Q4_K, 0.071316, 0},
    {CN_Q5_K, 0.035966, 0},
    {CN_Q6_K, 0.017597, 0},
    {CN_NF4, 0.0915, 0},
    {CN_NF4_DQ, 0.0915, 0},
};

static uint64_t state_of_rng;

static uint32_t next(void)
{
    state_of_rng = state_of_rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state_of_rng >> 32);
}

static float uniform(void)
{
    return (float)(next() >> 8) * 0x1p-24f;
}

static void normal(float *x, size_t n)
{
    state_of_rng = 1;
    for (size_t i = 0; i < n; i += 2) {
        float r = sqrtf(-2 * logf(uniform() + 0x1p-25f)), a = 6.2831853f * uniform();
        x[i] = r * cosf(a);
        x[i + 1] = r * sinf(a);
    }
}

static void exact(float *x, size_t n)
{
    state_of_rng = 1;
    for (size_t i = 0; i < n; i++) {
        int sum = 0;
        for (int k = 0; k < 4; k++)
            sum += (int)(next() >> 20) - 2048;
        x[i] = (float)sum / 4096 * (float)(1 + i / 32 % 7);
    }
}

static uint64_t fnv(const uint8_t *p, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * 0x100000001b3;
    return hash;
}

/* To `type` and back; the bytes lie at an odd address, with a guard behind. */
static void there_and_back(cn_dtype type, const float *x, size_t rows, size_t cols, float *y)
{
    size_t bytes = cn_dtype_tensor_bytes(type, rows, cols),
           row = cn_dtype_row_bytes(type, cols);
    char *buf = malloc(bytes + 2), *q = buf + 1;
    cn_err err = {0};
    assert_true(bytes > 0);
    q[bytes] = 77;
    assert_int_equal(quant_tensor_from_f32(type, x, rows, cols, q, &err), CN_OK);
    assert_int_equal(q[bytes], 77);
    kern_mat m = {type, (uint32_t)rows, (uint32_t)cols, row, q, q + rows * row, 0};
    for (size_t r = 0; r < rows; r++)
        quant_row_to_f32(&m, r, y + r * cols);
    free(buf);
}

static void errors_as_small_as_ggml(void **state)
{
    (void)state;
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    normal(x, N);
    for (size_t t = 0; t < CN_ARRAY_LEN(types); t++) {
        there_and_back(types[t].type, x, N / COLS, COLS, y);
        double sum = 0;
        for (size_t i = 0; i < N; i++)
            sum += (double)(x[i] - y[i]) * (double)(x[i] - y[i]);
        double rmse = sqrt(sum / N);
        print_message("%-7s rmse %.6f, bound %.6f * 1.01\n",
                      cn_dtype_info_of(types[t].type)->name, rmse, types[t].rmse);
        assert_true(rmse <= types[t].rmse * 1.01);
    }
    free(x);
    free(y);
}

static void same_bytes_as_ggml(void **state)
{
    (void)state;
    static float x[4096];
    static uint8_t q[4096 * 4];
    exact(x, 4096);
    for (size_t t = 0; t < CN_ARRAY_LEN(types); t++) {
        if (!types[t].hash) continue;
        quant_row_from_f32(types[t].type, x, 4096, q);
        assert_int_equal(fnv(q, cn_dtype_row_bytes(types[t].type, 4096)), types[t].hash);
    }
}

/* tools/nf4_reference.py, write_golden() */
static void nf4_bytes(void **state)
{
    (void)state;
    cn_buf b = {0};
    cn_err err = {0};
    char *path = fixture("quants/nf4.bin");
    if (cn_file_read(&b, path, 1 << 20, &err)) fail_msg("%s", err.why);
    cn_free(path);
    uint32_t head[2];
    memcpy(head, b.p, sizeof head);
    size_t n = (size_t)head[0] * head[1];
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        int16_t w;
        memcpy(&w, b.p + sizeof head + 2 * i, sizeof w);
        x[i] = (float)w / 4096;
    }
    const char *want = b.p + sizeof head + 2 * n;
    for (unsigned type = CN_NF4; type <= CN_NF4_DQ; type++) {
        size_t bytes = cn_dtype_tensor_bytes((cn_dtype)type, head[0], head[1]);
        char *q = malloc(bytes);
        assert_int_equal(quant_tensor_from_f32((cn_dtype)type, x, head[0], head[1], q, &err),
                         CN_OK);
        assert_memory_equal(q, want, bytes);
        want += bytes;
        free(q);
    }
    free(x);
    cn_buf_deinit(&b);
}

/* What the error may be at most: the size of the largest weight, and then some. */
static void finite_and_close(void **state)
{
    (void)state;
    static const float specials[] = {NAN,   INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 0,
                                     -0.0f, 1e-45f,   -1e-39f,   1e-30f,  6e-8f,    1,
                                     -1,    65504,    65536,     3e30f};
    enum { SPECIALS = CN_ARRAY_LEN(specials) };
    float x[512], y[512];
    for (size_t t = 0; t < CN_ARRAY_LEN(types); t++) {
        cn_dtype type = types[t].type;
        for (size_t a = 0; a < SPECIALS; a++)
            for (size_t b = 0; b < SPECIALS; b++) {
                for (size_t i = 0; i < 512; i++)
                    x[i] = i % 5 == 4 ? specials[b] : specials[a];
                there_and_back(type, x, 2, 256, y);
                for (size_t i = 0; i < 512; i++)
                    assert_true(isfinite(y[i]));
            }
        for (int k = -3; k <= 3; k++) { /* constants, and one weight alone */
            for (size_t i = 0; i < 512; i++)
                x[i] = (float)k;
            there_and_back(type, x, 2, 256, y);
            for (size_t i = 0; i < 512; i++)
                assert_true(fabsf(y[i] - x[i]) <= 0.07f * fabsf(x[i]));
            memset(x, 0, sizeof x);
            x[300] = (float)k;
            there_and_back(type, x, 1, 512, y);
            for (size_t i = 0; i < 512; i++)
                assert_true(fabsf(y[i] - x[i]) <= 0.07f * fabsf((float)k));
        }
    }
}

static void refusals(void **state)
{
    (void)state;
    float x[96] = {0};
    char out[400];
    cn_err err = {0};
    assert_int_equal(quant_tensor_from_f32(CN_Q4_K, x, 1, 96, out, &err), CN_E_ARG);
    assert_int_equal(quant_tensor_from_f32(CN_I32, x, 1, 96, out, &err), CN_E_ARG);
    assert_int_equal(quant_tensor_from_f32((cn_dtype)999, x, 1, 96, out, &err), CN_E_ARG);
    assert_int_equal(quant_tensor_from_f32(CN_Q4_0, x, 1, 96, out, &err), CN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_as_small_as_ggml),
        cmocka_unit_test(same_bytes_as_ggml),
        cmocka_unit_test(nf4_bytes),
        cmocka_unit_test(finite_and_close),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
