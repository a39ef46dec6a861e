/* WordPiece: the longest piece that begins a word, then the longest that continues it. The
 * trie holds beginnings under the byte 0 and continuations under the byte 1. */
#include "tokenizer_priv.h"

static int32_t longest(const trie *t, cn_str s, uint8_t root, size_t *end)
{
    int32_t id = -1;
    uint32_t node = trie_step(t, 0, root);
    for (size_t i = 0; node && i < s.n; i++) {
        node = trie_step(t, node, (uint8_t)s.p[i]);
        if (node && t->value[node] >= 0) {
            id = t->value[node];
            *end = i + 1;
        }
    }
    return id;
}

static bool is_too_long(cn_str word, uint32_t max_chars)
{
    size_t n = 0;
    for (size_t i = 0; i < word.n && n <= max_chars; i++)
        n += ((unsigned char)word.p[i] & 0xc0) != 0x80;
    return n > max_chars;
}

cn_status wordpiece_encode(tok_scratch *s, cn_str word)
{
    const cn_tokenizer *t = s->t;
    size_t before = s->out->n;
    bool unknown = is_too_long(word, t->max_word_chars);
    for (size_t at = 0, end = 0; at < word.n && !unknown; at += end) {
        int32_t id = longest(&t->pieces, cn_str_skip(word, at), at > 0, &end);
        unknown = id < 0;
        cn_status st = unknown ? CN_OK : cn_tokens_push(s->out, id, s->err);
        if (st) return st;
    }
    if (!unknown) return CN_OK;
    s->out->n = before; /* one piece that is missing makes the whole word unknown */
    return t->unk_given < 0 ? CN_OK : cn_tokens_push(s->out, t->unk_given, s->err);
}
