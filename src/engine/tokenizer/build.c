/* What all sources share: finishing the vocabulary, added tokens, roles known by their names.
 */
#include <stdio.h>

#include "mem.h"
#include "tokenizer_priv.h"

enum { MAX_ADDED_TEXT = 1024 };

cn_tokenizer *tok_new(void)
{
    cn_tokenizer *t = cn_xcalloc(1, sizeof *t);
    t->bos = t->eos = t->unk = t->pad = t->unk_given = -1;
    t->max_word_chars = 100;
    t->kind = "bpe";
    for (int i = 0; i < 256; i++)
        t->byte_id[i] = -1;
    return t;
}

void cn_tokenizer_free(cn_tokenizer *t)
{
    if (!t) return;
    vocab_deinit(&t->v);
    cn_free(t->pairs);
    cn_buf_deinit(&t->merge_text);
    trie_deinit(&t->pieces);
    trie_deinit(&t->added_raw);
    trie_deinit(&t->added_normalized);
    cn_free(t->added);
    cn_free(t->templates);
    pretok_deinit(&t->pre);
    cn_arena_deinit(&t->arena);
    cn_free(t);
}

/* The byte alphabet of GPT-2: printable bytes of Latin-1 stand for themselves, the others for
 * the letters from U+0100 on, in their order. */
int byte_of_letter(uint32_t c)
{
    if ((c > 32 && c < 127) || (c > 160 && c < 256 && c != 173)) return (int)c;
    if (c >= 256 && c <= 288) return (int)c - 256;
    if (c >= 289 && c <= 322) return (int)c - 289 + 127;
    return c == 323 ? 173 : -1;
}

bool bytes_of_letters(cn_buf *out, cn_str piece)
{
    char *to = cn_buf_extend(out, piece.n); /* never more bytes than the letters take */
    if (!to) return false;
    size_t n = 0;
    for (size_t i = 0, len; i < piece.n; i += len) {
        int b = byte_of_letter(uc_next(piece.p + i, piece.n - i, &len));
        if (b < 0) break;
        to[n++] = (char)b;
        if (i + len == piece.n) {
            out->n = (size_t)(to - out->p) + n;
            return true;
        }
    }
    out->n = (size_t)(to - out->p);
    return piece.n == 0;
}

void tok_unescape(cn_buf *out, cn_str piece)
{
    for (size_t i = 0; i < piece.n; i++) {
        bool mark = cn_str_starts(cn_str_skip(piece, i), CN_STR("\u2581"));
        cn_buf_putc(out, mark ? ' ' : piece.p[i]);
        i += mark ? 2 : 0;
    }
}

/* Does the joiner write no space before a word that begins so? (the blank clean-up of the
 * reference's decoder) */
static bool clings(cn_str word)
{
    static const char *const starts[] = {".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"};
    for (size_t i = 0; i < CN_ARRAY_LEN(starts); i++)
        if (cn_str_starts(word, cn_str_of(starts[i]))) return true;
    return false;
}

static cn_status finish_wordpiece(cn_tokenizer *t, size_t id, cn_buf *b, cn_err *err)
{
    cn_str s = vocab_piece(&t->v, id),
           mark = t->starts_marked ? CN_STR("\u2581") : CN_STR("##");
    bool marked = cn_str_starts(s, mark), start = marked == t->starts_marked;
    if (marked) s = cn_str_skip(s, mark.n);
    cn_buf_putc(b, start ? '\0' : '\1');
    cn_buf_str(b, s);
    if (b->failed) return cn_fail(err, CN_E_NOMEM, "vocabulary");
    cn_status st = trie_insert(&t->pieces, cn_buf_view(b), (int32_t)id, err);
    if (st) return st;
    b->p[0] = ' ';
    return vocab_set_bytes(
        &t->v, id, cn_str_skip(cn_buf_view(b), !start || (!t->keep_blanks && clings(s))), err);
}

/* <0x41> */
static int byte_of_name(cn_str s)
{
    unsigned v;
    char text[8] = {0};
    if (s.n != 6) return -1;
    memcpy(text, s.p, 6);
    return sscanf(text, "<0x%2x>", &v) == 1 && text[5] == '>' ? (int)v : -1;
}

