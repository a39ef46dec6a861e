/* The members of a JSON object, one a line. A key writes the comma before it where it is not
 * the first. */
#ifndef TRAIN_EXPORT_JSON_H
#define TRAIN_EXPORT_JSON_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"

static inline void json_key(cn_buf *b, const char *key)
{
    cn_buf_printf(b, "%s\n  \"%s\": ", b->n && b->p[b->n - 1] == '{' ? "" : ",", key);
}

static inline void json_int(cn_buf *b, const char *key, int64_t v)
{
    json_key(b, key);
    cn_buf_printf(b, "%" PRId64, v);
}

static inline void json_bool(cn_buf *b, const char *key, bool v)
{
    json_key(b, key);
    cn_buf_printf(b, "%s", v ? "true" : "false");
}

/* NULL gives null. */
static inline void json_str(cn_buf *b, const char *key, cn_str s)
{
    json_key(b, key);
    if (s.p)
        cn_buf_json(b, s);
    else
        cn_buf_lit(b, "null");
}

/* As few digits as give the number again, of a float or of a double. */
static inline void json_real(cn_buf *b, const char *key, double v, bool is_float)
{
    char text[40];
    for (int digits = 7; digits <= 17; digits++) { /* 10000 rather than 1e+04 */
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (is_float ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v) break;
    }
    json_key(b, key);
    cn_buf_printf(b, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

#endif
