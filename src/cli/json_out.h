/* JSON out: commas and quoting done, the caller keeps the nesting right. */
#ifndef CLI_JSON_OUT_H
#define CLI_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

typedef struct json_out {
    cn_buf b;
    bool comma; /* something stands before the next value */
} json_out;

void json_open(json_out *j, char bracket);  /* '{' or '[' */
void json_close(json_out *j, char bracket); /* '}' or ']' */
void json_key(json_out *j, const char *key);
void json_text(json_out *j, cn_str s);
void json_int(json_out *j, int64_t v);
void json_uint(json_out *j, uint64_t v);
/* The shortest digits that read back as the same number; null for NaN and infinities. */
void json_num(json_out *j, double v);
void json_float(json_out *j, float v);
void json_bool(json_out *j, bool v);
void json_null(json_out *j);
void json_raw(json_out *j, cn_str value); /* a value that is JSON already */

/* Key and value at once. */
void json_put_text(json_out *j, const char *key, const char *v); /* NULL: null */
void json_put_uint(json_out *j, const char *key, uint64_t v);
void json_put_num(json_out *j, const char *key, double v);
void json_put_bool(json_out *j, const char *key, bool v);
void json_put_ids(json_out *j, const char *key, const int32_t *ids, size_t n);

/* Writes what was built and a newline to stdout, and empties `j`. */
void json_print(json_out *j);

#endif
