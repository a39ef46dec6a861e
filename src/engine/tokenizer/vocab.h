/* The table of tokens: their texts, kinds, scores, and the way back from bytes to id. */
#ifndef TOKENIZER_VOCAB_H
#define TOKENIZER_VOCAB_H

#include <stdint.h>

#include "buf.h"
#include "err.h"

/* Numbers as in GGUF's tokenizer.ggml.token_type and SentencePiece. */
typedef enum tok_kind {
    TOK_NORMAL = 1,
    TOK_UNKNOWN,
    TOK_CONTROL,
    TOK_USER, /* found in any text as a whole */
    TOK_UNUSED,
    TOK_BYTE,
} tok_kind;

typedef struct vocab_token {
    uint32_t piece, piece_n; /* as the vocabulary writes it, in `text` */
    uint32_t bytes, bytes_n; /* as running text */
    float score;
    uint8_t kind;
    bool is_end;
    bool is_apart; /* no merging leads to it: byte-level, and not in the byte alphabet */
} vocab_token;

typedef struct vocab {
    vocab_token *tokens;
    size_t n, alloc;
    cn_buf text;     /* all pieces and bytes */
    uint64_t *slots; /* hash of the bytes << 32 | id + 1; 0: empty */
    size_t mask;
    uint32_t max_bytes; /* of the longest token, control tokens included */
    bool is_indexed;    /* and nothing changed since */
} vocab;

enum { VOCAB_MAX_TOKENS = 1 << 22, VOCAB_MAX_PIECE = 1 << 16 };

void vocab_deinit(vocab *v);
/* Room for n tokens that exist from now on as unused ones without text. */
cn_status vocab_resize(vocab *v, size_t n, cn_err *err);
cn_status vocab_set(vocab *v, size_t id, cn_str piece, float score, tok_kind kind, cn_err *err);
cn_status vocab_set_bytes(vocab *v, size_t id, cn_str bytes, cn_err *err);
/* The table over the bytes of all ordinary tokens; the lowest id of equal ones counts. */
cn_status vocab_index(vocab *v, cn_err *err);
int32_t vocab_find(const vocab *v, cn_str bytes); /* -1 when absent */
void vocab_set_kind(vocab *v, size_t id, tok_kind kind);
/* By piece, of any kind: slow, for roles and options. */
int32_t vocab_find_piece(const vocab *v, cn_str piece);

static inline cn_str vocab_piece(const vocab *v, size_t id)
{
    return (cn_str){v->text.p + v->tokens[id].piece, v->tokens[id].piece_n};
}
static inline cn_str vocab_bytes(const vocab *v, size_t id)
{
    return (cn_str){v->text.p + v->tokens[id].bytes, v->tokens[id].bytes_n};
}
/* A kind that no text of a user may give. */
static inline bool vocab_is_control(const vocab *v, size_t id)
{
    uint8_t k = v->tokens[id].kind;
    return k == TOK_CONTROL || k == TOK_UNKNOWN || k == TOK_UNUSED;
}

/* Ordinary text may become this token. User-defined ones are among them: a vocabulary may list
 * one that is found by merging, as the texts before merging are not the ones it names. */
static inline bool vocab_is_mergeable(const vocab *v, size_t id)
{
    uint8_t k = v->tokens[id].kind;
    return (k == TOK_NORMAL || k == TOK_USER) && !v->tokens[id].is_apart;
}

uint32_t vocab_hash(cn_str s);

#endif