static cn_status finish_byte(cn_tokenizer *t, size_t id, cn_err *err)
{
    int byte = byte_of_name(vocab_piece(&t->v, id));
    char c = (char)byte;
    if (byte < 0)
        return cn_fail(err, CN_E_FORMAT, "byte token %zu is \"%.*s\"", id,
                       CN_STR_ARG(vocab_piece(&t->v, id)));
    if (t->byte_id[byte] < 0) t->byte_id[byte] = (int32_t)id;
    return vocab_set_bytes(&t->v, id, (cn_str){&c, 1}, err);
}

static cn_status finish_token(cn_tokenizer *t, size_t id, cn_buf *b, cn_err *err)
{
    vocab_token *k = &t->v.tokens[id];
    cn_str piece = vocab_piece(&t->v, id);
    if (k->kind == TOK_BYTE) return finish_byte(t, id, err);
    if (vocab_is_control(&t->v, id) || piece.n == 0) return CN_OK;
    cn_buf_clear(b);
    if (t->model == TOK_WORDPIECE) return finish_wordpiece(t, id, b, err);
    if (t->byte_level) {
        /* a user-defined token is written as it is: the same only in plain ASCII */
        k->is_apart = !bytes_of_letters(b, piece) ||
                      (k->kind == TOK_USER && !cn_str_eq(cn_buf_view(b), piece));
        if (k->is_apart) return CN_OK;
        if (b->n == 1 && t->byte_id[(uint8_t)b->p[0]] < 0)
            t->byte_id[(uint8_t)b->p[0]] = (int32_t)id;
        return vocab_set_bytes(&t->v, id, cn_buf_view(b), err);
    }
    cn_status st = CN_OK;
    if (memmem(piece.p, piece.n, "\u2581", 3)) {
        tok_unescape(b, piece);
        st = vocab_set_bytes(&t->v, id, cn_buf_view(b), err);
    }
    if (!st && t->model == TOK_UNIGRAM)
        st = trie_insert(&t->pieces, vocab_bytes(&t->v, id), (int32_t)id, err);
    return st;
}

static void find_unk_score(cn_tokenizer *t)
{
    float least = 0;
    for (size_t id = 0; id < t->v.n; id++)
        if (t->v.tokens[id].kind == TOK_NORMAL) least = CN_MIN(least, t->v.tokens[id].score);
    t->unk_score = least - 10; /* as SentencePiece: worse than any piece */
}

cn_status tok_finish_vocab(cn_tokenizer *t, cn_err *err)
{
    cn_buf b = {0};
    cn_status st = CN_OK;
    if (t->v.n == 0) return cn_fail(err, CN_E_FORMAT, "vocabulary without tokens");
    for (size_t id = 0; id < t->v.n && !st; id++)
        st = finish_token(t, id, &b, err);
    if (!st && b.failed) st = cn_fail(err, CN_E_NOMEM, "vocabulary of %zu tokens", t->v.n);
    cn_buf_deinit(&b);
    bool needs_trie = t->model == TOK_UNIGRAM || t->model == TOK_WORDPIECE;
    if (!st && needs_trie && trie_is_empty(&t->pieces))
        st = cn_fail(err, CN_E_FORMAT, "vocabulary without ordinary pieces");
    if (!st) st = vocab_index(&t->v, err);
    find_unk_score(t);
    return st;
}

cn_status tok_add_added(cn_tokenizer *t, const tok_added *a, cn_err *err)
{
    if (a->id < 0 || (size_t)a->id >= t->v.n)
        return cn_fail(err, CN_E_FORMAT, "added token %d of a vocabulary of %zu", (int)a->id,
                       t->v.n);
    if (a->text.n == 0 || a->text.n > MAX_ADDED_TEXT)
        return cn_fail(err, CN_E_LIMIT, "added token %d has %zu bytes, 1 to %d are possible",
                       (int)a->id, a->text.n, MAX_ADDED_TEXT);
    if ((t->n_added & (t->n_added - 1)) == 0) { /* full at powers of two */
        size_t want = t->n_added ? t->n_added * 2 : 1;
        tok_added *p = cn_realloc_array(t->added, want, sizeof *p);
        if (!p) return cn_fail(err, CN_E_NOMEM, "%zu added tokens", want);
        t->added = p;
    }
    tok_added *copy = &t->added[t->n_added];
    *copy = *a;
    copy->text = cn_arena_str(&t->arena, a->text);
    if (!copy->text.p) return cn_fail(err, CN_E_NOMEM, "%zu added tokens", t->n_added);
    copy->control |= tok_looks_like_control(copy->text);
    t->n_added++;
    vocab_token *k = &t->v.tokens[a->id];
    if (!copy->control)
        k->kind = TOK_USER;
    else if (k->kind != TOK_UNKNOWN)
        k->kind = TOK_CONTROL;
    if (cn_str_eq(vocab_piece(&t->v, (size_t)a->id), copy->text)) return CN_OK;
    return vocab_set(&t->v, (size_t)a->id, copy->text, k->score, k->kind, err);
}

