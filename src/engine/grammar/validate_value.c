/* The keywords of strings and numbers, equality, and regular expressions (PCRE2). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <math.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "mem.h"
#include "utf8.h"
#include "validate.h"

static bool is_number(const cn_json *j)
{
    return cn_json_kind_of(j) == CN_JSON_INT || cn_json_kind_of(j) == CN_JSON_REAL;
}

static int compare(const cn_json *a, const cn_json *b)
{
    if (cn_json_kind_of(a) == CN_JSON_INT && cn_json_kind_of(b) == CN_JSON_INT) {
        int64_t x = cn_json_int(a, 0), y = cn_json_int(b, 0);
        return (x > y) - (x < y);
    }
    double x = cn_json_num(a, 0), y = cn_json_num(b, 0);
    return (x > y) - (x < y);
}

bool validate_equal(const cn_json *a, const cn_json *b)
{
    if (is_number(a) && is_number(b)) return compare(a, b) == 0;
    if (cn_json_kind_of(a) != cn_json_kind_of(b)) return false;
    switch (cn_json_kind_of(a)) {
    case CN_JSON_BOOL:
        return cn_json_bool(a, false) == cn_json_bool(b, false);
    case CN_JSON_STRING:
        return cn_str_eq(cn_json_str(a), cn_json_str(b));
    case CN_JSON_ARRAY:
        if (cn_json_size(a) != cn_json_size(b)) return false;
        for (size_t i = 0; i < cn_json_size(a); i++)
            if (!validate_equal(cn_json_at(a, i), cn_json_at(b, i))) return false;
        return true;
    case CN_JSON_OBJECT:
        if (cn_json_size(a) != cn_json_size(b)) return false;
        for (cn_json_member m = cn_json_first(a); m.value; m = cn_json_next(a, m)) {
            const cn_json *o = cn_json_get(b, m.key.p);
            if (!o || !validate_equal(m.value, o)) return false;
        }
        return true;
    default:
        return true;
    }
}

/* A number as digits times a power of ten, from its shortest text. */
static bool split(const cn_json *j, uint64_t *digits, int *power)
{
    char text[64];
    double d = cn_json_num(j, 0);
    if (cn_json_kind_of(j) == CN_JSON_INT) {
        int64_t i = cn_json_int(j, 0);
        *digits = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
        *power = 0;
        return true;
    }
    for (int n = 0; n < 17; n++) {
        snprintf(text, sizeof text, "%.*e", n, fabs(d));
        if (strtod(text, NULL) == fabs(d)) break;
    }
    *digits = 0;
    *power = 0;
    for (const char *p = text; *p && *p != 'e'; p++) {
        if (*p == '.') continue;
        *digits = *digits * 10 + (uint64_t)(*p - '0');
        if (p > text) --*power;
    }
    const char *e = strchr(text, 'e');
    *power += e ? atoi(e + 1) : 0;
    return isfinite(d) != 0;
}

static bool divides(const cn_json *of, const cn_json *value)
{
    uint64_t m, n;
    int p, q;
    if (!split(of, &m, &p) || !split(value, &n, &q) || !m) return false;
    if (!n) return true;
    while (m % 10 == 0)
        m /= 10, p++;
    for (; q > p; q--)
        n = (uint64_t)((unsigned __int128)n * 10 % m); /* only the rest counts */
    for (; q < p; p--) {
        if (m > UINT64_MAX / 10) return false;
        m *= 10;
    }
    return n % m == 0;
}

bool validate_number(validator *v, const cn_json *schema, const cn_json *value)
{
    static const struct {
        const char *name;
        int wrong[2]; /* outcomes of compare(value, bound) that are not allowed */
    } bounds[] = {{"minimum", {-1, -1}},
                  {"maximum", {1, 1}},
                  {"exclusiveMinimum", {-1, 0}},
                  {"exclusiveMaximum", {0, 1}}};
    for (size_t i = 0; i < CN_ARRAY_LEN(bounds); i++) {
        const cn_json *b = cn_json_get(schema, bounds[i].name);
        if (!is_number(b)) continue;
        int c = compare(value, b);
        if (c == bounds[i].wrong[0] || c == bounds[i].wrong[1])
            return validate_fail(v, bounds[i].name, "out of range");
        /* draft 4: exclusiveMinimum: true makes minimum exclusive */
        const char *flag = i == 0 ? "exclusiveMinimum" : "exclusiveMaximum";
        if (i < 2 && c == 0 && cn_json_bool(cn_json_get(schema, flag), false))
            return validate_fail(v, flag, "out of range");
    }
    const cn_json *m = cn_json_get(schema, "multipleOf");
    return !is_number(m) || divides(m, value) ||
           validate_fail(v, "multipleOf", "not a multiple");
}

