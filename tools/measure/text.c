#include "text.h"

#include <ctype.h>

#include "utf8.h"

/* U+00C0 to U+00FF without accents, lower case. */
static const char bare[64][3] = {
    "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
    "d", "n", "o", "o", "o", "o", "o",  "x", "o", "u", "u", "u", "u", "y", "t", "ss",
    "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
    "d", "n", "o", "o", "o", "o", "o",  "/", "o", "u", "u", "u", "u", "y", "t", "y"};

static void fold_rune(uint32_t r, cn_str bytes, cn_buf *out)
{
    if (r < 128)
        cn_buf_putc(out, (char)tolower((int)r));
    else if (r >= 0xC0 && r <= 0xFF)
        cn_buf_str(out, cn_str_of(bare[r - 0xC0]));
    else if (r == 0x152 || r == 0x153)
        cn_buf_lit(out, "oe");
    else if (r == 0x2019 || r == 0x2018)
        cn_buf_putc(out, '\'');
    else
        cn_buf_str(out, bytes);
}

void ms_fold(cn_str s, cn_buf *out)
{
    while (s.n) {
        uint32_t r;
        size_t k = cn_utf8_decode(s.p, s.n, &r);
        bool space =
            k && (r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == 0xA0 || r == 0x202F);
        if (space) {
            if (out->n && out->p[out->n - 1] != ' ') cn_buf_putc(out, ' ');
        } else if (k) {
            fold_rune(r, (cn_str){s.p, k}, out);
        }
        s = cn_str_skip(s, k ? k : 1);
    }
}

/* The letter at s.p in lower case into `out`; its length there, 0 when it is none. */
static size_t letter(cn_str s, size_t *length, char out[4])
{
    uint32_t r;
    *length = cn_utf8_decode(s.p, s.n, &r);
    if (!*length) *length = 1, r = 0;
    if (r >= 'A' && r <= 'Z') r += 32;
    if (r >= 0xC0 && r <= 0xDE && r != 0xD7) r += 32;
    if (r == 0x152) r = 0x153;
    bool is_letter = (r >= 'a' && r <= 'z') || (r >= 0xDF && r <= 0xFF && r != 0xF7) ||
                     r == 0x153 || (r >= 0x100 && r < 0x2000);
    return is_letter ? cn_utf8_encode(r, out) : 0;
}

size_t ms_word(cn_str *rest, char word[96])
{
    size_t n = 0;
    while (rest->n) {
        size_t length;
        char out[4];
        size_t k = letter(*rest, &length, out);
        *rest = cn_str_skip(*rest, length);
        if (!k && n) break;
        if (n + k >= 96) continue;
        memcpy(word + n, out, k);
        n += k;
    }
    word[n] = '\0';
    return n;
}

bool ms_holds(cn_str s, cn_str part)
{
    cn_buf a = {0}, b = {0};
    ms_fold(s, &a);
    ms_fold(part, &b);
    bool found = b.n && a.n && memmem(a.p, a.n, b.p, b.n);
    cn_buf_deinit(&a);
    cn_buf_deinit(&b);
    return found;
}

void ms_pad(cn_buf *out, cn_str s, size_t width, bool right)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    if (!right) cn_buf_str(out, s);
    for (; n < width; n++)
        cn_buf_putc(out, ' ');
    if (right) cn_buf_str(out, s);
}

cn_str ms_trim(cn_str s)
{
    while (s.n && isspace((unsigned char)s.p[0]))
        s = cn_str_skip(s, 1);
    while (s.n && isspace((unsigned char)s.p[s.n - 1]))
        s.n--;
    return s;
}

/* All words of `s`, one space before and after each. */
static void words_of(cn_str s, cn_buf *out)
{
    char word[96];
    size_t n;
    cn_buf_putc(out, ' ');
    while ((n = ms_word(&s, word))) {
        cn_buf_append(out, word, n);
        cn_buf_putc(out, ' ');
    }
}

/* Where the n words that follow the space s.p[from] end (at a space too), 0 when there are
 * fewer. */
static size_t run_end(cn_str s, size_t from, size_t n)
{
    for (; n; n--) {
        const char *space = from + 1 < s.n ? memchr(s.p + from + 1, ' ', s.n - from - 1) : NULL;
        if (!space) return 0;
        from = (size_t)(space - s.p);
    }
    return from;
}

bool ms_shares_run(cn_str s, cn_str of, size_t n)
{
    cn_buf a = {0}, b = {0};
    bool found = false;
    words_of(s, &a);
    words_of(of, &b);
    cn_str w = cn_buf_view(&b);
    for (size_t from = 0, end; !found && (end = run_end(w, from, n));
         from = run_end(w, from, 1))
        found = memmem(a.p, a.n, w.p + from, end + 1 - from) != NULL;
    cn_buf_deinit(&a);
    cn_buf_deinit(&b);
    return found;
}
