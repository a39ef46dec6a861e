/* From ids to text. The decoder owns its two buffers, sized at the start for the longest token,
 * so that a token costs no allocation. */
#include "mem.h"
#include "tokenizer_priv.h"

struct cn_decoder {
    const cn_tokenizer *t;
    unsigned flags;
    bool is_first;    /* nothing was given yet */
    char *raw, *text; /* bytes that are not shown yet; what the last call gave */
    size_t n_raw;
};

/* The bytes of one token in running text, in two parts. */
typedef struct spelled {
    bool space; /* comes first */
    cn_str text;
} spelled;

static spelled spell(const cn_tokenizer *t, int32_t id, unsigned flags, bool is_first)
{
    if (vocab_is_control(&t->v, (size_t)id)) {
        if (!(flags & CN_DECODE_SPECIAL)) return (spelled){false, {"", 0}};
        return (spelled){t->model == TOK_WORDPIECE && !is_first,
                         vocab_piece(&t->v, (size_t)id)};
    }
    cn_str s = vocab_bytes(&t->v, (size_t)id);
    bool strip = is_first && t->strip_first_space && !(flags & CN_DECODE_KEEP_SPACE);
    if (strip && s.n && s.p[0] == ' ' && t->v.tokens[id].kind != TOK_USER)
        s = cn_str_skip(s, 1);
    return (spelled){false, s};
}

/* Was this token the first that counts? */
static bool counts(const cn_tokenizer *t, int32_t id, unsigned flags)
{
    return flags & CN_DECODE_SPECIAL || !vocab_is_control(&t->v, (size_t)id);
}

static cn_status check_id(const cn_tokenizer *t, int32_t id, cn_err *err)
{
    if (id >= 0 && (size_t)id < t->v.n) return CN_OK;
    return cn_fail(err, CN_E_ARG, "token %d, the vocabulary has 0 to %zu", (int)id,
                   t->v.n ? t->v.n - 1 : 0);
}

cn_status cn_decoder_new(cn_decoder **out, const cn_tokenizer *t, unsigned flags, cn_err *err)
{
    size_t most = t->v.max_bytes + 8;
    *out = NULL;
    cn_decoder *d = cn_xcalloc(1, sizeof *d);
    *d = (cn_decoder){.t = t, .flags = flags, .is_first = true};
    d->raw = cn_alloc_array(most, 1);
    d->text = cn_alloc_array(most, 3); /* a byte may become the three of U+FFFD */
    if (!d->raw || !d->text) {
        cn_decoder_free(d);
        return cn_fail(err, CN_E_NOMEM, "decoder of %zu bytes", 4 * most);
    }
    *out = d;
    return CN_OK;
}

void cn_decoder_free(cn_decoder *d)
{
    if (!d) return;
    cn_free(d->raw);
    cn_free(d->text);
    cn_free(d);
}

/* Shows the first n raw bytes as characters. */
static void show(cn_decoder *d, size_t n, const char **text, size_t *n_text)
{
    size_t at = 0;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c = uc_next(d->raw + i, n - i, &len);
        memcpy(d->text + at, c == UC_INVALID ? "\xef\xbf\xbd" : d->raw + i,
               c == UC_INVALID ? 3 : len);
        at += c == UC_INVALID ? 3 : len;
    }
    memmove(d->raw, d->raw + n, d->n_raw - n);
    d->n_raw -= n;
    *text = d->text;
    *n_text = at;
}

cn_status cn_decoder_next(cn_decoder *d, int32_t id, const char **text, size_t *n, cn_err *err)
{
    *text = "";
    *n = 0;
    cn_status st = check_id(d->t, id, err);
    if (st) return st;
    spelled s = spell(d->t, id, d->flags, d->is_first);
    if (s.space) d->raw[d->n_raw++] = ' ';
    memcpy(d->raw + d->n_raw, s.text.p, s.text.n);
    d->n_raw += s.text.n;
    if (counts(d->t, id, d->flags)) d->is_first = false;
    show(d, cn_utf8_complete(d->raw, d->n_raw), text, n);
    return CN_OK;
}

void cn_decoder_end(cn_decoder *d, const char **text, size_t *n)
{
    show(d, d->n_raw, text, n);
    d->is_first = true;
}

cn_status cn_decode(const cn_tokenizer *t, const int32_t *ids, size_t n_ids, unsigned flags,
                    char **text, size_t *n, cn_err *err)
{
    cn_buf b = {0};
    bool is_first = true;
    *text = NULL;
    *n = 0;
    for (size_t i = 0; i < n_ids; i++) {
        cn_status st = check_id(t, ids[i], err);
        if (st) {
            cn_buf_deinit(&b);
            return st;
        }
        spelled s = spell(t, ids[i], flags, is_first);
        if (s.space) cn_buf_putc(&b, ' ');
        cn_buf_str(&b, s.text);
        if (counts(t, ids[i], flags)) is_first = false;
    }
    size_t n_text = b.n;
    char *owned = cn_buf_take(&b);
    if (!owned) return cn_fail(err, CN_E_NOMEM, "text of %zu bytes", n_text);
    *text = owned;
    *n = n_text;
    return CN_OK;
}

void cn_text_free(char *text)
{
    cn_free(text);
}
