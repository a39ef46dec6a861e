/* Pre-tokenizers: hand-written matchers of the common patterns, and the cutting around matches.
 */
#include "pretok.h"

#include "mem.h"

cn_status pretok_add(pretok *p, pre_stage stage, cn_err *err)
{
    if (p->n == PRE_MAX_STAGES) {
        pre_regex_free(stage.regex);
        return cn_fail(err, CN_E_LIMIT, "pre-tokenizer of over %d stages", PRE_MAX_STAGES);
    }
    p->stages[p->n++] = stage;
    return CN_OK;
}

void pretok_deinit(pretok *p)
{
    for (size_t i = 0; i < p->n; i++)
        pre_regex_free(p->stages[i].regex);
    *p = (pretok){0};
}

/* Classes of characters, as bits. */
enum { L = 1, N = 2, S = 4, O = 8, NL = 16 };

static const uint8_t ascii_class[128] = {
    O, O, O, O, O, O, O, O, O, S, S | NL, S, S, S | NL, O, O, O, O, O, O, O, O, O, O, O, O,
    O, O, O, O, O, O, S, O, O, O, O,      O, O, O,      O, O, O, O, O, O, O, O, N, N, N, N,
    N, N, N, N, N, N, O, O, O, O, O,      O, O, L,      L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L,      L, L, O,      O, O, O, O, O, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L,      L, L, L,      L, L, L, L, L, O, O, O, O, O};

/* Class and length of the character at `at`; 0 and length 0 at the end. */
static inline unsigned class_at(cn_str s, size_t at, size_t *len)
{
    *len = 0;
    if (at >= s.n) return 0;
    unsigned char c = (unsigned char)s.p[at];
    *len = 1;
    if (c < 0x80) return ascii_class[c];
    unsigned bit = UC_BIT(uc_category(uc_next(s.p + at, s.n - at, len)));
    return bit & UC_LETTERS ? L : bit & UC_NUMBERS ? N : bit & UC_SPACES ? S : O;
}

/* The end of the run of characters of these classes, at most `max` of them. */
static size_t run_end(cn_str s, size_t at, unsigned set, size_t max)
{
    for (size_t len; max > 0 && class_at(s, at, &len) & set; max--)
        at += len;
    return at;
}

/* The length of 's 't 're 've 'm 'll 'd at `at`, 0 when there is none. */
static size_t contraction(cn_str s, size_t at, bool any_case)
{
    if (at + 1 >= s.n || s.p[at] != '\'') return 0;
    char a = s.p[at + 1], b = at + 2 < s.n ? s.p[at + 2] : 0;
    if (any_case && a == '\xc5' && b == '\xbf') return 3; /* long s is an s of another case */
    if (any_case) {
        a = a >= 'A' && a <= 'Z' ? (char)(a + 32) : a;
        b = b >= 'A' && b <= 'Z' ? (char)(b + 32) : b;
    }
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    bool two = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
    return two ? 3 : 0;
}

