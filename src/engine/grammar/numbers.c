/* Texts of numbers as automata. */
#include "numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex.h"

void number_text(cn_buf *out, const cn_json *number)
{
    char text[64];
    if (cn_json_kind_of(number) == CN_JSON_INT) {
        cn_buf_printf(out, "%lld", (long long)cn_json_int(number, 0));
        return;
    }
    double d = cn_json_num(number, 0);
    if (d == trunc(d) && fabs(d) < 1e15) {
        cn_buf_printf(out, "%lld", (long long)d);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) break;
    }
    if (strchr(text, 'e') && fabs(d) >= 1e-6 && fabs(d) < 1e15) {
        for (int digits = 1; digits <= 30; digits++) {
            snprintf(text, sizeof text, "%.*f", digits, d);
            if (strtod(text, NULL) == d) break;
        }
    }
    cn_buf_append(out, text, strlen(text));
}

/* "-12.5e-3" into digits before and after the point. */
static bool write_out(const char *text, char *whole, char *part, bool *negative)
{
    char digits[128];
    int n = 0, point = -1;
    *negative = *text == '-';
    if (*negative) text++;
    for (; *text && *text != 'e'; text++) {
        if (*text == '.')
            point = n;
        else if (n < 64)
            digits[n++] = *text;
        else
            return false;
    }
    if (point < 0) point = n;
    if (*text == 'e') point += atoi(text + 1);
    if (point > 60 || point < -60) return false;
    int w = 0, p = 0;
    for (int i = 0; i < point; i++)
        whole[w++] = i < n ? digits[i] : '0';
    for (int i = point; i < n; i++)
        part[p++] = i < 0 ? '0' : digits[i];
    while (p && part[p - 1] == '0')
        p--;
    part[p] = whole[w] = '\0';
    size_t zeros = strspn(whole, "0");
    memmove(whole, whole + zeros, strlen(whole + zeros) + 1);
    if (!*whole) strcpy(whole, "0");
    if (!strcmp(whole, "0") && !*part) *negative = false;
    return true;
}

const decimal *decimal_of(gctx *c, const cn_json *number)
{
    cn_buf text = {0};
    char whole[160], part[160];
    decimal *d = gctx_alloc(c, 1, sizeof *d);
    number_text(&text, number);
    bool ok = d && text.p && write_out(text.p, whole, part, &d->negative);
    cn_buf_deinit(&text);
    if (!ok) return NULL;
    d->whole = cn_arena_str(&c->arena, cn_str_of(whole));
    d->part = cn_arena_str(&c->arena, cn_str_of(part));
    return d->whole.p && d->part.p ? d : NULL;
}

static const cdfa *pattern(gctx *c, const char *text)
{
    return regex_compile(c, cn_str_of(text), "");
}

static const cdfa *integers(gctx *c, uint32_t digits)
{
    static const decimal low = {true, CN_STR("9223372036854775808"), CN_STR("")};
    static const decimal high = {false, CN_STR("9223372036854775807"), CN_STR("")};
    char text[64];
    snprintf(text, sizeof text, "^(0|-?[1-9][0-9]{0,%u})$", CN_MIN(digits, 19u) - 1);
    const cdfa *d = pattern(c, text);
    if (digits < 19) return d;
    d = cdfa_combine(c, d, number_compare(c, &low, 2 | 4), CDFA_AND, "");
    return cdfa_combine(c, d, number_compare(c, &high, 1 | 2), CDFA_AND, "");
}

/* Reals of at most `digits` digits: a grid of (digits before, digits after the point). */
static const cdfa *plain(gctx *c, uint32_t digits)
{
    const cdfa *whole = number_integers(c, digits);
    if (digits < 2) return whole;
    char text[96];
    snprintf(text, sizeof text, "^-?(0|[1-9][0-9]{0,%u})\\.[0-9]{1,%u}$", digits - 2,
             digits - 1);
    const cdfa *real = pattern(c, text);
    real = cdfa_combine(c, real, pattern(c, "^-0\\.0*$"), CDFA_MINUS, "");
    /* at most `digits` digits: point, and perhaps a minus, beside them */
    const cdfa *fits = cdfa_combine(
        c,
        cdfa_combine(c, cdfa_length(c, 0, digits + 1, ""), pattern(c, "^[^-]"), CDFA_AND, ""),
        cdfa_combine(c, cdfa_length(c, 0, digits + 2, ""), pattern(c, "^-"), CDFA_AND, ""),
        CDFA_OR, "");
    return cdfa_combine(c, whole, cdfa_combine(c, real, fits, CDFA_AND, ""), CDFA_OR, "");
}

