/* Growing byte buffer with a sticky failure. */
#include "buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "mem.h"
#include "utf8.h"

#define DEFAULT_CAP ((size_t)1 << 30)

void cn_buf_deinit(cn_buf *b)
{
    cn_free(b->p);
    *b = (cn_buf){.cap = b->cap};
}

void cn_buf_clear(cn_buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p) b->p[0] = '\0';
}

static bool reserve(cn_buf *b, size_t more)
{
    size_t cap = b->cap ? b->cap : DEFAULT_CAP;
    if (b->failed || more > cap || b->n > cap - more || more >= SIZE_MAX - b->n) {
        b->failed = true;
        return false;
    }
    size_t need = b->n + more + 1;
    if (need <= b->alloc) return true;
    size_t want = CN_MAX(need, b->alloc + b->alloc / 2 + 64);
    char *p = cn_realloc_array(b->p, want, 1);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->alloc = want;
    return true;
}

void *cn_buf_extend(cn_buf *b, size_t n)
{
    if (!reserve(b, n)) return NULL;
    char *at = b->p + b->n;
    b->n += n;
    b->p[b->n] = '\0';
    return at;
}

void cn_buf_append(cn_buf *b, const void *p, size_t n)
{
    void *at = cn_buf_extend(b, n);
    if (at && n) memcpy(at, p, n);
}

void cn_buf_str(cn_buf *b, cn_str s)
{
    cn_buf_append(b, s.p, s.n);
}

void cn_buf_putc(cn_buf *b, char c)
{
    cn_buf_append(b, &c, 1);
}

void cn_buf_printf(cn_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
    } else if (reserve(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

char *cn_buf_take(cn_buf *b)
{
    if (!b->p) cn_buf_append(b, "", 0);
    char *p = b->failed ? NULL : b->p;
    if (b->failed) cn_free(b->p);
    *b = (cn_buf){.cap = b->cap};
    return p;
}

static void json_escape(cn_buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        cn_buf_lit(b, "\\\"");
        break;
    case '\\':
        cn_buf_lit(b, "\\\\");
        break;
    case '\n':
        cn_buf_lit(b, "\\n");
        break;
    case '\r':
        cn_buf_lit(b, "\\r");
        break;
    case '\t':
        cn_buf_lit(b, "\\t");
        break;
    default:
        cn_buf_printf(b, "\\u%04x", c);
    }
}

void cn_buf_json(cn_buf *b, cn_str s)
{
    cn_buf_putc(b, '"');
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        uint32_t rune;
        size_t len = cn_utf8_decode(s.p + i, s.n - i, &rune);
        if (len == 0) {
            cn_buf_lit(b, "\xef\xbf\xbd");
            i++;
        } else if (c == '"' || c == '\\' || c < 0x20 || c == 0x7f) {
            json_escape(b, c);
            i++;
        } else {
            cn_buf_append(b, s.p + i, len);
            i += len;
        }
    }
    cn_buf_putc(b, '"');
}
