/* From text to ids: added tokens are found first, what lies between them is normalised, cut
 * into words and given to the model. */
#include "mem.h"
#include "tokenizer_priv.h"

#define MAX_TEXT ((size_t)256 << 20)

void cn_tokens_free(cn_tokens *t)
{
    if (!t) return;
    cn_free(t->ids);
    *t = (cn_tokens){0};
}

cn_status cn_tokens_push(cn_tokens *t, int32_t id, cn_err *err)
{
    if (t->n == t->alloc) {
        size_t want = t->alloc ? t->alloc * 2 : 64;
        int32_t *ids = cn_realloc_array(t->ids, want, sizeof *ids);
        if (!ids) return cn_fail(err, CN_E_NOMEM, "list of %zu tokens", want);
        t->ids = ids;
        t->alloc = want;
    }
    t->ids[t->n++] = id;
    return CN_OK;
}

void tok_scratch_deinit(tok_scratch *s)
{
    cn_free(s->symbols);
    cn_free(s->heap);
    cn_free(s->viterbi);
    cn_buf_deinit(&s->text);
    cn_buf_deinit(&s->swap);
    cn_buf_deinit(&s->late_text);
    cn_buf_deinit(&s->late_swap);
}

cn_status tok_push_unknown(tok_scratch *s, cn_str text)
{
    const cn_tokenizer *t = s->t;
    bool as_bytes = t->byte_fallback;
    for (size_t i = 0; i < text.n && as_bytes; i++)
        as_bytes = t->byte_id[(uint8_t)text.p[i]] >= 0;
    cn_status st = CN_OK;
    for (size_t i = 0; i < text.n && as_bytes && !st; i++)
        st = cn_tokens_push(s->out, t->byte_id[(uint8_t)text.p[i]], s->err);
    if (as_bytes || t->unk_given < 0) return st;
    return cn_tokens_push(s->out, t->unk_given, s->err);
}

static cn_status encode_word(void *ctx, cn_str word)
{
    tok_scratch *s = ctx;
    switch (s->t->model) {
    case TOK_UNIGRAM:
        return unigram_encode(s, word);
    case TOK_WORDPIECE:
        return wordpiece_encode(s, word);
    default:
        return bpe_encode(s, word);
    }
}

/* One search for added tokens: over which trie, and which control tokens it may find. */
typedef struct search {
    const cn_tokenizer *t;
    const trie *trie;
    cn_str text;
    const uint8_t *trusted; /* those whose bytes are all marked, whatever the flags say */
    bool control;           /* without marks: all or none */
    bool is_normalized;     /* the text */
} search;

static bool is_trusted(const search *q, size_t from, size_t to)
{
    if (q->trusted) return !memchr(q->trusted + from, 0, to - from);
    return q->control;
}

/* The character that ends at `at`. */
static uint32_t char_before(cn_str s, size_t at)
{
    size_t from = at - 1, len;
    while (from > 0 && at - from < 4 && ((unsigned char)s.p[from] & 0xc0) == 0x80)
        from--;
    return uc_next(s.p + from, s.n - from, &len);
}

static bool is_word_char(uint32_t c)
{
    return uc_in(c, UC_LETTERS | UC_MARKS | UC_NUMBERS) || uc_category(c) == UC_PC;
}

static bool stands_alone(cn_str s, size_t from, size_t to)
{
    size_t len;
    if (from > 0 && is_word_char(char_before(s, from))) return false;
    return to == s.n || !is_word_char(uc_next(s.p + to, s.n - to, &len));
}

static bool may_match(const search *q, const tok_added *a, size_t from, size_t to)
{
    if (a->control && !is_trusted(q, from, to)) return false;
    /* A control token that is declared for normalised text is found there as the reference
     * does, but in marked text (templates) wherever it is written. */
    if (a->normalized && !q->is_normalized && !q->trusted) return false;
    return !a->single_word || stands_alone(q->text, from, to);
}

/* The longest added token at `at`. */
static const tok_added *longest_at(const search *q, size_t at, size_t *end)
{
    const tok_added *found = NULL;
    uint32_t node = 0;
    for (size_t i = at; i < q->text.n; i++) {
        node = trie_step(q->trie, node, (uint8_t)q->text.p[i]);
        if (!node) break;
        int32_t k = q->trie->value[node];
        if (k < 0 || !may_match(q, &q->t->added[k], at, i + 1)) continue;
        found = &q->t->added[k];
        *end = i + 1;
    }
    return found;
}

