/* One table a family. */
#include "hf_names.h"

#include <stdio.h>

typedef struct name_pair {
    const char *hf, *gguf;
} name_pair;

typedef struct family_names {
    const char *prefixes[3]; /* any one may stand first, the longest first */
    const char *layer;       /* what stands before a layer's number */
    const name_pair *outer;  /* outside the layers */
    const name_pair *inner;  /* inside a layer */
    const char *ignored[4];  /* endings of tensors without arithmetic */
} family_names;

static const name_pair llama_outer[] = {
    {"embed_tokens", "token_embd"}, {"norm", "output_norm"}, {"lm_head", "output"}, {0}};
static const name_pair llama_inner[] = {
    {"input_layernorm", "attn_norm"},    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},      {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"}, {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"}, {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},       {0}};

static const name_pair phi2_outer[] = {{"embed_tokens", "token_embd"},
                                       {"final_layernorm", "output_norm"},
                                       {"lm_head", "output"},
                                       {0}};
static const name_pair phi2_inner[] = {{"input_layernorm", "attn_norm"},
                                       {"self_attn.q_proj", "attn_q"},
                                       {"self_attn.k_proj", "attn_k"},
                                       {"self_attn.v_proj", "attn_v"},
                                       {"self_attn.dense", "attn_output"},
                                       {"mlp.fc1", "ffn_up"},
                                       {"mlp.fc2", "ffn_down"},
                                       {0}};

static const name_pair gpt2_outer[] = {{"wte", "token_embd"},
                                       {"wpe", "position_embd"},
                                       {"ln_f", "output_norm"},
                                       {"lm_head", "output"},
                                       {0}};
static const name_pair gpt2_inner[] = {{"ln_1", "attn_norm"},
                                       {"attn.c_attn", "attn_qkv"},
                                       {"attn.c_proj", "attn_output"},
                                       {"ln_2", "ffn_norm"},
                                       {"mlp.c_fc", "ffn_up"},
                                       {"mlp.c_proj", "ffn_down"},
                                       {0}};

static const name_pair bert_outer[] = {{"embeddings.word_embeddings", "token_embd"},
                                       {"embeddings.position_embeddings", "position_embd"},
                                       {"embeddings.token_type_embeddings", "token_types"},
                                       {"embeddings.LayerNorm", "token_embd_norm"},
                                       {0}};
static const name_pair bert_inner[] = {{"attention.self.query", "attn_q"},
                                       {"attention.self.key", "attn_k"},
                                       {"attention.self.value", "attn_v"},
                                       {"attention.output.dense", "attn_output"},
                                       {"attention.output.LayerNorm", "attn_output_norm"},
                                       {"intermediate.dense", "ffn_up"},
                                       {"output.dense", "ffn_down"},
                                       {"output.LayerNorm", "layer_output_norm"},
                                       {0}};

static const family_names families[] = {
    [FAMILY_LLAMA] = {{"model."}, "layers.", llama_outer, llama_inner, {"rotary_emb.inv_freq"}},
    [FAMILY_PHI2] = {{"model."}, "layers.", phi2_outer, phi2_inner, {"rotary_emb.inv_freq"}},
    [FAMILY_GPT2] =
        {{"transformer."}, "h.", gpt2_outer, gpt2_inner, {".attn.bias", ".attn.masked_bias"}},
    [FAMILY_BERT] = {{"bert.", "model."},
                     "encoder.layer.",
                     bert_outer,
                     bert_inner,
                     {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}},
};

/* Takes "123." from the front of *s. */
static bool take_number(cn_str *s, unsigned *number)
{
    size_t i = 0;
    *number = 0;
    while (i < s->n && i < 5 && s->p[i] >= '0' && s->p[i] <= '9')
        *number = *number * 10 + (unsigned)(s->p[i++] - '0');
    if (i == 0 || i >= s->n || s->p[i] != '.') return false;
    *s = cn_str_skip(*s, i + 1);
    return true;
}

static const char *look_up(const name_pair *table, cn_str module)
{
    for (; table->hf; table++)
        if (cn_str_is(module, table->hf)) return table->gguf;
    return NULL;
}

/* Cuts ".weight" or ".bias" off the end of *s. */
static const char *take_suffix(cn_str *s)
{
    static const char *const suffixes[] = {".weight", ".bias"};
    for (size_t i = 0; i < CN_ARRAY_LEN(suffixes); i++)
        if (cn_str_ends(*s, cn_str_of(suffixes[i]))) {
            s->n -= strlen(suffixes[i]);
            return suffixes[i];
        }
    return "";
}

hf_name hf_canonical_name(model_family family, cn_str name, char *out, size_t size)
{
    const family_names *f = &families[family];
    for (size_t i = 0; i < CN_ARRAY_LEN(f->ignored) && f->ignored[i]; i++)
        if (cn_str_ends(name, cn_str_of(f->ignored[i]))) return HF_IGNORED;
    for (size_t i = 0; i < CN_ARRAY_LEN(f->prefixes) && f->prefixes[i]; i++)
        if (cn_str_starts(name, cn_str_of(f->prefixes[i]))) {
            name = cn_str_skip(name, strlen(f->prefixes[i]));
            break;
        }
    const char *suffix = take_suffix(&name), *part;
    unsigned layer;
    if (!cn_str_starts(name, cn_str_of(f->layer))) {
        part = look_up(f->outer, name);
        if (part) snprintf(out, size, "%s%s", part, suffix);
        return part ? HF_KNOWN : HF_UNKNOWN;
    }
    name = cn_str_skip(name, strlen(f->layer));
    if (!take_number(&name, &layer)) return HF_UNKNOWN;
    part = look_up(f->inner, name);
    if (part) snprintf(out, size, "blk.%u.%s%s", layer, part, suffix);
    return part ? HF_KNOWN : HF_UNKNOWN;
}

static const char *look_back(const name_pair *table, cn_str part)
{
    for (; table->gguf; table++)
        if (cn_str_is(part, table->gguf)) return table->hf;
    return NULL;
}

bool hf_file_name(model_family family, cn_str name, char *out, size_t size)
{
    const family_names *f = &families[family];
    const char *suffix = take_suffix(&name), *prefix = f->prefixes[0];
    bool inner = cn_str_starts(name, CN_STR("blk."));
    unsigned layer = 0;
    if (inner) name = cn_str_skip(name, 4);
    if (inner && !take_number(&name, &layer)) return false;
    const char *part = look_back(inner ? f->inner : f->outer, name);
    if (part && inner)
        snprintf(out, size, "%s%s%u.%s%s", prefix, f->layer, layer, part, suffix);
    else if (part) /* the head stands beside the model, not in it */
        snprintf(out, size, "%s%s%s", strcmp(part, "lm_head") == 0 ? "" : prefix, part, suffix);
    return part != NULL;
}
