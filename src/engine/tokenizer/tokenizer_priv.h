/* The tokenizer's parts. One principle holds them together: every ordinary token has the bytes
 * that it adds to running text (a space where SentencePiece writes U+2581, the byte where
 * byte-level BPE writes a stand-in), and texts are cut and merged as those bytes. */
#ifndef TOKENIZER_PRIV_H
#define TOKENIZER_PRIV_H

#include <conatus/tokenizer.h>

#include "arena.h"
#include "buf.h"
#include "err.h"
#include "json.h"
#include "normalize.h"
#include "pretok.h"
#include "trie.h"
#include "vocab.h"

typedef enum tok_model {
    TOK_BPE_TEXT, /* merges any two neighbours whose joined text is a token; best score first */
    TOK_BPE_PAIRS, /* merges listed pairs; first listed first */
    TOK_UNIGRAM,
    TOK_WORDPIECE,
} tok_model;

/* A pair of ids that merges, in an open-addressed table; left is UINT32_MAX where empty. */
typedef struct tok_pair {
    uint32_t left, right, rank, id;
} tok_pair;

/* A token that is found in the text before anything else, as a whole. */
typedef struct tok_added {
    int32_t id;
    cn_str text;
    bool lstrip, rstrip, single_word;
    bool normalized; /* looked for after normalisation */
    bool control;
} tok_added;

typedef struct tok_template {
    const char *name; /* NULL: the default */
    const char *text;
} tok_template;

enum { TOK_MAX_AFFIX = 8 };

struct cn_tokenizer {
    vocab v;
    tok_model model;
    bool byte_level;    /* pieces are written in the byte alphabet of GPT-2 */
    bool byte_fallback; /* characters without a token become byte tokens */
    bool fuse_unk;
    bool ignore_merges;     /* a word that is a token needs no merging */
    bool starts_marked;     /* wordpiece: "\u2581the" and "ing" (GGUF), not "the" and "##ing" */
    bool strip_first_space; /* in decoding */
    bool keep_blanks;       /* wordpiece: decoding leaves the blank before a full stop */
    int32_t byte_id[256]; /* the token of one byte: byte-level letters or <0xXX>; -1 without */

    tok_pair *pairs;
    size_t pairs_mask;
    cn_buf merge_text; /* while merges are read */
    size_t last_merge;
    trie pieces; /* unigram, wordpiece */
    float unk_score;
    uint32_t max_word_chars; /* wordpiece */

    tok_added *added;
    size_t n_added;
    trie added_raw, added_normalized; /* texts to places in `added` */

    normalizer norm;    /* of the whole text between added tokens */
    bool spaces_marked; /* norm writes U+2581 for them in the file's own terms */
    normalizer late;    /* once the added tokens of normalised text are found, too */
    pretok pre;
    int32_t prefix[TOK_MAX_AFFIX], suffix[TOK_MAX_AFFIX]; /* what CN_ADD_SPECIAL adds */
    size_t n_prefix, n_suffix;

    int32_t bos, eos, unk, pad;
    int32_t unk_given; /* what stands for text without tokens: unk, but never the end of text */
    const char *kind;
    tok_template *templates;
    size_t n_templates;
    cn_arena arena; /* texts of the above */
};

/* Building: sources fill the vocabulary and the fields above, then finish. */
cn_tokenizer *tok_new(void);
/* Adds an added token; its kind in the vocabulary follows. The text is copied. */
cn_status tok_add_added(cn_tokenizer *t, const tok_added *a, cn_err *err);
cn_status tok_add_template(cn_tokenizer *t, cn_str name, cn_str text, cn_err *err);
/* Token bytes, hash table, byte tokens, tries; before merges. */
cn_status tok_finish_vocab(cn_tokenizer *t, cn_err *err);
/* Room for `n` merges, then one after the other, the best first; texts as the vocabulary
 * writes them. Pairs whose parts or result are no ordinary tokens are left out. */
cn_status bpe_reserve_pairs(cn_tokenizer *t, size_t n, cn_err *err);
void bpe_add_pair(cn_tokenizer *t, cn_str left, cn_str right, uint32_t rank);
/* What remains: ends of text, added tokens' tries. */
cn_status tok_finish(cn_tokenizer *t, cn_err *err);
/* Adds every control and user-defined token of the vocabulary that way. */
cn_status tok_add_added_from_kinds(cn_tokenizer *t, cn_err *err);
/* Puts `id` before or after every text; -1 is none. */
cn_status tok_affix(cn_tokenizer *t, bool before, int32_t id, cn_err *err);
/* "\u2581" becomes a space. */
void tok_unescape(cn_buf *out, cn_str piece);
/* Is this the usual name of a token that only templates may write (<|im_end|>, [INST], ...)? */
bool tok_looks_like_control(cn_str text);
/* Is this the usual name of a token that ends an answer? */
bool tok_is_end_name(cn_str text);

/* Encoding of one piece of text by each model. The scratch memory belongs to one call. */
typedef struct tok_symbol {
    uint32_t at, n;  /* bytes of the word */
    int32_t id;      /* -1: none */
    uint32_t rank;   /* of merging with the next; UINT32_MAX: never */
    uint32_t merged; /* the id which that would give */
    uint32_t prev, next;
} tok_symbol;

typedef struct tok_scratch {
    const cn_tokenizer *t;
    cn_tokens *out;
    tok_symbol *symbols;
    size_t symbols_alloc;
    uint64_t *heap;
    size_t heap_n, heap_alloc;
    void *viterbi;
    size_t viterbi_alloc;
    cn_buf text, swap, late_text, late_swap; /* normalised text */
    cn_err *err;
} tok_scratch;

void tok_scratch_deinit(tok_scratch *s);
cn_status bpe_encode(tok_scratch *s, cn_str word);
cn_status unigram_encode(tok_scratch *s, cn_str word);
cn_status wordpiece_encode(tok_scratch *s, cn_str word);
/* A character without a token: its byte tokens, or the unknown token. */
cn_status tok_push_unknown(tok_scratch *s, cn_str text);

/* The byte that a letter of the byte alphabet stands for, -1 for other characters. */
int byte_of_letter(uint32_t c);
/* The bytes that `piece` stands for; false when it holds another character than letters. */
bool bytes_of_letters(cn_buf *out, cn_str piece);

/* The sources. */
struct gguf;
cn_status tok_from_gguf(cn_tokenizer **out, const struct gguf *g, cn_err *err);
cn_status tok_from_spm(cn_tokenizer *t, cn_str bytes, cn_err *err);
cn_status tok_from_json(cn_tokenizer *t, cn_str json, cn_err *err);
/* Its parts normalizer, pre_tokenizer, decoder, post_processor. */
cn_status json_read_steps(cn_tokenizer *t, const cn_json *root, cn_err *err);
cn_status json_read_affixes(cn_tokenizer *t, const cn_json *root, cn_err *err);
/* "added_tokens" (a list) or "added_tokens_decoder" (an object by id). */
cn_status json_read_added(cn_tokenizer *t, const cn_json *list, cn_err *err);
/* The text of "vocab": an object of ids by piece. */
cn_status json_read_vocab(cn_tokenizer *t, cn_str object, cn_err *err);
/* `folder` with tokenizer.json (or the file of that name in `file`), tokenizer.model,
 * vocab.json and merges.txt, or vocab.txt; and what lies beside them. */
cn_status tok_from_folder(cn_tokenizer **out, const char *folder, const char *file,
                          cn_err *err);

#endif
