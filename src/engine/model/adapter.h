/* A LoRA adapter (Hu et al. 2021), kept beside the base and applied unmerged:
 * y = W x + scale * B (A x), with A (rank, inputs) and B (outputs, rank) for each adapted
 * linear layer. */
#ifndef MODEL_ADAPTER_H
#define MODEL_ADAPTER_H

#include "model_priv.h"

typedef struct adapter_part {
    uint32_t rank; /* 0: this linear layer is not adapted */
    float scale;   /* alpha / rank, or alpha / sqrt(rank) */
    kern_mat a, b; /* F32 */
} adapter_part;

struct cn_adapter {
    const cn_model *base;
    cn_arena arena;
    adapter_part *parts; /* (n_layers * SITES_PER_LAYER) */
    size_t n_parts;
    uint32_t max_rank;
};

#endif
