/* Module names against the lists and regular expressions of an adapter configuration, as PEFT
 * (Python's `re`) reads them. */
#ifndef FORMATS_PATTERN_PRIV_H
#define FORMATS_PATTERN_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "json.h"
#include "str.h"

#define PATTERN_MAX_BYTES 4096u /* of one expression */

/* A compiled regular expression; matching is bounded in steps and memory, and an expression
 * that would need more does not match. */
typedef struct regex regex;
#define REGEX_STEPS 1000000u /* for the few that each module is held against: some 10 ms */
#define REGEX_STEPS_OF_MANY 10000u
cn_status regex_new(regex **out, cn_str pattern, uint32_t max_steps, cn_err *err);
void regex_free(regex *r);
/* Anchored at the start; `whole` asks that it takes all of `s`. With `group` the text of the
 * first group goes there. */
bool regex_match(const regex *r, cn_str s, bool whole, cn_str *group);

/* Names that a module's name equals or ends in after a dot; or one expression for all of it. */
typedef struct module_set {
    cn_str *names; /* owned; the texts are borrowed from the JSON */
    size_t n_names;
    regex *whole; /* NULL for a list */
} module_set;
cn_status module_set_read(module_set *out, const cn_json *j, const char *key, cn_err *err);
void module_set_deinit(module_set *s);
/* *exact tells whether the full name is in the list. */
bool module_set_has(const module_set *s, cn_str module, bool *exact);

typedef struct number_rule {
    cn_str key;  /* borrowed from the JSON */
    regex *rule; /* NULL for a key of letters, digits, '_', '-', '.' and a '^' before them */
    double value;
} number_rule;

/* {"pattern": number}: the first whose pattern ends the module's name after a dot or from its
 * start. */
typedef struct number_table {
    number_rule *rules; /* owned */
    size_t n;
} number_table;
cn_status number_table_read(number_table *out, const cn_json *j, const char *key, cn_err *err);
void number_table_deinit(number_table *t);
double number_table_find(const number_table *t, cn_str module, double fallback);

#endif
