/* The model, its vocabulary and its added tokens in a tokenizer.json. */
#include <stdlib.h>

#include "json_walk.h"
#include "mem.h"
#include "tokenizer_priv.h"

static cn_status bad_id(cn_err *err, cn_str piece, int64_t id, size_t n)
{
    return cn_fail(err, CN_E_FORMAT, "token \"%.*s\" has the number %lld, of %zu tokens",
                   CN_STR_ARG(piece), (long long)id, n);
}

cn_status json_read_vocab(cn_tokenizer *t, cn_str object, cn_err *err)
{
    cn_buf text = {0};
    json_walk w = json_walk_of(object, &text);
    size_t n = 0, top = 0;
    cn_status st = CN_OK;
    json_walk_enter(&w, '{');
    for (; json_walk_more(&w, n) && !st; n++) { /* how many, and the greatest number */
        json_walk_skip(&w);
        if (json_walk_peek(&w) == ':') w.p++;
        int64_t id = json_walk_int(&w);
        if (id < 0 || id > VOCAB_MAX_TOKENS) st = bad_id(err, CN_STR("?"), id, n);
        top = CN_MAX(top, (size_t)id);
    }
    if (!st && w.broken) st = json_walk_failed(&w, "vocabulary", err);
    if (!st && n == 0) st = cn_fail(err, CN_E_FORMAT, "the vocabulary is no object of tokens");
    /* some vocabularies have gaps, none is mostly gaps */
    if (!st && top > 2 * n + 4096) st = bad_id(err, CN_STR("?"), (int64_t)top, n);
    if (!st) st = vocab_resize(&t->v, top + 1, err);
    w = json_walk_of(object, &text);
    json_walk_enter(&w, '{');
    for (size_t i = 0; !st && json_walk_more(&w, i); i++) {
        cn_str piece = json_walk_key(&w);
        size_t id = (size_t)json_walk_int(&w);
        if (w.broken) break;
        if (t->v.tokens[id].piece_n)
            st = bad_id(err, piece, (int64_t)id, n);
        else
            st = vocab_set(&t->v, id, piece, 0, TOK_NORMAL, err);
    }
    if (!st && w.broken) st = json_walk_failed(&w, "vocabulary", err);
    cn_buf_deinit(&text);
    return st;
}

static cn_status read_scores(cn_tokenizer *t, cn_str list, cn_err *err)
{
    cn_buf text = {0};
    json_walk w = json_walk_of(list, &text);
    cn_status st = CN_OK;
    size_t n = 0;
    json_walk_enter(&w, '[');
    for (; !st && json_walk_more(&w, n); n++) {
        json_walk_enter(&w, '[');
        json_walk_more(&w, 0);
        cn_str piece = json_walk_string(&w);
        json_walk_more(&w, 1);
        double score = json_walk_number(&w);
        if (json_walk_more(&w, 2) || w.broken) break;
        st = vocab_resize(&t->v, n + 1, err);
        if (!st) st = vocab_set(&t->v, n, piece, (float)score, TOK_NORMAL, err);
    }
    if (!st && (w.broken || n == 0)) st = json_walk_failed(&w, "list of [piece, score]", err);
    cn_buf_deinit(&text);
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

/* "a b" or ["a", "b"] */
static cn_status read_merge(cn_tokenizer *t, json_walk *w, cn_buf *left, uint32_t rank,
                            cn_err *err)
{
    cn_str s;
    cn_buf_clear(left);
    if (json_walk_peek(w) == '[') {
        json_walk_enter(w, '[');
        json_walk_more(w, 0);
        cn_buf_str(left, json_walk_string(w));
        json_walk_more(w, 1);
        s = json_walk_string(w);
        if (json_walk_more(w, 2)) w->broken = true;
    } else {
        s = json_walk_string(w);
        const char *blank = s.n > 1 ? memchr(s.p + 1, ' ', s.n - 1) : NULL;
        if (w->broken) return CN_OK;
        if (!blank) return cn_fail(err, CN_E_FORMAT, "merge %u is no pair", (unsigned)rank);
        cn_buf_append(left, s.p, (size_t)(blank - s.p));
        s = cn_str_skip(s, left->n + 1);
    }
    if (!w->broken) bpe_add_pair(t, cn_buf_view(left), s, rank);
    return CN_OK;
}

static cn_status read_merges(cn_tokenizer *t, cn_str list, cn_err *err)
{
    cn_buf text = {0}, left = {0};
    json_walk w = json_walk_of(list, &text);
    size_t n = 0;
    json_walk_enter(&w, '[');
    for (; json_walk_more(&w, n); n++)
        json_walk_skip(&w);
    cn_status st = bpe_reserve_pairs(t, n, err);
    w = json_walk_of(list, &text);
    json_walk_enter(&w, '[');
    for (uint32_t i = 0; !st && json_walk_more(&w, i); i++)
        st = read_merge(t, &w, &left, i, err);
    if (!st && w.broken) st = json_walk_failed(&w, "list of merges", err);
    cn_buf_deinit(&text);
    cn_buf_deinit(&left);
    return st;
}

static cn_status want_empty(const cn_json *model, const char *key, cn_err *err)
{
    const cn_json *j = cn_json_get(model, key);
    if (cn_json_is_null(j) || cn_json_is(j, "") || cn_json_num(j, 1) == 0) return CN_OK;
    return cn_fail(err, CN_E_UNSUPPORTED, "BPE with a %s", key);
}

static cn_status read_bpe(cn_tokenizer *t, const cn_json *model, cn_str pieces, cn_err *err)
{
    t->model = TOK_BPE_PAIRS;
    t->kind = t->byte_level ? "bpe" : "spm-bpe";
    t->byte_fallback = cn_json_bool(cn_json_get(model, "byte_fallback"), false);
    t->fuse_unk = cn_json_bool(cn_json_get(model, "fuse_unk"), false);
    t->ignore_merges = cn_json_bool(cn_json_get(model, "ignore_merges"), false);
    cn_status st = want_empty(model, "dropout", err);
    if (!st) st = want_empty(model, "continuing_subword_prefix", err);
    if (!st) st = want_empty(model, "end_of_word_suffix", err);
    return st ? st : json_read_vocab(t, pieces, err);
}

static cn_status read_wordpiece(cn_tokenizer *t, const cn_json *model, cn_str pieces,
                                cn_err *err)
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
    return json_read_vocab(t, pieces, err);
}

