/* The model, its vocabulary and its added tokens in a tokenizer.json. */
#include <stdlib.h>

#include "mem.h"
#include "tokenizer_priv.h"

static cn_status bad_id(cn_err *err, cn_str piece, int64_t id, size_t n)
{
    return cn_fail(err, CN_E_FORMAT, "token \"%.*s\" has the number %lld, of %zu tokens",
                   CN_STR_ARG(piece), (long long)id, n);
}

cn_status json_read_vocab(cn_tokenizer *t, const cn_json *pieces, cn_err *err)
{
    size_t n = cn_json_size(pieces), top = 0;
    cn_json_member m;
    if (cn_json_kind_of(pieces) != CN_JSON_OBJECT || n == 0)
        return cn_fail(err, CN_E_FORMAT, "the vocabulary is no object of tokens");
    for (m = cn_json_first(pieces); m.value; m = cn_json_next(pieces, m)) {
        int64_t id = cn_json_int(m.value, -1);
        /* some vocabularies have gaps, none is mostly gaps */
        if (id < 0 || (uint64_t)id > 2 * (uint64_t)n + 4096) return bad_id(err, m.key, id, n);
        top = CN_MAX(top, (size_t)id);
    }
    cn_status st = vocab_resize(&t->v, top + 1, err);
    for (m = cn_json_first(pieces); m.value && !st; m = cn_json_next(pieces, m)) {
        size_t id = (size_t)cn_json_int(m.value, 0);
        if (t->v.tokens[id].piece_n)
            return cn_fail(err, CN_E_FORMAT, "two tokens have the number %zu", id);
        st = vocab_set(&t->v, id, m.key, 0, TOK_NORMAL, err);
    }
    return st;
}

static cn_status read_scores(cn_tokenizer *t, const cn_json *pieces, cn_err *err)
{
    size_t n = cn_json_size(pieces);
    if (cn_json_kind_of(pieces) != CN_JSON_ARRAY || n == 0)
        return cn_fail(err, CN_E_FORMAT, "the vocabulary is no list of pieces");
    cn_status st = vocab_resize(&t->v, n, err);
    for (size_t i = 0; i < n && !st; i++) {
        const cn_json *pair = cn_json_at(pieces, i);
        cn_str piece = cn_json_str(cn_json_at(pair, 0));
        if (!piece.p) return cn_fail(err, CN_E_FORMAT, "piece %zu is no [text, score]", i);
        double score = cn_json_num(cn_json_at(pair, 1), 0);
        st = vocab_set(&t->v, i, piece, (float)score, TOK_NORMAL, err);
    }
    return st;
}

/* <0x00> to <0xFF> are bytes where the model says so. */
static void mark_bytes(cn_tokenizer *t)
{
    for (size_t id = 0; id < t->v.n && t->byte_fallback; id++) {
        cn_str s = vocab_piece(&t->v, id);
        if (s.n != 6 || memcmp(s.p, "<0x", 3) || s.p[5] != '>') continue;
        if (strspn(s.p + 3, "0123456789ABCDEFabcdef") == 2) t->v.tokens[id].kind = TOK_BYTE;
    }
}

/* An added token's number may lie behind the vocabulary, but not far. */
static cn_status make_room(cn_tokenizer *t, int64_t id, size_t n_added, cn_err *err)
{
    if (id < 0 || (uint64_t)id > t->v.n + n_added + 65536)
        return cn_fail(err, CN_E_FORMAT, "added token %lld, of a vocabulary of %zu",
                       (long long)id, t->v.n);
    return vocab_resize(&t->v, (size_t)id + 1, err);
}

