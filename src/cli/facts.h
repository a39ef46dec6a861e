/* What is known about a thing, line by line for people or as one JSON object: each fact is said
 * once and comes out in the form that was asked for. */
#ifndef CLI_FACTS_H
#define CLI_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "json_out.h"
#include "table.h"

typedef struct facts {
    bool json;
    json_out j;
    cli_table *t;
} facts;

void facts_begin(facts *f, bool json);
/* `key` is the JSON name; people see it with blanks for underscores. */
void fact_text(facts *f, const char *key, const char *fmt, ...) CN_PRINTF(3, 4);
void fact_uint(facts *f, const char *key, uint64_t v);  /* "4096" */
void fact_count(facts *f, const char *key, uint64_t v); /* "7.24 B" */
void fact_bytes(facts *f, const char *key, uint64_t v); /* "4.07 GiB" */
void fact_num(facts *f, const char *key, double v, const char *unit);
void fact_bool(facts *f, const char *key, bool v); /* "yes" */
/* Prints what was said so far to people; JSON goes on until facts_end. */
void facts_flush(facts *f);
void facts_end(facts *f);
void facts_drop(facts *f); /* says nothing more, after a failure */

#endif
