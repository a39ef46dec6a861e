/* A folder's tokenizer, or that of one file, in GGUF's words. What the tokenizer itself can
 * tell is asked of it; merges, scores and the way of cutting words are read from the files
 * again. */
#include "quantize_meta.h"

#include <stdio.h>
#include <stdlib.h>

#include "compiler.h"
#include "file.h"
#include "map.h"
#include "mem.h"
#include "sentencepiece.h"
#include "tokenizer_priv.h"

enum { NORMAL = 1, UNKNOWN, CONTROL, USER, UNUSED, BYTE }; /* tokenizer.ggml.token_type */

#define MAX_JSON_BYTES ((size_t)256 << 20)

typedef struct vocab_job {
    gguf_writer *w;
    const char *path;
    const cn_tokenizer *t;
    size_t n;
    cn_json *json; /* tokenizer.json, or NULL */
    char *spm;     /* path of tokenizer.model, or NULL */
    cn_str *pieces;
    int32_t *types;
    cn_buf merges;  /* merge[], the first comes first */
    cn_arena arena; /* texts of merges, and of pieces that are written otherwise */
    bool is_spm, is_wordpiece;
} vocab_job;

static cn_status no_memory(const vocab_job *j, cn_err *err)
{
    return cn_fail(err, CN_E_NOMEM, "vocabulary of %zu tokens", j->n);
}

static bool begins_as_json(const char *path)
{
    cn_map map = {0};
    if (cn_map_open(&map, path, NULL)) return false;
    const uint8_t *p = map.base;
    size_t i = 0;
    while (i < map.size && memchr(" \t\r\n", p[i], 4))
        i++;
    bool yes = i < map.size && p[i] == '{';
    cn_map_close(&map);
    return yes;
}

/* In a folder either file may be there, both, or none. */
static cn_status find_files(vocab_job *j, cn_err *err)
{
    bool folder = cn_is_dir(j->path);
    char *json = folder ? cn_path_join(j->path, "tokenizer.json")
                        : cn_xstrndup(j->path, strlen(j->path));
    j->spm = folder ? cn_path_join(j->path, "tokenizer.model")
                    : cn_xstrndup(j->path, strlen(j->path));
    bool is_json = cn_is_file(json) && (folder || begins_as_json(json));
    cn_status st = is_json ? cn_json_read_file(&j->json, json, MAX_JSON_BYTES, err) : CN_OK;
    if (!cn_is_file(j->spm) || (is_json && !folder)) {
        cn_free(j->spm);
        j->spm = NULL;
    }
    cn_free(json);
    return st;
}

/* ---- tokens and their types ---- */

/* GGUF marks the beginning of a word, a BERT vocabulary its continuation. */
static cn_str wordpiece(vocab_job *j, size_t id, cn_str piece)
{
    if (cn_token_is_control(j->t, (int32_t)id)) return piece;
    if (cn_str_starts(piece, CN_STR("##"))) return cn_str_skip(piece, 2);
    char *p = cn_arena_alloc(&j->arena, piece.n + 4, 1);
    if (!p) return (cn_str){0};
    memcpy(p, "\u2581", 3);
    memcpy(p + 3, piece.p, piece.n);
    return (cn_str){p, piece.n + 3};
}

static bool is_byte(cn_str s)
{
    return s.n == 6 && memcmp(s.p, "<0x", 3) == 0 && s.p[5] == '>';
}

/* Embeddings often have more rows than there are tokens. */
static cn_status fill_token(vocab_job *j, size_t id, cn_err *err)
{
    cn_str s = {0};
    s.p = cn_token_piece(j->t, (int32_t)id, &s.n);
    if (!s.p || !s.n) {
        char name[32];
        int n = snprintf(name, sizeof name, "[PAD%zu]", id);
        s = cn_arena_str(&j->arena, (cn_str){name, (size_t)n});
        j->types[id] = UNUSED;
    } else if ((int32_t)id == cn_token_unk(j->t)) {
        j->types[id] = UNKNOWN;
    } else if (cn_token_is_control(j->t, (int32_t)id)) {
        j->types[id] = CONTROL;
    } else {
        bool user = j->t->v.tokens[id].kind == TOK_USER; /* found in any text as a whole */
        j->types[id] = user ? USER : j->is_spm && is_byte(s) ? BYTE : NORMAL;
        if (j->is_wordpiece) s = wordpiece(j, id, s);
    }
    j->pieces[id] = s;
    return s.p ? CN_OK : no_memory(j, err);
}

