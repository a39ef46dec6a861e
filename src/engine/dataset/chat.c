#include "chat.h"

#include <string.h>

#include "compiler.h"
#include "mem.h"

#define GENERATE "{\"add_generation_prompt\":" /* then "true " or "false" */

static void add_token(cn_buf *b, const cn_tokenizer *t, const char *key, int32_t id)
{
    size_t n;
    const char *piece = id >= 0 ? cn_token_piece(t, id, &n) : NULL;
    if (!piece) return;
    cn_buf_printf(b, ",\"%s\":", key);
    cn_buf_json(b, (cn_str){piece, n});
}

/* The variables with the messages last, so that a shorter conversation is a shorter text. */
static cn_status write_variables(chat_text *c, const cn_tokenizer *t, const record *r,
                                 cn_err *err)
{
    cn_buf *b = &c->json;
    size_t n = cn_json_size(r->messages);
    size_t *ends = cn_realloc_array(c->ends, n + 1, sizeof *ends);
    if (!ends) return cn_fail(err, CN_E_NOMEM, "%zu messages", n);
    c->ends = ends;
    c->n_ends = n;
    cn_buf_clear(b);
    cn_buf_lit(b, GENERATE "false");
    add_token(b, t, "bos_token", cn_token_bos(t));
    add_token(b, t, "eos_token", cn_token_eos(t));
    add_token(b, t, "pad_token", cn_token_pad(t));
    add_token(b, t, "unk_token", cn_token_unk(t));
    if (!cn_json_is_null(r->tools)) {
        cn_buf_lit(b, ",\"tools\":");
        cn_json_write(b, r->tools);
    }
    cn_buf_lit(b, ",\"messages\":[");
    ends[0] = b->n;
    for (size_t i = 0; i < n; i++) {
        if (i) cn_buf_putc(b, ',');
        cn_json_write(b, cn_json_at(r->messages, i));
        ends[i + 1] = b->n;
    }
    cn_buf_lit(b, "]}  "); /* room to close a shorter one */
    return b->failed ? cn_fail(err, CN_E_NOMEM, "a conversation of %zu bytes", b->n) : CN_OK;
}

/* The first n messages, with or without the beginning of an answer. */
static cn_status render_first(chat_text *c, const cn_template *t, size_t n, bool generate,
                              int64_t now, cn_rendered *out, cn_err *err)
{
    char kept[2], *end = c->json.p + c->ends[n];
    memcpy(c->json.p + sizeof GENERATE - 1, generate ? "true " : "false", 5);
    memcpy(kept, end, 2);
    memcpy(end, "]}", 2);
    cn_status st = cn_template_render(t, c->json.p, c->ends[n] + 2, now, NULL, out, err);
    memcpy(end, kept, 2);
    return st;
}

static cn_status add_span(chat_text *c, size_t from, size_t to, cn_err *err)
{
    if (from >= to) return CN_OK;
    if (c->n_spans == c->alloc) {
        size_t alloc = c->alloc ? c->alloc * 2 : 16;
        chat_span *spans = cn_realloc_array(c->spans, alloc, sizeof *spans);
        if (!spans) return cn_fail(err, CN_E_NOMEM, "%zu spans", alloc);
        c->spans = spans;
        c->alloc = alloc;
    }
    c->spans[c->n_spans++] = (chat_span){from, to};
    return CN_OK;
}

/* Where the conversation's first n messages end in the whole text; 0 when the text does not
 * begin with them. */
static cn_status prefix_length(chat_text *c, const cn_template *t, size_t n, bool generate,
                               int64_t now, size_t *length, cn_err *err)
{
    cn_rendered part;
    cn_err why = {0};
    *length = 0;
    cn_status st = render_first(c, t, n, generate, now, &part, &why);
    if (st == CN_E_NOMEM) return cn_fail(err, st, "%s", why.why);
    if (!st && part.n <= c->text.n && memcmp(part.text, c->text.text, part.n) == 0)
        *length = part.n;
    cn_rendered_free(&part);
    return CN_OK;
}

