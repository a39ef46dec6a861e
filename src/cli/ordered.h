/* JSON values written the way that a schema's automaton generates them: compact, keys in the
 * order of the schema's properties, other keys after them in their own order. */
#ifndef CLI_ORDERED_H
#define CLI_ORDERED_H

#include "json.h"

/* `root` is the document that "$ref" points into. Whole numbers written with a fraction (1.0)
 * are written without it when `whole` is set. */
void cli_write_ordered(cn_buf *out, const cn_json *value, const cn_json *schema,
                       const cn_json *root, bool whole);

#endif