/* \s+(?!\S)|\s+ : white space up to the last one before a word. */
static size_t space_end(cn_str s, size_t at)
{
    size_t end = at, last = at, len;
    while (class_at(s, end, &len) & S) {
        last = end;
        end += len;
    }
    return end < s.n && last > at ? last : end;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t next_gpt2(cn_str s, size_t at)
{
    size_t len, short_form = contraction(s, at, false);
    if (short_form) return at + short_form;
    size_t word = at + (s.p[at] == ' ');
    unsigned class = class_at(s, word, &len);
    if (class & (L | N | O)) return run_end(s, word + len, class, SIZE_MAX);
    return space_end(s, at);
}

/* \s*[\r\n]+ : where the last line end of the white space is; `at` when it has none. */
static size_t newline_end(cn_str s, size_t at)
{
    size_t end = at, len;
    for (unsigned class; (class = class_at(s, at, &len)) & S;) {
        at += len;
        if (class & NL) end = at;
    }
    return end;
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
 * |\s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t next_llama3(cn_str s, size_t at, size_t max_digits)
{
    size_t len, next_len, short_form = contraction(s, at, true);
    if (short_form) return at + short_form;
    unsigned class = class_at(s, at, &len);
    if (class & L) return run_end(s, at + len, L, SIZE_MAX);
    if (class & N) return run_end(s, at, N, max_digits);
    unsigned next = class_at(s, at + len, &next_len);
    if (!(class & NL) && next & L) return run_end(s, at + len, L, SIZE_MAX);
    if (class & O || (s.p[at] == ' ' && next & O))
        return run_end(s, run_end(s, at + len, O, SIZE_MAX), NL, SIZE_MAX);
    size_t end = newline_end(s, at);
    return end > at ? end : space_end(s, at);
}

static bool is_punct(uint32_t c)
{
    if (c < 0x80) return ascii_class[c] == O && c > ' ' && c != 127;
    return uc_in(c, UC_PUNCT);
}

/* White space is dropped, each punctuation mark is a word. */
static size_t next_bert(cn_str s, size_t at, bool *drop)
{
    size_t len;
    for (size_t i = at; i < s.n; i += len) {
        uint32_t c = uc_next(s.p + i, s.n - i, &len);
        bool space = uc_in(c, UC_SPACES);
        if (!space && !is_punct(c)) continue;
        *drop = space && i == at;
        return i == at ? i + len : i;
    }
    return s.n;
}

static size_t next_nonspace(cn_str s, size_t at, bool *drop)
{
    size_t len;
    unsigned class = class_at(s, at, &len);
    *drop = class & S;
    return run_end(s, at + len, *drop ? S : (L | N | O), SIZE_MAX);
}

static size_t next_with_space(cn_str s, size_t at)
{
    while (at < s.n && s.p[at] == ' ')
        at++;
    const char *space = at < s.n ? memchr(s.p + at, ' ', s.n - at) : NULL;
    return space ? (size_t)(space - s.p) : s.n;
}

/* Is the letter for this byte a number? The digits, and six of Latin-1: it does cut characters
 * apart, but so did those who made the vocabulary. */
static bool is_number_letter(unsigned char b)
{
    return (b >= '0' && b <= '9') || (b && strchr("\xb2\xb3\xb9\xbc\xbd\xbe", b));
}

static void find_number_letters(const pre_stage *p, cn_str s, size_t at, size_t *start,
                                size_t *end)
{
    while (at < s.n && !is_number_letter((unsigned char)s.p[at]))
        at++;
    for (*start = at; at < s.n && is_number_letter((unsigned char)s.p[at]); at++)
        if (p->single && at > *start) break;
    *end = at;
}

/* The first match of a stage at or after `at`; *start is s.n when there is none. */
static cn_status find(const pre_stage *p, cn_str s, size_t at, size_t *start, size_t *end,
                      cn_err *err)
{
    bool found = false;
    size_t len;
    *start = *end = s.n;
    if (p->kind == PRE_REGEX) {
        cn_status st = pre_regex_find(p->regex, s, at, start, end, &found, err);
        if (!st && found && (*start < at || *end <= *start))
            return cn_fail(err, CN_E_UNSUPPORTED, "pre-tokenizer expression matches backwards");
        if (!found) *start = *end = s.n;
        return st;
    }
    if (p->kind == PRE_STRING) {
        const char *hit = memmem(s.p + at, s.n - at, p->text.p, p->text.n);
        if (hit) *start = (size_t)(hit - s.p);
        if (hit) *end = *start + p->text.n;
        return CN_OK;
    }
    if (p->on_letters) {
        find_number_letters(p, s, at, start, end);
        return CN_OK;
    }
    for (size_t i = at; i < s.n; i += len) {
        uint32_t c = uc_next(s.p + i, s.n - i, &len);
        bool hit = p->kind == PRE_PUNCT ? is_punct(c) : uc_in(c, UC_NUMBERS);
        if (!hit) continue;
        *start = i;
        *end = p->kind == PRE_DIGITS && !p->single ? run_end(s, i, N, SIZE_MAX) : i + len;
        return CN_OK;
    }
    return CN_OK;
}

/* The cutting around matches; a piece from `at` to *out. The match that is found once is kept
 * in m[0], m[1] for the next call. */
static cn_status next_split(const pre_stage *p, cn_str s, size_t at, size_t m[2], size_t *out,
                            bool *drop, cn_err *err)
{
    cn_status st = CN_OK;
    if (m[0] < at || m[1] <= at) st = find(p, s, at, &m[0], &m[1], err);
    if (st) return st;
    bool on_match = m[0] == at && at < s.n;
    *out = on_match ? m[1] : m[0];
    if (p->behaviour == PRE_REMOVED) *drop = on_match != p->invert;
    if (p->behaviour == PRE_MERGED_WITH_PREVIOUS) *out = m[1];
    if (!on_match || p->behaviour < PRE_MERGED_WITH_NEXT) return CN_OK;
    do {
        st = find(p, s, *out, &m[0], &m[1], err);
        if (st) return st;
        if (p->behaviour == PRE_MERGED_WITH_NEXT)
            *out = m[0];
        else if (m[0] == *out)
            *out = m[1];
        else
            break;
    } while (p->behaviour == PRE_CONTIGUOUS && *out < s.n);
    return CN_OK;
}

static cn_status run_stage(const pretok *p, size_t i, cn_str s, pretok_fn *fn, void *ctx,
                           cn_err *err)
{
    if (i == p->n) return fn(ctx, s);
    const pre_stage *stage = &p->stages[i];
    size_t match[2] = {0, 0}, end = 0;
    cn_status st = CN_OK;
    for (size_t at = 0; at < s.n && !st; at = end) {
        bool drop = false;
        switch (stage->kind) {
        case PRE_GPT2:
            end = next_gpt2(s, at);
            break;
        case PRE_LLAMA3:
            end = next_llama3(s, at, 3);
            break;
        case PRE_QWEN2:
            end = next_llama3(s, at, 1);
            break;
        case PRE_BERT:
            end = next_bert(s, at, &drop);
            break;
        case PRE_SPACES:
            end = next_nonspace(s, at, &drop);
            break;
        case PRE_WORDS_WITH_SPACE:
            end = next_with_space(s, at);
            break;
        default:
            st = next_split(stage, s, at, match, &end, &drop, err);
        }
        if (!st && !drop && end > at)
            st = run_stage(p, i + 1, (cn_str){s.p + at, end - at}, fn, ctx, err);
    }
    return st;
}

cn_status pretok_run(const pretok *p, cn_str text, pretok_fn *fn, void *ctx, cn_err *err)
{
    return text.n ? run_stage(p, 0, text, fn, ctx, err) : CN_OK;
}
