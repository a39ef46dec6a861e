/* SentencePiece unigram: of all ways to cut the text into pieces the one with the highest sum
 * of scores (Viterbi). Source: Kudo 2018, "Subword Regularization". */
#include "mem.h"
#include "tokenizer_priv.h"

typedef struct best_cut {
    double score;  /* of the best way that ends here */
    uint32_t from; /* where its last piece begins */
    uint32_t next; /* on the best way to the end: where the piece from here ends */
    int32_t id;    /* that piece; -1: one character without a piece */
} best_cut;

static cn_status reserve(tok_scratch *s, size_t n)
{
    if (n <= s->viterbi_alloc) return CN_OK;
    void *p = cn_realloc_array(s->viterbi, n, sizeof(best_cut));
    if (!p) return cn_fail(s->err, CN_E_NOMEM, "segmenting %zu bytes", n);
    s->viterbi = p;
    s->viterbi_alloc = n;
    return CN_OK;
}

static void offer(best_cut *at, double score, size_t from, int32_t id)
{
    if (at->from != UINT32_MAX && score <= at->score) return;
    *at = (best_cut){.score = score, .from = (uint32_t)from, .id = id};
}

/* Fills best[0..n]: at each character border all pieces that begin there. */
static void forward(const cn_tokenizer *t, cn_str w, best_cut *best)
{
    for (size_t i = 0; i <= w.n; i++)
        best[i] = (best_cut){.from = UINT32_MAX};
    best[0].from = 0;
    for (size_t i = 0, len; i < w.n; i += len) {
        uc_next(w.p + i, w.n - i, &len);
        bool single = false;
        uint32_t node = 0;
        for (size_t k = i; k < w.n && (node = trie_step(&t->pieces, node, (uint8_t)w.p[k]));
             k++) {
            int32_t id = t->pieces.value[node];
            if (id < 0) continue;
            single |= k + 1 == i + len;
            offer(&best[k + 1], best[i].score + (double)t->v.tokens[id].score, i, id);
        }
        if (!single) offer(&best[i + len], best[i].score + (double)t->unk_score, i, -1);
    }
}

cn_status unigram_encode(tok_scratch *s, cn_str w)
{
    cn_status st = reserve(s, w.n + 1);
    if (st || w.n == 0) return st;
    best_cut *best = s->viterbi;
    forward(s->t, w, best);
    for (size_t i = w.n; i > 0; i = best[i].from)
        best[best[i].from].next = (uint32_t)i;
    for (size_t at = 0, end; at < w.n && !st; at = end) {
        end = best[at].next;
        int32_t id = best[end].id;
        if (id >= 0) {
            st = cn_tokens_push(s->out, id, s->err);
            continue;
        }
        while (end < w.n && best[best[end].next].id < 0)
            end = best[end].next; /* neighbours without a piece are one unknown */
        st = tok_push_unknown(s, (cn_str){w.p + at, end - at});
    }
    return st;
}
