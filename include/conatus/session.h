/* A session: one text that grows token by token, with its keys and values. */
#ifndef CONATUS_SESSION_H
#define CONATUS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <conatus/grammar.h>
#include <conatus/model.h>
#include <conatus/sampler.h>

#ifdef __cplusplus
#include <atomic>
typedef std::atomic<bool> cn_flag; /* the same object in both languages */
extern "C" {
#else
#include <stdatomic.h>
typedef atomic_bool cn_flag;
#endif

typedef struct cn_session cn_session;

typedef struct cn_session_options {
    uint32_t
        n_ctx; /* positions; 0: the model's context, at most 4096; never over the model's */
    uint32_t n_batch; /* prompt tokens in one pass; 0: 512 */
    const char
        *cache_type; /* "f16", "q8_0", "f32"; NULL: f16, but f32 for models of F32 weights */
    uint32_t keep; /* sliding: 0 means that a full context is CN_E_LIMIT; n > 0 keeps the first
                      n tokens and drops the older half of the rest, then goes on */
    const cn_flag *cancel; /* looked at between layers and tokens; NULL: never */
} cn_session_options;

/** A session of `m` with memory for its context. `o` NULL: all defaults.
 *
 * errors  CN_E_LIMIT n_ctx over the model's; CN_E_ARG cache type or keep; CN_E_NOMEM
 * thread  any; the session then belongs to one thread at a time */
CN_MUST_USE CN_API cn_status cn_session_new(cn_session **out, const cn_model *m,
                                            const cn_session_options *o, cn_err *err);
CN_API void cn_session_free(cn_session *s);

/** Adapters in force from the next evaluated token on; replaces the list; at most 16. Changing
 * them drops what was evaluated before (its keys and values belong to the old weights).
 *
 * errors  CN_E_LIMIT too many; CN_E_MISMATCH opened for another base; CN_E_ARG a scale that is
 *         no number; CN_E_NOMEM
 * thread  the session's */
CN_MUST_USE CN_API cn_status cn_session_adapters(cn_session *s, const cn_adapter *const *a,
                                                 const float *scales, size_t n, cn_err *err);

/** Evaluates ids after what is there and gives the logits after the last one: f32, n_vocab of
 * them, raw scores, valid until the next call on `s`. With `all`, each position's logits
 * instead: (n, n_vocab), row-major.
 *
 * errors  CN_E_LIMIT the context is full (both numbers); CN_E_ARG an id outside the vocabulary;
 *         CN_E_UNSUPPORTED an embedder; CN_E_CANCELLED; CN_E_NOMEM
 * thread  one at a time per session; sessions of one model take turns on its threads
 * source  Vaswani et al. 2017, section 3, and the papers named in src/engine/model/story_*.c */
CN_MUST_USE CN_API cn_status cn_session_eval(cn_session *s, const int32_t *ids, size_t n,
                                             bool all, const float **logits, cn_err *err);
/** How many positions are evaluated, which ids they hold, and going back to a shorter text. */
CN_API size_t cn_session_length(const cn_session *s);
CN_API const int32_t *cn_session_ids(const cn_session *s);
CN_API uint32_t cn_session_n_ctx(const cn_session *s);
CN_API void cn_session_truncate(cn_session *s, size_t length);

/** The embedding of ids: an embedder's pooled and normalised vector; for a language model the
 * mean of its last hidden states, normalised. `out` has n_embd floats, of length 1 together.
 * Forgets what the session held.
 *
 * errors  CN_E_LIMIT more ids than the context; CN_E_ARG an id outside the vocabulary, or none;
 *         CN_E_CANCELLED
 * thread  as cn_session_eval */
CN_MUST_USE CN_API cn_status cn_embed(cn_session *s, const int32_t *ids, size_t n, float *out,
                                      cn_err *err);

typedef enum cn_finish {
    CN_FINISH_STOP,   /* an end token or a stop string */
    CN_FINISH_LENGTH, /* max_tokens or the context */
    CN_FINISH_CANCELLED,
} cn_finish;

typedef struct cn_generated_token {
    int32_t id;
    const char *text; /* whole characters that this token completed, maybe none; borrowed for
                         the call */
    size_t n;
    float logprob;
    const cn_logprob *top; /* n_top alternatives */
    size_t n_top;
} cn_generated_token;

typedef struct cn_generate_options {
    cn_sampling sampling;
    uint32_t max_tokens;       /* 0: until the context is full */
    uint32_t min_tokens;       /* end tokens are forbidden before */
    const char *const *stop;   /* strings; found across token borders, not part of the answer */
    size_t n_stop;             /* at most 16, of at most 256 bytes */
    const cn_grammar *grammar; /* NULL: free text */
    const cn_vocab_trie *trie; /* needed with grammar */
    uint32_t n_top_logprobs;   /* at most 20 */
    bool logprobs;
    bool ignore_end;   /* end tokens are ordinary (benchmarks) */
    bool show_special; /* control tokens appear in the text by name */
    /* Called for every token and once more with id -1 for text that was held back; false ends
     * the answer. */
    bool (*on_token)(void *user, const cn_generated_token *t);
    void *user;
} cn_generate_options;

typedef struct cn_generated {
    cn_finish finish;
    size_t n_prompt, n_cached,
        n_tokens; /* n_cached: prompt tokens that were already evaluated */
    double prompt_seconds, generate_seconds;
} cn_generated;

/** Continues `prompt` (all ids of the text; the prefix that the session already holds is not
 * evaluated again) until it ends. The session afterwards holds prompt and answer. The same
 * seed, settings and prompt give the same tokens.
 *
 * errors  as cn_session_eval; CN_E_ARG an option out of range, by name; CN_E_REFUSED when the
 *         grammar, the biases or NaN logits leave no token
 * thread  as cn_session_eval; on_token is called on the caller's thread */
CN_MUST_USE CN_API cn_status cn_generate(cn_session *s, const int32_t *prompt, size_t n,
                                         const cn_generate_options *o, cn_generated *out,
                                         cn_err *err);

#ifdef __cplusplus
}
#endif
#endif
