/* What a training run leaves: a PEFT folder, or a whole model as GGUF and as a Hugging Face
 * folder. Each is written beside its name and renamed when whole and on disk; what stood there
 * before stays until then. In a folder that was there files that are no part of a model stay.
 */
#ifndef TRAIN_EXPORT_H
#define TRAIN_EXPORT_H

#include "net.h"

/* Where the words of the model card and the vocabulary come from. */
typedef struct export_source {
    const char *base_path; /* GGUF file or folder of the base: metadata, tokenizer, template;
                              NULL from scratch */
    const char *tokenizer_path; /* from scratch: tokenizer.model (sentencepiece BPE) or
                                   tokenizer.json */
    const char *chat_template;  /* Jinja text, or NULL for the base's */
    const char *name;           /* general.name */
    const char *description;    /* or NULL; from scratch: general.description */
} export_source;

/* adapter_config.json and adapter_model.safetensors (F32, names and row order of the Hugging
 * Face model whatever the base was: rows of a GGUF Llama's q and k go back to half-rotation
 * order; GPT-2's q, k and v pairs become one pair of c_attn, see export_peft.c), which peft and
 * cn_adapter_open load.
 *  errors  CN_E_DISK with what is needed and what is free; CN_E_NOMEM; CN_E_ARG no pairs */
cn_status export_peft(const net *n, const export_source *src, const char *dir, cn_err *err);
/* `type`: CN_F32, CN_F16, CN_BF16, CN_Q8_0 ... for matrices; vectors stay F32. q, k, v are
 * fused where the architecture's files fuse them. The file is the one that cn_quantize() makes
 * of the F32 export. Of a LoRA run the merged model.
 *  errors  as above; CN_E_UNSUPPORTED a tokenizer that GGUF has no words for */
cn_status export_gguf(const net *n, const export_source *src, const char *path, cn_dtype type,
                      cn_err *err);
/* config.json, model.safetensors (F32, F16 or BF16), tokenizer files, chat template;
 * transformers' names and orders. The same numbers as in a GGUF file of that type.
 *  errors  as above; CN_E_UNSUPPORTED what transformers has no such model or tokenizer for */
cn_status export_hf(const net *n, const export_source *src, const char *dir, cn_dtype type,
                    cn_err *err);

#endif
