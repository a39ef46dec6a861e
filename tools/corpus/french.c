/* French spelling of plain words: contraction, elision, spacing, capitals, apostrophes. */
#include "grammar.h"

#include <string.h>

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/* Length of the word at p (letters; « » and … are not letters). */
static size_t word_length(cn_str s)
{
    size_t n = 0;
    while (n < s.n && is_letter((unsigned char)s.p[n])) {
        if ((unsigned char)s.p[n] == 0xC2 || (unsigned char)s.p[n] == 0xE2) break;
        n++;
    }
    return n;
}

static bool one_of(cn_str w, const char *const *list)
{
    for (; *list; list++)
        if (w.n == strlen(*list) && strncasecmp(w.p, *list, w.n) == 0) return true;
    return false;
}

static bool starts_one_of(cn_str w, const char *const *list)
{
    for (; *list; list++)
        if (w.n >= strlen(*list) && strncasecmp(w.p, *list, strlen(*list)) == 0) return true;
    return false;
}

/* An h that forbids elision, and other words that do. */
static bool keeps_article(cn_str w)
{
    static const char *const prefixes[] = {
        "haine",  "haï",    "hamac",  "hamburger", "hand",   "hanche", "harc",   "haricot",
        "hasard", "hât",    "hauss",  "haut",      "hériss", "heurt",  "hiboux", "hiér",
        "hobby",  "hockey", "homard", "hont",      "hors",   "houss",  "hurl",   "hall",
        "hip",    "huit",   "onz",    "ouais",     "hard",   "hache",  "harp",   "hub",
        "haie",   "hoch",   "yaourt", "yoga",      "youtub", "halte",  "hype",   NULL};
    static const char *const words[] = {"oui", "héros", "yo",  "hein", "ha",
                                        "ho",  "hé",    "un.", NULL};
    return starts_one_of(w, prefixes) || one_of(w, words);
}

static bool vowel_start(cn_str w)
{
    if (!w.n || keeps_article(w)) return false;
    if (strchr("aeiouhAEIOUH", w.p[0])) return true;
    if (w.p[0] == 'y' || w.p[0] == 'Y') return w.n == 1 || cn_str_is(w, "yeux");
    if (w.n < 2) return false;
    unsigned char a = (unsigned char)w.p[0], b = (unsigned char)w.p[1];
    if (a == 0xC5) return b == 0x92 || b == 0x93;            /* œ */
    return a == 0xC3 && b != 0xA7 && b != 0x87 && b != 0xB1; /* é à ê ..., not ç ñ */
}

/* ---- "de_le" and "à_le" ---- */

static const struct {
    const char *from, *to;
} contractions[] = {
    {"de_le ", "du "}, {"de_les ", "des "}, {"à_le ", "au "},     {"à_les ", "aux "},
    {"de_du ", "de "}, {"de_des ", "de "},  {"de_de la ", "de "}, {"de_de l'", "de "},
    {"De_le ", "Du "}, {"De_les ", "Des "}, {"À_le ", "Au "},     {"À_les ", "Aux "},
    {"de_", "de "},    {"à_", "à "},        {"De_", "De "},       {"À_", "À "},
};

static void contract(cn_str s, cn_buf *out)
{
    while (s.n) {
        size_t i = 0, count = sizeof contractions / sizeof *contractions;
        while (i < count && !cn_str_starts(s, cn_str_of(contractions[i].from)))
            i++;
        if (i < count) {
            cn_buf_str(out, cn_str_of(contractions[i].to));
            s = cn_str_skip(s, strlen(contractions[i].from));
        } else {
            cn_buf_putc(out, s.p[0]);
            s = cn_str_skip(s, 1);
        }
    }
}

/* ---- spaces ---- */

static bool closes(cn_str s)
{
    return s.n && (strchr(",.)", s.p[0]) || cn_str_starts(s, CN_STR("…")));
}

static bool high(cn_str s)
{
    return s.n && (strchr("?!:;", s.p[0]) || cn_str_starts(s, CN_STR("»")));
}

