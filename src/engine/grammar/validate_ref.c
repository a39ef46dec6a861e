/* References of the validator: JSON pointers, $anchor, $id. */
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "mem.h"
#include "validate.h"

static const cn_json *named(const cn_json *j, const char *key, cn_str name, unsigned depth)
{
    const cn_json *hit = NULL;
    if (depth > VALIDATE_MAX_DEPTH) return NULL;
    if (cn_json_kind_of(j) == CN_JSON_OBJECT) {
        cn_str s = cn_json_str(cn_json_get(j, key));
        if (s.p && s.n && s.p[s.n - 1] == '#') s.n--;
        if (s.p && cn_str_eq(s, name)) return j;
        for (cn_json_member m = cn_json_first(j); m.value && !hit; m = cn_json_next(j, m))
            if (!cn_str_is(m.key, "const") && !cn_str_is(m.key, "enum"))
                hit = named(m.value, key, name, depth + 1);
    }
    for (size_t i = 0; cn_json_kind_of(j) == CN_JSON_ARRAY && i < cn_json_size(j) && !hit; i++)
        hit = named(cn_json_at(j, i), key, name, depth + 1);
    return hit;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* Percent signs first, then ~0 and ~1; NUL ends keys here as it does for jansson. */
static void plain(char *s)
{
    char *to = s;
    for (const char *p = s; *p; p++) {
        if (*p == '%' && digit(p[1]) >= 0 && digit(p[2]) >= 0) {
            *to++ = (char)(digit(p[1]) * 16 + digit(p[2]));
            p += 2;
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
    to = s;
    for (const char *p = s; *p; p++) {
        if (*p == '~' && (p[1] == '0' || p[1] == '1'))
            *to++ = *++p == '0' ? '~' : '/';
        else
            *to++ = *p;
    }
    *to = '\0';
}

static const cn_json *walk(const cn_json *j, const char *pointer)
{
    char *copy = cn_xstrndup(pointer, strlen(pointer)), *rest = copy + 1;
    while (j && rest) {
        char *key = rest, *end = NULL;
        rest = strchr(key, '/');
        if (rest) *rest++ = '\0';
        plain(key);
        if (cn_json_kind_of(j) == CN_JSON_ARRAY) {
            unsigned long i = strtoul(key, &end, 10);
            j = *key && !*end ? cn_json_at(j, i) : NULL;
        } else {
            j = cn_json_get(j, key);
        }
    }
    cn_free(copy);
    return j;
}

const cn_json *validate_find(const cn_json *root, const cn_json *base, cn_str ref,
                             const cn_json **new_base)
{
    char *text = cn_xstrndup(ref.p, ref.n), *part = strchr(text, '#');
    const cn_json *hit = base;
    if (part) *part++ = '\0';
    if (*text) hit = named(root, "$id", cn_str_of(text), 0);
    *new_base = hit;
    if (hit && part && *part == '/')
        hit = walk(hit, part);
    else if (hit && part && *part)
        hit = named(hit, "$anchor", cn_str_of(part), 0);
    cn_free(text);
    return hit;
}
