/* Which modules an adapter configuration means, with which rank and scale, and what it must not
 * ask for. */
#include "cases.h"

#include <math.h>

#include "peft.h"

#define LORA "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,"
#define LAYER(n, rest) "model.layers." #n "." rest

static peft_config *parse(const char *json)
{
    peft_config *c;
    cn_err err = {0};
    if (peft_parse(&c, cn_str_of(json), &err)) fail_msg("%s: %s: %s", json, err.what, err.why);
    return c;
}

/* The rank for the module, 0 when it is not adapted. */
static uint32_t rank_of(const peft_config *c, const char *module)
{
    uint32_t rank = 0;
    float scale;
    return peft_targets(c, cn_str_of(module), &rank, &scale) ? rank : 0;
}

static float scale_of(const peft_config *c, const char *module)
{
    uint32_t rank;
    float scale = 0;
    assert_true(peft_targets(c, cn_str_of(module), &rank, &scale));
    return scale;
}

/* `yes` are targets and `no` are none, both lists ended by NULL. */
static void expect(const char *json, const char *const *yes, const char *const *no)
{
    peft_config *c = parse(json);
    for (; *yes; yes++)
        if (!rank_of(c, *yes)) fail_msg("%s: %s should be adapted", json, *yes);
    for (; *no; no++)
        if (rank_of(c, *no)) fail_msg("%s: %s should not be adapted", json, *no);
    peft_free(c);
}

#define LIST(...)                                                                              \
    (const char *const[])                                                                      \
    {                                                                                          \
        __VA_ARGS__, NULL                                                                      \
    }

static void lists_are_suffixes(void **state)
{
    (void)state;
    expect(LORA "\"target_modules\":[\"q_proj\",\"mlp.up_proj\"]}",
           LIST(LAYER(0, "self_attn.q_proj"), LAYER(1, "mlp.up_proj"), "q_proj"),
           LIST(LAYER(0, "self_attn.k_proj"), LAYER(0, "self_attn.xq_proj"),
                LAYER(1, "moe.up_proj"), "up_proj", ""));
}

static void texts_are_expressions(void **state)
{
    (void)state;
    expect(LORA "\"target_modules\":\".*\\\\.(q|v)_proj\"}",
           LIST(LAYER(0, "self_attn.q_proj"), LAYER(11, "self_attn.v_proj")),
           LIST(LAYER(0, "self_attn.k_proj"), LAYER(0, "self_attn.q_proj.x"), "q_proj"));
    /* full match: a shorter alternative must not win */
    expect(LORA "\"target_modules\":\"a|ab\"}", LIST("a", "ab"), LIST("abc", "b"));
    expect(LORA "\"target_modules\":\"(?P<x>q)_proj(?!2)\"}", LIST("q_proj"), LIST("v_proj"));
}

static void all_linear_spares_the_head(void **state)
{
    (void)state;
    expect(LORA "\"target_modules\":\"All-Linear\"}",
           LIST(LAYER(0, "self_attn.q_proj"), LAYER(0, "mlp.down_proj")),
           LIST("lm_head", "model.lm_head"));
}

static void excluded_modules(void **state)
{
    (void)state;
    expect(LORA "\"target_modules\":\"all-linear\",\"exclude_modules\":[\"k_proj\"]}",
           LIST(LAYER(0, "self_attn.q_proj")), LIST(LAYER(0, "self_attn.k_proj")));
    expect(LORA
           "\"target_modules\":[\"q_proj\"],\"exclude_modules\":\".*layers\\\\.0\\\\..*\"}",
           LIST(LAYER(1, "self_attn.q_proj")), LIST(LAYER(0, "self_attn.q_proj")));
}

static void chosen_layers(void **state)
{
    (void)state;
    expect(LORA "\"target_modules\":[\"q_proj\"],\"layers_to_transform\":[1,12]}",
           LIST(LAYER(1, "self_attn.q_proj"), LAYER(12, "self_attn.q_proj")),
           LIST(LAYER(0, "self_attn.q_proj"), LAYER(11, "self_attn.q_proj"), "x.q_proj",
                LAYER(99999999999999999999, "self_attn.q_proj")));
    expect(LORA "\"target_modules\":[\"q\"],\"layers_to_transform\":2,"
                "\"layers_pattern\":[\"blocks\",\"h\"]}",
           LIST("t.h.2.attn.q", "t.blocks.2.q"), LIST("t.h.1.attn.q", "t.layers.2.attn.q"));
    /* a module named in full is meant whatever its layer */
    expect(LORA "\"target_modules\":[\"m.layers.3.q\"],\"layers_to_transform\":[1]}",
           LIST("m.layers.3.q"), LIST("x.m.layers.3.q"));
}

