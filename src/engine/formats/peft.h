/* PEFT adapter folders: adapter_config.json, judged before any weight is read. Limits: 4 MiB,
 * rank 65,536, 65,536 listed modules, 4,096 entries of rank_pattern and of alpha_pattern (128
 * of them regular expressions), expressions of 4,096 bytes. Source: huggingface/peft,
 * tuners/lora and tuners_utils.
 */
#ifndef FORMATS_PEFT_H
#define FORMATS_PEFT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "json.h"

/* A LoRA configuration. Unknown keys are ignored; what we cannot honour is refused by name
 * (CN_E_UNSUPPORTED: DoRA, modules_to_save, bias other than none, layer_replication, ways to
 * begin training that change the base, other PEFT types, ...). */
typedef struct peft_config peft_config;

cn_status peft_parse(peft_config **out, cn_str json, cn_err *err);
cn_status peft_open(peft_config **out, const char *folder, cn_err *err);
void peft_free(peft_config *c);

/* For the module "model.layers.3.self_attn.q_proj": is it adapted (target_modules as list of
 * suffixes, as regular expression or "all-linear"; exclude_modules; layers_to_transform and
 * layers_pattern), with which rank, and with which scale (alpha/r or alpha/sqrt(r) for rslora,
 * rank_pattern and alpha_pattern applied)? Without target_modules every module may be: the
 * weights decide. An expression that needs too many steps does not match. One thread at a time.
 */
bool peft_targets(const peft_config *c, cn_str module, uint32_t *rank, float *scale);
cn_str peft_base_name(const peft_config *c); /* base_model_name_or_path; .p NULL when null */
bool peft_fan_in_fan_out(const peft_config *c);

#endif
