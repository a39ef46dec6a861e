/* JSON in: a thin face over jansson, so that another reader can take its place. Strict RFC
 * 8259; duplicate keys, lone surrogates and bad UTF-8 are refused; objects keep their order. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "str.h"

typedef struct json_t cn_json; /* borrowed unless it is the root that cn_json_parse gave */

typedef enum cn_json_kind {
    CN_JSON_NULL,
    CN_JSON_BOOL,
    CN_JSON_INT,
    CN_JSON_REAL,
    CN_JSON_STRING,
    CN_JSON_ARRAY,
    CN_JSON_OBJECT,
} cn_json_kind;

/* Any JSON value; nesting over 2048 or broken text is CN_E_FORMAT with line and column. */
cn_status cn_json_parse(cn_json **out, cn_str text, cn_err *err);
cn_status cn_json_read_file(cn_json **out, const char *path, size_t max_bytes, cn_err *err);
void cn_json_free(cn_json *root); /* NULL is fine */

cn_json_kind cn_json_kind_of(const cn_json *j);            /* of NULL: CN_JSON_NULL */
size_t cn_json_size(const cn_json *j);                     /* elements or members, else 0 */
const cn_json *cn_json_at(const cn_json *array, size_t i); /* NULL when absent */
const cn_json *cn_json_get(const cn_json *object, const char *key); /* NULL when absent */

/* Values with a fallback for "absent or of another kind". Integers count as numbers. */
cn_str cn_json_str(const cn_json *j); /* .p NULL when not a string; may hold NUL bytes */
bool cn_json_is(const cn_json *j, const char *string);
int64_t cn_json_int(const cn_json *j, int64_t fallback); /* a whole real such as 1e3 counts */
double cn_json_num(const cn_json *j, double fallback);
bool cn_json_bool(const cn_json *j, bool fallback);
static inline bool cn_json_is_null(const cn_json *j)
{
    return cn_json_kind_of(j) == CN_JSON_NULL;
}

/* for (cn_json_member m = cn_json_first(obj); m.value; m = cn_json_next(obj, m)) */
typedef struct cn_json_member {
    cn_str key;
    const cn_json *value;
    void *iter;
} cn_json_member;
cn_json_member cn_json_first(const cn_json *object);
cn_json_member cn_json_next(const cn_json *object, cn_json_member m);

/* Appends the compact text of `j`, keys in their order, non-ASCII as UTF-8. */
void cn_json_write(cn_buf *out, const cn_json *j);

#endif
