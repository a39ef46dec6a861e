/* Lower case and normalisation forms over the generated tables. Source: Unicode standard,
 * section 3.11 and UAX #15. */
#include "unicode.h"

#include "mem.h"

enum {
    HANGUL_S = 0xac00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11a7,
    HANGUL_N_L = 19,
    HANGUL_N_V = 21,
    HANGUL_N_T = 28,
    HANGUL_N_S = HANGUL_N_L * HANGUL_N_V * HANGUL_N_T,
};

/* The row of a sorted table of pairs whose first column is c, else NULL. */
static const uint32_t *find(const uint32_t (*table)[2], size_t n, uint32_t c)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (table[mid][0] < c)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && table[low][0] == c ? table[low] : NULL;
}

uint32_t uc_lower(uint32_t c)
{
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (!(uc_flags(c) & UC_LOWER)) return c;
    return find(unicode_lower, unicode_n_lower, c)[1];
}

static void put(cn_buf *out, uint32_t c)
{
    char bytes[4];
    cn_buf_append(out, bytes, cn_utf8_encode(c, bytes));
}

void uc_lower_text(cn_buf *out, cn_str s)
{
    for (size_t i = 0, len; i < s.n; i += len) {
        uint32_t c = uc_next(s.p + i, s.n - i, &len);
        if (c == UC_INVALID)
            cn_buf_putc(out, s.p[i]);
        else
            put(out, c == 0x130 ? 'i' : uc_lower(c));
        if (c == 0x130) put(out, 0x307); /* the one letter that grows (SpecialCasing.txt) */
    }
}

static unsigned combining_class(uint32_t c)
{
    if (!(uc_flags(c) & UC_NORM)) return 0;
    size_t low = 0, high = unicode_n_ccc;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (unicode_ccc[mid][1] < c)
            low = mid + 1;
        else
            high = mid;
    }
    return low < unicode_n_ccc && unicode_ccc[low][0] <= c ? unicode_ccc[low][2] : 0;
}

static uint32_t compose(uint32_t a, uint32_t b)
{
    if (a - HANGUL_L < HANGUL_N_L && b - HANGUL_V < HANGUL_N_V)
        return HANGUL_S + ((a - HANGUL_L) * HANGUL_N_V + (b - HANGUL_V)) * HANGUL_N_T;
    if (a - HANGUL_S < HANGUL_N_S && (a - HANGUL_S) % HANGUL_N_T == 0 && b > HANGUL_T &&
        b - HANGUL_T < HANGUL_N_T)
        return a + (b - HANGUL_T);
    size_t low = 0, high = unicode_n_compose;
    while (low < high) {
        size_t mid = (low + high) / 2;
        const uint32_t *row = unicode_compose[mid];
        if (row[0] < a || (row[0] == a && row[1] < b))
            low = mid + 1;
        else
            high = mid;
    }
    if (low == unicode_n_compose) return 0;
    const uint32_t *row = unicode_compose[low];
    return row[0] == a && row[1] == b ? row[2] : 0;
}

/* The characters since the last starter, decomposed, with their classes. Texts with longer
 * runs of marks than any writing system has are cut there, as UAX #15 allows (stream-safe
 * format): 30 marks are the longest run that must be kept together. */
enum { RUN_MAX = 256 };
typedef struct run {
    uint32_t c[RUN_MAX];
    uint8_t class[RUN_MAX];
    size_t n;
    uc_form form;
    cn_buf *out;
} run;

static void sort_marks(run *r)
{
    for (size_t i = 1; i < r->n; i++) {
        uint32_t c = r->c[i];
        uint8_t class = r->class[i];
        size_t k = i;
        for (; class && k > 0 && r->class[k - 1] > class; k--) {
            r->c[k] = r->c[k - 1];
            r->class[k] = r->class[k - 1];
        }
        r->c[k] = c;
        r->class[k] = class;
    }
}

/* Joins marks to the starter at r->c[0] where nothing of an equal or higher class blocks. */
static void compose_run(run *r)
{
    size_t kept = 1;
    for (size_t i = 1; i < r->n; i++) {
        bool blocked = kept > 1 && r->class[kept - 1] >= r->class[i];
        uint32_t joined = blocked ? 0 : compose(r->c[0], r->c[i]);
        if (joined) {
            r->c[0] = joined;
            continue;
        }
        r->c[kept] = r->c[i];
        r->class[kept++] = r->class[i];
    }
    r->n = kept;
}

/* No more marks come: order them, and join them where the form composes. */
static void close_run(run *r)
{
    bool composing = r->form == UC_NFC || r->form == UC_NFKC;
    sort_marks(r);
    if (composing && r->n > 1 && r->class[0] == 0) compose_run(r);
}

static void emit(run *r)
{
    for (size_t i = 0; i < r->n; i++)
        put(r->out, r->c[i]);
    r->n = 0;
}

static void add(run *r, uint32_t c)
{
    unsigned class = combining_class(c);
    if (class == 0 || r->n == RUN_MAX) {
        close_run(r);
        /* a starter may join the starter right before it (Hangul, some Indic vowels) */
        bool adjacent = class == 0 && r->n == 1 && r->class[0] == 0;
        bool composing = r->form == UC_NFC || r->form == UC_NFKC;
        uint32_t joined = adjacent && composing ? compose(r->c[0], c) : 0;
        if (joined) {
            r->c[0] = joined;
            return;
        }
        emit(r);
    }
    r->c[r->n] = c;
    r->class[r->n++] = (uint8_t) class;
}

static void decompose(run *r, uint32_t c, int depth)
{
    if (c - HANGUL_S < HANGUL_N_S) {
        uint32_t s = c - HANGUL_S, t = s % HANGUL_N_T;
        add(r, HANGUL_L + s / (HANGUL_N_V * HANGUL_N_T));
        add(r, HANGUL_V + s % (HANGUL_N_V * HANGUL_N_T) / HANGUL_N_T);
        if (t) add(r, HANGUL_T + t);
        return;
    }
    const uint32_t *row =
        uc_flags(c) & UC_NORM ? find(unicode_decomp, unicode_n_decomp, c) : NULL;
    bool compat = r->form == UC_NFKC || r->form == UC_NFKD;
    if (!row || (row[1] >> 31 && !compat) || depth == 16) {
        add(r, c);
        return;
    }
    for (uint32_t i = 0; i < (row[1] >> 24 & 0x7f); i++)
        decompose(r, unicode_decomp_pool[(row[1] & 0xffffff) + i], depth + 1);
}

bool uc_is_normalized(cn_str s, uc_form form)
{
    unsigned bad = form == UC_NFC ? UC_NFC_MAYBE : UC_NORM;
    for (size_t i = 0, len; i < s.n; i += len) {
        if ((unsigned char)s.p[i] < 0x80) {
            len = 1;
            continue;
        }
        uint32_t c = uc_next(s.p + i, s.n - i, &len);
        /* a mark in the wrong order is UC_NORM and not UC_NFC_MAYBE: ask for both */
        if (uc_flags(c) & bad || (form == UC_NFC && combining_class(c))) return false;
    }
    return true;
}

void uc_normalize(cn_buf *out, cn_str s, uc_form form)
{
    run r = {.n = 0, .form = form, .out = out};
    for (size_t i = 0, len; i < s.n; i += len) {
        uint32_t c = uc_next(s.p + i, s.n - i, &len);
        if (c == UC_INVALID) {
            close_run(&r);
            emit(&r);
            cn_buf_putc(out, s.p[i]);
        } else {
            decompose(&r, c, 0);
        }
    }
    close_run(&r);
    emit(&r);
}
