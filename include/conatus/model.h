/* Models and adapters on disk, opened and ready. A model is constant once open: any number of
 * sessions and threads share it, and one copy of its weights. */
#ifndef CONATUS_MODEL_H
#define CONATUS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <conatus/status.h>
#include <conatus/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cn_model cn_model;
typedef struct cn_adapter cn_adapter;

typedef struct cn_model_options {
    unsigned n_threads;       /* 0: all that the process may use */
    const char *kernels;      /* NULL or "auto", "ref", "avx2", "avx512", "neon" */
    bool exact;               /* f32 activations against quantised weights: slower, closer */
    bool ignore_memory_limit; /* open even when the estimate says that it does not fit */
    uint32_t n_ctx; /* context that the estimate counts with; 0: the model's, at most 4096 */
    /* Called while weights are prepared (0..1); NULL for silence. Returning false cancels. */
    bool (*progress)(void *user, double done);
    void *user;
} cn_model_options;

/** Opens a GGUF file (any part of a split one) or a Hugging Face folder. Estimates the memory
 * first and refuses what does not fit, with both numbers.
 *
 * errors  CN_E_NOT_FOUND; CN_E_FORMAT; CN_E_UNSUPPORTED architecture or type; CN_E_MISMATCH
 *         shapes that do not fit each other; CN_E_NOMEM the estimate; CN_E_CANCELLED
 * thread  any; the model may then be shared by all */
CN_MUST_USE CN_API cn_status cn_model_open(cn_model **out, const char *path,
                                           const cn_model_options *o, cn_err *err);
/** Closes it; NULL is fine. Its sessions and adapters must be gone. */
CN_API void cn_model_close(cn_model *m);

typedef struct cn_model_info {
    char architecture[32]; /* "llama", "qwen2", "qwen3", "phi2", "gpt2", "bert" */
    char name[128];        /* general.name or the folder's name; may be empty */
    char weights[32];      /* the type that most weights have, "Q4_K" */
    uint64_t n_params;
    uint64_t weight_bytes; /* as stored */
    uint32_t n_layers, n_embd, n_ff, n_heads, n_kv_heads, head_dim, n_vocab;
    uint32_t n_ctx_train; /* the context that it was trained with */
    uint32_t window;      /* sliding attention window, 0: none */
    bool is_embedder;     /* no next token: use cn_embed */
} cn_model_info;
/** Borrowed until the model is closed. */
CN_API const cn_model_info *cn_model_info_of(const cn_model *m);
CN_API const cn_tokenizer *
cn_model_tokenizer(const cn_model *m); /* NULL when the files hold none */

/** Memory needed to run, in bytes. */
typedef struct cn_memory_estimate {
    uint64_t weights;  /* mapped; must stay resident for speed */
    uint64_t prepared; /* copies made while opening (transposed or repacked) */
    uint64_t cache;    /* keys and values of one session of n_ctx */
    uint64_t work;     /* activations and scratch */
    uint64_t total;
    uint64_t available; /* what this process may still take */
    const char
        *limit; /* what sets `available`: "machine memory", "cgroup limit", "ulimit -v" */
} cn_memory_estimate;
/** Without loading: reads headers only. `cache_type` as in cn_session_options.
 *
 * errors  as cn_model_open, but CN_E_NOMEM; CN_E_ARG cache type
 * thread  any */
CN_MUST_USE CN_API cn_status cn_estimate_memory(cn_memory_estimate *out, const char *path,
                                                uint32_t n_ctx, const char *cache_type,
                                                cn_err *err);

/** Opens a PEFT folder or a GGUF adapter for this base; every mismatch names both numbers. The
 * adapter keeps its own small tensors, A (rank, inputs) and B (outputs, rank) in f32; the base
 * is not touched.
 *
 * errors  as cn_model_open; CN_E_MISMATCH another base; CN_E_UNSUPPORTED DoRA, modules_to_save
 *         and what else this program would apply wrongly
 * thread  any, also while sessions of the base run
 * source  Hu et al. 2021, "LoRA"; Kalajdzievski 2023 for rslora's scale */
CN_MUST_USE CN_API cn_status cn_adapter_open(cn_adapter **out, const cn_model *base,
                                             const char *path, cn_err *err);
/** The sessions that use it must be closed or told otherwise first. */
CN_API void cn_adapter_close(cn_adapter *a);

#ifdef __cplusplus
}
#endif
#endif
