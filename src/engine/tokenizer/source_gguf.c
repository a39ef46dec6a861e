/* The tokenizer in GGUF metadata (tokenizer.ggml.*). Source: ggml's docs/gguf.md. */
#include "gguf.h"

#include "mem.h"
#include "tokenizer_priv.h"

static int32_t role(const gguf *g, const char *key)
{
    uint64_t id = gguf_uint(g, key, UINT64_MAX);
    return id < VOCAB_MAX_TOKENS ? (int32_t)id : -1;
}

static const gguf_value *array(const gguf *g, const char *key, bool of_strings)
{
    const gguf_value *v = gguf_find(g, key);
    if (!v || v->kind != GGUF_ARRAY) return NULL;
    return (v->item == GGUF_STRING) == of_strings && v->item != GGUF_ARRAY ? v : NULL;
}

static cn_status read_tokens(cn_tokenizer *t, const gguf *g, cn_err *err)
{
    const gguf_value *tokens = array(g, "tokenizer.ggml.tokens", true);
    const gguf_value *types = array(g, "tokenizer.ggml.token_type", false);
    const gguf_value *scores = array(g, "tokenizer.ggml.scores", false);
    if (!tokens) return cn_fail(err, CN_E_FORMAT, "no tokenizer.ggml.tokens");
    if ((types && types->n != tokens->n) || (scores && scores->n != tokens->n))
        return cn_fail(err, CN_E_FORMAT, "%llu tokens, %llu types, %llu scores",
                       (unsigned long long)tokens->n,
                       types ? (unsigned long long)types->n : 0ULL,
                       scores ? (unsigned long long)scores->n : 0ULL);
    cn_status st = vocab_resize(&t->v, (size_t)tokens->n, err);
    for (size_t i = 0; i < t->v.n && !st; i++) {
        int64_t kind = types ? gguf_item_int(types, i) : TOK_NORMAL;
        double score = scores ? gguf_item_float(scores, i) : 0;
        if (kind < TOK_NORMAL || kind > TOK_BYTE) kind = TOK_NORMAL;
        if (kind == TOK_BYTE && t->byte_level) kind = TOK_NORMAL;
        st = vocab_set(&t->v, i, tokens->strings[i], (float)score, (tok_kind)kind, err);
        t->byte_fallback |= kind == TOK_BYTE;
    }
    return st;
}

static cn_status read_merges(cn_tokenizer *t, const gguf *g, cn_err *err)
{
    const gguf_value *m = array(g, "tokenizer.ggml.merges", true);
    if (!m) return cn_fail(err, CN_E_FORMAT, "no tokenizer.ggml.merges");
    cn_status st = bpe_reserve_pairs(t, (size_t)m->n, err);
    for (size_t i = 0; i < m->n && !st; i++) {
        cn_str s = m->strings[i];
        /* the blank that parts them is not the first letter: a part may be one */
        const char *blank = s.n > 1 ? memchr(s.p + 1, ' ', s.n - 1) : NULL;
        if (!blank) return cn_fail(err, CN_E_FORMAT, "merge %zu is \"%.*s\"", i, CN_STR_ARG(s));
        size_t cut = (size_t)(blank - s.p);
        bpe_add_pair(t, (cn_str){s.p, cut}, cn_str_skip(s, cut + 1), (uint32_t)i);
    }
    return st;
}

/* Phi-3's template tokens swallow the white space after them; GGUF has no place to say so. */
static void mend_phi3(cn_tokenizer *t, const gguf *g)
{
    if (!cn_str_is(gguf_string(g, "general.architecture"), "phi3")) return;
    for (size_t i = 0; i < t->n_added; i++) {
        cn_str s = t->added[i].text;
        bool bare =
            cn_str_is(s, "<unk>") || cn_str_is(s, "<s>") || cn_str_is(s, "<|endoftext|>");
        t->added[i].rstrip = !bare;
    }
}