static const cdfa *any(gctx *c, uint32_t digits)
{
    char text[128];
    uint32_t n = CN_MIN(digits, 18u);
    snprintf(text, sizeof text,
             "^-?[1-9](\\.[0-9]{1,%u})?[eE][+-]?(0|[1-9][0-9]?|1[0-9][0-9]|2[0-7][0-9])$",
             n > 1 ? n - 1 : 1);
    return cdfa_combine(c, number_plain(c, digits), pattern(c, text), CDFA_OR, "");
}

/* The three above are asked for again and again: built once for each number of digits. */
static const cdfa *memo(gctx *c, unsigned kind, uint32_t digits,
                        const cdfa *make(gctx *c, uint32_t digits))
{
    const struct cdfa **m = &c->numbers[kind][CN_MIN(digits, 40u)];
    if (!*m) *m = make(c, digits);
    return *m;
}

const cdfa *number_integers(gctx *c, uint32_t digits)
{
    return memo(c, 0, digits, integers);
}

const cdfa *number_plain(gctx *c, uint32_t digits)
{
    return memo(c, 1, digits, plain);
}

const cdfa *number_any(gctx *c, uint32_t digits)
{
    return memo(c, 2, digits, any);
}

/* Classes of the tables below: '-', '.', each digit, and what is between and beyond. */
enum { K = 17 };

static cdfa *table(gctx *c, uint32_t n)
{
    static const uint32_t lo[K] = {0,   '-', '.', '/', '0', '1', '2',    '3',   '4',
                                   '5', '6', '7', '8', '9', ':', 0xd800, 0xe000};
    cdfa *d = gctx_alloc(c, 1, sizeof *d);
    if (!d) return NULL;
    *d = (cdfa){.n = n, .k = K};
    d->lo = gctx_alloc(c, K, 4);
    d->next = gctx_alloc(c, (size_t)n * K, 4);
    d->final = gctx_alloc(c, n, 1);
    if (!d->lo || !d->next || !d->final) return NULL;
    memcpy(d->lo, lo, sizeof lo);
    memset(d->next, 0xff, (size_t)n * K * 4);
    return d;
}

static void arc(cdfa *d, uint32_t from, int ch, uint32_t to)
{
    for (uint32_t j = d->k; j-- > 0;)
        if (d->lo[j] <= (uint32_t)ch) {
            d->next[from * d->k + j] = to;
            return;
        }
}

/* What the text so far says about its magnitude against m's. */
enum { LESS, EQUAL, GREATER };

/* States for one sign, from `base` on: after i whole digits in each relation (0..n), "longer",
 * then after the point with j digits equal, less, greater. */
typedef struct ladder {
    cdfa *d;
    const decimal *m;
    uint32_t base, n, p;
} ladder;

static uint32_t whole_state(const ladder *l, uint32_t i, uint32_t rel)
{
    return i > l->n ? l->base : l->base + 1 + 3 * i + rel;
}

static uint32_t part_state(const ladder *l, uint32_t j, uint32_t rel)
{
    uint32_t first = l->base + 1 + 3 * (l->n + 1);
    return rel == LESS ? first : rel == GREATER ? first + 1 : first + 2 + j;
}

static void finals(const ladder *l, unsigned keep, uint32_t state, uint32_t rel)
{
    l->d->final[state] = keep >> rel & 1;
}

/* Relation of the whole part once it is complete with i digits. */
static uint32_t settled(const ladder *l, uint32_t i, uint32_t rel)
{
    return i > l->n ? GREATER : i < l->n ? LESS : rel;
}

static uint32_t then(uint32_t rel, int digit, int other)
{
    return rel != EQUAL ? rel : digit < other ? LESS : digit > other ? GREATER : EQUAL;
}

