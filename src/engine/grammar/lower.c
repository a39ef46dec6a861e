/* Characters to bytes. The code points of one state are cut into blocks as UTF-8 cuts them: a
 * block that leads to one place only is shared. */
#include "lower.h"

#include <string.h>

#include "mem.h"

/* The way on from a state of the automaton over characters: where each class leads, as a byte
 * state, AUT_NONE for nowhere. */
typedef struct row {
    const cdfa *d;
    const uint32_t *to;
    aut_builder *b;
    unsigned flags;
    uint32_t *tails; /* per byte state and number of bytes left: see tail() */
    uint32_t base;   /* byte state of state 0 */
} row;

static uint32_t class_at(const cdfa *d, uint32_t rune)
{
    uint32_t lo = 0, hi = d->k;
    while (hi - lo > 1) {
        uint32_t mid = (lo + hi) / 2;
        if (d->lo[mid] <= rune)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* `left` continuation bytes of any value, then `to`. Shared among all that lead there. */
static uint32_t tail(row *r, uint32_t to, unsigned left)
{
    if (!left) return to;
    uint32_t *memo = &r->tails[(to - r->base) * 3 + left - 1];
    if (*memo == AUT_NONE) {
        uint32_t next = tail(r, to, left - 1);
        *memo = aut_add(r->b, r->flags);
        aut_byte(r->b, *memo, 0x80, 0xbf, next);
    }
    return *memo;
}

/* The state that reads `left` continuation bytes for code points from `from` on; those below
 * `min` are overlong. AUT_NONE when none of them leads anywhere. */
static uint32_t block(row *r, uint32_t from, unsigned left, uint32_t min)
{
    uint32_t size = 1u << (6 * left), cls = class_at(r->d, from);
    if (from > 0x10ffff) return AUT_NONE;
    if (cdfa_hi(r->d, cls) >= from + size - 1 && from >= min)
        return r->to[cls] == AUT_NONE ? AUT_NONE : tail(r, r->to[cls], left);
    uint32_t at = AUT_NONE, run = AUT_NONE, run_from = 0;
    for (uint32_t i = 0; i <= 64; i++) {
        uint32_t first = from + i * (size / 64), next = AUT_NONE;
        if (i < 64 && first + size / 64 > min && first <= 0x10ffff) {
            next = left > 1       ? block(r, first, left - 1, min)
                   : first >= min ? r->to[class_at(r->d, first)]
                                  : AUT_NONE;
        }
        if (next == run && i < 64) continue;
        if (run != AUT_NONE) {
            if (at == AUT_NONE) at = aut_add(r->b, r->flags);
            aut_byte(r->b, at, 0x80 + run_from, 0x80 + i - 1, run);
        }
        run = next;
        run_from = i;
    }
    return at;
}

/* Edges on lead bytes lo..hi of characters with `left` continuation bytes. */
static void leads(row *r, uint32_t from, unsigned lo, unsigned hi, unsigned left, uint32_t min)
{
    unsigned bits = left == 1 ? 5 : left == 2 ? 4 : 3, run_from = lo;
    uint32_t run = AUT_NONE;
    for (unsigned lead = lo; lead <= hi + 1; lead++) {
        uint32_t next = AUT_NONE;
        if (lead <= hi)
            next = block(r, (uint32_t)(lead & ((1u << bits) - 1)) << (6 * left), left, min);
        if (next == run && lead <= hi) continue;
        if (run != AUT_NONE) aut_byte(r->b, from, run_from, lead - 1, run);
        run = next;
        run_from = lead;
    }
}

static bool ascii_only(const row *r)
{
    for (uint32_t j = r->d->k; j-- > 0 && cdfa_hi(r->d, j) > 0x7f;)
        if (r->to[j] != AUT_NONE) return false;
    return true;
}

static void ascii(row *r, uint32_t from, bool quoted)
{
    for (uint32_t j = 0; j < r->d->k; j++) {
        uint32_t hi = CN_MIN(cdfa_hi(r->d, j), 0x7fu);
        if (r->d->lo[j] > 0x7f || r->to[j] == AUT_NONE) continue;
        for (uint32_t ch = r->d->lo[j], run = ch; ch <= hi + 1; ch++) {
            bool skip = ch > hi || (quoted && (ch < 0x20 || ch == '"' || ch == '\\'));
            if (!skip) continue;
            if (ch > run) aut_byte(r->b, from, run, ch - 1, r->to[j]);
            run = ch + 1;
        }
    }
}

/* \" \\ and the control characters; for keys only the short form where there is one. */
static void escapes(row *r, uint32_t from, int how)
{
    static const char chars[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    uint32_t slash = AUT_NONE, u00 = AUT_NONE, tens[2] = {AUT_NONE, AUT_NONE};
    for (unsigned ch = 0; ch <= '\\'; ch++) {
        uint32_t to = r->to[class_at(r->d, ch)];
        const char *s = ch ? strchr(chars, (int)ch) : NULL;
        if (to == AUT_NONE || (ch >= 0x20 && !s)) continue;
        if (how == LOWER_KEY && !ch) continue; /* our JSON reader has no NUL in names */
        if (slash == AUT_NONE) {
            slash = aut_add(r->b, r->flags);
            aut_byte(r->b, from, '\\', '\\', slash);
        }
        if (s)
            aut_byte(r->b, slash, (uint8_t)letters[s - chars], (uint8_t)letters[s - chars], to);
        if (ch >= 0x20 || (s && how == LOWER_KEY)) continue;
        if (u00 == AUT_NONE) {
            uint32_t u = aut_add(r->b, r->flags), u0 = aut_add(r->b, r->flags);
            u00 = aut_add(r->b, r->flags);
            aut_byte(r->b, slash, 'u', 'u', u);
            aut_byte(r->b, u, '0', '0', u0);
            aut_byte(r->b, u0, '0', '0', u00);
        }
        uint32_t *ten = &tens[ch >> 4];
        if (*ten == AUT_NONE) {
            *ten = aut_add(r->b, r->flags);
            aut_byte(r->b, u00, '0' + (ch >> 4), '0' + (ch >> 4), *ten);
        }
        unsigned low = ch & 15, hex = low < 10 ? '0' + low : 'a' + low - 10;
        aut_byte(r->b, *ten, hex, hex, to);
        if (low >= 10 && how != LOWER_KEY) aut_byte(r->b, *ten, hex - 32, hex - 32, to);
    }
}

uint32_t lower_cdfa(gctx *c, aut_builder *b, const cdfa *d, int how, uint32_t end)
{
    uint32_t result = AUT_NONE;
    unsigned flags = how == LOWER_KEY ? AUT_KEY : 0;
    if (!d || cdfa_empty(d) || !gctx_work(c, d->n * 16)) return AUT_NONE;
    uint32_t *to = cn_alloc_array(d->k, 4), *tails = cn_alloc_array((size_t)d->n * 3, 4);
    if (!to || !tails) {
        gctx_fail(c, CN_E_NOMEM, "", "memory for an automaton");
        goto done;
    }
    memset(tails, 0xff, (size_t)d->n * 12);
    uint32_t base = aut_add(b, flags);
    for (uint32_t i = 1; i < d->n; i++)
        aut_add(b, flags);
    row r = {.d = d, .to = to, .b = b, .flags = flags, .tails = tails, .base = base};
    for (uint32_t i = 0; i < d->n && !aut_failed(b); i++) {
        uint32_t from = base + i;
        for (uint32_t j = 0; j < d->k; j++) {
            uint32_t next = d->next[i * d->k + j];
            to[j] = next == CDFA_DEAD || d->lo[j] == 0xd800 ? AUT_NONE : base + next;
        }
        ascii(&r, from, how != LOWER_RAW);
        if (how != LOWER_RAW) escapes(&r, from, how);
        if (!ascii_only(&r)) {
            leads(&r, from, 0xc2, 0xdf, 1, 0x80);
            leads(&r, from, 0xe0, 0xef, 2, 0x800);
            leads(&r, from, 0xf0, 0xf4, 3, 0x10000);
        }
        if (!d->final[i]) continue;
        if (how == LOWER_RAW)
            aut_skip(b, from, end);
        else
            aut_byte(b, from, '"', '"', end);
    }
    result = base;
done:
    cn_free(to);
    cn_free(tails);
    return result;
}

static void hex_digits(aut_builder *b, uint32_t from, unsigned lo, unsigned hi, uint32_t to)
{
    if (lo <= 9) aut_byte(b, from, '0' + lo, '0' + CN_MIN(hi, 9u), to);
    if (hi >= 10) {
        aut_byte(b, from, 'a' + CN_MAX(lo, 10u) - 10, 'a' + hi - 10, to);
        aut_byte(b, from, 'A' + CN_MAX(lo, 10u) - 10, 'A' + hi - 10, to);
    }
}

/* A new state from which `n` hexadecimal digits lead to `to`. */
static uint32_t any_hex(aut_builder *b, unsigned n, uint32_t to)
{
    for (; n; n--) {
        uint32_t s = aut_add(b, 0);
        hex_digits(b, s, 0, 15, to);
        to = s;
    }
    return to;
}

void lower_any_char(aut_builder *b, uint32_t from, uint32_t to)
{
    static const char simple[] = "\"\\/bfnrt";
    uint32_t t1 = aut_add(b, 0), t2 = aut_add(b, 0), t3 = aut_add(b, 0);
    aut_byte(b, t1, 0x80, 0xbf, to);
    aut_byte(b, t2, 0x80, 0xbf, t1);
    aut_byte(b, t3, 0x80, 0xbf, t2);
    aut_byte(b, from, 0x20, '"' - 1, to);
    aut_byte(b, from, '"' + 1, '\\' - 1, to);
    aut_byte(b, from, '\\' + 1, 0x7f, to);
    aut_byte(b, from, 0xc2, 0xdf, t1);
    /* E0 and ED, F0 and F4 leave out overlong forms, surrogates, and what is above 10FFFF */
    static const uint8_t odd[4][3] = {
        {0xe0, 0xa0, 0xbf}, {0xed, 0x80, 0x9f}, {0xf0, 0x90, 0xbf}, {0xf4, 0x80, 0x8f}};
    for (size_t i = 0; i < 4; i++) {
        uint32_t s = aut_add(b, 0);
        aut_byte(b, from, odd[i][0], odd[i][0], s);
        aut_byte(b, s, odd[i][1], odd[i][2], i < 2 ? t1 : t2);
    }
    aut_byte(b, from, 0xe1, 0xec, t2);
    aut_byte(b, from, 0xee, 0xef, t2);
    aut_byte(b, from, 0xf1, 0xf3, t3);
    uint32_t slash = aut_add(b, 0), u = aut_add(b, 0), ud = aut_add(b, 0);
    aut_byte(b, from, '\\', '\\', slash);
    for (const char *p = simple; *p; p++)
        aut_byte(b, slash, (uint8_t)*p, (uint8_t)*p, to);
    aut_byte(b, slash, 'u', 'u', u);
    uint32_t h1 = any_hex(b, 1, to), h2 = any_hex(b, 1, h1), h3 = any_hex(b, 1, h2);
    hex_digits(b, u, 0, 12, h3);
    hex_digits(b, u, 14, 15, h3);
    hex_digits(b, u, 13, 13, ud);
    hex_digits(b, ud, 0, 7, h2); /* D000-D7FF */
    uint32_t low = aut_add(b, 0), l1 = aut_add(b, 0), l2 = aut_add(b, 0), l3 = aut_add(b, 0);
    aut_byte(b, low, '\\', '\\', l1);
    aut_byte(b, l1, 'u', 'u', l2);
    hex_digits(b, l2, 13, 13, l3);
    hex_digits(b, l3, 12, 15, h2);                /* DC00-DFFF */
    hex_digits(b, ud, 8, 11, any_hex(b, 2, low)); /* D800-DBFF: the other half follows */
}
