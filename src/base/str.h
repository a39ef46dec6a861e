/* cn_str: a view of bytes, neither terminated nor owned. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct cn_str {
    const char *p;
    size_t n;
} cn_str;

#define CN_STR(lit) ((cn_str){(lit), sizeof(lit) - 1})
/* For printf: "%.*s", CN_STR_ARG(s) */
#define CN_STR_ARG(s) (int)((s).n > 200 ? 200 : (s).n), (s).p

static inline cn_str cn_str_of(const char *c)
{
    return (cn_str){c, c ? strlen(c) : 0};
}

static inline bool cn_str_eq(cn_str a, cn_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool cn_str_is(cn_str a, const char *c)
{
    return cn_str_eq(a, cn_str_of(c));
}

static inline bool cn_str_starts(cn_str s, cn_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool cn_str_ends(cn_str s, cn_str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

static inline cn_str cn_str_skip(cn_str s, size_t n)
{
    return n > s.n ? (cn_str){s.p + s.n, 0} : (cn_str){s.p + n, s.n - n};
}

#endif
