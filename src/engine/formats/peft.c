/* Judging adapter_config.json. What would change the result and is not done here is refused by
 * its name; everything else is about training or about other programs. */
#include "peft.h"

#include <inttypes.h>
#include <math.h>
#include <strings.h>

#include "file.h"
#include "mem.h"
#include "pattern_priv.h"

#define MAX_CONFIG_BYTES ((size_t)4 << 20)
#define MAX_RANK 65536
#define MAX_LAYERS 65536u
#define MAX_LAYER_PATTERNS 16u

struct peft_config {
    cn_json *root;        /* names and patterns below point into it */
    bool all_linear, any; /* target_modules: "all-linear", null */
    module_set targets, excluded;
    bool *layers; /* layers_to_transform as a set of n_layers; NULL for all */
    size_t n_layers;
    regex *layer_patterns[MAX_LAYER_PATTERNS];
    size_t n_layer_patterns;
    number_table ranks, alphas;
    uint32_t rank;
    double alpha;
    bool rslora, fan_in_fan_out;
};

/* Nothing was asked for: absent, null, false, or an empty list, object or text. */
static bool is_off(const cn_json *j)
{
    switch (cn_json_kind_of(j)) {
    case CN_JSON_NULL:
        return true;
    case CN_JSON_BOOL:
        return !cn_json_bool(j, true);
    case CN_JSON_STRING:
        return cn_json_str(j).n == 0;
    case CN_JSON_ARRAY:
    case CN_JSON_OBJECT:
        return cn_json_size(j) == 0;
    default:
        return false;
    }
}

static cn_status refuse_type(const cn_json *root, cn_err *err)
{
    cn_str type = cn_json_str(cn_json_get(root, "peft_type"));
    if (!type.p) return cn_fail(err, CN_E_FORMAT, "not an adapter: no peft_type");
    if (cn_str_is(type, "LORA")) return CN_OK;
    cn_status st = cn_fail(err, CN_E_UNSUPPORTED, "peft_type is %.*s, only LORA can be applied",
                           CN_STR_ARG(type));
    return cn_next(err, st, "merge the adapter into its base with PEFT and load the result");
}

static cn_status refuse_features(const cn_json *root, cn_err *err)
{
    static const struct {
        const char *key, *what;
    } refused[] = {
        {"use_dora", "DoRA (magnitudes beside the low-rank weights)"},
        {"use_qalora", "QALoRA (inputs pooled in groups)"},
        {"use_bdlora", "block-diagonal LoRA"},
        {"modules_to_save", "whole modules saved beside the low-rank weights"},
        {"lora_bias", "biases of the low-rank weights"},
        {"layer_replication", "layers repeated before adapting"},
        {"trainable_token_indices", "embeddings of single tokens"},
        {"target_parameters", "adapted parameters that are no modules"},
        {"alora_invocation_tokens", "activated LoRA (only after certain tokens)"},
        {"megatron_config", "Megatron's parallel layers"},
        {"arrow_config", "Arrow routing between adapters"},
        {"monteclora_config", "MonteCLoRA (random weights)"},
        {"velora_config", "VeLoRA"},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(refused); i++)
        if (!is_off(cn_json_get(root, refused[i].key))) {
            cn_status st = cn_fail(err, CN_E_UNSUPPORTED, "%s is set: %s cannot be applied",
                                   refused[i].key, refused[i].what);
            return cn_next(err, st,
                           "merge the adapter into its base with PEFT and load the result");
        }
    const cn_json *bias = cn_json_get(root, "bias");
    if (is_off(bias) || cn_json_is(bias, "none")) return CN_OK;
    return cn_fail(err, CN_E_UNSUPPORTED, "bias is %.*s, want none",
                   CN_STR_ARG(cn_json_str(bias)));
}

/* Some ways to begin training take the low-rank product out of the base first: such an adapter
 * fits the changed base only. */
static cn_status refuse_changed_base(const cn_json *root, cn_err *err)
{
    static const char *const harmless[] = {"gaussian", "orthogonal", "eva"};
    const cn_json *init = cn_json_get(root, "init_lora_weights");
    if (cn_json_kind_of(init) != CN_JSON_STRING) return CN_OK;
    for (size_t i = 0; i < CN_ARRAY_LEN(harmless); i++)
        if (strcasecmp(cn_json_str(init).p, harmless[i]) == 0) return CN_OK;
    cn_status st = cn_fail(
        err, CN_E_UNSUPPORTED,
        "init_lora_weights is %.*s: the adapter fits only a base that was changed for it",
        CN_STR_ARG(cn_json_str(init)));
    return cn_next(err, st,
                   "save it with path_initial_model_for_weight_conversion, which converts it");
}

