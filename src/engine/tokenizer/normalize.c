/* The steps of normalisation, each from one buffer into another. */
#include "normalize.h"

cn_status norm_add(normalizer *z, norm_step step, cn_err *err)
{
    if (z->n == NORM_MAX_STEPS)
        return cn_fail(err, CN_E_LIMIT, "normalizer of over %d steps", NORM_MAX_STEPS);
    z->steps[z->n++] = step;
    return CN_OK;
}

static void strip_accents(cn_buf *out, cn_str s)
{
    for (size_t i = 0, len; i < s.n; i += len) {
        uint32_t c = uc_next(s.p + i, s.n - i, &len);
        if (uc_category(c) != UC_MN) cn_buf_append(out, s.p + i, len);
    }
}

static void replace(cn_buf *out, cn_str s, cn_str from, cn_str to)
{
    while (s.n) {
        const char *hit = from.n ? memmem(s.p, s.n, from.p, from.n) : NULL;
        size_t before = hit ? (size_t)(hit - s.p) : s.n;
        cn_buf_append(out, s.p, before);
        if (hit) cn_buf_str(out, to);
        s = cn_str_skip(s, before + (hit ? from.n : 0));
    }
}

static void squeeze_spaces(cn_buf *out, cn_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' || i == 0 || s.p[i - 1] != ' ') cn_buf_putc(out, s.p[i]);
}

static void words(cn_buf *out, cn_str s)
{
    bool inside = false;
    for (size_t i = 0, len; i < s.n; i += len) {
        bool space = uc_in(uc_next(s.p + i, s.n - i, &len), UC_SPACES);
        if (!space && !inside) cn_buf_putc(out, ' ');
        if (!space) cn_buf_append(out, s.p + i, len);
        inside = !space;
    }
}

static cn_str strip(cn_str s, norm_kind side)
{
    size_t len;
    while (side == NORM_STRIP_LEFT && s.n && uc_in(uc_next(s.p, s.n, &len), UC_SPACES))
        s = cn_str_skip(s, len);
    while (side == NORM_STRIP_RIGHT && s.n) {
        size_t at = s.n - 1;
        while (at > 0 && s.n - at < 4 && (s.p[at] & 0xc0) == 0x80)
            at--;
        if (!uc_in(uc_next(s.p + at, s.n - at, &len), UC_SPACES) || at + len != s.n) break;
        s.n = at;
    }
    return s;
}

/* BERT: control characters vanish, every white space is a blank. */
static void bert_clean(cn_buf *out, cn_str s)
{
    for (size_t i = 0, len; i < s.n; i += len) {
        uint32_t c = uc_next(s.p + i, s.n - i, &len);
        unsigned category = uc_category(c);
        bool is_line = c == '\t' || c == '\n' || c == '\r';
        if (is_line || (UC_BIT(category) & UC_SPACES && category != UC_CC_SPACE)) {
            cn_buf_putc(out, ' ');
            continue;
        }
        bool is_other = category >= UC_CC && category != UC_CN;
        if (c == 0xfffd || c == UC_INVALID || is_other) continue;
        cn_buf_append(out, s.p + i, len);
    }
}

static bool is_ideograph(uint32_t c)
{
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
           (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b820 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static void bert_cjk(cn_buf *out, cn_str s)
{
    for (size_t i = 0, len; i < s.n; i += len) {
        bool apart = is_ideograph(uc_next(s.p + i, s.n - i, &len));
        if (apart) cn_buf_putc(out, ' ');
        cn_buf_append(out, s.p + i, len);
        if (apart) cn_buf_putc(out, ' ');
    }
}

/* True when the step would leave `s` as it is. */
static bool is_idle(const norm_step *p, cn_str s, bool is_first)
{
    switch (p->kind) {
    case NORM_NFC:
    case NORM_NFD:
    case NORM_NFKC:
    case NORM_NFKD:
        return uc_is_normalized(s, (uc_form)p->kind);
    case NORM_PREPEND:
        return s.n == 0 || (p->first_only && !is_first);
    case NORM_PREPEND_UNLESS:
        return s.n == 0 || (p->first_only && !is_first) || cn_str_starts(s, p->to);
    case NORM_REPLACE:
        return s.n == 0 || p->from.n == 0 || !memmem(s.p, s.n, p->from.p, p->from.n);
    default:
        return s.n == 0;
    }
}

static void run_step(cn_buf *out, const norm_step *p, cn_str s)
{
    switch (p->kind) {
    case NORM_NFC:
    case NORM_NFD:
    case NORM_NFKC:
    case NORM_NFKD:
        uc_normalize(out, s, (uc_form)p->kind);
        break;
    case NORM_LOWER:
        uc_lower_text(out, s);
        break;
    case NORM_STRIP_ACCENTS:
        strip_accents(out, s);
        break;
    case NORM_PREPEND:
    case NORM_PREPEND_UNLESS:
        cn_buf_str(out, p->to);
        cn_buf_str(out, s);
        break;
    case NORM_REPLACE:
        replace(out, s, p->from, p->to);
        break;
    case NORM_SQUEEZE_SPACES:
        squeeze_spaces(out, s);
        break;
    case NORM_WORDS:
        words(out, s);
        break;
    case NORM_STRIP_LEFT:
    case NORM_STRIP_RIGHT:
        cn_buf_str(out, strip(s, p->kind));
        break;
    case NORM_CHARSMAP:
        charsmap_run(out, p->from, s);
        break;
    case NORM_BERT_CLEAN:
        bert_clean(out, s);
        break;
    case NORM_BERT_CJK:
        bert_cjk(out, s);
        break;
    }
}

cn_str norm_run(const normalizer *z, cn_str s, bool is_first, cn_buf *a, cn_buf *b)
{
    for (size_t i = 0; i < z->n; i++) {
        const norm_step *p = &z->steps[i];
        if (is_idle(p, s, is_first)) continue;
        cn_buf *out = s.p == a->p && s.n ? b : a;
        cn_buf_clear(out);
        run_step(out, p, s);
        if (out->failed) return (cn_str){"", 0};
        s = out->n ? cn_buf_view(out) : (cn_str){"", 0};
    }
    return s;
}
