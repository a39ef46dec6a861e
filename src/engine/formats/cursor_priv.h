/* A reader over little-endian bytes that never leaves them and remembers the first short read.
 */
#ifndef FORMATS_CURSOR_PRIV_H
#define FORMATS_CURSOR_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "str.h"

/* File values are copied as they lie. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files here are little-endian");

typedef struct cursor {
    const uint8_t *p;
    size_t left;
    bool failed; /* something was asked beyond the end; all later reads give zeros */
} cursor;

/* The next n bytes, or NULL. */
static inline const uint8_t *cursor_take(cursor *c, uint64_t n)
{
    if (c->failed || n > c->left) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    c->left -= (size_t)n;
    return p;
}

static inline void cursor_copy(cursor *c, void *out, size_t n)
{
    const uint8_t *p = cursor_take(c, n);
    if (p)
        memcpy(out, p, n);
    else
        memset(out, 0, n);
}

static inline uint32_t cursor_u32(cursor *c)
{
    uint32_t v;
    cursor_copy(c, &v, sizeof v);
    return v;
}

static inline uint64_t cursor_u64(cursor *c)
{
    uint64_t v;
    cursor_copy(c, &v, sizeof v);
    return v;
}

static inline cn_str cursor_str(cursor *c, uint64_t n)
{
    const uint8_t *p = cursor_take(c, n);
    return (cn_str){(const char *)p, p ? (size_t)n : 0};
}

#endif