static void space(cn_str s, cn_buf *out)
{
    while (s.n) {
        char last = out->n ? out->p[out->n - 1] : ' ';
        if (s.p[0] == ' ' || s.p[0] == '\t') {
            cn_str next = cn_str_skip(s, 1);
            if (last != ' ' && next.n && next.p[0] != ' ' && !closes(next) && last != '\'')
                cn_buf_putc(out, ' ');
        } else {
            bool digits =
                last >= '0' && last <= '9' && s.n > 1 && s.p[1] >= '0' && s.p[1] <= '9';
            if (high(s) && last != ' ' && !strchr("?!(:;", last) && !digits)
                cn_buf_putc(out, ' ');
            cn_buf_putc(out, s.p[0]);
        }
        s = cn_str_skip(s, 1);
    }
}

/* ---- elision ---- */

/* Writes `w` elided before `next` (the words are one space apart); false when it stays whole.
 */
static bool elide(cn_str w, cn_str next, char before, cn_buf *out)
{
    static const char *const short_ones[] = {"je",      "me",      "te",      "se",  "le",
                                             "la",      "de",      "ne",      "que", "jusque",
                                             "lorsque", "puisque", "quoique", NULL};
    static const char *const hers[] = {"ma", "ta", "sa", NULL};
    if (before == '-') return false;
    if (cn_str_is(w, "si") || cn_str_is(w, "Si")) {
        if (!cn_str_is(next, "il") && !cn_str_is(next, "ils")) return false;
    } else if (one_of(w, hers) && vowel_start(next)) {
        cn_buf_putc(out, w.p[0]);
        cn_buf_lit(out, "on ");
        return true;
    } else if (!one_of(w, short_ones) || !vowel_start(next)) {
        return false;
    }
    cn_buf_append(out, w.p, w.n - 1);
    cn_buf_putc(out, '\'');
    return true;
}

static void elisions(cn_str s, cn_buf *out)
{
    while (s.n) {
        size_t n = word_length(s);
        if (n == 0) {
            cn_buf_putc(out, s.p[0]);
            s = cn_str_skip(s, 1);
            continue;
        }
        cn_str w = {s.p, n}, next = {0};
        char before = out->n ? out->p[out->n - 1] : ' ';
        if (s.n > n + 1 && s.p[n] == ' ') {
            next = cn_str_skip(s, n + 1);
            next.n = word_length(next);
        }
        if (next.n && elide(w, next, before, out)) {
            s = cn_str_skip(s, n + 1);
        } else {
            cn_buf_str(out, w);
            s = cn_str_skip(s, n);
        }
    }
}

/* ---- capitals ---- */

static void capital(char *p, size_t n)
{
    unsigned char a = (unsigned char)p[0], b = n > 1 ? (unsigned char)p[1] : 0;
    if (a >= 'a' && a <= 'z') p[0] = (char)(a - 32);
    if (a == 0xC3 && b >= 0xA0 && b <= 0xBE) p[1] = (char)(b - 32);
    if (a == 0xC5 && b == 0x93) p[1] = (char)0x92;
}

static void capitals(char *p, size_t n)
{
    bool start = true, ellipsis = false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '.' || c == '?' || c == '!') {
            ellipsis = i > 0 && c == '.' && (p[i - 1] == '.' || (i + 1 < n && p[i + 1] == '.'));
            start = !ellipsis && (i + 1 == n || p[i + 1] == ' ');
        } else if (start && c == 0xC2) {
            i++; /* « */
        } else if (start && c != ' ') {
            capital(p + i, n - i);
            start = false;
        }
    }
}

void co_french(cn_str plain, cn_buf *out)
{
    cn_buf a = {0}, b = {0};
    contract(plain, &a);
    space(cn_buf_view(&a), &b);
    while (b.n && b.p[b.n - 1] == ' ')
        b.n--;
    size_t from = out->n;
    elisions(cn_buf_view(&b), out);
    if (out->n > from) capitals(out->p + from, out->n - from);
    cn_buf_deinit(&a);
    cn_buf_deinit(&b);
}

void co_curly(cn_buf *text)
{
    cn_buf out = {0};
    for (size_t i = 0; i < text->n; i++) {
        if (text->p[i] == '\'')
            cn_buf_lit(&out, "’");
        else
            cn_buf_putc(&out, text->p[i]);
    }
    cn_buf_deinit(text);
    *text = out;
}
