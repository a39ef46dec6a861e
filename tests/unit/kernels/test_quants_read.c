/* Blocks to f32, bit for bit as the programs that defined them. */
#include "testing.h"

#include <string.h>

#include "quants.h"

static cn_buf load(const char *relative)
{
    cn_buf b = {0};
    cn_err err = {0};
    char *path = fixture(relative);
    if (cn_file_read(&b, path, 1 << 20, &err)) fail_msg("%s", err.why);
    cn_free(path);
    return b;
}

static uint64_t fnv(const void *p, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const uint8_t *)p)[i]) * 0x100000001b3;
    return hash;
}

static void same_as_ggml(void **state)
{
    (void)state;
    cn_buf b = load("quants/ggml.bin");
    size_t n_types = 0;
    for (const char *p = b.p; p < b.p + b.n; n_types++) {
        uint32_t head[3]; /* type, bytes, weights */
        memcpy(head, p, sizeof head);
        p += sizeof head;
        float out[513];
        out[head[2]] = 77;
        /* as one row, then as two: any alignment */
        kern_mat m = {(cn_dtype)head[0], 1, head[2], head[1], p, NULL, 0};
        assert_true(quant_is_weight_type(m.type));
        quant_row_to_f32(&m, 0, out);
        assert_memory_equal(out, p + head[1], head[2] * sizeof *out);
        assert_true(out[head[2]] == 77);
        m = (kern_mat){m.type, 2, head[2] / 2, head[1] / 2, p, NULL, 0};
        quant_row_to_f32(&m, 1, out);
        assert_memory_equal(out, p + head[1] + head[2] * 2, head[2] * 2);
        p += head[1] + head[2] * sizeof *out;
    }
    assert_int_equal(n_types, 11);
    cn_buf_deinit(&b);
}

/* tools/nf4_reference.py, write_golden() */
static void same_as_bitsandbytes(void **state)
{
    (void)state;
    cn_buf b = load("quants/nf4.bin");
    uint32_t head[2];
    uint64_t want[2];
    memcpy(head, b.p, sizeof head);
    memcpy(want, b.p + b.n - sizeof want, sizeof want);
    size_t n = (size_t)head[0] * head[1];
    float *out = cn_alloc_array(n, sizeof *out);
    const char *nf4 = b.p + sizeof head + 2 * n;
    const char *dq = nf4 + cn_dtype_tensor_bytes(CN_NF4, head[0], head[1]);
    size_t dq_row = cn_dtype_row_bytes(CN_NF4_DQ, head[1]);
    assert_ptr_equal(dq + cn_dtype_tensor_bytes(CN_NF4_DQ, head[0], head[1]),
                     b.p + b.n - sizeof want);

    kern_mat m = {CN_NF4, head[0], head[1], cn_dtype_row_bytes(CN_NF4, head[1]), nf4, NULL, 0};
    for (size_t r = 0; r < head[0]; r++)
        quant_row_to_f32(&m, r, out + r * head[1]);
    assert_int_equal(fnv(out, n * sizeof *out), want[0]);

    /* the last row through a matrix that begins at row 1 of the tensor */
    kern_mat all = {CN_NF4_DQ, head[0], head[1], dq_row, dq, dq + head[0] * dq_row, 0};
    kern_mat part = {CN_NF4_DQ, head[0] - 1, head[1], dq_row, dq + dq_row, all.aux, 1};
    for (size_t r = 0; r < head[0]; r++)
        quant_row_to_f32(r == 2 ? &part : &all, r == 2 ? 1 : r, out + r * head[1]);
    assert_int_equal(fnv(out, n * sizeof *out), want[1]);
    cn_free(out);
    cn_buf_deinit(&b);
}

static void plain_types(void **state)
{
    (void)state;
    const float x[3] = {1.5f, -0.0f, 3e-7f};
    char bytes[1 + sizeof x];
    float out[3];
    memcpy(bytes + 1, x, sizeof x);
    kern_mat m = {CN_F32, 1, 3, 12, bytes + 1, NULL, 0};
    quant_row_to_f32(&m, 0, out);
    assert_memory_equal(out, x, sizeof x);

    const uint16_t h[3] = {0x3e00, 0x8000, 0x0005};
    memcpy(bytes + 1, h, sizeof h);
    m = (kern_mat){CN_F16, 1, 3, 6, bytes + 1, NULL, 0};
    quant_row_to_f32(&m, 0, out);
    assert_true(out[0] == 1.5f && out[1] == 0 && out[2] == 5 * 0x1p-24f);

    const uint16_t b[3] = {0x3fc0, 0x8000, 0x4049};
    memcpy(bytes + 1, b, sizeof b);
    m = (kern_mat){CN_BF16, 1, 3, 6, bytes + 1, NULL, 0};
    quant_row_to_f32(&m, 0, out);
    assert_true(out[0] == 1.5f && out[1] == 0 && out[2] == 3.140625f);
    assert_false(quant_is_weight_type(CN_I32));
    assert_false(quant_is_weight_type((cn_dtype)999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_ggml),
        cmocka_unit_test(same_as_bitsandbytes),
        cmocka_unit_test(plain_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
