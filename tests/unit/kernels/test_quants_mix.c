/* The mixes: which tensor gets which type. Expectations follow llama.cpp's own choices. */
#include "testing.h"

#include "compiler.h"
#include "quant_mix.h"

static cn_dtype choose(const char *mix, const char *name, uint32_t layers, uint64_t cols)
{
    const quant_mix *m = quant_mix_find(mix);
    assert_non_null(m);
    quant_place p = {cn_str_of(name), 2, cols, layers, 1, false};
    return quant_mix_type(m, &p);
}

static void q4_k_m_of_32_layers(void **state)
{
    (void)state;
    static const char better[] = "11110010010010010010010010011111";
    for (int i = 0; i < 32; i++) {
        char v[40], down[40], up[40];
        snprintf(v, sizeof v, "blk.%d.attn_v.weight", i);
        snprintf(down, sizeof down, "blk.%d.ffn_down.weight", i);
        snprintf(up, sizeof up, "blk.%d.ffn_up.weight", i);
        cn_dtype want = better[i] == '1' ? CN_Q6_K : CN_Q4_K;
        assert_int_equal(choose("q4_k_m", v, 32, 4096), want);
        assert_int_equal(choose("Q4_K_M", down, 32, 14336), want);
        assert_int_equal(choose("Q4_K_M", up, 32, 4096), CN_Q4_K);
    }
    assert_int_equal(choose("Q4_K_M", "output.weight", 32, 4096), CN_Q6_K);
    assert_int_equal(choose("Q4_K_M", "token_embd.weight", 32, 4096), CN_Q4_K);
}

static void other_mixes(void **state)
{
    (void)state;
    static const struct {
        const char *mix, *name;
        cn_dtype want;
    } cases[] = {
        {"Q2_K", "blk.9.attn_v.weight", CN_Q3_K},
        {"Q2_K", "blk.9.attn_output.weight", CN_Q3_K},
        {"Q2_K", "blk.9.ffn_down.weight", CN_Q3_K},
        {"Q2_K", "blk.9.ffn_gate.weight", CN_Q2_K},
        {"Q3_K_S", "blk.0.attn_v.weight", CN_Q3_K},
        {"Q3_K_M", "blk.1.attn_v.weight", CN_Q5_K},
        {"Q3_K_M", "blk.2.attn_v.weight", CN_Q4_K},
        {"Q3_K_M", "blk.1.ffn_down.weight", CN_Q5_K},
        {"Q3_K_M", "blk.2.ffn_down.weight", CN_Q4_K},
        {"Q3_K_M", "blk.2.attn_output.weight", CN_Q4_K},
        {"Q3_K_M", "blk.2.attn_q.weight", CN_Q3_K},
        {"Q3_K_L", "blk.2.attn_output.weight", CN_Q5_K},
        {"Q4_K_S", "blk.3.attn_v.weight", CN_Q5_K},
        {"Q4_K_S", "blk.4.attn_v.weight", CN_Q4_K},
        {"Q4_K_S", "blk.3.ffn_down.weight", CN_Q5_K},
        {"Q4_K_S", "blk.4.ffn_down.weight", CN_Q4_K},
        {"Q5_K_M", "blk.6.attn_qkv.weight", CN_Q6_K},
        {"Q5_K_M", "blk.7.attn_qkv.weight", CN_Q5_K},
        {"Q5_K_S", "blk.0.attn_v.weight", CN_Q5_K},
        {"Q6_K", "blk.0.attn_v.weight", CN_Q6_K},
        {"Q4_0", "output.weight", CN_Q6_K},
        {"Q4_0", "token_embd.weight", CN_Q4_0},
        {"Q8_0", "output.weight", CN_Q8_0},
        {"IQ4_NL", "blk.0.ffn_down.weight", CN_Q5_K},
        {"NF4", "blk.0.ffn_down.weight", CN_NF4},
        {"NF4_DQ", "blk.0.ffn_down.weight", CN_NF4_DQ},
        {"NF4", "output.weight", CN_F16},
        {"NF4_DQ", "token_embd.weight", CN_F16},
        {"BF16", "blk.0.ffn_down.weight", CN_BF16},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++)
        if (choose(cases[i].mix, cases[i].name, 32, 4096) != cases[i].want)
            fail_msg("%s %s: not type %d", cases[i].mix, cases[i].name, cases[i].want);

    quant_place tied = {CN_STR("token_embd.weight"), 2, 4096, 32, 1, true};
    assert_int_equal(quant_mix_type(quant_mix_find("Q4_K_M"), &tied), CN_Q6_K);
    quant_place grouped = {CN_STR("blk.9.attn_v.weight"), 2, 4096, 32, 4, false};
    assert_int_equal(quant_mix_type(quant_mix_find("Q2_K"), &grouped), CN_Q4_K);
}

static void small_things_stay_f32(void **state)
{
    (void)state;
    static const char *const names[] = {"blk.0.attn_norm.weight", "blk.0.attn_q.bias",
                                        "position_embd.weight",   "token_types.weight",
                                        "rope_freqs.weight",      "blk.0.attn_q_norm.weight"};
    for (size_t m = 0; quant_mix_at(m); m++) {
        for (size_t i = 0; i < CN_ARRAY_LEN(names); i++)
            assert_int_equal(choose(quant_mix_at(m)->name, names[i], 4, 256), CN_F32);
        quant_place vector = {CN_STR("blk.0.x.weight"), 1, 256, 4, 1, false};
        assert_int_equal(quant_mix_type(quant_mix_at(m), &vector), CN_F32);
    }
}

static void odd_widths(void **state)
{
    (void)state;
    const char *up = "blk.0.ffn_up.weight";
    assert_int_equal(choose("Q2_K", up, 4, 96), CN_Q4_0);
    assert_int_equal(choose("Q3_K", up, 4, 96), CN_Q4_0);
    assert_int_equal(choose("Q4_K", up, 4, 96), CN_Q5_0);
    assert_int_equal(choose("Q5_K", up, 4, 96), CN_Q5_1);
    assert_int_equal(choose("Q6_K", up, 4, 96), CN_Q8_0);
    assert_int_equal(choose("NF4_DQ", up, 4, 96), CN_IQ4_NL);
    assert_int_equal(choose("Q4_0", "output.weight", 4, 96), CN_Q8_0);
    /* every mix ends with a type whose blocks fit */
    for (size_t m = 0; quant_mix_at(m); m++)
        for (uint64_t cols = 1; cols <= 256; cols++) {
            cn_dtype t = choose(quant_mix_at(m)->name, up, 4, cols);
            assert_true(cn_dtype_row_bytes(t, cols) > 0);
        }
    assert_null(quant_mix_find("Q9_Z"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(q4_k_m_of_32_layers),
        cmocka_unit_test(other_mixes),
        cmocka_unit_test(small_things_stay_f32),
        cmocka_unit_test(odd_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