static cn_status read_unigram(cn_tokenizer *t, const cn_json *model, cn_str pieces, cn_err *err)
{
    t->model = TOK_UNIGRAM;
    t->kind = "spm-unigram";
    t->byte_fallback = cn_json_bool(cn_json_get(model, "byte_fallback"), false);
    int64_t unk = cn_json_int(cn_json_get(model, "unk_id"), -1);
    cn_status st = read_scores(t, pieces, err);
    if (!st && unk >= 0 && (size_t)unk < t->v.n) t->unk = (int32_t)unk;
    return st;
}

/* A tokenizer.json in three parts: the two long lists, and all the rest. */
typedef struct parts {
    cn_str pieces, merges;
    cn_buf rest;
} parts;

/* Copies the members of an object to `rest` but for those that `into` takes. */
static void copy_members(json_walk *w, parts *p, bool in_model)
{
    size_t kept = 0;
    json_walk_enter(w, '{');
    cn_buf_putc(&p->rest, '{');
    for (size_t i = 0; json_walk_more(w, i); i++) {
        cn_str key = json_walk_key(w);
        bool pieces = in_model && cn_str_is(key, "vocab"),
             merges = in_model && cn_str_is(key, "merges");
        if (pieces) p->pieces = json_walk_skip(w);
        if (merges) p->merges = json_walk_skip(w);
        if (pieces || merges) continue;
        bool is_model = !in_model && cn_str_is(key, "model") && json_walk_peek(w) == '{';
        if (kept++) cn_buf_putc(&p->rest, ',');
        cn_buf_json(&p->rest, key);
        cn_buf_putc(&p->rest, ':');
        if (is_model)
            copy_members(w, p, true);
        else
            cn_buf_str(&p->rest, json_walk_skip(w));
    }
    cn_buf_putc(&p->rest, '}');
}

static cn_status take_apart(parts *p, cn_str json, cn_err *err)
{
    cn_buf text = {0};
    json_walk w = json_walk_of(json, &text);
    copy_members(&w, p, false);
    cn_buf_deinit(&text);
    if (w.broken || json_walk_peek(&w)) return json_walk_failed(&w, "tokenizer.json", err);
    if (p->rest.failed) return cn_fail(err, CN_E_NOMEM, "tokenizer.json of %zu bytes", json.n);
    return CN_OK;
}

static cn_status read_model(cn_tokenizer *t, const cn_json *model, const parts *p, cn_err *err)
{
    const cn_json *type = cn_json_get(model, "type");
    bool untyped = cn_json_is_null(type);
    cn_status st;
    if (cn_json_is(type, "BPE") || (untyped && p->merges.n))
        st = read_bpe(t, model, p->pieces, err);
    else if (cn_json_is(type, "WordPiece"))
        st = read_wordpiece(t, model, p->pieces, err);
    else if (cn_json_is(type, "Unigram") || (untyped && cn_json_get(model, "unk_id")))
        st = read_unigram(t, model, p->pieces, err);
    else
        return cn_fail(err, CN_E_UNSUPPORTED, "a tokenizer model of type \"%.*s\"",
                       CN_STR_ARG(type ? cn_json_str(type) : CN_STR("none")));
    cn_str unk = cn_json_str(cn_json_get(model, "unk_token"));
    if (!st && unk.n) t->unk = vocab_find_piece(&t->v, unk);
    return st;
}

static cn_status read_root(cn_tokenizer *t, const cn_json *root, const parts *p, cn_err *err)
{
    const cn_json *model = cn_json_get(root, "model");
    if (cn_json_kind_of(model) != CN_JSON_OBJECT || !p->pieces.p)
        return cn_fail(err, CN_E_FORMAT, "no \"model\" with a \"vocab\": not a tokenizer.json");
    cn_status st = json_read_steps(t, root, err);
    if (!st) st = read_model(t, model, p, err);
    if (!st) st = json_read_added(t, cn_json_get(root, "added_tokens"), err);
    if (!st) mark_bytes(t);
    if (!st && t->unk >= 0) vocab_set_kind(&t->v, (size_t)t->unk, TOK_UNKNOWN);
    if (!st) st = tok_finish_vocab(t, err);
    if (!st && t->model == TOK_BPE_PAIRS)
        st = read_merges(t, p->merges.p ? p->merges : CN_STR(""), err);
    return st ? st : json_read_affixes(t, root, err);
}

cn_status tok_from_json(cn_tokenizer *t, cn_str json, cn_err *err)
{
    cn_json *root = NULL;
    parts p = {.rest = {0}};
    cn_status st = take_apart(&p, json, err);
    if (!st) st = cn_json_parse(&root, cn_buf_view(&p.rest), err);
    if (!st) st = read_root(t, root, &p, err);
    cn_json_free(root);
    cn_buf_deinit(&p.rest);
    return st;
}
