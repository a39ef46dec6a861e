/* Three passes: words (missing "ne", short forms, faults, typing errors), letters (capitals,
 * accents, apostrophes), and the end of the sentence (stops, "???", "mdr"). */
#include "noise.h"

#include <ctype.h>

#include "noise_words.h"
#include "utf8.h"

static bool chance(cn_rng *rng, unsigned percent)
{
    return cn_rng_below(rng, 100) < percent;
}

noise_hand noise_draw(cn_rng *rng, unsigned level)
{
    noise_hand h = {.curly = chance(rng, level == NOISE_SMS ? 15 : 30)};
    if (level == NOISE_CLEAN) return h;
    h.no_stop = chance(rng, level == NOISE_LIGHT ? 30 : 75);
    h.no_ne = level == NOISE_LIGHT ? 40 : 85;
    h.lower = chance(rng, level == NOISE_LIGHT ? 25 : level == NOISE_HASTY ? 60 : 90);
    h.typo = (unsigned)cn_rng_below(rng, level == NOISE_LIGHT ? 3 : 7);
    h.fault = (unsigned)cn_rng_below(rng, level == NOISE_LIGHT ? 15 : 45);
    if (level == NOISE_LIGHT) return h;
    h.no_accent = chance(rng, level == NOISE_HASTY ? 45 : 80);
    h.no_apostrophe = chance(rng, level == NOISE_HASTY ? 25 : 65);
    h.short_form = level == NOISE_HASTY ? (unsigned)cn_rng_below(rng, 25)
                                        : 40 + (unsigned)cn_rng_below(rng, 50);
    h.stretch = (unsigned)cn_rng_below(rng, level == NOISE_HASTY ? 12 : 25);
    h.filler = (unsigned)cn_rng_below(rng, level == NOISE_HASTY ? 15 : 35);
    return h;
}

static bool word_byte(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

/* U+2019 is written as three bytes >= 0x80, which a word must not swallow. */
static bool curly_at(cn_str s, size_t i)
{
    return i + 3 <= s.n && !memcmp(s.p + i, "\xE2\x80\x99", 3);
}

static size_t word_length(cn_str s)
{
    size_t n = 0;
    while (n < s.n && word_byte((unsigned char)s.p[n]) && !curly_at(s, n))
        n++;
    return n;
}

/* The lower-case of Latin-1 letters and of the ligature; anything else unchanged. */
static uint32_t lower(uint32_t c)
{
    if (c < 0x80) return (uint32_t)tolower((int)c);
    if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 0x20;
    return c == 0x152 ? 0x153 : c;
}

static const char *without_accent(uint32_t c)
{
    switch (c) {
    case 0xE0:
    case 0xE2:
    case 0xE4:
        return "a";
    case 0xC0:
    case 0xC2:
        return "A";
    case 0xE7:
        return "c";
    case 0xC7:
        return "C";
    case 0xE8:
    case 0xE9:
    case 0xEA:
    case 0xEB:
        return "e";
    case 0xC8:
    case 0xC9:
    case 0xCA:
        return "E";
    case 0xEE:
    case 0xEF:
        return "i";
    case 0xCE:
        return "I";
    case 0xF4:
        return "o";
    case 0xD4:
        return "O";
    case 0xF9:
    case 0xFB:
    case 0xFC:
        return "u";
    case 0xD9:
    case 0xDB:
        return "U";
    case 0x153:
        return "oe";
    case 0x152:
        return "Oe";
    default:
        return NULL;
    }
}

static void put_rune(cn_buf *out, uint32_t c)
{
    char bytes[4];
    cn_buf_append(out, bytes, cn_utf8_encode(c, bytes));
}

static void lower_all(cn_buf *out, cn_str s)
{
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c;
        n = cn_utf8_decode(s.p + i, s.n - i, &c);
        if (!n) return;
        put_rune(out, lower(c));
    }
}

/* ---- words ---- */

