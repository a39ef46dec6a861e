/* Every verb's entry; each is defined in cmd_NAME.c. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "verb.h"

extern const cli_verb verb_bench, verb_chat, verb_completion, verb_data, verb_doctor,
    verb_embed, verb_eval, verb_generate, verb_help, verb_inspect, verb_jobs, verb_logits,
    verb_perplexity, verb_quantize, verb_run, verb_schema, verb_template, verb_tokenize,
    verb_train, verb_version;

#endif
