/* Hugging Face's tensor and module names, in GGUF's words. */
#ifndef MODEL_HF_NAMES_H
#define MODEL_HF_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "hparams.h"
#include "str.h"

typedef enum hf_name {
    HF_KNOWN,   /* out holds the canonical name */
    HF_IGNORED, /* carries nothing that the arithmetic needs (masks, position counters, poolers)
                 */
    HF_UNKNOWN,
} hf_name;

/* "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight". Of a module (no ".weight"
 * or ".bias" at its end) the module's name is given. `out` has `size` bytes. */
hf_name hf_canonical_name(model_family family, cn_str name, char *out, size_t size);
/* The way back: the name that transformers writes, of a tensor or a module; false for one that
 * its files do not have. */
bool hf_file_name(model_family family, cn_str canonical, char *out, size_t size);

#endif
