/* The independent validator: JSON Schema straight on JSON values, keyword by keyword. It shares
 * nothing with the automaton but the JSON reader, so that each can be held against the other.
 */
#ifndef GRAMMAR_VALIDATE_H
#define GRAMMAR_VALIDATE_H

#include <conatus/grammar.h>

#include "json.h"

enum { VALIDATE_MAX_DEPTH = 200, VALIDATE_MAX_STEPS = 20000000 };

typedef struct validator {
    const cn_json *root;
    cn_err *err;
    cn_status status; /* of what cannot be judged: unsupported, limit */
    unsigned depth;
    unsigned quiet; /* within anyOf, not, if...: failures are no news */
    uint64_t steps;
    cn_buf where; /* pointer into the document */
} validator;

/* One schema on one value. False when invalid, or when v->status is set. */
bool validate_value(validator *v, const cn_json *schema, const cn_json *base,
                    const cn_json *value);
/* Says why, once; always false. */
bool validate_fail(validator *v, const char *keyword, const char *why);
bool validate_stop(validator *v, cn_status st, const char *why);

bool validate_string(validator *v, const cn_json *schema, cn_str s);
bool validate_number(validator *v, const cn_json *schema, const cn_json *value);
bool validate_equal(const cn_json *a, const cn_json *b);
/* Is there a match of the pattern in `s`? */
bool validate_matches(validator *v, cn_str pattern, cn_str s);
/* 1 valid, 0 not, -1 a format that says nothing, -2 one that is not supported. */
int validate_format(cn_str name, cn_str s);
/* The schema that `ref` names, and the resource it is in; NULL when there is none. */
const cn_json *validate_find(const cn_json *root, const cn_json *base, cn_str ref,
                             const cn_json **new_base);

#endif