static cn_status add_one(cn_tokenizer *t, const cn_json *j, int64_t id, size_t n, cn_err *err)
{
    cn_status st = make_room(t, id, n, err);
    if (st) return st;
    tok_added a = {
        .id = (int32_t)id,
        .text = cn_json_str(cn_json_get(j, "content")),
        .lstrip = cn_json_bool(cn_json_get(j, "lstrip"), false),
        .rstrip = cn_json_bool(cn_json_get(j, "rstrip"), false),
        .single_word = cn_json_bool(cn_json_get(j, "single_word"), false),
        .normalized = cn_json_bool(cn_json_get(j, "normalized"), false),
        .control = cn_json_bool(cn_json_get(j, "special"), false),
    };
    if (!a.text.p)
        return cn_fail(err, CN_E_FORMAT, "added token %lld has no content", (long long)id);
    return tok_add_added(t, &a, err);
}

cn_status json_read_added(cn_tokenizer *t, const cn_json *list, cn_err *err)
{
    cn_status st = CN_OK;
    size_t n = cn_json_size(list);
    if (cn_json_kind_of(list) == CN_JSON_OBJECT) {
        cn_json_member m;
        for (m = cn_json_first(list); m.value && !st; m = cn_json_next(list, m)) {
            /* {"50256": {...}} or {"<|im_end|>": 32000} */
            bool by_id = cn_json_kind_of(m.value) == CN_JSON_OBJECT;
            tok_added a = {.id = (int32_t)cn_json_int(m.value, -1), .text = m.key};
            if (by_id)
                st = add_one(t, m.value, strtoll(m.key.p, NULL, 10), n, err);
            else
                st = make_room(t, a.id, n, err);
            if (!by_id && !st) st = tok_add_added(t, &a, err);
        }
        return st;
    }
    for (size_t i = 0; i < n && !st; i++) {
        const cn_json *j = cn_json_at(list, i);
        st = add_one(t, j, cn_json_int(cn_json_get(j, "id"), -1), n, err);
    }
    return st;
}

static cn_status read_merges(cn_tokenizer *t, const cn_json *merges, cn_err *err)
{
    size_t n = cn_json_size(merges);
    if (cn_json_kind_of(merges) != CN_JSON_ARRAY)
        return cn_fail(err, CN_E_FORMAT, "\"merges\" is no list");
    cn_status st = bpe_reserve_pairs(t, n, err);
    for (size_t i = 0; i < n && !st; i++) {
        const cn_json *j = cn_json_at(merges, i);
        cn_str left = cn_json_str(cn_json_at(j, 0)), right = cn_json_str(cn_json_at(j, 1));
        cn_str s = cn_json_str(j);
        const char *blank = s.n > 1 ? memchr(s.p + 1, ' ', s.n - 1) : NULL;
        if (blank) {
            left = (cn_str){s.p, (size_t)(blank - s.p)};
            right = cn_str_skip(s, left.n + 1);
        }
        if (!left.p || !right.p) return cn_fail(err, CN_E_FORMAT, "merge %zu is no pair", i);
        bpe_add_pair(t, left, right, (uint32_t)i);
    }
    return st;
}

static cn_status want_empty(const cn_json *model, const char *key, cn_err *err)
{
    const cn_json *j = cn_json_get(model, key);
    if (cn_json_is_null(j) || cn_json_is(j, "") || cn_json_num(j, 1) == 0) return CN_OK;
    return cn_fail(err, CN_E_UNSUPPORTED, "BPE with a %s", key);
}

static cn_status read_bpe(cn_tokenizer *t, const cn_json *model, cn_err *err)
{
    t->model = TOK_BPE_PAIRS;
    t->kind = t->byte_level ? "bpe" : "spm-bpe";
    t->byte_fallback = cn_json_bool(cn_json_get(model, "byte_fallback"), false);
    t->fuse_unk = cn_json_bool(cn_json_get(model, "fuse_unk"), false);
    t->ignore_merges = cn_json_bool(cn_json_get(model, "ignore_merges"), false);
    cn_status st = want_empty(model, "dropout", err);
    if (!st) st = want_empty(model, "continuing_subword_prefix", err);
    if (!st) st = want_empty(model, "end_of_word_suffix", err);
    return st ? st : json_read_vocab(t, cn_json_get(model, "vocab"), err);
}