/* What ECMA-262 means and PCRE2 does not: \s, and long names of properties. */
static void translate(cn_buf *out, cn_str p)
{
    static const char space[] = "\\t-\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029"
                                "\\u202f\\u205f\\u3000\\ufeff";
    static const char *const names[][2] = {
        {"{Letter}", "{L}"},
        {"{Uppercase_Letter}", "{Lu}"},
        {"{Lowercase_Letter}", "{Ll}"},
        {"{Number}", "{N}"},
        {"{Decimal_Number}", "{Nd}"},
        {"{digit}", "{Nd}"},
        {"{Punctuation}", "{P}"},
        {"{Symbol}", "{S}"},
        {"{Separator}", "{Z}"},
        {"{Mark}", "{M}"},
        {"{Space_Separator}", "{Zs}"},
        {"{Control}", "{Cc}"},
    };
    bool set = false;
    for (size_t i = 0; i < p.n; i++) {
        char next = i + 1 < p.n ? p.p[i + 1] : '\0';
        if (p.p[i] == '[') set = true;
        if (p.p[i] == ']') set = false;
        if (p.p[i] != '\\' || !next) {
            cn_buf_putc(out, p.p[i]);
            continue;
        }
        i++;
        if (next == 's' || (next == 'S' && !set)) {
            cn_buf_printf(out,
                          set           ? "%s%s%s"
                          : next == 's' ? "%s[%s]%s"
                                        : "%s[^%s]%s",
                          "", space, "");
            continue;
        }
        cn_buf_putc(out, '\\');
        cn_buf_putc(out, next);
        for (size_t k = 0; (next == 'p' || next == 'P') && k < CN_ARRAY_LEN(names); k++) {
            if (!cn_str_starts(cn_str_skip(p, i + 1), cn_str_of(names[k][0]))) continue;
            cn_buf_append(out, names[k][1], strlen(names[k][1]));
            i += strlen(names[k][0]);
            break;
        }
    }
}

bool validate_matches(validator *v, cn_str pattern, cn_str s)
{
    cn_buf text = {.cap = 1 << 20};
    int error = 0, found = -1;
    size_t at = 0;
    translate(&text, pattern);
    pcre2_code *re = NULL;
    pcre2_match_data *data = NULL;
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (!text.failed)
        re = pcre2_compile((PCRE2_SPTR)(text.p ? text.p : ""), text.n,
                           PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX |
                               PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C,
                           &error, &at, NULL);
    if (!re) {
        validate_stop(v, CN_E_UNSUPPORTED, "a regular expression that is not supported");
        goto done;
    }
    data = pcre2_match_data_create(1, NULL);
    if (!data || !limits) {
        validate_stop(v, CN_E_NOMEM, "memory for a regular expression");
        goto done;
    }
    pcre2_set_match_limit(limits, 1000000);
    pcre2_set_depth_limit(limits, 10000);
    pcre2_set_heap_limit(limits, 64 << 10);
    found = pcre2_match(re, (PCRE2_SPTR)s.p, s.n, 0, 0, data, limits);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH)
        validate_stop(v, CN_E_LIMIT, "a regular expression that takes too long");
done:
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    pcre2_code_free(re);
    cn_buf_deinit(&text);
    return found >= 0;
}

static size_t characters(cn_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

bool validate_string(validator *v, const cn_json *schema, cn_str s)
{
    const cn_json *min = cn_json_get(schema, "minLength"),
                  *max = cn_json_get(schema, "maxLength");
    double n = (double)characters(s);
    if (is_number(min) && n < cn_json_num(min, 0))
        return validate_fail(v, "minLength", "too short");
    if (is_number(max) && n > cn_json_num(max, 0))
        return validate_fail(v, "maxLength", "too long");
    cn_str pattern = cn_json_str(cn_json_get(schema, "pattern"));
    if (pattern.p && !validate_matches(v, pattern, s))
        return validate_fail(v, "pattern", "no match");
    cn_str format = cn_json_str(cn_json_get(schema, "format"));
    int ok = format.p ? validate_format(format, s) : 1;
    if (ok == -2) return validate_stop(v, CN_E_UNSUPPORTED, "a format that is not supported");
    return ok != 0 || validate_fail(v, "format", "not of this format");
}