static char neighbour(char c, cn_rng *rng)
{
    static const char rows[][11] = {"azertyuiop", "qsdfghjklm", "wxcvbn"};
    for (size_t r = 0; r < 3; r++) {
        const char *at = c ? strchr(rows[r], c) : NULL;
        if (!at) continue;
        if (at == rows[r]) return at[1];
        if (!at[1]) return at[-1];
        return chance(rng, 50) ? at[1] : at[-1];
    }
    return c;
}

/* One typing error inside a word of plain letters at `i`; the first letter stays. */
static void mistype(cn_buf *out, cn_str w, cn_rng *rng)
{
    size_t i = 1 + cn_rng_below(rng, w.n - 2);
    bool plain = (unsigned char)w.p[i] < 0x80 && (unsigned char)w.p[i + 1] < 0x80;
    unsigned kind = plain ? (unsigned)cn_rng_below(rng, 4) : 4;
    cn_buf_append(out, w.p, i);
    if (kind == 0) { /* swapped */
        cn_buf_putc(out, w.p[i + 1]);
        cn_buf_putc(out, w.p[i]);
        i += 2;
    } else if (kind == 1) { /* doubled */
        cn_buf_putc(out, w.p[i]);
    } else if (kind == 2) { /* dropped */
        i++;
    } else if (kind == 3) {
        cn_buf_putc(out, neighbour(w.p[i], rng));
        i++;
    }
    cn_buf_append(out, w.p + i, w.n - i);
}

static const char *any_form(const noise_pair *p, cn_rng *rng)
{
    size_t n = 0;
    while (n < 4 && p->forms[n])
        n++;
    return p->forms[cn_rng_below(rng, n)];
}

/* "mangé" for "manger" and the other way round. */
static bool verb_ending(cn_buf *out, cn_str w, const noise_hand *h, cn_rng *rng)
{
    bool er = w.n > 4 && cn_str_ends(w, CN_STR("er"));
    bool e = w.n > 4 && cn_str_ends(w, CN_STR("é"));
    if ((!er && !e) || !chance(rng, h->fault / 2)) return false;
    cn_buf_append(out, w.p, w.n - 2);
    if (er)
        cn_buf_lit(out, "é");
    else
        cn_buf_lit(out, "er");
    return true;
}

static void one_word(cn_buf *out, cn_str w, const noise_hand *h, cn_rng *rng)
{
    if (verb_ending(out, w, h, rng)) return;
    if (w.n >= 5 && chance(rng, h->typo))
        mistype(out, w, rng);
    else
        cn_buf_str(out, w);
}

/* What stands at the beginning of `s` (in lower case: `low`) instead of some of its words; how
 * many bytes it stands for, 0 when nothing was replaced. */
static size_t replaced(cn_buf *out, cn_str low, const noise_hand *h, cn_rng *rng)
{
    const noise_pair *p = noise_no_ne(low);
    if (!p || !chance(rng, h->no_ne)) {
        p = noise_short_form(low);
        if (p && !chance(rng, h->short_form)) p = NULL;
    }
    if (!p) {
        p = noise_fault(low);
        if (p && !chance(rng, h->fault)) p = NULL;
    }
    if (!p) return 0;
    cn_buf_str(out, cn_str_of(any_form(p, rng)));
    return strlen(p->clean);
}

/* Keeps a capital of the sentence that was replaced by a form without. */
static void keep_capital(cn_buf *out, size_t at, char was)
{
    if (isupper((unsigned char)was) && at < out->n) {
        out->p[at] = (char)toupper((unsigned char)out->p[at]);
    }
}

static void words(cn_buf *out, cn_str s, cn_str keep, const noise_hand *h, cn_rng *rng)
{
    cn_buf low = {0};
    lower_all(&low, s);
    bool aligned = low.n == s.n; /* true for all of French */
    for (size_t i = 0; i < s.n;) {
        cn_str rest = cn_str_skip(s, i);
        size_t at = out->n;
        bool border = i == 0 || !word_byte((unsigned char)s.p[i - 1]);
        if (keep.n && cn_str_starts(rest, keep)) {
            cn_buf_str(out, keep);
            i += keep.n;
            continue;
        }
        size_t n = 0;
        if (border && aligned) n = replaced(out, cn_str_skip(cn_buf_view(&low), i), h, rng);
        if (n) {
            keep_capital(out, at, s.p[i]);
        } else if ((n = word_length(rest)) > 0) {
            one_word(out, (cn_str){rest.p, n}, h, rng);
        } else {
            n = curly_at(s, i) ? 3 : 1;
            cn_buf_append(out, rest.p, n);
        }
        i += n;
    }
    cn_buf_deinit(&low);
}

