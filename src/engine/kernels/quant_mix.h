/* Which type each tensor of a model gets: the usual mixes, as llama.cpp chooses them. */
#ifndef KERNELS_QUANT_MIX_H
#define KERNELS_QUANT_MIX_H

#include <conatus/dtype.h>
#include <stdbool.h>
#include <stdint.h>

#include "str.h"

typedef struct quant_mix {
    const char *name;   /* "Q4_K_M", or a type's name: then that type, but see below */
    cn_dtype type;      /* of most matrices */
    uint32_t file_type; /* GGUF's general.file_type */
} quant_mix;

typedef struct quant_place {
    cn_str name; /* in GGUF's words: "blk.3.attn_v.weight" */
    uint32_t n_dims;
    uint64_t n_cols;
    uint32_t n_layers;
    uint32_t gqa; /* query heads that share a key head */
    bool tied;    /* the token embeddings serve as output matrix */
} quant_place;

/* By name in any case; NULL for an unknown one. */
const quant_mix *quant_mix_find(const char *name);
const quant_mix *quant_mix_at(size_t i); /* all of them, then NULL */

/* Norms, biases, position tables and other small things are F32. The output matrix gets Q6_K
 * under every quantised type but Q8_0; NF4 leaves it and the embeddings F16, as bitsandbytes
 * does. Where n_cols is no whole number of blocks a type of smaller blocks steps in, at last
 * F16. */
cn_dtype quant_mix_type(const quant_mix *m, const quant_place *p);

#endif
