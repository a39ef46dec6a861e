/* Byte-pair merging: by listed pairs (GPT-2 and its kin) or by the score of the joined text
 * (SentencePiece). Short words by scanning, long ones with a heap: O(n log n). The best rank
 * merges first, of equal ranks the leftmost. */
#include <math.h>

#include "mem.h"
#include "tokenizer_priv.h"

enum { SCAN_MAX = 40 };
#define NEVER UINT32_MAX

static uint32_t pair_hash(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(h >> 32) ^ (uint32_t)h >> 7;
}

static tok_pair *pair_slot(const cn_tokenizer *t, uint32_t left, uint32_t right)
{
    for (size_t i = pair_hash(left, right) & t->pairs_mask;; i = (i + 1) & t->pairs_mask) {
        tok_pair *p = &t->pairs[i];
        if (p->left == NEVER || (p->left == left && p->right == right)) return p;
    }
}

cn_status bpe_reserve_pairs(cn_tokenizer *t, size_t n, cn_err *err)
{
    size_t n_slots = 64;
    if (n > VOCAB_MAX_TOKENS)
        return cn_fail(err, CN_E_LIMIT, "%zu merges, at most %d", n, VOCAB_MAX_TOKENS);
    while (n_slots < n + n / 2)
        n_slots *= 2;
    t->pairs = cn_alloc_array(n_slots, sizeof *t->pairs);
    if (!t->pairs) return cn_fail(err, CN_E_NOMEM, "table of %zu merges", n);
    t->pairs_mask = n_slots - 1;
    for (size_t i = 0; i < n_slots; i++)
        t->pairs[i].left = NEVER;
    return CN_OK;
}

void bpe_add_pair(cn_tokenizer *t, cn_str left, cn_str right, uint32_t rank)
{
    cn_buf *b = &t->merge_text;
    size_t cut = 0;
    cn_buf_clear(b);
    if (t->byte_level) {
        if (!bytes_of_letters(b, left)) return;
        cut = b->n;
        if (!bytes_of_letters(b, right)) return;
    } else {
        tok_unescape(b, left);
        cut = b->n;
        tok_unescape(b, right);
    }
    if (b->failed) return;
    int32_t l = vocab_find(&t->v, (cn_str){b->p, cut});
    int32_t r = vocab_find(&t->v, (cn_str){b->p + cut, b->n - cut});
    if (l < 0 || r < 0) return;
    /* most vocabularies number the results of merges in the order of the merges */
    size_t next = t->last_merge + 1;
    bool is_next = next < t->v.n && vocab_is_mergeable(&t->v, next) &&
                   cn_str_eq(vocab_bytes(&t->v, next), cn_buf_view(b));
    int32_t both = is_next ? (int32_t)next : vocab_find(&t->v, cn_buf_view(b));
    if (both < 0) return;
    t->last_merge = (size_t)both;
    tok_pair *p = pair_slot(t, (uint32_t)l, (uint32_t)r);
    if (p->left == NEVER) *p = (tok_pair){(uint32_t)l, (uint32_t)r, rank, (uint32_t)both};
}

/* An order-preserving number for a score: higher scores first. */
static uint32_t rank_of_score(float score)
{
    uint32_t bits;
    if (isnan(score)) return NEVER - 1;
    score += 0.0f; /* -0 is 0 */
    memcpy(&bits, &score, sizeof bits);
    bits = bits & 0x80000000U ? ~bits : bits | 0x80000000U;
    return ~bits == NEVER ? NEVER - 1 : ~bits;
}

static void rank_pair(const tok_scratch *s, const char *word, tok_symbol *a,
                      const tok_symbol *b)
{
    const cn_tokenizer *t = s->t;
    a->rank = NEVER;
    if (t->model == TOK_BPE_PAIRS) {
        if (a->id < 0 || b->id < 0) return;
        const tok_pair *p = pair_slot(t, (uint32_t)a->id, (uint32_t)b->id);
        if (p->left == NEVER) return;
        a->rank = p->rank;
        a->merged = p->id;
        return;
    }
    int32_t id = vocab_find(&t->v, (cn_str){word + a->at, a->n + b->n});
    if (id < 0) return;
    a->rank = rank_of_score(t->v.tokens[id].score);
    a->merged = (uint32_t)id;
}

static bool reserve_symbols(tok_scratch *s, size_t n)
{
    if (n <= s->symbols_alloc) return true;
    size_t want = CN_MAX(n, (size_t)256);
    tok_symbol *p = cn_realloc_array(s->symbols, want, sizeof *p);
    if (!p) return false;
    s->symbols = p;
    s->symbols_alloc = want;
    return true;
}

/* Cuts the word into bytes or characters; returns how many. */
static size_t first_symbols(tok_scratch *s, cn_str word)
{
    const cn_tokenizer *t = s->t;
    size_t n = 0;
    for (size_t i = 0, len; i < word.n; i += len) {
        tok_symbol *y = &s->symbols[n];
        if (t->byte_level) {
            len = 1;
            y->id = t->byte_id[(uint8_t)word.p[i]];
            if (y->id < 0 && t->unk_given < 0)
                continue; /* no way to write it, as the reference */
        } else {
            uc_next(word.p + i, word.n - i, &len);
            y->id = vocab_find(&t->v, (cn_str){word.p + i, len});
        }
        y->at = (uint32_t)i;
        y->n = (uint32_t)len;
        n++;
    }
    return n;
}

