/* Regular expressions over replies (PCRE2), bounded in steps and memory. */
#ifndef EVAL_SEARCH_H
#define EVAL_SEARCH_H

#include <stdbool.h>

#include "err.h"
#include "str.h"

enum { EVAL_REGEX_MAX = 4096 /* bytes of an expression */ };

typedef struct eval_regex eval_regex;

/* errors  CN_E_FORMAT, with the place and PCRE2's reason; CN_E_LIMIT too long; CN_E_NOMEM */
CN_MUST_USE cn_status eval_regex_new(eval_regex **out, cn_str pattern, cn_err *err);
void eval_regex_free(eval_regex *r);
/* Is there a match anywhere in `text`? errors  CN_E_LIMIT more than a million steps */
CN_MUST_USE cn_status eval_regex_find(const eval_regex *r, cn_str text, bool *found,
                                      cn_err *err);

#endif
