#include "json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"

static void comma(json_out *j)
{
    if (j->comma) cn_buf_putc(&j->b, ',');
    j->comma = true;
}

void json_open(json_out *j, char bracket)
{
    comma(j);
    cn_buf_putc(&j->b, bracket);
    j->comma = false;
}

void json_close(json_out *j, char bracket)
{
    cn_buf_putc(&j->b, bracket);
    j->comma = true;
}

void json_key(json_out *j, const char *key)
{
    json_text(j, cn_str_of(key));
    cn_buf_putc(&j->b, ':');
    j->comma = false;
}

void json_text(json_out *j, cn_str s)
{
    comma(j);
    cn_buf_json(&j->b, s);
}

void json_int(json_out *j, int64_t v)
{
    comma(j);
    cn_buf_printf(&j->b, "%" PRId64, v);
}

void json_uint(json_out *j, uint64_t v)
{
    comma(j);
    cn_buf_printf(&j->b, "%" PRIu64, v);
}

void json_num(json_out *j, double v)
{
    char text[40];
    if (!isfinite(v)) {
        json_null(j);
        return;
    }
    snprintf(text, sizeof text, "%.15g", v);
    if (strtod(text, NULL) != v) snprintf(text, sizeof text, "%.17g", v);
    json_raw(j, cn_str_of(text));
}

void json_float(json_out *j, float v)
{
    char text[40];
    if (!isfinite(v)) {
        json_null(j);
        return;
    }
    snprintf(text, sizeof text, "%.9g", (double)v);
    json_raw(j, cn_str_of(text));
}

void json_bool(json_out *j, bool v)
{
    json_raw(j, v ? CN_STR("true") : CN_STR("false"));
}

void json_null(json_out *j)
{
    json_raw(j, CN_STR("null"));
}

void json_raw(json_out *j, cn_str value)
{
    comma(j);
    cn_buf_str(&j->b, value);
}

void json_put_text(json_out *j, const char *key, const char *v)
{
    json_key(j, key);
    if (v)
        json_text(j, cn_str_of(v));
    else
        json_null(j);
}

void json_put_uint(json_out *j, const char *key, uint64_t v)
{
    json_key(j, key);
    json_uint(j, v);
}

void json_put_num(json_out *j, const char *key, double v)
{
    json_key(j, key);
    json_num(j, v);
}

void json_put_bool(json_out *j, const char *key, bool v)
{
    json_key(j, key);
    json_bool(j, v);
}

void json_put_ids(json_out *j, const char *key, const int32_t *ids, size_t n)
{
    json_key(j, key);
    json_open(j, '[');
    for (size_t i = 0; i < n; i++)
        json_int(j, ids[i]);
    json_close(j, ']');
}

/* U+0085, U+2028 and U+2029 end a line for some readers: they leave as escapes. They can only
 * stand inside strings. */
static size_t line_end(const char *p, size_t n, const char **escape)
{
    static const struct {
        const char *bytes, *escape;
    } ends[] = {
        {"\xC2\x85", "\\u0085"}, {"\xE2\x80\xA8", "\\u2028"}, {"\xE2\x80\xA9", "\\u2029"}};
    for (size_t i = 0; i < CN_ARRAY_LEN(ends); i++) {
        size_t len = strlen(ends[i].bytes);
        *escape = ends[i].escape;
        if (n >= len && memcmp(p, ends[i].bytes, len) == 0) return len;
    }
    return 0;
}

void json_print(json_out *j)
{
    size_t from = 0;
    for (size_t i = 0; i < j->b.n;) {
        const char *escape;
        size_t n = line_end(j->b.p + i, j->b.n - i, &escape);
        if (n) {
            fwrite(j->b.p + from, 1, i - from, stdout);
            fputs(escape, stdout);
            from = i + n;
        }
        i += CN_MAX(n, 1);
    }
    if (j->b.n > from) fwrite(j->b.p + from, 1, j->b.n - from, stdout);
    putchar('\n');
    cn_buf_deinit(&j->b);
    *j = (json_out){0};
}