cn_status tok_add_added_from_kinds(cn_tokenizer *t, cn_err *err)
{
    cn_status st = CN_OK;
    for (size_t id = 0; id < t->v.n && !st; id++) {
        uint8_t kind = t->v.tokens[id].kind;
        cn_str piece = vocab_piece(&t->v, id);
        if (piece.n == 0 || piece.n > MAX_ADDED_TEXT) continue;
        if (kind != TOK_CONTROL && kind != TOK_USER && kind != TOK_UNKNOWN) continue;
        tok_added a = {.id = (int32_t)id, .text = piece, .control = kind != TOK_USER};
        st = tok_add_added(t, &a, err);
    }
    return st;
}

cn_status tok_affix(cn_tokenizer *t, bool before, int32_t id, cn_err *err)
{
    size_t *n = before ? &t->n_prefix : &t->n_suffix;
    if (id < 0) return CN_OK;
    if ((size_t)id >= t->v.n)
        return cn_fail(err, CN_E_FORMAT, "special token %d of a vocabulary of %zu", (int)id,
                       t->v.n);
    if (*n == TOK_MAX_AFFIX)
        return cn_fail(err, CN_E_LIMIT, "over %d special tokens around a text", TOK_MAX_AFFIX);
    (before ? t->prefix : t->suffix)[(*n)++] = id;
    return CN_OK;
}

cn_status tok_add_template(cn_tokenizer *t, cn_str name, cn_str text, cn_err *err)
{
    enum { MAX_TEMPLATES = 64 };
    if (!t->templates) t->templates = cn_xcalloc(MAX_TEMPLATES, sizeof *t->templates);
    if (t->n_templates == MAX_TEMPLATES)
        return cn_fail(err, CN_E_LIMIT, "over %d chat templates", MAX_TEMPLATES);
    bool is_default = name.n == 0 || cn_str_is(name, "default");
    tok_template *k = &t->templates[t->n_templates];
    k->name = is_default ? NULL : cn_arena_strndup(&t->arena, name.p, name.n);
    k->text = cn_arena_strndup(&t->arena, text.p, text.n);
    if (!k->text || (!is_default && !k->name))
        return cn_fail(err, CN_E_NOMEM, "chat template of %zu bytes", text.n);
    t->n_templates++;
    return CN_OK;
}

static bool is_one_of(cn_str s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cn_str_is(s, names[i])) return true;
    return false;
}

bool tok_looks_like_control(cn_str s)
{
    static const char *const names[] = {
        "<s>",
        "</s>",
        "<unk>",
        "<pad>",
        "<bos>",
        "<eos>",
        "<EOT>",
        "<mask>",
        "[INST]",
        "[/INST]",
        "<<SYS>>",
        "<</SYS>>",
        "[CLS]",
        "[SEP]",
        "[PAD]",
        "[UNK]",
        "[MASK]",
        "[TOOL_CALLS]",
        "[TOOL_RESULTS]",
        "[/TOOL_RESULTS]",
        "[AVAILABLE_TOOLS]",
        "[/AVAILABLE_TOOLS]",
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "<start_of_turn>",
        "<end_of_turn>",
        "<end_of_utterance>",
    };
    if (s.n > 4 && cn_str_starts(s, CN_STR("<|")) && cn_str_ends(s, CN_STR("|>"))) return true;
    if (cn_str_starts(s, CN_STR("<\uff5c")) && cn_str_ends(s, CN_STR("\uff5c>"))) return true;
    return is_one_of(s, names, CN_ARRAY_LEN(names));
}