static void no_targets_leave_it_to_the_weights(void **state)
{
    (void)state;
    expect(LORA "\"target_modules\":null}", LIST("anything", LAYER(0, "mlp.x")), LIST(NULL));
}

static void ranks_and_scales(void **state)
{
    (void)state;
    peft_config *c = parse(LORA "\"target_modules\":\"all-linear\","
                                "\"rank_pattern\":{\"q_proj\":16,\"layers\\\\.[01]\\\\..*\":2},"
                                "\"alpha_pattern\":{\"self_attn.v_proj\":3.5}}");
    assert_int_equal(rank_of(c, LAYER(5, "self_attn.k_proj")), 4);
    assert_int_equal(rank_of(c, LAYER(5, "self_attn.q_proj")), 16);
    assert_int_equal(rank_of(c, LAYER(0, "self_attn.q_proj")), 16); /* the first that fits */
    assert_int_equal(rank_of(c, LAYER(0, "self_attn.k_proj")), 2);
    assert_int_equal(rank_of(c, LAYER(10, "self_attn.k_proj")), 4);
    assert_int_equal(rank_of(c, "xq_proj"), 4);
    assert_true(scale_of(c, LAYER(5, "self_attn.k_proj")) == 2.0f);
    assert_true(scale_of(c, LAYER(5, "self_attn.q_proj")) == 0.5f);
    assert_true(scale_of(c, LAYER(5, "self_attn.v_proj")) == 0.875f);
    assert_true(scale_of(c, LAYER(1, "self_attn.v_proj")) == 1.75f);
    peft_free(c);
    c = parse(LORA "\"target_modules\":[\"q\"],\"use_rslora\":true}");
    assert_true(scale_of(c, "q") == 4.0f);
    peft_free(c);
    c = parse("{\"peft_type\":\"LORA\",\"target_modules\":[\"q\"]}"); /* PEFT's defaults */
    assert_int_equal(rank_of(c, "q"), 8);
    assert_true(scale_of(c, "q") == 1.0f);
    peft_free(c);
}

/* Keys without operators are compared by hand: the answers are those of the expression. */
static void keys_with_and_without_operators(void **state)
{
    (void)state;
    static const char *const keys[] = {"q_proj", "^q_proj", "a.b", "^a.b", "a", "^a", "."};
    static const char *const modules[] = {"q_proj", "x.q_proj", "xq_proj", "a.b",
                                          "x.a.b",  "axb",      "x.axb",   "a",
                                          "b.a",    "a.b.",     "",        "ab"};
    for (size_t k = 0; k < CN_ARRAY_LEN(keys); k++) {
        cn_buf plain = {0}, operators = {0};
        cn_buf_printf(&plain, LORA "\"rank_pattern\":{\"%s\":9}}", keys[k]);
        cn_buf_printf(&operators, LORA "\"rank_pattern\":{\"(?:%s)\":9}}", keys[k]);
        peft_config *a = parse(plain.p), *b = parse(operators.p);
        for (size_t m = 0; m < CN_ARRAY_LEN(modules); m++)
            if (rank_of(a, modules[m]) != rank_of(b, modules[m]))
                fail_msg("%s against %s: %u and %u", keys[k], modules[m],
                         rank_of(a, modules[m]), rank_of(b, modules[m]));
        peft_free(a);
        peft_free(b);
        cn_buf_deinit(&plain);
        cn_buf_deinit(&operators);
    }
}

static void other_fields(void **state)
{
    (void)state;
    peft_config *c = parse(LORA "\"base_model_name_or_path\":\"org/base\","
                                "\"fan_in_fan_out\":true,\"nobody_knows\":{\"x\":[1]}}");
    assert_true(cn_str_is(peft_base_name(c), "org/base"));
    assert_true(peft_fan_in_fan_out(c));
    peft_free(c);
    c = parse(LORA "\"base_model_name_or_path\":null,\"init_lora_weights\":\"gaussian\"}");
    assert_null(peft_base_name(c).p);
    assert_false(peft_fan_in_fan_out(c));
    peft_free(c);
}