static void fill(const ladder *l, unsigned keep)
{
    for (uint32_t i = 0; i <= l->n + 1; i++) {
        for (uint32_t rel = 0; rel < 3; rel++) {
            uint32_t at = whole_state(l, i, rel), end = settled(l, i, rel);
            for (int dig = '0'; dig <= '9'; dig++)
                arc(l->d, at, dig,
                    whole_state(l, CN_MIN(i + 1, l->n + 1),
                                i < l->n ? then(rel, dig, l->m->whole.p[i]) : rel));
            if (!i) continue;
            arc(l->d, at, '.', part_state(l, 0, end));
            finals(l, keep, at, end == EQUAL && l->p ? LESS : end);
        }
    }
    for (uint32_t j = 0; j <= l->p; j++) {
        uint32_t at = part_state(l, j, EQUAL);
        finals(l, keep, at, j < l->p ? LESS : EQUAL);
        for (int dig = '0'; dig <= '9'; dig++) {
            uint32_t rel = then(EQUAL, dig, j < l->p ? l->m->part.p[j] : '0');
            arc(l->d, at, dig, part_state(l, CN_MIN(j + 1, l->p), rel));
        }
    }
    for (uint32_t rel = LESS; rel <= GREATER; rel += 2) {
        uint32_t at = part_state(l, 0, rel);
        finals(l, keep, at, rel);
        for (int dig = '0'; dig <= '9'; dig++)
            arc(l->d, at, dig, at);
    }
}

const cdfa *number_compare(gctx *c, const decimal *to, unsigned keep)
{
    ladder l = {.m = to, .n = (uint32_t)to->whole.n, .p = (uint32_t)to->part.n};
    uint32_t size = 1 + 3 * (l.n + 1) + 3 + l.p;
    cdfa *d = table(c, 2 * size + 1);
    if (!d) return NULL;
    l.d = d;
    unsigned flipped = (keep & 2) | (keep & 1) << 2 | (keep & 4) >> 2;
    unsigned all_less = keep & 1 ? 7 : 0, all_greater = keep & 4 ? 7 : 0;
    l.base = 1; /* without a minus */
    fill(&l, to->negative ? all_greater : keep);
    uint32_t plus = whole_state(&l, 0, EQUAL);
    for (uint32_t j = 0; j < K; j++)
        d->next[j] = d->next[plus * K + j];
    l.base = 1 + size;
    fill(&l, to->negative ? flipped : all_less);
    arc(d, 0, '-', whole_state(&l, 0, EQUAL));
    return cdfa_small(c, d);
}

/* Value times 10^p, modulo m: after the whole digits, then after j digits of the part. */
const cdfa *number_multiple(gctx *c, const decimal *of, const char *ptr)
{
    enum { MAX = 5000 };
    uint32_t m = 0, p = (uint32_t)of->part.n;
    for (size_t i = 0; i < of->whole.n + p && m <= MAX; i++)
        m = m * 10 +
            (uint32_t)((i < of->whole.n ? of->whole.p[i] : of->part.p[i - of->whole.n]) - '0');
    if (!m || m > MAX || p > 12 || of->negative || m * (p + 2) > CDFA_MAX_STATES) {
        gctx_fail(c, CN_E_UNSUPPORTED, ptr, "multiples of %s%.*s.%.*s", of->negative ? "-" : "",
                  CN_STR_ARG(of->whole), CN_STR_ARG(of->part));
        return NULL;
    }
    cdfa *d = table(c, 1 + m * (p + 2));
    if (!d) return NULL;
    uint32_t scale = 1;
    for (uint32_t i = 0; i < p; i++)
        scale = scale * 10 % m;
    for (uint32_t r = 0; r < m; r++) {
        uint32_t at = 1 + r, rest = (uint32_t)((uint64_t)r * scale % m);
        d->final[at] = rest == 0;
        for (int dig = '0'; dig <= '9'; dig++)
            arc(d, at, dig, 1 + (r * 10 + (uint32_t)(dig - '0')) % m);
        arc(d, at, '.', 1 + m + r);
        for (uint32_t j = 0; j <= p; j++) {
            uint32_t s = 1 + m * (1 + j) + r, left = 1;
            for (uint32_t i = j; i < p; i++)
                left = left * 10 % m;
            d->final[s] = (uint64_t)r * left % m == 0;
            for (int dig = '0'; dig <= '9'; dig++) {
                if (j < p)
                    arc(d, s, dig, 1 + m * (2 + j) + (r * 10 + (uint32_t)(dig - '0')) % m);
                else if (dig == '0')
                    arc(d, s, dig, s);
            }
        }
    }
    for (uint32_t j = 0; j < K; j++)
        d->next[j] = d->next[1 * K + j];
    arc(d, 0, '-', 1);
    d->final[0] = 0;
    return cdfa_small(c, d);
}