/* ---- letters ---- */

static void letters(cn_buf *out, cn_str s, const noise_hand *h)
{
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t c;
        n = cn_utf8_decode(s.p + i, s.n - i, &c);
        if (!n) return;
        if (h->lower) c = lower(c);
        bool apostrophe = c == '\'' || c == 0x2019;
        const char *plain = h->no_accent ? without_accent(c) : NULL;
        if (apostrophe && h->no_apostrophe) continue;
        if (apostrophe)
            put_rune(out, h->curly ? 0x2019 : '\'');
        else if (plain)
            cn_buf_str(out, cn_str_of(plain));
        else
            put_rune(out, c);
    }
}

/* ---- the ends ---- */

/* The sentence with its first character in lower case. */
static void begin_lower(cn_buf *out, cn_str s)
{
    uint32_t c;
    size_t n = cn_utf8_decode(s.p, s.n, &c);
    if (n) put_rune(out, lower(c));
    cn_buf_str(out, cn_str_skip(s, n));
}

/* "bah " and the like; true when something was put before the sentence. */
static bool opening(cn_buf *out, const noise_hand *h, cn_rng *rng)
{
    static const char *const said[] = {"bah ", "ben ", "mdr ", "wesh ",  "euh ", "genre ",
                                       "lol ", "frr ", "bon ", "ouais ", "heu ", "nan mais "};
    if (!chance(rng, h->filler)) return false;
    cn_buf_str(out, cn_str_of(said[cn_rng_below(rng, sizeof said / sizeof *said)]));
    return true;
}

static void ending(cn_buf *out, const noise_hand *h, cn_rng *rng)
{
    static const char *const said[] = {" mdr", " lol", " quoi", " frr", " ptdr", " tkt",
                                       " :)",  " ^^",  " hein", "...",  " jpp",  " wsh"};
    while (h->no_stop && out->n && out->p[out->n - 1] == '.')
        out->n--;
    char last = out->n ? out->p[out->n - 1] : 0;
    if ((last == '?' || last == '!') && chance(rng, h->stretch)) {
        for (uint64_t k = 1 + cn_rng_below(rng, 3); k > 0; k--)
            cn_buf_putc(out, last);
    } else if (h->no_stop && last != '?' && chance(rng, h->filler)) {
        cn_buf_str(out, cn_str_of(said[cn_rng_below(rng, sizeof said / sizeof *said)]));
    }
    if (h->no_stop && last == '?' && chance(rng, h->short_form / 3)) {
        while (out->n && (out->p[out->n - 1] == '?' || out->p[out->n - 1] == ' '))
            out->n--;
    }
}

void noise_write(cn_buf *out, cn_str clean, cn_str keep, const noise_hand *hand, cn_rng *rng)
{
    cn_buf step = {0}, line = {0}, begun = {0};
    bool opened = opening(&step, hand, rng);
    if (opened) begin_lower(&begun, clean);
    words(&step, opened ? cn_buf_view(&begun) : clean, keep, hand, rng);
    letters(&line, cn_buf_view(&step), hand);
    ending(&line, hand, rng);
    cn_buf_str(out, cn_buf_view(&line));
    cn_buf_deinit(&begun);
    cn_buf_deinit(&step);
    cn_buf_deinit(&line);
}

void noise_apostrophes(cn_buf *out, cn_str text, bool curly)
{
    letters(out, text, &(noise_hand){.curly = curly});
}

bool noise_is_curly(cn_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (curly_at(text, i)) return true;
    }
    return false;
}