static cn_status read_numbers(peft_config *c, cn_err *err)
{
    const cn_json *r = cn_json_get(c->root, "r"), *alpha = cn_json_get(c->root, "lora_alpha");
    int64_t rank = cn_json_is_null(r) ? 8 : cn_json_int(r, -1); /* PEFT's defaults */
    c->alpha = cn_json_is_null(alpha) ? 8 : cn_json_num(alpha, (double)NAN);
    if (rank < 1 || rank > MAX_RANK)
        return cn_fail(err, CN_E_FORMAT, "r is %" PRId64 ", want 1 to %d", rank, MAX_RANK);
    if (!isfinite(c->alpha)) return cn_fail(err, CN_E_FORMAT, "lora_alpha is no number");
    c->rank = (uint32_t)rank;
    c->rslora = cn_json_bool(cn_json_get(c->root, "use_rslora"), false);
    c->fan_in_fan_out = cn_json_bool(cn_json_get(c->root, "fan_in_fan_out"), false);
    cn_status st =
        number_table_read(&c->ranks, cn_json_get(c->root, "rank_pattern"), "rank_pattern", err);
    if (!st)
        st = number_table_read(&c->alphas, cn_json_get(c->root, "alpha_pattern"),
                               "alpha_pattern", err);
    for (size_t i = 0; i < c->ranks.n && !st; i++) {
        double v = c->ranks.rules[i].value;
        if (v < 1 || v > MAX_RANK || v != trunc(v))
            st = cn_fail(err, CN_E_FORMAT, "rank_pattern: %.*s is %g, want 1 to %d",
                         CN_STR_ARG(c->ranks.rules[i].key), v, MAX_RANK);
    }
    return st;
}

static cn_status read_targets(peft_config *c, cn_err *err)
{
    const cn_json *targets = cn_json_get(c->root, "target_modules");
    cn_str text = cn_json_str(targets);
    c->any = cn_json_is_null(targets);
    c->all_linear = text.n == 10 && strncasecmp(text.p, "all-linear", 10) == 0;
    cn_status st = CN_OK;
    if (!c->all_linear) st = module_set_read(&c->targets, targets, "target_modules", err);
    const cn_json *excluded = cn_json_get(c->root, "exclude_modules");
    if (!st && !is_off(excluded))
        st = module_set_read(&c->excluded, excluded, "exclude_modules", err);
    return st;
}

static cn_status add_layer(peft_config *c, const cn_json *j, cn_err *err)
{
    int64_t i = cn_json_kind_of(j) == CN_JSON_INT ? cn_json_int(j, -1) : -1;
    if (i < 0 || i >= MAX_LAYERS)
        return cn_fail(err, CN_E_FORMAT, "layers_to_transform holds %" PRId64 ", want 0 to %u",
                       i, MAX_LAYERS - 1);
    c->layers[i] = true;
    return CN_OK;
}

static cn_status read_layers(peft_config *c, cn_err *err)
{
    const cn_json *layers = cn_json_get(c->root, "layers_to_transform");
    if (is_off(layers)) return CN_OK;
    c->n_layers = MAX_LAYERS;
    c->layers = cn_alloc_array(MAX_LAYERS, sizeof *c->layers);
    if (!c->layers) return cn_fail(err, CN_E_NOMEM, "layers_to_transform");
    if (cn_json_kind_of(layers) != CN_JSON_ARRAY) return add_layer(c, layers, err);
    cn_status st = CN_OK;
    for (size_t i = 0; i < cn_json_size(layers) && !st; i++)
        st = add_layer(c, cn_json_at(layers, i), err);
    return st;
}

static cn_status add_layer_pattern(peft_config *c, cn_str pattern, cn_err *err)
{
    cn_buf text = {0};
    if (!pattern.p || c->n_layer_patterns == MAX_LAYER_PATTERNS)
        return cn_fail(err, CN_E_FORMAT, "layers_pattern: a text or up to %u of them",
                       MAX_LAYER_PATTERNS);
    cn_buf_lit(&text, ".*\\.");
    cn_buf_str(&text, pattern);
    cn_buf_lit(&text, "\\.(\\d+)\\.");
    cn_status st = regex_new(&c->layer_patterns[c->n_layer_patterns], cn_buf_view(&text),
                             REGEX_STEPS, err);
    cn_buf_deinit(&text);
    if (st) return cn_ctx(err, st, "layers_pattern");
    c->n_layer_patterns++;
    return CN_OK;
}

