/* What happens to a text before it is cut into words: a list of small steps. */
#ifndef TOKENIZER_NORMALIZE_H
#define TOKENIZER_NORMALIZE_H

#include "unicode.h"

typedef enum norm_kind {
    NORM_NFC = UC_NFC,
    NORM_NFD = UC_NFD,
    NORM_NFKC = UC_NFKC,
    NORM_NFKD = UC_NFKD,
    NORM_LOWER,
    NORM_STRIP_ACCENTS,  /* drops marks (Mn) */
    NORM_PREPEND,        /* `to` before a text that is not empty */
    NORM_PREPEND_UNLESS, /* the same, but not where the text begins with it already */
    NORM_REPLACE,        /* every `from` by `to` */
    NORM_SQUEEZE_SPACES, /* one space for several */
    NORM_WORDS,          /* a space and a word for every word between white space */
    NORM_STRIP_LEFT,     /* white space at the ends */
    NORM_STRIP_RIGHT,
    NORM_CHARSMAP, /* SentencePiece's precompiled map in `from` */
    NORM_BERT_CLEAN,
    NORM_BERT_CJK, /* spaces around ideographs */
} norm_kind;

typedef struct norm_step {
    norm_kind kind;
    bool first_only; /* only at the very beginning of a text */
    cn_str from, to; /* borrowed from the tokenizer's arena */
} norm_step;

enum { NORM_MAX_STEPS = 24 };

typedef struct normalizer {
    norm_step steps[NORM_MAX_STEPS];
    size_t n;
} normalizer;

cn_status norm_add(normalizer *z, norm_step step, cn_err *err);
/* The text after all steps: `s` itself or a view of one of the buffers. Memory that was not to
 * be had shows as a failed buffer. */
cn_str norm_run(const normalizer *z, cn_str s, bool is_first, cn_buf *a, cn_buf *b);

/* SentencePiece's precompiled_charsmap: a double-array trie and its replacements. */
bool charsmap_is_valid(cn_str map);
void charsmap_run(cn_buf *out, cn_str map, cn_str s);

#endif
