/* Writing a model in another type: GGUF or Hugging Face folder in, GGUF out, one tensor at a
 * time. */
#ifndef CONATUS_QUANTIZE_H
#define CONATUS_QUANTIZE_H

#include <stdbool.h>
#include <stdint.h>

#include <conatus/dtype.h>
#include <conatus/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What became of one tensor. */
typedef struct cn_quantized_tensor {
    const char *name;
    cn_dtype from, to;
    uint64_t n_elements, bytes;
    double rmse;      /* root mean square of (new - old) */
    double max_error; /* largest |new - old| */
    double rms;       /* of the old values, to judge by */
} cn_quantized_tensor;

typedef struct cn_quantize_options {
    unsigned n_threads;
    /* After each tensor, with bytes of input done and in all. False cancels; nothing is left
     * behind. */
    bool (*on_tensor)(void *user, const cn_quantized_tensor *t, uint64_t done, uint64_t total);
    void *user;
} cn_quantize_options;

/** `type`: a type's name ("Q8_0", "NF4", "F16"), or a mix, which gives more bits where they
 * matter most: Q2_K, Q3_K_S, Q3_K_M, Q3_K_L, Q4_K_S, Q4_K_M, Q5_K_S, Q5_K_M. Rows that are no
 * whole number of blocks get the nearest type that fits. Norms, biases and position tables stay
 * F32. The output appears only when complete; it may not be the input.
 *
 * errors  as cn_model_open; CN_E_ARG type; CN_E_DISK; CN_E_CANCELLED
 * thread  any; on_tensor is called on the caller's
 * source  ggml's block formats; Dettmers et al. 2023 for NF4 and its double quantisation */
CN_MUST_USE CN_API cn_status cn_quantize(const char *in, const char *out, const char *type,
                                         const cn_quantize_options *o, cn_err *err);

#ifdef __cplusplus
}
#endif
#endif
