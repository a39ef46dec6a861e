/* The tables behind quant_mix.h. The rules follow llama.cpp's quantisation (llama-quant.cpp),
 * for the architectures that this program runs. */
#include "quant_mix.h"

#include <string.h>
#include <strings.h>

#include "compiler.h"

/* The order of the mixes of mixed types, which the rules below name. */
enum { Q2_K, Q3_K_S, Q3_K_M, Q3_K_L, Q4_K_S, Q4_K_M, Q5_K_S, Q5_K_M, IQ4_NL };

static const quant_mix mixes[] = {
    [Q2_K] = {"Q2_K", CN_Q2_K, 10},
    [Q3_K_S] = {"Q3_K_S", CN_Q3_K, 11},
    [Q3_K_M] = {"Q3_K_M", CN_Q3_K, 12},
    [Q3_K_L] = {"Q3_K_L", CN_Q3_K, 13},
    [Q4_K_S] = {"Q4_K_S", CN_Q4_K, 14},
    [Q4_K_M] = {"Q4_K_M", CN_Q4_K, 15},
    [Q5_K_S] = {"Q5_K_S", CN_Q5_K, 16},
    [Q5_K_M] = {"Q5_K_M", CN_Q5_K, 17},
    [IQ4_NL] = {"IQ4_NL", CN_IQ4_NL, 25},
    {"F32", CN_F32, 0},
    {"F16", CN_F16, 1},
    {"BF16", CN_BF16, 32},
    {"Q4_0", CN_Q4_0, 2},
    {"Q4_1", CN_Q4_1, 3},
    {"Q5_0", CN_Q5_0, 8},
    {"Q5_1", CN_Q5_1, 9},
    {"Q8_0", CN_Q8_0, 7},
    {"Q3_K", CN_Q3_K, 11},
    {"Q4_K", CN_Q4_K, 14},
    {"Q5_K", CN_Q5_K, 16},
    {"Q6_K", CN_Q6_K, 18},
    {"NF4", CN_NF4, CN_NF4},
    {"NF4_DQ", CN_NF4_DQ, CN_NF4_DQ},
};

const quant_mix *quant_mix_find(const char *name)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(mixes); i++)
        if (strcasecmp(mixes[i].name, name) == 0) return &mixes[i];
    return NULL;
}

const quant_mix *quant_mix_at(size_t i)
{
    return i < CN_ARRAY_LEN(mixes) ? &mixes[i] : NULL;
}

static bool has(cn_str s, const char *part)
{
    return memmem(s.p, s.n, part, strlen(part)) != NULL;
}

/* Only matrices that are multiplied by, and the embeddings, lose precision. */
static bool stays_f32(const quant_place *p)
{
    static const char *const parts[] = {"_norm.", "position_embd.", "token_types.",
                                        "ffn_gate_inp.", "rope_freqs."};
    if (p->n_dims < 2 || !cn_str_ends(p->name, CN_STR(".weight"))) return true;
    for (size_t i = 0; i < CN_ARRAY_LEN(parts); i++)
        if (has(p->name, parts[i])) return true;
    return false;
}

/* The number in "blk.12.", or 0. */
static uint32_t layer_of(cn_str name)
{
    uint32_t layer = 0;
    if (!cn_str_starts(name, CN_STR("blk."))) return 0;
    for (size_t i = 4; i < name.n && name.p[i] >= '0' && name.p[i] <= '9' && layer < 1000000;
         i++)
        layer = layer * 10 + (uint32_t)(name.p[i] - '0');
    return layer;
}

/* First and last eighth of the layers, and every third between. */
static bool deserves_more(uint32_t layer, uint32_t n)
{
    return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
}

static cn_dtype attention_values(long mix, cn_dtype type, const quant_place *p, uint32_t layer)
{
    switch (mix) {
    case Q2_K:
        return p->gqa >= 4 ? CN_Q4_K : CN_Q3_K;
    case Q3_K_M:
        return layer < 2 ? CN_Q5_K : CN_Q4_K;
    case Q3_K_L:
        return CN_Q5_K;
    case Q4_K_S:
        return layer < 4 ? CN_Q5_K : type;
    case Q4_K_M:
    case Q5_K_M:
        return deserves_more(layer, p->n_layers) ? CN_Q6_K : type;
    case IQ4_NL:
        return p->gqa >= 4 ? CN_Q5_K : type;
    default:
        return type;
    }
}

static cn_dtype ffn_down(long mix, cn_dtype type, const quant_place *p, uint32_t layer)
{
    switch (mix) {
    case Q2_K:
        return CN_Q3_K;
    case Q3_K_M:
        return layer < p->n_layers / 16 ? CN_Q5_K : CN_Q4_K;
    case Q3_K_L:
        return CN_Q5_K;
    case Q4_K_M:
    case Q5_K_M:
        return deserves_more(layer, p->n_layers) ? CN_Q6_K : type;
    case Q4_K_S:
    case IQ4_NL:
        return layer < p->n_layers / 8 ? CN_Q5_K : type;
    default:
        return type;
    }
}

static cn_dtype attention_output(long mix, cn_dtype type)
{
    switch (mix) {
    case Q2_K:
        return CN_Q3_K;
    case Q3_K_M:
        return CN_Q4_K;
    case Q3_K_L:
        return CN_Q5_K;
    default:
        return type;
    }
}

static bool fits(cn_dtype type, const quant_place *p)
{
    return p->n_cols % cn_dtype_info_of((uint32_t)type)->block == 0;
}

/* The next best type of smaller blocks. */
static cn_dtype smaller_blocks(cn_dtype type)
{
    switch ((unsigned)type) {
    case CN_Q2_K:
    case CN_Q3_K:
        return CN_Q4_0;
    case CN_Q4_K:
        return CN_Q5_0;
    case CN_Q5_K:
        return CN_Q5_1;
    case CN_Q6_K:
        return CN_Q8_0;
    case CN_NF4:
    case CN_NF4_DQ:
        return CN_IQ4_NL;
    default:
        return CN_F16;
    }
}

static cn_dtype wanted(const quant_mix *m, const quant_place *p)
{
    long mix = m - mixes;
    uint32_t layer = layer_of(p->name);
    bool embeddings = has(p->name, "token_embd."), is_nf4 = m->type >= CN_NF4,
         output = cn_str_is(p->name, "output.weight") || (embeddings && p->tied);

    if (m->type == CN_F32 || m->type == CN_F16 || m->type == CN_BF16) return m->type;
    if (is_nf4) return output || embeddings ? CN_F16 : m->type;
    if (output) return !fits(m->type, p) || m->type == CN_Q8_0 ? CN_Q8_0 : CN_Q6_K;
    if (has(p->name, "attn_v.") || has(p->name, "attn_qkv."))
        return attention_values(mix, m->type, p, layer);
    if (has(p->name, "ffn_down.")) return ffn_down(mix, m->type, p, layer);
    if (has(p->name, "attn_output.")) return attention_output(mix, m->type);
    return m->type;
}

cn_dtype quant_mix_type(const quant_mix *m, const quant_place *p)
{
    if (stays_f32(p)) return CN_F32;
    cn_dtype type = wanted(m, p);
    while (!fits(type, p))
        type = smaller_blocks(type);
    return type;
}
