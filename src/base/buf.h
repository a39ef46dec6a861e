/* cn_buf: bytes that grow to a cap and remember failure, so that one appends freely and checks
 * once. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "str.h"

typedef struct cn_buf {
    char *p; /* NUL-terminated once anything was appended; NULL when empty */
    size_t n, alloc;
    size_t cap; /* 0: the default of 1 GiB */
    bool failed;
} cn_buf;

void cn_buf_deinit(cn_buf *b);
void cn_buf_clear(cn_buf *b); /* keeps the memory, forgets failure */
void cn_buf_append(cn_buf *b, const void *p, size_t n);
void cn_buf_str(cn_buf *b, cn_str s);
void cn_buf_putc(cn_buf *b, char c);
#define cn_buf_lit(b, lit) cn_buf_append((b), (lit), sizeof(lit) - 1)
void cn_buf_printf(cn_buf *b, const char *fmt, ...) CN_PRINTF(2, 3);
/* Room for `n` more bytes at the returned address, counted as appended; NULL on failure. */
void *cn_buf_extend(cn_buf *b, size_t n);
/* The bytes as an owned NUL-terminated string (free with cn_free); NULL if failed. Empties `b`.
 */
char *cn_buf_take(cn_buf *b);
/* The JSON string literal of `s`: quotes, escapes; bytes that are not UTF-8 become U+FFFD. */
void cn_buf_json(cn_buf *b, cn_str s);

static inline cn_str cn_buf_view(const cn_buf *b)
{
    return (cn_str){b->p, b->n};
}

#endif