/* Short words: look for the best pair again and again; the array stays dense. */
static size_t merge_by_scan(tok_scratch *s, const char *word, size_t n)
{
    tok_symbol *y = s->symbols;
    for (size_t i = 0; i + 1 < n; i++)
        rank_pair(s, word, &y[i], &y[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (y[i].rank < y[best].rank) best = i;
        if (y[best].rank == NEVER) break;
        y[best].id = (int32_t)y[best].merged;
        y[best].n += y[best + 1].n;
        n--;
        memmove(&y[best + 1], &y[best + 2], (n - best - 1) * sizeof *y);
        if (best + 1 < n) rank_pair(s, word, &y[best], &y[best + 1]);
        if (best > 0) rank_pair(s, word, &y[best - 1], &y[best]);
    }
    return n;
}

static void sift_down(uint64_t *heap, size_t n, size_t i)
{
    uint64_t key = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= key) break;
        heap[i] = heap[child];
    }
    heap[i] = key;
}

static void heap_push(tok_scratch *s, size_t at)
{
    if (s->symbols[at].rank == NEVER) return;
    uint64_t key = (uint64_t)s->symbols[at].rank << 32 | at;
    size_t i = s->heap_n++;
    for (; i > 0 && s->heap[(i - 1) / 2] > key; i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = key;
}

static uint64_t heap_pop(tok_scratch *s)
{
    uint64_t top = s->heap[0];
    s->heap[0] = s->heap[--s->heap_n];
    if (s->heap_n) sift_down(s->heap, s->heap_n, 0);
    return top;
}

static bool reserve_heap(tok_scratch *s, size_t n)
{
    s->heap_n = 0;
    if (n <= s->heap_alloc) return true;
    uint64_t *p = cn_realloc_array(s->heap, n, sizeof *p);
    if (!p) return false;
    s->heap = p;
    s->heap_alloc = n;
    return true;
}

static void link_symbols(tok_scratch *s, const char *word, size_t n)
{
    tok_symbol *y = s->symbols;
    for (size_t i = 0; i < n; i++) {
        y[i].prev = i ? (uint32_t)(i - 1) : NEVER;
        y[i].next = i + 1 < n ? (uint32_t)(i + 1) : NEVER;
        y[i].rank = NEVER;
        if (i + 1 < n) rank_pair(s, word, &y[i], &y[i + 1]);
        if (y[i].rank != NEVER) s->heap[s->heap_n++] = (uint64_t)y[i].rank << 32 | i;
    }
    for (size_t i = s->heap_n / 2; i-- > 0;)
        sift_down(s->heap, s->heap_n, i);
}

/* Long words: each merge takes the best pair from the heap. Pairs that are no more are known
 * by a rank that differs from their symbol's. Each merge takes one entry and adds at most two,
 * so that 2n entries are room enough. */
static size_t merge_by_heap(tok_scratch *s, const char *word, size_t n)
{
    tok_symbol *y = s->symbols;
    link_symbols(s, word, n);
    while (s->heap_n) {
        uint64_t key = heap_pop(s);
        uint32_t i = (uint32_t)key;
        if (y[i].rank != key >> 32) continue;
        uint32_t gone = y[i].next;
        y[i].id = (int32_t)y[i].merged;
        y[i].n += y[gone].n;
        y[i].next = y[gone].next;
        y[i].rank = NEVER;
        y[gone].rank = NEVER;
        if (y[i].next != NEVER) {
            y[y[i].next].prev = i;
            rank_pair(s, word, &y[i], &y[y[i].next]);
            heap_push(s, i);
        }
        if (y[i].prev != NEVER) {
            rank_pair(s, word, &y[y[i].prev], &y[i]);
            heap_push(s, y[i].prev);
        }
    }
    size_t left = 0;
    for (uint32_t i = 0; i != NEVER; i = y[i].next)
        y[left++] = y[i];
    return left;
}

/* Gives the ids; neighbours without a token are one unknown where the vocabulary wants it. */
static cn_status push_symbols(tok_scratch *s, cn_str word, size_t n)
{
    cn_status st = CN_OK;
    for (size_t i = 0; i < n && !st; i++) {
        const tok_symbol *y = &s->symbols[i];
        size_t bytes = y->n;
        if (y->id >= 0) {
            st = cn_tokens_push(s->out, y->id, s->err);
            continue;
        }
        if (s->t->fuse_unk && !s->t->byte_fallback)
            while (i + 1 < n && s->symbols[i + 1].id < 0)
                bytes += s->symbols[++i].n;
        st = tok_push_unknown(s, (cn_str){word.p + y->at, bytes});
    }
    return st;
}

cn_status bpe_encode(tok_scratch *s, cn_str word)
{
    if (s->t->ignore_merges) {
        int32_t id = vocab_find(&s->t->v, word);
        if (id >= 0) return cn_tokens_push(s->out, id, s->err);
    }
    if (!reserve_symbols(s, word.n))
        return cn_fail(s->err, CN_E_NOMEM, "merging a word of %zu bytes", word.n);
    size_t n = first_symbols(s, word);
    if (n > SCAN_MAX) {
        if (!reserve_heap(s, 2 * n))
            return cn_fail(s->err, CN_E_NOMEM, "merging a word of %zu bytes", word.n);
        n = merge_by_heap(s, word.p, n);
    } else if (n > 1) {
        n = merge_by_scan(s, word.p, n);
    }
    return push_symbols(s, word, n);
}
