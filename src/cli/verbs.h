/* Every verb's entry; each is defined in cmd_NAME.c. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "verb.h"

extern const cli_verb verb_completion, verb_doctor, verb_help, verb_inspect, verb_version;

#endif