bool tok_is_end_name(cn_str s)
{
    static const char *const names[] = {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "<|eom_id|>",
        "<EOT>",
        "<|end_of_text|>",
        "<|eot|>",
        "<|eom|>",
        "<|return|>",
        "<|end_of_turn|>",
        "<end_of_utterance>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
    };
    return is_one_of(s, names, CN_ARRAY_LEN(names));
}

static bool holds_inner_space(const vocab *v)
{
    for (size_t id = 0; id < v->n; id++) {
        cn_str s = vocab_is_mergeable(v, id) ? vocab_bytes(v, id) : (cn_str){"", 0};
        for (size_t i = 1; i < s.n; i++)
            if (s.p[i] == ' ' && s.p[i - 1] != ' ') return true;
    }
    return false;
}

/* Tokens of normalised text are found by what they themselves become. */
static cn_status index_added(cn_tokenizer *t, cn_err *err)
{
    cn_buf a = {0}, b = {0};
    cn_status st = CN_OK;
    for (size_t k = 0; k < t->n_added && !st; k++) {
        const tok_added *d = &t->added[k];
        if (d->normalized) {
            cn_str s = norm_run(&t->norm, d->text, true, &a, &b);
            st = trie_insert(&t->added_normalized, s, (int32_t)k, err);
        }
        if (!st && (d->control || !d->normalized))
            st = trie_insert(&t->added_raw, d->text, (int32_t)k, err);
    }
    if (!st && (a.failed || b.failed)) st = cn_fail(err, CN_E_NOMEM, "added tokens");
    cn_buf_deinit(&a);
    cn_buf_deinit(&b);
    return st;
}

/* Kinds became known after the tables were made (a list beside the file, a name that tells):
 * ordinary text must not reach what is a control token now. */
static cn_status seal(cn_tokenizer *t, cn_err *err)
{
    for (size_t i = 0; t->pairs && i <= t->pairs_mask; i++) {
        tok_pair *p = &t->pairs[i];
        if (p->left == UINT32_MAX || vocab_is_mergeable(&t->v, p->id)) continue;
        p->rank = UINT32_MAX; /* never merges; the place stays, others lie behind it */
    }
    for (size_t i = 0; i < t->pieces.n_nodes; i++) {
        int32_t id = t->pieces.value[i];
        if (id >= 0 && !vocab_is_mergeable(&t->v, (size_t)id)) t->pieces.value[i] = -1;
    }
    for (size_t i = 0; i < 256; i++) {
        int32_t id = t->byte_id[i];
        if (id >= 0 && vocab_is_control(&t->v, (size_t)id)) t->byte_id[i] = -1;
    }
    return vocab_index(&t->v, err);
}

cn_status tok_finish(cn_tokenizer *t, cn_err *err)
{
    cn_status st = CN_OK;
    cn_buf_deinit(&t->merge_text);
    int32_t *roles[] = {&t->bos, &t->eos, &t->unk, &t->pad};
    for (size_t i = 0; i < CN_ARRAY_LEN(roles); i++)
        if (*roles[i] < 0 || (size_t)*roles[i] >= t->v.n) *roles[i] = -1;
    if (t->unk >= 0) vocab_set_kind(&t->v, (size_t)t->unk, TOK_UNKNOWN);
    t->unk_given = t->unk == t->eos || t->unk == t->bos ? -1 : t->unk;
    if (!t->v.is_indexed) st = seal(t, err);
    if (!st) st = index_added(t, err);
    for (size_t id = 0; id < t->v.n; id++)
        if (vocab_is_control(&t->v, id) && tok_is_end_name(vocab_piece(&t->v, id)))
            t->v.tokens[id].is_end = true;
    if (t->eos >= 0) t->v.tokens[t->eos].is_end = true;
    bool whole = t->pre.n == 0 && !t->byte_level && t->model != TOK_WORDPIECE;
    /* unknown neighbours that become one token must not be cut apart either */
    bool apart = t->byte_fallback || vocab_find(&t->v, CN_STR(" ")) >= 0;
    if (!st && whole && apart && !holds_inner_space(&t->v))
        st = pretok_add(&t->pre, (pre_stage){.kind = PRE_WORDS_WITH_SPACE}, err);
    return st;
}
