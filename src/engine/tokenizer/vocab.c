/* The token table: one block for texts, one for tokens, one for the hash table. */
#include "vocab.h"

#include "mem.h"

void vocab_deinit(vocab *v)
{
    cn_free(v->tokens);
    cn_free(v->slots);
    cn_buf_deinit(&v->text);
    *v = (vocab){0};
}

cn_status vocab_resize(vocab *v, size_t n, cn_err *err)
{
    if (n > VOCAB_MAX_TOKENS)
        return cn_fail(err, CN_E_LIMIT, "vocabulary of %zu tokens, at most %d", n,
                       VOCAB_MAX_TOKENS);
    if (n <= v->n) return CN_OK;
    if (n > v->alloc) {
        size_t want = CN_MAX(n, v->alloc + v->alloc / 2);
        vocab_token *tokens = cn_realloc_array(v->tokens, want, sizeof *tokens);
        if (!tokens) return cn_fail(err, CN_E_NOMEM, "vocabulary of %zu tokens", n);
        v->tokens = tokens;
        v->alloc = want;
    }
    for (; v->n < n; v->n++)
        v->tokens[v->n] = (vocab_token){.kind = TOK_UNUSED};
    return CN_OK;
}

static cn_status put(vocab *v, cn_str s, uint32_t *at, uint32_t *n, cn_err *err)
{
    if (s.n > VOCAB_MAX_PIECE)
        return cn_fail(err, CN_E_LIMIT, "token of %zu bytes, at most %d", s.n, VOCAB_MAX_PIECE);
    *at = (uint32_t)v->text.n;
    *n = (uint32_t)s.n;
    char *to = cn_buf_extend(&v->text, s.n + 1);
    if (to && s.n) memcpy(to, s.p, s.n);
    if (to) to[s.n] = '\0';
    return !to ? cn_fail(err, CN_E_NOMEM, "vocabulary texts of %zu bytes", v->text.n) : CN_OK;
}

cn_status vocab_set(vocab *v, size_t id, cn_str piece, float score, tok_kind kind, cn_err *err)
{
    CN_BUG_ON(id >= v->n);
    vocab_token *t = &v->tokens[id];
    v->is_indexed = false;
    cn_status st = put(v, piece, &t->piece, &t->piece_n, err);
    t->bytes = t->piece;
    t->bytes_n = t->piece_n;
    t->score = score;
    t->kind = (uint8_t)kind;
    return st;
}

cn_status vocab_set_bytes(vocab *v, size_t id, cn_str bytes, cn_err *err)
{
    vocab_token *t = &v->tokens[id];
    return put(v, bytes, &t->bytes, &t->bytes_n, err);
}

void vocab_set_kind(vocab *v, size_t id, tok_kind kind)
{
    if (v->tokens[id].kind == kind) return;
    v->tokens[id].kind = (uint8_t)kind;
    v->is_indexed = false;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 r = (unsigned __int128)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

uint32_t vocab_hash(cn_str s)
{
    uint64_t h = s.n * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL, w;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8) {
        memcpy(&w, s.p + i, 8);
        h = mix(h ^ w, 0xd6e8feb86659fd93ULL);
    }
    w = 0;
    for (size_t k = 0; i + k < s.n; k++)
        w |= (uint64_t)(uint8_t)s.p[i + k] << 8 * k;
    h = mix(h ^ w, 0xa0761d6478bd642fULL);
    return (uint32_t)(h ^ h >> 32);
}

int32_t vocab_find(const vocab *v, cn_str bytes)
{
    if (bytes.n > v->max_bytes) return -1;
    uint32_t h = vocab_hash(bytes);
    for (size_t i = h & v->mask;; i = (i + 1) & v->mask) {
        uint64_t slot = v->slots[i];
        if (!slot) return -1;
        if (slot >> 32 != h) continue;
        int32_t id = (int32_t)(uint32_t)slot - 1;
        if (cn_str_eq(vocab_bytes(v, (size_t)id), bytes)) return id;
    }
}

static void insert(vocab *v, size_t id)
{
    cn_str s = vocab_bytes(v, id);
    uint32_t h = vocab_hash(s);
    size_t i = h & v->mask;
    for (; v->slots[i]; i = (i + 1) & v->mask)
        if (v->slots[i] >> 32 == h && cn_str_eq(vocab_bytes(v, (uint32_t)v->slots[i] - 1), s))
            return; /* the lower id stays */
    v->slots[i] = (uint64_t)h << 32 | (uint32_t)(id + 1);
}

cn_status vocab_index(vocab *v, cn_err *err)
{
    size_t n_slots = 64;
    while (n_slots < v->n * 2)
        n_slots *= 2;
    cn_free(v->slots);
    v->slots = cn_alloc_array(n_slots, sizeof *v->slots);
    if (!v->slots) return cn_fail(err, CN_E_NOMEM, "table of %zu tokens", v->n);
    v->mask = n_slots - 1;
    v->max_bytes = 0;
    v->is_indexed = true;
    for (size_t id = 0; id < v->n; id++)
        v->max_bytes =
            CN_MAX(v->max_bytes, CN_MAX(v->tokens[id].bytes_n, v->tokens[id].piece_n));
    for (size_t id = 0; id < v->n; id++)
        if (vocab_is_mergeable(v, id) && v->tokens[id].bytes_n) insert(v, id);
    return CN_OK;
}

int32_t vocab_find_piece(const vocab *v, cn_str piece)
{
    for (size_t id = 0; id < v->n; id++)
        if (cn_str_eq(vocab_piece(v, id), piece)) return (int32_t)id;
    return -1;
}