static void refusals_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *json, *why;
        cn_status status;
    } cases[] = {
        {"{\"peft_type\":\"IA3\"}", "IA3", CN_E_UNSUPPORTED},
        {"{\"r\":8}", "peft_type", CN_E_FORMAT},
        {"[]", "peft_type", CN_E_FORMAT},
        {"{\"peft_type\":\"LORA\"", "JSON", CN_E_FORMAT},
        {"{\"peft_type\":\"LORA\",\"r\":8,\"r\":9}", "duplicate", CN_E_FORMAT},
        {LORA "\"use_dora\":true}", "use_dora", CN_E_UNSUPPORTED},
        {LORA "\"use_qalora\":true}", "use_qalora", CN_E_UNSUPPORTED},
        {LORA "\"use_bdlora\":{\"nblocks\":2}}", "use_bdlora", CN_E_UNSUPPORTED},
        {LORA "\"modules_to_save\":[\"lm_head\"]}", "modules_to_save", CN_E_UNSUPPORTED},
        {LORA "\"lora_bias\":true}", "lora_bias", CN_E_UNSUPPORTED},
        {LORA "\"bias\":\"all\"}", "bias is all", CN_E_UNSUPPORTED},
        {LORA "\"layer_replication\":[[0,4]]}", "layer_replication", CN_E_UNSUPPORTED},
        {LORA "\"trainable_token_indices\":[1]}", "trainable_token", CN_E_UNSUPPORTED},
        {LORA "\"target_parameters\":[\"w\"]}", "target_parameters", CN_E_UNSUPPORTED},
        {LORA "\"alora_invocation_tokens\":[1]}", "alora", CN_E_UNSUPPORTED},
        {LORA "\"init_lora_weights\":\"pissa_niter_16\"}", "pissa_niter_16", CN_E_UNSUPPORTED},
        {LORA "\"init_lora_weights\":\"olora\"}", "olora", CN_E_UNSUPPORTED},
        {"{\"peft_type\":\"LORA\",\"r\":0}", "r is 0", CN_E_FORMAT},
        {"{\"peft_type\":\"LORA\",\"r\":\"8\"}", "r is", CN_E_FORMAT},
        {"{\"peft_type\":\"LORA\",\"r\":70000}", "70000", CN_E_FORMAT},
        {"{\"peft_type\":\"LORA\",\"lora_alpha\":\"x\"}", "lora_alpha", CN_E_FORMAT},
        {LORA "\"rank_pattern\":{\"q\":1.5}}", "rank_pattern: q is 1.5", CN_E_FORMAT},
        {LORA "\"rank_pattern\":{\"q\":\"x\"}}", "q has no number", CN_E_FORMAT},
        {LORA "\"rank_pattern\":[1]}", "rank_pattern is no object", CN_E_FORMAT},
        {LORA "\"alpha_pattern\":{\"(\":1}}", "regular expression", CN_E_FORMAT},
        {LORA "\"target_modules\":\"(\"}", "regular expression", CN_E_FORMAT},
        {LORA "\"target_modules\":7}", "target_modules", CN_E_FORMAT},
        {LORA "\"target_modules\":[\"q\",1]}", "entry 2 of 2", CN_E_FORMAT},
        {LORA "\"target_modules\":\".*\",\"layers_to_transform\":[1]}", "layers_to_transform",
         CN_E_FORMAT},
        {LORA "\"target_modules\":[\"q\"],\"layers_to_transform\":[-1]}", "-1", CN_E_FORMAT},
        {LORA "\"target_modules\":[\"q\"],\"layers_to_transform\":[1],"
              "\"layers_pattern\":{\"x\":1}}",
         "layers_pattern", CN_E_FORMAT},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
        peft_config *c;
        cn_err err = {0};
        cn_status st = peft_parse(&c, cn_str_of(cases[i].json), &err);
        if (st != cases[i].status || !strstr(err.why, cases[i].why))
            fail_msg("%s: %s: %s", cases[i].json, cn_status_code(st), err.why);
        assert_null(c);
    }
}

static void refuse_text(cn_buf *json, const char *why)
{
    peft_config *c;
    cn_err err = {0};
    assert_int_equal(peft_parse(&c, cn_buf_view(json), &err), CN_E_LIMIT);
    if (!strstr(err.why, why)) fail_msg("want \"%s\", got %s", why, err.why);
    cn_buf_deinit(json);
}

