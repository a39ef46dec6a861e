/* The order of an object's members. It must not depend on which branch of a schema applies, so
 * it follows from all schemas that might: their properties as they come, then names that are
 * only required, then those of patterns that match few names. */
#ifndef GRAMMAR_ORDER_H
#define GRAMMAR_ORDER_H

#include "schema.h"

typedef struct nodes { /* all that may apply to one value, in order, each once */
    snode **at;
    uint32_t n;
} nodes;

typedef struct name_list {
    cn_str *at;
    uint32_t n;
} name_list;

enum { ORDER_MAX_WORDS = 64 }; /* of one pattern, to be listed as names */

/* With everything that they apply in place. False after a failure. */
bool order_reach(schema *s, const nodes *from, nodes *out);
bool order_names(schema *s, const nodes *reached, name_list *out);
bool order_member(schema *s, const nodes *reached, cn_str name, nodes *out);
bool order_item(schema *s, const nodes *reached, uint32_t index, nodes *out);

/* The JSON string literal of a member name, as the automaton spells it. */
void order_quote(cn_buf *out, cn_str name);
/* Appends `value` without white space, members in the schema's order, others after them as
 * they come. This is how a value is put to the automaton. */
bool order_write(cn_buf *out, schema *s, const nodes *at, const cn_json *value);

#endif
