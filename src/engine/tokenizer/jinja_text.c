#include "jinja_text.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "unicode.h"

#define MAX_NUMBER 400 /* bytes of a number that are looked at */

/* The C locale of glibc is static: asking for it costs nothing and allocates nothing. */
static locale_t enter_c_locale(void)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return c ? uselocale(c) : (locale_t)0;
}

static void leave_c_locale(locale_t before)
{
    if (before) freelocale(uselocale(before));
}

static double to_double(const char *s, char **end)
{
    locale_t before = enter_c_locale();
    double f = strtod(s, end);
    leave_c_locale(before);
    return f;
}

bool jtext_float(cn_str s, double *out)
{
    char buf[MAX_NUMBER + 1], *end;
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool digit_before = i && s.p[i - 1] >= '0' && s.p[i - 1] <= '9';
        if (c == '_' && !digit_before) return false;
        /* strtod also reads hexadecimal, which Python's float() does not */
        if (c == 'x' || c == 'X' || c == '(' || c == 0 || n == MAX_NUMBER) return false;
        if (c != '_') buf[n++] = c;
    }
    if (!n || (unsigned char)buf[0] <= ' ' || s.p[s.n - 1] == '_') return false;
    buf[n] = 0;
    *out = to_double(buf, &end);
    return *end == 0;
}

size_t jtext_printf_float(char *out, size_t room, double f, int precision, char conv)
{
    char format[] = {'%', '.', '*', conv, 0};
    locale_t before = enter_c_locale();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = snprintf(out, room, format, precision, f);
#pragma GCC diagnostic pop
    leave_c_locale(before);
    return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

/* The fewest digits that read back as f: d.ddde+xx in `e`, trailing zeros dropped. */
static size_t shortest(char digits[20], double f, int *exponent)
{
    char e[40];
    for (int precision = f < DBL_MIN ? 0 : 14; precision < 17; precision++) {
        jtext_printf_float(e, sizeof e, f, precision, 'e');
        if (precision == 16 || to_double(e, NULL) == f) break;
    }
    size_t n = 0;
    const char *p = e;
    for (; *p && *p != 'e'; p++)
        if (*p != '.') digits[n++] = *p;
    *exponent = (int)strtol(p + 1, NULL, 10);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

static size_t plain(char *out, const char *digits, int n, int exponent)
{
    char *p = out;
    if (exponent < 0) {
        *p++ = '0';
        *p++ = '.';
        for (int i = -1; i > exponent; i--)
            *p++ = '0';
        for (int i = 0; i < n; i++)
            *p++ = digits[i];
        return (size_t)(p - out);
    }
    for (int i = 0; i < n || i <= exponent; i++) {
        if (i == exponent + 1) *p++ = '.';
        *p++ = i < n ? digits[i] : '0';
    }
    if (n <= exponent + 1) {
        *p++ = '.';
        *p++ = '0';
    }
    return (size_t)(p - out);
}

size_t jtext_repr_float(char *out, double f)
{
    char digits[20], *p = out;
    int exponent;
    if (isnan(f)) return (size_t)snprintf(out, 32, "nan");
    if (signbit(f)) *p++ = '-';
    f = fabs(f);
    if (isinf(f)) return (size_t)(p - out) + (size_t)snprintf(p, 30, "inf");
    size_t n = shortest(digits, f, &exponent);
    if (exponent >= -4 && exponent < 16)
        return (size_t)(p - out) + plain(p, digits, (int)n, exponent);
    *p++ = digits[0];
    if (n > 1) *p++ = '.';
    for (size_t i = 1; i < n; i++)
        *p++ = digits[i];
    return (size_t)(p - out) +
           (size_t)snprintf(p, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

uint32_t jtext_lower(uint32_t c)
{
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return uc_lower(c);
}

/* Upper case is rare: the table of lower case is read backwards. */
uint32_t jtext_upper(uint32_t c)
{
    if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
    if (c == 0xb5) return 0x39c;
    if (uc_category(c) != UC_LL && c < 0x2160) return c;
    for (size_t i = 0; i < unicode_n_lower; i++)
        if (unicode_lower[i][1] == c && c != 0xdf) return unicode_lower[i][0];
    return c;
}

bool jtext_printable(uint32_t c)
{
    if (c < 0x7f) return c >= ' ';
    return !uc_in(c, UC_RANGE(UC_ZS, UC_CC_SPACE));
}

bool jtext_alpha(uint32_t c)
{
    return uc_in(c, UC_LETTERS);
}

bool jtext_cased(uint32_t c)
{
    return uc_in(c, UC_RANGE(UC_LU, UC_LT));
}

bool jtext_digit(uint32_t c)
{
    return uc_category(c) == UC_ND;
}