static void written_limits(void **state)
{
    (void)state;
    cn_buf b = {0};
    cn_buf_lit(&b, LORA "\"target_modules\":\"");
    for (int i = 0; i < 4097; i++)
        cn_buf_putc(&b, 'a');
    cn_buf_lit(&b, "\"}");
    refuse_text(&b, "4097 bytes, at most 4096");
    cn_buf_lit(&b, LORA "\"target_modules\":[\"a\"");
    for (int i = 0; i < 65536; i++)
        cn_buf_lit(&b, ",\"a\"");
    cn_buf_lit(&b, "]}");
    refuse_text(&b, "65537 modules, at most 65536");
    cn_buf_lit(&b, LORA "\"rank_pattern\":{\"a\":1");
    for (int i = 0; i < 4096; i++)
        cn_buf_printf(&b, ",\"a%d\":1", i);
    cn_buf_lit(&b, "}}");
    refuse_text(&b, "4097 entries, at most 4096");
    cn_buf_lit(&b, LORA "\"alpha_pattern\":{\"a\":1");
    for (int i = 0; i < 129; i++)
        cn_buf_printf(&b, ",\"a[%d]\":1", i);
    cn_buf_lit(&b, "}}");
    refuse_text(&b, "alpha_pattern holds over 128 regular expressions");
}

/* An expression that would run for ages ends early, and then does not match. */
static void catastrophic_expressions(void **state)
{
    (void)state;
    peft_config *c = parse(LORA "\"target_modules\":\"(a+)+[bc]|(a|aa)+[cd]|.*x\"}");
    assert_int_equal(rank_of(c, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), 0);
    assert_int_equal(rank_of(c, "aab"), 4);
    assert_int_equal(rank_of(c, "a\xff"), 0); /* not UTF-8 */
    peft_free(c);
}

static void class_config(const cn_json *kase, size_t *loaded, size_t *refused, size_t *wrong)
{
    cn_buf text = {0};
    peft_config *c;
    cn_err err = {0};
    cn_json_write(&text, cn_json_get(kase, "config"));
    cn_status st = peft_parse(&c, cn_buf_view(&text), &err);
    cn_str name = cn_json_str(cn_json_get(kase, "name"));
    bool load = cn_json_is(cn_json_get(kase, "expect"), "load");
    if (load != (st == CN_OK) || (st && st != CN_E_UNSUPPORTED)) {
        print_error("WRONG %.*s: %s\n", CN_STR_ARG(name), err.why);
        ++*wrong;
    }
    *(st ? refused : loaded) += 1;
    peft_free(c);
    cn_buf_deinit(&text);
}

static void shared_configurations(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/loader/peft_adapter_configs.json");
    cn_json *root = read_json(path);
    const cn_json *cases = cn_json_get(root, "cases");
    size_t loaded = 0, refused = 0, wrong = 0;
    for (size_t i = 0; i < cn_json_size(cases); i++)
        class_config(cn_json_at(cases, i), &loaded, &refused, &wrong);
    print_message("loaded %zu, refused %zu, wrong %zu\n", loaded, refused, wrong);
    assert_int_equal(wrong, 0);
    assert_true(loaded && refused);
    cn_json_free(root);
    cn_free(path);
}

static void shared_adapters(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/weights/lora/all-linear-r8-rslora-f16");
    peft_config *c;
    cn_err err = {0};
    if (peft_open(&c, path, &err)) fail_msg("%s: %s", err.what, err.why);
    assert_int_equal(rank_of(c, LAYER(4, "mlp.gate_proj")), 8);
    assert_true(fabsf(scale_of(c, LAYER(4, "mlp.gate_proj")) - 4 / sqrtf(8)) < 1e-6f);
    assert_int_equal(rank_of(c, "lm_head"), 0);
    peft_free(c);
    cn_free(path);
}

static void folders(void **state)
{
    (void)state;
    char *folder = fixture("formats/adapter");
    peft_config *c;
    cn_err err = {0};
    if (peft_open(&c, folder, &err)) fail_msg("%s: %s", err.what, err.why);
    assert_int_equal(rank_of(c, "model.layers.0.self_attn.v_proj"), 4);
    peft_free(c);
    cn_free(folder);
    folder = scratch_folder();
    assert_int_equal(peft_open(&c, folder, &err), CN_E_NOT_FOUND);
    assert_non_null(strstr(err.what, "adapter_config.json"));
    assert_null(c);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_suffixes),
        cmocka_unit_test(texts_are_expressions),
        cmocka_unit_test(all_linear_spares_the_head),
        cmocka_unit_test(excluded_modules),
        cmocka_unit_test(chosen_layers),
        cmocka_unit_test(no_targets_leave_it_to_the_weights),
        cmocka_unit_test(ranks_and_scales),
        cmocka_unit_test(keys_with_and_without_operators),
        cmocka_unit_test(other_fields),
        cmocka_unit_test(refusals_by_name),
        cmocka_unit_test(written_limits),
        cmocka_unit_test(catastrophic_expressions),
        cmocka_unit_test(folders),
        cmocka_unit_test(shared_configurations),
        cmocka_unit_test(shared_adapters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
