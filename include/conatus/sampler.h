/* From logits to the next token. */
#ifndef CONATUS_SAMPLER_H
#define CONATUS_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <conatus/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cn_logit_bias {
    int32_t id;
    float bias; /* added to the logit; -INFINITY forbids the token */
} cn_logit_bias;

/** cn_sampling_default(): temperature 0.8, top_k 40, top_p 0.95, min_p 0.05, everything else
 * off. */
typedef struct cn_sampling {
    float temperature;       /* 0 is greedy: the argmax, lowest id on a tie; at most 100 */
    int32_t top_k;           /* 0: off */
    float top_p;             /* (0, 1]; 1: off */
    float min_p;             /* [0, 1]; 0: off */
    float typical_p;         /* (0, 1]; 1: off */
    float repeat_penalty;    /* > 0; 1: off (Keskar et al. 2019) */
    float frequency_penalty; /* [-2, 2] as OpenAI defines it; 0: off */
    float presence_penalty;  /* [-2, 2]; 0: off */
    int32_t penalty_last_n;  /* tokens looked back on; -1: all */
    const cn_logit_bias *bias;
    size_t n_bias; /* at most 1024 */
    uint64_t seed;
} cn_sampling;

typedef struct cn_sampler cn_sampler;

CN_API cn_sampling cn_sampling_default(void);
/** Copies `p` and its biases. All memory is taken here.
 *
 * errors  CN_E_ARG names the field that is out of range; CN_E_NOMEM
 * thread  a sampler belongs to one thread at a time
 * source  top-p: Holtzman et al. 2020; typical: Meister et al. 2023; min-p: Nguyen et al. 2024;
 *         repetition: Keskar et al. 2019; frequency and presence: OpenAI's API reference.
 *         The order is penalties, top_k, typical_p, top_p, min_p, temperature */
CN_MUST_USE CN_API cn_status cn_sampler_new(cn_sampler **out, const cn_sampling *p,
                                            int32_t n_vocab, cn_err *err);
CN_API void cn_sampler_free(cn_sampler *s);
/** Tells the penalties of a token that is in the text (prompt or answer). */
CN_API void cn_sampler_saw(cn_sampler *s, int32_t id);
/** The next token. `logits` (n_vocab, overwritten); `mask` NULL or bits of allowed tokens; NaN
 * counts as -infinity. -1 only when nothing is allowed. Does not call cn_sampler_saw. Allocates
 * nothing. */
CN_API int32_t cn_sampler_next(cn_sampler *s, float *logits, const uint32_t *mask);

typedef struct cn_logprob {
    int32_t id;
    float logprob; /* natural logarithm, of the model's own distribution before any setting
                      above */
} cn_logprob;
/** The n most likely tokens, best first; returns how many. n at most 1000. */
CN_API size_t cn_top_logprobs(const float *logits, int32_t n_vocab, cn_logprob *top, size_t n);
/** The log-probability of one token; the logits are as the model gave them, n_vocab of them. */
CN_API float cn_logprob_of(const float *logits, int32_t n_vocab, int32_t id);

#ifdef __cplusplus
}
#endif
#endif
