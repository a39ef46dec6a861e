/* Reference for GGUF's block types, from ggml itself (not part of the build):
 *   cc -O2 -I GGML/include tools/ggml_golden.c libggml-base.a -lstdc++ -lpthread -lm -o golden
 *   ./golden read  > tests/fixtures/quants/ggml.bin   blocks of random bytes and what they mean
 *   ./golden write > bounds                           errors and hashes of ggml's quantisation
 * The weights of "write" are made as in tests/unit/kernels/test_quants_write.c. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml.h"

static const struct {
    enum ggml_type type;
    int half[2]; /* where the block's halves lie; -1: none */
} types[] = {
    {GGML_TYPE_Q4_0, {0, -1}},  {GGML_TYPE_Q4_1, {0, 2}},    {GGML_TYPE_Q5_0, {0, -1}},
    {GGML_TYPE_Q5_1, {0, 2}},   {GGML_TYPE_Q8_0, {0, -1}},   {GGML_TYPE_IQ4_NL, {0, -1}},
    {GGML_TYPE_Q2_K, {80, 82}}, {GGML_TYPE_Q3_K, {108, -1}}, {GGML_TYPE_Q4_K, {0, 2}},
    {GGML_TYPE_Q5_K, {0, 2}},   {GGML_TYPE_Q6_K, {208, -1}},
};
enum { N_TYPES = sizeof types / sizeof *types };

static uint64_t state = 1;

static uint32_t next(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static float uniform(void)
{
    return (float)(next() >> 8) * 0x1p-24f;
}

/* Two blocks a type: u32 type, u32 bytes, u32 weights, the bytes, the weights as f32. */
static void write_blocks(void)
{
    for (int t = 0; t < N_TYPES; t++) {
        const struct ggml_type_traits *traits = ggml_get_type_traits(types[t].type);
        uint32_t head[3] = {types[t].type, 2 * traits->type_size, 2 * traits->blck_size};
        uint8_t bytes[512];
        float out[512];
        for (uint32_t i = 0; i < head[1]; i++)
            bytes[i] = next() >> 24;
        for (int b = 0; b < 2; b++)
            for (int h = 0; h < 2 && types[t].half[h] >= 0; h++) {
                ggml_fp16_t d = ggml_fp32_to_fp16(uniform() - (b ? 0.5f : 0));
                memcpy(bytes + b * traits->type_size + types[t].half[h], &d, sizeof d);
            }
        traits->to_float(bytes, out, head[2]);
        fwrite(head, sizeof head, 1, stdout);
        fwrite(bytes, head[1], 1, stdout);
        fwrite(out, sizeof *out, head[2], stdout);
    }
}

static void normal(float *x, int n)
{
    for (int i = 0; i < n; i += 2) {
        float r = sqrtf(-2 * logf(uniform() + 0x1p-25f)), a = 6.2831853f * uniform();
        x[i] = r * cosf(a);
        x[i + 1] = r * sinf(a);
    }
}

/* ggml's bytes for weights that are exact in f32 everywhere: sums of four 12-bit numbers. */
static void print_hash(enum ggml_type type)
{
    float x[4096];
    uint8_t q[4096 * 4];
    uint64_t hash = 0xcbf29ce484222325;
    state = 1;
    for (int i = 0; i < 4096; i++) {
        int sum = 0;
        for (int k = 0; k < 4; k++)
            sum += (int)(next() >> 20) - 2048;
        x[i] = (float)sum / 4096 * (float)(1 + i / 32 % 7);
    }
    size_t n = ggml_quantize_chunk(type, x, q, 0, 1, 4096, NULL);
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ q[i]) * 0x100000001b3;
    printf("%016llx\n", (unsigned long long)hash);
}

static void print_errors(void)
{
    enum { N = 64 * 1024 };
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    void *q = malloc(N * sizeof *x);
    normal(x, N);
    for (int t = 0; t < N_TYPES; t++) {
        double sum = 0;
        ggml_quantize_chunk(types[t].type, x, q, 0, N / 1024, 1024, NULL);
        ggml_get_type_traits(types[t].type)->to_float(q, y, N);
        for (int i = 0; i < N; i++)
            sum += (double)(x[i] - y[i]) * (x[i] - y[i]);
        printf("%s %.6f ", ggml_type_name(types[t].type), sqrt(sum / N));
        print_hash(types[t].type);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "read") == 0)
        write_blocks();
    else if (argc == 2 && strcmp(argv[1], "write") == 0)
        print_errors();
    else
        return 2;
    return 0;
}
