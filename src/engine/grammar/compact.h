/* How a value is put to cn_grammar_accepts. */
#ifndef GRAMMAR_COMPACT_H
#define GRAMMAR_COMPACT_H

#include <conatus/grammar.h>

#include "buf.h"
#include "json.h"

/* `value` without white space, its members in the schema's order. Schema grammars only. */
cn_status grammar_compact_in_order(cn_buf *out, const cn_grammar *g, const cn_json *value,
                                   cn_err *err);

#endif