static cn_status put_tokens(vocab_job *j, cn_err *err)
{
    j->pieces = cn_alloc_array(j->n, sizeof *j->pieces);
    j->types = cn_alloc_array(j->n, sizeof *j->types);
    if (!j->pieces || !j->types) return no_memory(j, err);
    cn_status st = CN_OK;
    for (size_t id = 0; id < j->n && !st; id++)
        st = fill_token(j, id, err);
    gguf_put_strings(j->w, "tokenizer.ggml.tokens", j->pieces, j->n);
    gguf_put_ints(j->w, "tokenizer.ggml.token_type", j->types, j->n);
    return st;
}

/* ---- merges and scores ---- */

typedef struct merge {
    cn_str left, right;
} merge;

static cn_status add_merge(vocab_job *j, cn_str left, cn_str right, cn_err *err)
{
    merge m = {cn_arena_str(&j->arena, left), cn_arena_str(&j->arena, right)};
    cn_buf_append(&j->merges, &m, sizeof m);
    return m.left.p && m.right.p && !j->merges.failed ? CN_OK : no_memory(j, err);
}

static cn_status add_merge_line(vocab_job *j, cn_str s, cn_err *err)
{
    /* the blank that parts them is not the first letter: a part may be one */
    const char *blank = s.n > 1 ? memchr(s.p + 1, ' ', s.n - 1) : NULL;
    if (!blank) return cn_fail(err, CN_E_FORMAT, "merge \"%.*s\" is no pair", CN_STR_ARG(s));
    size_t cut = (size_t)(blank - s.p);
    return add_merge(j, (cn_str){s.p, cut}, cn_str_skip(s, cut + 1), err);
}

static cn_status read_json_merges(vocab_job *j, cn_err *err)
{
    const cn_json *list = cn_json_get(cn_json_get(j->json, "model"), "merges");
    cn_status st = CN_OK;
    for (size_t i = 0; i < cn_json_size(list) && !st; i++) {
        const cn_json *m = cn_json_at(list, i);
        cn_str left = cn_json_str(cn_json_at(m, 0)), right = cn_json_str(cn_json_at(m, 1));
        st = left.p && right.p ? add_merge(j, left, right, err)
                               : add_merge_line(j, cn_json_str(m), err);
    }
    return st;
}

static cn_status read_text_merges(vocab_job *j, cn_err *err)
{
    cn_buf text = {0};
    char *path = cn_path_join(j->path, "merges.txt");
    cn_status st = cn_file_read(&text, path, MAX_JSON_BYTES, err);
    cn_str rest = cn_buf_view(&text);
    for (bool first = true; rest.n && !st; first = false) {
        const char *end = memchr(rest.p, '\n', rest.n);
        cn_str line = {rest.p, end ? (size_t)(end - rest.p) : rest.n};
        rest = cn_str_skip(rest, line.n + 1);
        if (line.n && line.p[line.n - 1] == '\r') line.n--;
        if (line.n == 0 || (first && cn_str_starts(line, CN_STR("#version")))) continue;
        st = add_merge_line(j, line, err);
    }
    cn_free(path);
    cn_buf_deinit(&text);
    return st;
}

static const merge *merges_of(const vocab_job *j, size_t *n)
{
    *n = j->merges.n / sizeof(merge);
    return (const merge *)(const void *)j->merges.p;
}

static cn_str join(vocab_job *j, const merge *m, cn_str between)
{
    size_t n = m->left.n + between.n + m->right.n;
    char *p = cn_arena_alloc(&j->arena, n + 1, 1);
    if (!p) return (cn_str){0};
    memcpy(p, m->left.p, m->left.n);
    memcpy(p + m->left.n, between.p, between.n);
    memcpy(p + m->left.n + between.n, m->right.p, m->right.n);
    return (cn_str){p, n};
}

static cn_status put_merges(vocab_job *j, cn_err *err)
{
    size_t n;
    const merge *m = merges_of(j, &n);
    cn_str *lines = cn_alloc_array(n + 1, sizeof *lines);
    cn_status st = lines ? CN_OK : no_memory(j, err);
    for (size_t i = 0; i < n && !st; i++) {
        lines[i] = join(j, &m[i], CN_STR(" "));
        if (!lines[i].p) st = no_memory(j, err);
    }
    if (!st) gguf_put_strings(j->w, "tokenizer.ggml.merges", lines, n);
    cn_free(lines);
    return st;
}