static cn_status read_spm(cn_tokenizer *t, const gguf *g, cn_err *err)
{
    bool space = gguf_bool(g, "tokenizer.ggml.add_space_prefix", true);
    cn_str model = gguf_string(g, "tokenizer.ggml.model");
    bool unigram = cn_str_is(model, "t5");
    t->model = unigram ? TOK_UNIGRAM : TOK_BPE_TEXT;
    t->kind = unigram ? "spm-unigram" : "spm-bpe";
    t->fuse_unk = true;
    t->strip_first_space = space;
    cn_status st = CN_OK;
    const gguf_value *map = array(g, "tokenizer.ggml.precompiled_charsmap", false);
    if (map && map->n && (map->item == GGUF_U8 || map->item == GGUF_I8)) {
        cn_str bytes = cn_arena_str(&t->arena, (cn_str){map->items, (size_t)map->n});
        if (!bytes.p || !charsmap_is_valid(bytes))
            return cn_fail(err, CN_E_FORMAT, "precompiled_charsmap of %zu bytes is broken",
                           (size_t)map->n);
        st = norm_add(&t->norm, (norm_step){.kind = NORM_CHARSMAP, .from = bytes}, err);
    }
    if (!st && gguf_bool(g, "tokenizer.ggml.remove_extra_whitespaces", false)) {
        st = norm_add(&t->norm, (norm_step){.kind = NORM_STRIP_LEFT}, err);
        if (!st) st = norm_add(&t->norm, (norm_step){.kind = NORM_STRIP_RIGHT}, err);
        if (!st) st = norm_add(&t->norm, (norm_step){.kind = NORM_SQUEEZE_SPACES}, err);
    }
    norm_step unescape = {.kind = NORM_REPLACE, .from = CN_STR("\u2581"), .to = CN_STR(" ")};
    if (!st) st = norm_add(&t->norm, unescape, err);
    norm_step prefix = {.kind = NORM_PREPEND, .to = CN_STR(" ")};
    if (!st && space) st = norm_add(&t->norm, prefix, err);
    if (!st) st = read_tokens(t, g, err);
    if (!st) st = tok_add_added_from_kinds(t, err);
    if (!st) st = tok_finish_vocab(t, err);
    mend_phi3(t, g);
    return st;
}

/* Their tokenizer.json says ignore_merges (and their texts begin with a BOS); GGUF says the
 * pre-tokenizer only. */
static bool takes_whole_words(const char *pre)
{
    static const char *const names[] = {"llama3",  "llama-v3", "llama-bpe",
                                        "falcon3", "pixtral",  "tekken"};
    for (size_t i = 0; pre && i < CN_ARRAY_LEN(names); i++)
        if (!strcmp(pre, names[i])) return true;
    return false;
}

static cn_status read_bpe(cn_tokenizer *t, const gguf *g, cn_err *err)
{
    cn_str pre = gguf_string(g, "tokenizer.ggml.pre");
    t->model = TOK_BPE_PAIRS;
    t->byte_level = true;
    cn_status st = pretok_by_name(&t->pre, pre.p ? pre : CN_STR("default"), err);
    bool is_qwen = t->pre.name && !strcmp(t->pre.name, "qwen2");
    if (!st && is_qwen) st = norm_add(&t->norm, (norm_step){.kind = NORM_NFC}, err);
    if (!st) st = read_tokens(t, g, err);
    if (!st) st = tok_add_added_from_kinds(t, err);
    if (!st) st = tok_finish_vocab(t, err);
    if (!st) st = read_merges(t, g, err);
    t->ignore_merges = takes_whole_words(t->pre.name);
    return st;
}

static cn_status read_wordpiece(cn_tokenizer *t, const gguf *g, cn_err *err)
{
    static const norm_kind steps[] = {NORM_BERT_CLEAN, NORM_BERT_CJK, NORM_NFD,
                                      NORM_STRIP_ACCENTS, NORM_LOWER};
    cn_status st = CN_OK;
    t->model = TOK_WORDPIECE;
    t->kind = "wordpiece";
    t->starts_marked = true;
    t->strip_first_space = true;
    for (size_t i = 0; i < CN_ARRAY_LEN(steps) && !st; i++)
        st = norm_add(&t->norm, (norm_step){.kind = steps[i]}, err);
    if (!st) st = pretok_add(&t->pre, (pre_stage){.kind = PRE_BERT}, err);
    t->pre.name = "bert";
    if (!st) st = read_tokens(t, g, err);
    if (!st) st = tok_add_added_from_kinds(t, err);
    return st ? st : tok_finish_vocab(t, err);
}

