/* 16-bit floats: every half and bfloat16, and every border between two of them. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "quants.h"

static uint32_t bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

/* A half by its definition: sign, 5 bits of exponent, 10 of fraction. */
static float half(unsigned h)
{
    int e = (int)(h >> 10 & 31), m = (int)(h & 1023);
    float v = e == 0    ? ldexpf((float)m, -24)
              : e == 31 ? (m ? NAN : INFINITY)
                        : ldexpf((float)(m + 1024), e - 25);
    return h & 0x8000 ? -v : v;
}

static void every_half(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        float want = half(h), got = quant_f16_to_f32((uint16_t)h);
        if (isnan(want)) {
            assert_true(isnan(got));
            assert_true(isnan(half(quant_f32_to_f16(got))));
        } else {
            assert_int_equal(bits(got), bits(want));
            assert_int_equal(quant_f32_to_f16(want), h);
        }
    }
}

/* Between neighbours h and h + 1: the middle goes to the even one, either side to its own. */
static void half_rounding(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7c00; h++) {
        float low = half(h), high = h == 0x7bff ? 65536.0f : half(h + 1);
        float middle = low + (high - low) / 2;
        assert_int_equal(quant_f32_to_f16(middle), h + (h & 1));
        assert_int_equal(quant_f32_to_f16(nextafterf(middle, 0)), h);
        assert_int_equal(quant_f32_to_f16(nextafterf(middle, INFINITY)), h + 1);
        assert_int_equal(quant_f32_to_f16(-middle), 0x8000 | (h + (h & 1)));
    }
    assert_int_equal(quant_f32_to_f16(1e30f), 0x7c00);
    assert_int_equal(quant_f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(quant_f32_to_f16(1e-45f), 0);
    assert_int_equal(quant_f32_to_f16(-0.0f), 0x8000);
}

static void every_bfloat(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        float f = quant_bf16_to_f32((uint16_t)h);
        assert_int_equal(bits(f), h << 16);
        if (isnan(f)) {
            assert_true(isnan(quant_bf16_to_f32(quant_f32_to_bf16(f))));
            continue;
        }
        assert_int_equal(quant_f32_to_bf16(f), h);
        if ((h & 0x7fff) == 0x7f80) continue; /* nothing beyond infinity */
        for (uint32_t low = 0x7fff; low <= 0x8001; low++) {
            uint32_t u = h << 16 | low;
            float between;
            memcpy(&between, &u, sizeof between);
            unsigned want = low < 0x8000 ? h : low > 0x8000 ? h + 1 : h + (h & 1);
            assert_int_equal(quant_f32_to_bf16(between), want);
        }
    }
    uint32_t u = 0x7f800001; /* a NaN whose upper half looks like infinity */
    float nan;
    memcpy(&nan, &u, sizeof nan);
    assert_true(isnan(quant_bf16_to_f32(quant_f32_to_bf16(nan))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half),
        cmocka_unit_test(half_rounding),
        cmocka_unit_test(every_bfloat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