static const tok_added *next_added(const search *q, size_t at, size_t *from, size_t *to)
{
    for (size_t i = at; i < q->text.n; i++) {
        if (!q->trie->starts[(uint8_t)q->text.p[i]]) continue;
        const tok_added *a = longest_at(q, i, to);
        if (!a) continue;
        size_t len;
        *from = i;
        while (a->lstrip && *from > at && uc_in(char_before(q->text, *from), UC_SPACES))
            do
                --*from;
            while (*from > at && ((unsigned char)q->text.p[*from] & 0xc0) == 0x80);
        while (a->rstrip && *to < q->text.n &&
               uc_in(uc_next(q->text.p + *to, q->text.n - *to, &len), UC_SPACES))
            *to += len;
        return a;
    }
    return NULL;
}

typedef cn_status segment_fn(tok_scratch *s, const search *q, cn_str text, bool is_first);

/* Calls fn for what lies between added tokens, and gives their ids. */
static cn_status split_at_added(tok_scratch *s, const search *q, bool is_first, segment_fn *fn)
{
    cn_status st = CN_OK;
    for (size_t at = 0, from, to; !st && at < q->text.n; at = to) {
        from = to = q->text.n;
        const tok_added *a = trie_is_empty(q->trie) ? NULL : next_added(q, at, &from, &to);
        if (from > at) st = fn(s, q, (cn_str){q->text.p + at, from - at}, is_first && at == 0);
        if (a && !st) st = cn_tokens_push(s->out, a->id, s->err);
    }
    return st;
}

static cn_status encode_normalized(tok_scratch *s, const search *q, cn_str text, bool is_first)
{
    (void)q;
    text = norm_run(&s->t->late, text, is_first, &s->late_text, &s->late_swap);
    if (s->late_text.failed || s->late_swap.failed)
        return cn_fail(s->err, CN_E_NOMEM, "normalising a text");
    return pretok_run(&s->t->pre, text, encode_word, s, s->err);
}

static cn_status encode_plain(tok_scratch *s, const search *q, cn_str text, bool is_first)
{
    const cn_tokenizer *t = s->t;
    text = norm_run(&t->norm, text, is_first, &s->text, &s->swap);
    if (s->text.failed || s->swap.failed)
        return cn_fail(s->err, CN_E_NOMEM, "normalising a text");
    search again = {t, &t->added_normalized, text, NULL, q->control && !q->trusted, true};
    return split_at_added(s, &again, is_first, encode_normalized);
}

static cn_status push_all(cn_tokens *out, const int32_t *ids, size_t n, cn_err *err)
{
    cn_status st = CN_OK;
    for (size_t i = 0; i < n && !st; i++)
        st = cn_tokens_push(out, ids[i], err);
    return st;
}

cn_status cn_encode_marked(const cn_tokenizer *t, const char *text, size_t n,
                           const uint8_t *trusted, unsigned flags, cn_tokens *out, cn_err *err)
{
    if (n > MAX_TEXT)
        return cn_fail(err, CN_E_LIMIT, "text of %zu bytes, at most %zu", n, MAX_TEXT);
    tok_scratch s = {.t = t, .out = out, .err = err};
    search q = {t, &t->added_raw, {n ? text : "", n}, trusted, flags & CN_PARSE_SPECIAL, false};
    cn_status st = CN_OK;
    if (flags & CN_ADD_SPECIAL) st = push_all(out, t->prefix, t->n_prefix, err);
    if (!st) st = split_at_added(&s, &q, true, encode_plain);
    if (!st && flags & CN_ADD_SPECIAL) st = push_all(out, t->suffix, t->n_suffix, err);
    tok_scratch_deinit(&s);
    return st;
}

cn_status cn_encode(const cn_tokenizer *t, const char *text, size_t n, unsigned flags,
                    cn_tokens *out, cn_err *err)
{
    return cn_encode_marked(t, text, n, NULL, flags, out, err);
}