static cn_status read_layer_patterns(peft_config *c, cn_err *err)
{
    const cn_json *patterns = cn_json_get(c->root, "layers_pattern");
    if (!c->layers) return CN_OK;
    if (c->all_linear || c->targets.whole)
        return cn_fail(
            err, CN_E_FORMAT,
            "layers_to_transform goes with a list of target_modules, not with a text");
    if (is_off(patterns)) return add_layer_pattern(c, CN_STR("[^.]*"), err);
    if (cn_json_kind_of(patterns) != CN_JSON_ARRAY)
        return add_layer_pattern(c, cn_json_str(patterns), err);
    cn_status st = CN_OK;
    for (size_t i = 0; i < cn_json_size(patterns) && !st; i++)
        st = add_layer_pattern(c, cn_json_str(cn_json_at(patterns, i)), err);
    return st;
}

/* Takes over `root`. */
static cn_status judge(peft_config **out, cn_json *root, cn_err *err)
{
    peft_config *c = cn_xcalloc(1, sizeof *c);
    c->root = root;
    cn_status st = refuse_type(root, err);
    if (!st) st = refuse_features(root, err);
    if (!st) st = refuse_changed_base(root, err);
    if (!st) st = read_numbers(c, err);
    if (!st) st = read_targets(c, err);
    if (!st) st = read_layers(c, err);
    if (!st) st = read_layer_patterns(c, err);
    *out = st ? NULL : c;
    if (st) peft_free(c);
    return st;
}

cn_status peft_parse(peft_config **out, cn_str json, cn_err *err)
{
    cn_json *root;
    *out = NULL;
    cn_status st = cn_json_parse(&root, json, err);
    return st ? st : judge(out, root, err);
}

cn_status peft_open(peft_config **out, const char *folder, cn_err *err)
{
    char *path = cn_path_join(folder, "adapter_config.json");
    cn_json *root;
    *out = NULL;
    cn_status st = cn_json_read_file(&root, path, MAX_CONFIG_BYTES, err);
    if (!st) st = judge(out, root, err);
    if (st) cn_ctx(err, st, "reading %s", path);
    cn_free(path);
    return st;
}

void peft_free(peft_config *c)
{
    if (!c) return;
    module_set_deinit(&c->targets);
    module_set_deinit(&c->excluded);
    number_table_deinit(&c->ranks);
    number_table_deinit(&c->alphas);
    for (size_t i = 0; i < c->n_layer_patterns; i++)
        regex_free(c->layer_patterns[i]);
    cn_free(c->layers);
    cn_json_free(c->root);
    cn_free(c);
}

/* The first pattern that fits says which layer it is; "12" to 12, SIZE_MAX when too large. */
static bool layer_is_chosen(const peft_config *c, cn_str module)
{
    cn_str digits;
    for (size_t i = 0; i < c->n_layer_patterns; i++) {
        if (!regex_match(c->layer_patterns[i], module, false, &digits)) continue;
        size_t layer = 0;
        for (size_t d = 0; d < digits.n && layer < c->n_layers; d++) {
            if (digits.p[d] < '0' || digits.p[d] > '9') return false;
            layer = layer * 10 + (size_t)(digits.p[d] - '0');
        }
        return digits.n && layer < c->n_layers && c->layers[layer];
    }
    return false;
}

static bool is_target(const peft_config *c, cn_str module)
{
    bool exact;
    if (module_set_has(&c->excluded, module, &exact)) return false;
    if (c->all_linear)
        return !cn_str_is(module, "lm_head") && !cn_str_ends(module, CN_STR(".lm_head"));
    if (!c->any && !module_set_has(&c->targets, module, &exact)) return false;
    return !c->layers || (!c->any && exact) || layer_is_chosen(c, module);
}

bool peft_targets(const peft_config *c, cn_str module, uint32_t *rank, float *scale)
{
    if (!is_target(c, module)) return false;
    double r = number_table_find(&c->ranks, module, c->rank);
    double alpha = number_table_find(&c->alphas, module, c->alpha);
    *rank = (uint32_t)r;
    *scale = (float)(alpha / (c->rslora ? sqrt(r) : r));
    return true;
}

cn_str peft_base_name(const peft_config *c)
{
    return cn_json_str(cn_json_get(c->root, "base_model_name_or_path"));
}

bool peft_fan_in_fan_out(const peft_config *c)
{
    return c->fan_in_fan_out;
}