static int by_piece(const void *a, const void *b)
{
    cn_str x = **(cn_str *const *)a, y = **(cn_str *const *)b;
    int o = memcmp(x.p, y.p, CN_MIN(x.n, y.n));
    return o ? o : (x.n > y.n) - (x.n < y.n);
}

/* SentencePiece merges what gives the token of the best score: here the one that is merged
 * first. */
static cn_status scores_from_merges(vocab_job *j, float *scores, cn_err *err)
{
    size_t n;
    const merge *m = merges_of(j, &n);
    const cn_str **sorted = cn_alloc_array(j->n, sizeof *sorted);
    cn_status st = sorted ? CN_OK : no_memory(j, err);
    if (st) return st;
    for (size_t i = 0; i < j->n; i++)
        sorted[i] = &j->pieces[i];
    qsort(sorted, j->n, sizeof *sorted, by_piece);
    for (size_t i = n; i-- > 0 && !st;) { /* the first merge that gives a token counts */
        cn_str whole = join(j, &m[i], (cn_str){"", 0});
        const cn_str *key = &whole;
        if (!whole.p) st = no_memory(j, err);
        const cn_str **at = st ? NULL : bsearch(&key, sorted, j->n, sizeof *sorted, by_piece);
        if (at) scores[*at - j->pieces] = -(float)(i + 1);
    }
    cn_free(sorted);
    return st;
}

/* What the model does to a text before it is cut. */
static void put_normalizer(vocab_job *j, const spm_model *m)
{
    cn_str map = m->precompiled_charsmap;
    if (map.n)
        gguf_put_value(j->w, &(gguf_value){.key = CN_STR("tokenizer.ggml.precompiled_charsmap"),
                                           .kind = GGUF_ARRAY,
                                           .item = GGUF_U8,
                                           .n = map.n,
                                           .items = map.p});
    if (m->remove_extra_whitespaces)
        gguf_put_bool(j->w, "tokenizer.ggml.remove_extra_whitespaces", true);
}

static cn_status scores_from_spm(vocab_job *j, float *scores, cn_err *err)
{
    cn_buf bytes = {0};
    spm_model m = {0};
    cn_status st = cn_file_read(&bytes, j->spm, MAX_JSON_BYTES, err);
    if (!st) st = spm_parse(&m, cn_buf_view(&bytes), err);
    for (size_t i = 0; i < m.n && i < j->n && !st; i++)
        scores[i] = m.pieces[i].score;
    if (!st && !j->json) put_normalizer(j, &m);
    spm_deinit(&m);
    cn_buf_deinit(&bytes);
    return st;
}

static cn_status put_scores(vocab_job *j, cn_err *err)
{
    float *scores = cn_alloc_array(j->n, sizeof *scores);
    cn_status st = scores ? CN_OK : no_memory(j, err);
    if (!st && j->spm)
        st = scores_from_spm(j, scores, err);
    else if (!st && !(st = read_json_merges(j, err)))
        st = scores_from_merges(j, scores, err);
    if (!st) gguf_put_floats(j->w, "tokenizer.ggml.scores", scores, j->n);
    cn_free(scores);
    return st;
}

/* ---- cutting into words ---- */

/* GGUF's name for it; NULL where there is none. */
static const char *pre_tokenizer(const vocab_job *j)
{
    const char *name = cn_tokenizer_pre(j->t);
    if (strcmp(name, "other") != 0 && strcmp(name, "none") != 0) return name;
    const cn_json *steps = cn_json_get(cn_json_get(j->json, "pre_tokenizer"), "pretokenizers");
    const cn_json *first = cn_json_at(steps, 0), *second = cn_json_at(steps, 1);
    bool digits_apart = cn_json_size(steps) == 2 &&
                        cn_json_is(cn_json_get(first, "type"), "Digits") &&
                        cn_json_bool(cn_json_get(first, "individual_digits"), false) &&
                        cn_json_is(cn_json_get(second, "type"), "ByteLevel") &&
                        cn_json_bool(cn_json_get(second, "use_regex"), true);
    return digits_apart ? "smollm" : NULL;
}

/* ---- roles ---- */

static void put_role(vocab_job *j, const char *key, int32_t id)
{
    if (id >= 0 && (size_t)id < j->n) gguf_put_uint(j->w, key, (uint32_t)id);
}