static cn_status read_wordpiece(cn_tokenizer *t, const cn_json *model, cn_err *err)
{
    const cn_json *prefix = cn_json_get(model, "continuing_subword_prefix");
    int64_t longest = cn_json_int(cn_json_get(model, "max_input_chars_per_word"), 100);
    t->model = TOK_WORDPIECE;
    t->kind = "wordpiece";
    t->strip_first_space = true;
    if (prefix && !cn_json_is(prefix, "##"))
        return cn_fail(err, CN_E_UNSUPPORTED, "WordPiece with the prefix \"%.*s\"",
                       CN_STR_ARG(cn_json_str(prefix)));
    if (longest < 1 || longest > 1 << 20)
        return cn_fail(err, CN_E_LIMIT, "WordPiece: words of %lld characters",
                       (long long)longest);
    t->max_word_chars = (uint32_t)longest;
    return json_read_vocab(t, cn_json_get(model, "vocab"), err);
}

static cn_status read_unigram(cn_tokenizer *t, const cn_json *model, cn_err *err)
{
    t->model = TOK_UNIGRAM;
    t->kind = "spm-unigram";
    t->byte_fallback = cn_json_bool(cn_json_get(model, "byte_fallback"), false);
    int64_t unk = cn_json_int(cn_json_get(model, "unk_id"), -1);
    cn_status st = read_scores(t, cn_json_get(model, "vocab"), err);
    if (!st && unk >= 0 && (size_t)unk < t->v.n) t->unk = (int32_t)unk;
    return st;
}

static cn_status read_model(cn_tokenizer *t, const cn_json *model, cn_err *err)
{
    const cn_json *type = cn_json_get(model, "type");
    bool untyped = cn_json_is_null(type);
    cn_status st;
    if (cn_json_is(type, "BPE") || (untyped && cn_json_get(model, "merges")))
        st = read_bpe(t, model, err);
    else if (cn_json_is(type, "WordPiece"))
        st = read_wordpiece(t, model, err);
    else if (cn_json_is(type, "Unigram") || (untyped && cn_json_get(model, "unk_id")))
        st = read_unigram(t, model, err);
    else
        return cn_fail(err, CN_E_UNSUPPORTED, "a tokenizer model of type \"%.*s\"",
                       CN_STR_ARG(type ? cn_json_str(type) : CN_STR("none")));
    cn_str unk = cn_json_str(cn_json_get(model, "unk_token"));
    if (!st && unk.n) t->unk = vocab_find_piece(&t->v, unk);
    return st;
}

static cn_status read_root(cn_tokenizer *t, const cn_json *root, cn_err *err)
{
    const cn_json *model = cn_json_get(root, "model");
    if (cn_json_kind_of(model) != CN_JSON_OBJECT)
        return cn_fail(err, CN_E_FORMAT, "no \"model\": not a tokenizer.json");
    cn_status st = json_read_steps(t, root, err);
    if (!st) st = read_model(t, model, err);
    if (!st) st = json_read_added(t, cn_json_get(root, "added_tokens"), err);
    if (!st) mark_bytes(t);
    if (!st && t->unk >= 0) vocab_set_kind(&t->v, (size_t)t->unk, TOK_UNKNOWN);
    if (!st) st = tok_finish_vocab(t, err);
    if (!st && t->model == TOK_BPE_PAIRS)
        st = read_merges(t, cn_json_get(model, "merges"), err);
    return st ? st : json_read_affixes(t, root, err);
}

cn_status tok_from_json(cn_tokenizer *t, cn_str json, cn_err *err)
{
    cn_json *root = NULL;
    cn_status st = cn_json_parse(&root, json, err);
    if (!st) st = read_root(t, root, err);
    cn_json_free(root);
    return st;
}