static cn_status read_templates(cn_tokenizer *t, const gguf *g, cn_err *err)
{
    const cn_str key = CN_STR("tokenizer.chat_template");
    cn_status st = CN_OK;
    for (size_t i = 0; i < gguf_n_values(g) && !st; i++) {
        const gguf_value *v = gguf_value_at(g, i);
        if (v->kind != GGUF_STRING || !cn_str_starts(v->key, key)) continue;
        cn_str name = cn_str_skip(v->key, key.n);
        if (name.n && name.p[0] != '.') continue;
        st = tok_add_template(t, cn_str_skip(name, 1), v->s, err);
    }
    return st;
}

/* What goes around a text, where the file does not say: as the kinds' own tokenizers do. */
static cn_status read_roles(cn_tokenizer *t, const gguf *g, bool bos_wanted, bool eos_wanted,
                            cn_err *err)
{
    static const char *const ends[] = {"tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    t->bos = role(g, "tokenizer.ggml.bos_token_id");
    t->eos = role(g, "tokenizer.ggml.eos_token_id");
    t->unk = role(g, "tokenizer.ggml.unknown_token_id");
    t->pad = role(g, "tokenizer.ggml.padding_token_id");
    if (t->model == TOK_WORDPIECE) {
        int32_t cls = role(g, "tokenizer.ggml.cls_token_id"),
                sep = role(g, "tokenizer.ggml.seperator_token_id");
        if (sep < 0) sep = role(g, "tokenizer.ggml.separator_token_id");
        if (t->bos < 0) t->bos = cls;
        if (t->eos < 0) t->eos = sep;
    }
    for (size_t i = 0; i < CN_ARRAY_LEN(ends); i++) {
        int32_t id = role(g, ends[i]);
        if (id >= 0 && (size_t)id < t->v.n) t->v.tokens[id].is_end = true;
    }
    cn_status st = CN_OK;
    if (gguf_bool(g, "tokenizer.ggml.add_bos_token", bos_wanted))
        st = tok_affix(t, true, t->bos, err);
    if (!st && gguf_bool(g, "tokenizer.ggml.add_eos_token", eos_wanted))
        st = tok_affix(t, false, t->eos, err);
    return st;
}

static cn_status read_all(cn_tokenizer *t, const gguf *g, cn_err *err)
{
    cn_str model = gguf_string(g, "tokenizer.ggml.model");
    bool spm = cn_str_is(model, "llama"), t5 = cn_str_is(model, "t5"),
         bpe = cn_str_is(model, "gpt2"), bert = cn_str_is(model, "bert");
    cn_status st;
    if (!model.p || cn_str_is(model, "none") || cn_str_is(model, "no_vocab"))
        return cn_fail(err, CN_E_NOT_FOUND,
                       "the file holds no tokenizer (tokenizer.ggml.model)");
    if (spm || t5)
        st = read_spm(t, g, err);
    else if (bpe)
        st = read_bpe(t, g, err);
    else if (bert)
        st = read_wordpiece(t, g, err);
    else
        return cn_fail(err, CN_E_UNSUPPORTED, "tokenizer.ggml.model \"%.*s\"",
                       CN_STR_ARG(model));
    if (!st) st = read_roles(t, g, spm || bert || t->ignore_merges, bert || t5, err);
    if (!st) st = read_templates(t, g, err);
    return st ? st : tok_finish(t, err);
}

cn_status tok_from_gguf(cn_tokenizer **out, const gguf *g, cn_err *err)
{
    cn_tokenizer *t = tok_new();
    cn_status st = read_all(t, g, err);
    *out = st ? NULL : t;
    if (st) cn_tokenizer_free(t);
    return st;
}
