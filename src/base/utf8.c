/* Strict UTF-8. */
#include "utf8.h"

static size_t length_of_lead(unsigned char c)
{
    if (c < 0x80) return 1;
    if (c >= 0xc2 && c <= 0xdf) return 2;
    if (c >= 0xe0 && c <= 0xef) return 3;
    if (c >= 0xf0 && c <= 0xf4) return 4;
    return 0;
}

/* The second byte's range is narrower after E0, ED, F0 and F4 (Unicode standard, table 3-7). */
static bool second_byte_fits(unsigned char lead, unsigned char c)
{
    unsigned char low = 0x80, high = 0xbf;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    return c >= low && c <= high;
}

size_t cn_utf8_decode(const char *p, size_t n, uint32_t *rune)
{
    if (n == 0) return 0;
    const unsigned char *u = (const unsigned char *)p;
    size_t len = length_of_lead(u[0]);
    if (len == 0 || len > n) return 0;
    if (len == 1) {
        *rune = u[0];
        return 1;
    }
    if (!second_byte_fits(u[0], u[1])) return 0;
    uint32_t r = u[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((u[i] & 0xc0) != 0x80) return 0;
        r = r << 6 | (u[i] & 0x3fU);
    }
    *rune = r;
    return len;
}

size_t cn_utf8_encode(uint32_t r, char out[4])
{
    if (r < 0x80) {
        out[0] = (char)r;
        return 1;
    }
    if (r < 0x800) {
        out[0] = (char)(0xc0 | r >> 6);
        out[1] = (char)(0x80 | (r & 0x3f));
        return 2;
    }
    if (r < 0x10000) {
        out[0] = (char)(0xe0 | r >> 12);
        out[1] = (char)(0x80 | (r >> 6 & 0x3f));
        out[2] = (char)(0x80 | (r & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | r >> 18);
    out[1] = (char)(0x80 | (r >> 12 & 0x3f));
    out[2] = (char)(0x80 | (r >> 6 & 0x3f));
    out[3] = (char)(0x80 | (r & 0x3f));
    return 4;
}

bool cn_utf8_valid(const char *p, size_t n)
{
    uint32_t rune;
    for (size_t i = 0; i < n;) {
        size_t len = cn_utf8_decode(p + i, n - i, &rune);
        if (len == 0) return false;
        i += len;
    }
    return true;
}

/* Could u[0..n) still grow into a character? */
static bool is_prefix(const unsigned char *u, size_t n)
{
    size_t len = length_of_lead(u[0]);
    if (len <= n) return false;
    if (n >= 2 && !second_byte_fits(u[0], u[1])) return false;
    return n < 3 || (u[2] & 0xc0) == 0x80;
}

size_t cn_utf8_complete(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        if ((u[n - back] & 0xc0) == 0x80) continue;
        return is_prefix(u + n - back, back) ? n - back : n;
    }
    return n;
}