static cn_str trimmed(cn_str s)
{
    while (s.n && strchr(" \t\r\n", s.p[0]))
        s = cn_str_skip(s, 1);
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* The first place from `at` on where `s` stands as data, and best as all of the data there. */
static size_t locate(const cn_rendered *in, size_t at, cn_str s)
{
    size_t found = SIZE_MAX;
    for (; at < in->n; at++) {
        const char *p = memmem(in->text + at, in->n - at, s.p, s.n);
        if (!p) break;
        at = (size_t)(p - in->text);
        if (memchr(in->trusted + at, 1, s.n)) continue;
        size_t end = at + s.n;
        bool whole = (at == 0 || in->trusted[at - 1]) && (end == in->n || in->trusted[end]);
        if (whole) return at;
        if (found == SIZE_MAX) found = at;
    }
    return found;
}

/* Behind the contents of messages [first, end), as far as the template wrote them. */
static size_t behind(const chat_text *c, const record *r, size_t first, size_t end, size_t at)
{
    for (size_t i = first; i < end; i++) {
        cn_str content = trimmed(record_content(cn_json_at(r->messages, i)));
        size_t found = content.n ? locate(&c->text, at, content) : SIZE_MAX;
        if (found != SIZE_MAX) at = found + content.n;
    }
    return at;
}

/* The ends that rendering could not tell, by the content; *from or *to is 0 then. */
static cn_status locate_turn(const chat_text *c, const record *r, size_t i, size_t at,
                             size_t *from, size_t *to, cn_err *err)
{
    const cn_json *m = cn_json_at(r->messages, i);
    cn_str content = trimmed(record_content(m));
    size_t found = content.n ? locate(&c->text, CN_MAX(*from, at), content) : SIZE_MAX;
    if (found == SIZE_MAX &&
        (content.n || !record_content(m).p || cn_json_get(m, "tool_calls")))
        return cn_fail(err, CN_E_FORMAT,
                       "message %zu (assistant) is not told apart in what the chat template "
                       "makes of the conversation",
                       i + 1);
    if (found == SIZE_MAX) { /* nothing is said */
        *from = *to = at;
        return CN_OK;
    }
    if (!*from) *from = found;
    if (*to < *from + content.n) *to = found + content.n;
    return CN_OK;
}

/* An answer goes from the end of what is rendered before it, with the beginning of an answer,
 * to the end of what is rendered with it: where both begin the whole text. Templates may tell
 * the past otherwise than the present (thoughts left out, a note at the end): there the content
 * is looked for, after those before it. */
static cn_status find_spans(chat_text *c, const cn_template *t, const record *r, int64_t now,
                            cn_err *err)
{
    cn_status st = CN_OK;
    size_t last = 0, first = 0;
    for (size_t i = 0; i < c->n_ends && !st; i++) {
        size_t from, to = c->text.n;
        if (!record_is_assistant(cn_json_at(r->messages, i))) continue;
        st = prefix_length(c, t, i, true, now, &from, err);
        if (!st && i + 1 < c->n_ends) st = prefix_length(c, t, i + 1, false, now, &to, err);
        if (from < last) from = 0;
        if (!st && (!from || to < from))
            st = locate_turn(c, r, i, from ? from : behind(c, r, first, i, last), &from, &to,
                             err);
        if (!st) st = add_span(c, from, to, err);
        last = CN_MAX(last, to);
        first = i + 1;
    }
    return st;
}

cn_status chat_render(chat_text *c, const cn_template *t, const cn_tokenizer *tokenizer,
                      const record *r, int64_t now_unix, bool whole, cn_err *err)
{
    cn_err why = {0};
    cn_rendered_free(&c->text);
    c->n_spans = 0;
    cn_status st = write_variables(c, tokenizer, r, err);
    if (st) return st;
    st = render_first(c, t, c->n_ends, false, now_unix, &c->text, &why);
    if (st == CN_E_NOMEM) return cn_fail(err, st, "%s", why.why);
    if (st) return cn_fail(err, CN_E_FORMAT, "the chat template: %s", why.why);
    c->ends_with_assistant =
        c->n_ends > 0 && record_is_assistant(cn_json_at(r->messages, c->n_ends - 1));
    return whole ? CN_OK : find_spans(c, t, r, now_unix, err);
}

void chat_deinit(chat_text *c)
{
    cn_rendered_free(&c->text);
    cn_free(c->spans);
    cn_free(c->ends);
    cn_buf_deinit(&c->json);
    *c = (chat_text){0};
}
