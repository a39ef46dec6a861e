/* The tree of a tokenizer's vocabulary. */
#include "err.h"
#include "mem.h"
#include "vocab_trie.h"

cn_status cn_vocab_trie_new(cn_vocab_trie **out, const cn_tokenizer *t, cn_err *err)
{
    int32_t n = cn_n_vocab(t);
    uint32_t n_ends = 0;
    cn_str *bytes = cn_alloc_array((size_t)n + 1, sizeof *bytes);
    int32_t *ends = cn_alloc_array((size_t)n + 1, sizeof *ends);
    cn_status st = CN_E_NOMEM;
    *out = NULL;
    if (!bytes || !ends) {
        cn_fail(err, st, "memory for a vocabulary of %d tokens", n);
        goto done;
    }
    for (int32_t i = 0; i < n; i++) {
        if (cn_token_is_end(t, i)) ends[n_ends++] = i;
        if (cn_token_is_end(t, i) || cn_token_is_control(t, i)) continue;
        bytes[i].p = cn_token_bytes(t, i, &bytes[i].n);
    }
    st = vocab_trie_new(out, bytes, n, ends, n_ends, err);
done:
    cn_free(bytes);
    cn_free(ends);
    return st;
}