static void put_roles(vocab_job *j)
{
    static const char *const ends[] = {"tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    int32_t bos = cn_token_bos(j->t), eos = cn_token_eos(j->t);
    put_role(j, "tokenizer.ggml.bos_token_id", bos);
    put_role(j, "tokenizer.ggml.eos_token_id", eos);
    put_role(j, "tokenizer.ggml.unknown_token_id", cn_token_unk(j->t));
    put_role(j, "tokenizer.ggml.padding_token_id", cn_token_pad(j->t));
    if (j->is_wordpiece) {
        put_role(j, "tokenizer.ggml.cls_token_id", bos);
        put_role(j, "tokenizer.ggml.seperator_token_id", eos); /* so spelt */
    }
    size_t n = 0;
    for (size_t id = 0; id < j->n && n < CN_ARRAY_LEN(ends); id++)
        if ((int32_t)id != eos && cn_token_is_end(j->t, (int32_t)id))
            put_role(j, ends[n++], (int32_t)id);
}

/* What the tokenizer does to a letter tells what it adds around a text. */
static cn_status put_affixes(vocab_job *j, cn_err *err)
{
    cn_tokens bare = {0}, whole = {0};
    cn_status st = cn_encode(j->t, "a", 1, 0, &bare, err);
    if (!st) st = cn_encode(j->t, "a", 1, CN_ADD_SPECIAL, &whole, err);
    if (!st && bare.n && whole.n) {
        bool before = whole.ids[0] != bare.ids[0],
             after = whole.ids[whole.n - 1] != bare.ids[bare.n - 1];
        gguf_put_bool(j->w, "tokenizer.ggml.add_bos_token", before);
        gguf_put_bool(j->w, "tokenizer.ggml.add_eos_token", after);
        size_t n;
        const char *text = cn_token_bytes(j->t, bare.ids[0], &n);
        if (j->is_spm)
            gguf_put_bool(j->w, "tokenizer.ggml.add_space_prefix", n && text[0] == ' ');
    }
    cn_tokens_free(&bare);
    cn_tokens_free(&whole);
    return st;
}

static void put_template(vocab_job *j, const char *key, const char *name)
{
    const char *text = cn_tokenizer_chat_template(j->t, name);
    if (text) gguf_put_string(j->w, key, cn_str_of(text));
}

static cn_status put_model(vocab_job *j, cn_err *err)
{
    const char *kind = cn_tokenizer_kind(j->t);
    j->is_spm = strcmp(kind, "spm-bpe") == 0;
    j->is_wordpiece = strcmp(kind, "wordpiece") == 0;
    bool is_bpe = strcmp(kind, "bpe") == 0;
    const char *pre = is_bpe ? pre_tokenizer(j) : "default";
    if (!(j->is_spm || j->is_wordpiece || is_bpe) || !pre)
        return cn_fail(err, CN_E_UNSUPPORTED, "GGUF has no name for this tokenizer (%s)",
                       is_bpe ? "its way of cutting words" : kind);
    gguf_put_string(j->w, "tokenizer.ggml.model",
                    cn_str_of(j->is_spm ? "llama"
                              : is_bpe  ? "gpt2"
                                        : "bert"));
    gguf_put_string(j->w, "tokenizer.ggml.pre", cn_str_of(pre));
    cn_status st = put_tokens(j, err);
    if (!st && j->is_spm) st = put_scores(j, err);
    if (!st && is_bpe) st = j->json ? read_json_merges(j, err) : read_text_merges(j, err);
    if (!st && is_bpe) st = put_merges(j, err);
    return st;
}

cn_status quantize_put_vocab(gguf_writer *w, const char *path, uint32_t n_vocab, cn_err *err)
{
    vocab_job j = {.w = w, .path = path, .n = n_vocab};
    cn_tokenizer *t = NULL;
    cn_status st = cn_tokenizer_open(&t, path, err);
    if (st == CN_E_NOT_FOUND) return CN_OK;
    if (st) return st;
    j.t = t;
    st = find_files(&j, err);
    if (!st) st = put_model(&j, err);
    if (!st) st = put_affixes(&j, err);
    if (!st) {
        put_roles(&j);
        put_template(&j, "tokenizer.chat_template", NULL);
        put_template(&j, "tokenizer.chat_template.tool_use", "tool_use");
        put_template(&j, "tokenizer.chat_template.rag", "rag");
    }
    cn_free(j.spm);
    cn_free(j.pieces);
    cn_free(j.types);
    cn_buf_deinit(&j.merges);
    cn_arena_deinit(&j.arena);
    cn_json_free(j.json);
    cn_tokenizer_free(t);
    return st;
}
