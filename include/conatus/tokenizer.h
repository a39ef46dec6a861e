/* Text to token ids and back. Control tokens never come from user text: see cn_encode_marked().
 */
#ifndef CONATUS_TOKENIZER_H
#define CONATUS_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <conatus/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cn_tokenizer cn_tokenizer;

/** A growing list of ids. Start with {0}; free with cn_tokens_free. */
typedef struct cn_tokens {
    int32_t *ids;
    size_t n, alloc;
} cn_tokens;
CN_API void cn_tokens_free(cn_tokens *t);
/** Appends one id. CN_E_NOMEM. */
CN_MUST_USE CN_API cn_status cn_tokens_push(cn_tokens *t, int32_t id, cn_err *err);

/** Opens the tokenizer of a GGUF file, a Hugging Face folder, a tokenizer.json, a SentencePiece
 * tokenizer.model, or a folder with vocab.json and merges.txt.
 *
 * errors  CN_E_NOT_FOUND; CN_E_FORMAT; CN_E_NOMEM; CN_E_UNSUPPORTED names the kind
 * thread  the result is constant: any number of threads may use it
 * source  Sennrich et al. 2016 (BPE); Kudo 2018 (unigram); Kudo and Richardson 2018
 *         (SentencePiece); Devlin et al. 2019 (WordPiece) */
CN_MUST_USE CN_API cn_status cn_tokenizer_open(cn_tokenizer **out, const char *path,
                                               cn_err *err);
CN_API void cn_tokenizer_free(cn_tokenizer *t);

enum {
    CN_ADD_SPECIAL = 1, /* beginning-of-text, [CLS] and the like, as the model's files say */
    CN_PARSE_SPECIAL =
        2, /* control tokens written in the text are recognised: trusted text only */
};

/** Appends the ids of `n` bytes of text. Bytes that are not UTF-8 are encoded byte by byte
 * where the vocabulary can, else as the unknown token.
 *
 * errors  CN_E_LIMIT text over 256 MiB; CN_E_NOMEM */
CN_MUST_USE CN_API cn_status cn_encode(const cn_tokenizer *t, const char *text, size_t n,
                                       unsigned flags, cn_tokens *out, cn_err *err);

/** The same for text of mixed origin: `trusted[i]` is non-zero where byte i was written by a
 * template. Only control tokens whose bytes are all trusted are recognised, whether or not
 * `flags` has CN_PARSE_SPECIAL; everything else is ordinary text, and words still merge across
 * borders of origin. `trusted` NULL: as cn_encode.
 * Some tokenizer.json files declare control tokens as "normalized", so that the reference finds
 * them only where the normalised text holds them (Llama 2: at the beginning). cn_encode does as
 * the reference; here they count wherever a template wrote them. */
CN_MUST_USE CN_API cn_status cn_encode_marked(const cn_tokenizer *t, const char *text, size_t n,
                                              const uint8_t *trusted, unsigned flags,
                                              cn_tokens *out, cn_err *err);

/** How ids become text again, a token at a time; holds back bytes until they are whole
 * characters. */
typedef struct cn_decoder cn_decoder;
enum {
    CN_DECODE_SPECIAL = 1, /* control tokens appear by name; otherwise they are left out */
    CN_DECODE_KEEP_SPACE =
        2, /* keep the space that some vocabularies put before the first word */
};
CN_MUST_USE CN_API cn_status cn_decoder_new(cn_decoder **out, const cn_tokenizer *t,
                                            unsigned flags, cn_err *err);
CN_API void cn_decoder_free(cn_decoder *d);
/** Adds one token; *text (of *n bytes, valid until the next call) is what is certain now: whole
 * UTF-8 characters only, maybe empty. An id outside the vocabulary is CN_E_ARG. Allocates
 * nothing. */
CN_MUST_USE CN_API cn_status cn_decoder_next(cn_decoder *d, int32_t id, const char **text,
                                             size_t *n, cn_err *err);
/** What is left at the end; bytes that never became characters come as U+FFFD. Resets the
 * decoder. */
CN_API void cn_decoder_end(cn_decoder *d, const char **text, size_t *n);

/** All ids at once, as an owned NUL-terminated string of *n bytes (free with cn_text_free): the
 * exact bytes, also those that are not UTF-8 (the decoder above shows U+FFFD for each). */
CN_MUST_USE CN_API cn_status cn_decode(const cn_tokenizer *t, const int32_t *ids, size_t n_ids,
                                       unsigned flags, char **text, size_t *n, cn_err *err);
CN_API void cn_text_free(char *text);

CN_API int32_t cn_n_vocab(const cn_tokenizer *t);
/** Ids of the special roles, -1 where the vocabulary has none. */
CN_API int32_t cn_token_bos(const cn_tokenizer *t);
CN_API int32_t cn_token_eos(const cn_tokenizer *t);
CN_API int32_t cn_token_unk(const cn_tokenizer *t);
CN_API int32_t cn_token_pad(const cn_tokenizer *t);
/** True for every token after which a model has finished (eos, end of turn, end of message). */
CN_API bool cn_token_is_end(const cn_tokenizer *t, int32_t id);
/** True for control tokens: they never stand for text that a user may see or write. The unknown
 * token is one of them, and the only one that encoding may give for ordinary text (where the
 * vocabulary cannot write it); so are unused places of the vocabulary. */
CN_API bool cn_token_is_control(const cn_tokenizer *t, int32_t id);
/** The token as the vocabulary writes it ("▁the", "Ġthe", "<0x0A>"); borrowed; NULL outside. */
CN_API const char *cn_token_piece(const cn_tokenizer *t, int32_t id, size_t *n);
/** The bytes that the token adds to running text (" the", "\n"); *n = 0 for control tokens.
 * Borrowed. */
CN_API const char *cn_token_bytes(const cn_tokenizer *t, int32_t id, size_t *n);
/** "spm-bpe", "spm-unigram", "bpe" or "wordpiece". A constant string. */
CN_API const char *cn_tokenizer_kind(const cn_tokenizer *t);
/** How texts are cut into words before that: "gpt-2", "llama3", "qwen2", "bert", ...; "other"
 * for a cutting without a name, "none" where there is none. A constant string. */
CN_API const char *cn_tokenizer_pre(const cn_tokenizer *t);
/** The chat template that came with the tokenizer (GGUF tokenizer.chat_template,
 * tokenizer_config.json, chat_template.jinja), `name` NULL for the default one; borrowed; NULL
 * when there is none. */
CN_API const char *cn_tokenizer_chat_template(const cn_tokenizer *t, const char *name);

#ifdef __cplusplus
}
#endif
#endif
