#include "record.h"

#include <string.h>

#include "compiler.h"
#include "unicode.h"
#include "utf8.h"

static cn_status check_text(cn_str s, cn_err *err)
{
    const char *nul = s.n ? memchr(s.p, '\0', s.n) : NULL;
    if (nul) return cn_fail(err, CN_E_FORMAT, "a NUL at byte %zu", (size_t)(nul - s.p) + 1);
    if (cn_utf8_valid(s.p, s.n)) return CN_OK;
    uint32_t rune;
    size_t at = 0, n;
    while ((n = cn_utf8_decode(s.p + at, s.n - at, &rune)) > 0)
        at += n;
    return cn_fail(err, CN_E_FORMAT, "no valid UTF-8: byte %zu is 0x%02X", at + 1,
                   (unsigned char)s.p[at]);
}

static bool is_blank(cn_str s)
{
    size_t len;
    for (; s.n; s = cn_str_skip(s, len))
        if (!uc_in(uc_next(s.p, s.n, &len), UC_SPACES)) return false;
    return true;
}

/* A member that must be a text without NUL. */
static cn_status text_member(const cn_json *object, const char *key, cn_str *out, cn_err *err)
{
    const cn_json *j = cn_json_get(object, key);
    if (!j) return cn_fail(err, CN_E_FORMAT, "\"%s\" is missing", key);
    *out = cn_json_str(j);
    if (!out->p) return cn_fail(err, CN_E_FORMAT, "\"%s\" is no text", key);
    if (memchr(out->p, '\0', out->n))
        return cn_fail(err, CN_E_FORMAT, "\"%s\" holds a NUL character", key);
    return CN_OK;
}

bool record_is_assistant(const cn_json *message)
{
    const cn_json *role = cn_json_get(message, "role");
    return cn_json_is(role, "assistant") || cn_json_is(role, "model");
}

cn_str record_content(const cn_json *message)
{
    return cn_json_str(cn_json_get(message, "content"));
}

/* Contents are texts, arrays of parts, or (beside calls of tools) null. */
static cn_status check_message(const cn_json *m, size_t number, cn_err *err)
{
    const cn_json *content = cn_json_get(m, "content");
    cn_str role = cn_json_str(cn_json_get(m, "role")), text = cn_json_str(content);
    if (cn_json_kind_of(m) != CN_JSON_OBJECT)
        return cn_fail(err, CN_E_FORMAT, "message %zu is no object", number);
    if (!role.p || !role.n)
        return cn_fail(err, CN_E_FORMAT, "message %zu has no \"role\"", number);
    if (cn_json_is_null(content) && cn_json_is_null(cn_json_get(m, "tool_calls")))
        return cn_fail(err, CN_E_FORMAT, "message %zu has no \"content\"", number);
    if (!cn_json_is_null(content) && !text.p && cn_json_kind_of(content) != CN_JSON_ARRAY)
        return cn_fail(err, CN_E_FORMAT, "\"content\" of message %zu is no text", number);
    if (memchr(role.p, '\0', role.n) || (text.n && memchr(text.p, '\0', text.n)))
        return cn_fail(err, CN_E_FORMAT, "message %zu holds a NUL character", number);
    return CN_OK;
}

/* Empty: nobody says anything, or the assistant speaks but says nothing. */
static cn_status read_messages(record *r, cn_err *err)
{
    size_t n = cn_json_size(r->messages);
    bool assistant = false, said = false;
    if (cn_json_kind_of(r->messages) != CN_JSON_ARRAY)
        return cn_fail(err, CN_E_FORMAT, "\"messages\" is no array");
    for (size_t i = 0; i < n; i++) {
        const cn_json *m = cn_json_at(r->messages, i);
        cn_status st = check_message(m, i + 1, err);
        if (st) return st;
        cn_str text = record_content(m);
        if (!record_is_assistant(m)) continue;
        assistant = true;
        said |= !text.p || !is_blank(text);
    }
    r->empty = n == 0 || (assistant && !said);
    return CN_OK;
}

/* The parser's own line number is always 1. */
static cn_status read_json(record *r, cn_str bytes, cn_err *err)
{
    cn_err why = {0};
    cn_status st = cn_json_parse(&r->root, bytes, &why);
    const char *column = strstr(why.why, "column");
    return st ? cn_fail(err, st, "no valid JSON: %s", column ? column : why.why) : CN_OK;
}

/* Two for one quote, the outer ones away. */
static cn_str unquote(cn_buf *out, cn_str field)
{
    size_t at = out->n;
    bool quoted = field.n >= 2 && field.p[0] == '"';
    if (quoted) field = (cn_str){field.p + 1, field.n - 2};
    for (size_t i = 0; i < field.n; i++) {
        cn_buf_putc(out, field.p[i]);
        i += quoted && field.p[i] == '"';
    }
    return (cn_str){NULL, out->n - at};
}

static cn_status read_csv(record *r, const source *s, cn_str bytes, cn_err *err)
{
    cn_str field, found[ROLES] = {{0}};
    const char *bad = NULL;
    uint32_t n = 0;
    cn_buf_clear(&r->fields);
    for (; source_csv_field(&bytes, s->separator, &field, &bad) && !bad; n++)
        for (int k = 0; k < ROLES; k++)
            if (s->column[k] == (int32_t)n) found[k] = unquote(&r->fields, field);
    if (bad) return cn_fail(err, CN_E_FORMAT, "field %u: %s", n + 1, bad);
    if (n != s->n_columns)
        return cn_fail(err, CN_E_FORMAT, "%u fields, the header has %u", n, s->n_columns);
    if (r->fields.failed) return cn_fail(err, CN_E_NOMEM, "a record of %zu bytes", bytes.n);
    size_t at = 0;
    for (int32_t column = 0; column < (int32_t)n; column++)
        for (int k = 0; k < ROLES; k++) {
            if (s->column[k] != column) continue;
            found[k].p = r->fields.p ? r->fields.p + at : "";
            at += found[k].n;
        }
    r->text = found[ROLE_TEXT];
    r->prompt = found[ROLE_PROMPT];
    r->completion = found[ROLE_COMPLETION];
    r->form = r->prompt.p && r->completion.p ? RECORD_PAIR : RECORD_TEXT;
    return CN_OK;
}

/* "messages" before "prompt" and "completion" before "text". */
static cn_status read_members(record *r, cn_err *err)
{
    if (cn_json_kind_of(r->root) != CN_JSON_OBJECT)
        return cn_fail(err, CN_E_FORMAT, "the line holds no JSON object");
    r->messages = cn_json_get(r->root, "messages");
    r->tools = cn_json_get(r->root, "tools");
    if (r->messages) {
        r->form = RECORD_MESSAGES;
        return read_messages(r, err);
    }
    bool prompt = cn_json_get(r->root, "prompt"),
         completion = cn_json_get(r->root, "completion");
    bool text = cn_json_get(r->root, "text");
    if ((prompt && completion) || ((prompt || completion) && !text)) {
        r->form = RECORD_PAIR;
        cn_status st = text_member(r->root, "prompt", &r->prompt, err);
        return st ? st : text_member(r->root, "completion", &r->completion, err);
    }
    r->form = RECORD_TEXT;
    if (!text)
        return cn_fail(err, CN_E_FORMAT,
                       "none of \"text\", \"prompt\" and \"completion\", \"messages\"");
    return text_member(r->root, "text", &r->text, err);
}

cn_status record_read(record *r, const source *s, const source_record *from, cn_err *err)
{
    cn_buf fields = r->fields;
    cn_json_free(r->root);
    *r = (record){.fields = fields};
    if (from->bad) return cn_fail(err, CN_E_FORMAT, "%s", from->bad);
    cn_status st = check_text(from->bytes, err);
    if (!st && s->csv) st = read_csv(r, s, from->bytes, err);
    if (!st && !s->csv) st = read_json(r, from->bytes, err);
    if (!st && !s->csv) st = read_members(r, err);
    if (st) return st;
    if (r->form == RECORD_TEXT) r->empty = is_blank(r->text);
    if (r->form == RECORD_PAIR) r->empty = is_blank(r->completion);
    return CN_OK;
}

void record_deinit(record *r)
{
    cn_json_free(r->root);
    cn_buf_deinit(&r->fields);
    *r = (record){0};
}

/* Letters and digits, lower case, whatever stands between them. */
static bool add_near(digest *d, cn_str s)
{
    bool any = false;
    size_t len;
    for (; s.n; s = cn_str_skip(s, len)) {
        uint32_t c = uc_next(s.p, s.n, &len);
        if (!uc_in(c, UC_LETTERS | UC_MARKS | UC_NUMBERS)) continue;
        digest_word(d, uc_lower(c));
        any = true;
    }
    return any;
}

/* What is said in a message, parts and calls as their JSON. */
static bool add_message(record_digests *d, const cn_json *m)
{
    cn_str role = cn_json_str(cn_json_get(m, "role")), text = record_content(m);
    cn_buf written = {0};
    digest_bytes(&d->exact, role.p, role.n);
    if (!text.p || cn_json_get(m, "tool_calls")) {
        cn_json_write(&written, m);
        text = cn_buf_view(&written);
    }
    digest_bytes(&d->exact, text.p, text.n);
    digest_word(&d->near, UINT64_MAX); /* words do not move between messages */
    bool any = add_near(&d->near, text);
    cn_buf_deinit(&written);
    return any;
}

/* The prompt of a conversation is what stands before the assistant's last message. */
static void add_messages(record_digests *d, const cn_json *messages)
{
    size_t n = cn_json_size(messages), last = n;
    bool any = false;
    while (last > 0 && !record_is_assistant(cn_json_at(messages, last - 1)))
        last--;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == last && any) {
            d->prompt = d->near;
            d->has_prompt = true;
        }
        any |= add_message(d, cn_json_at(messages, i));
    }
}

record_digests record_digests_of(const record *r)
{
    record_digests d = {.near = digest_begin(r->form == RECORD_MESSAGES),
                        .exact = digest_begin(r->form)};
    if (r->form == RECORD_MESSAGES) {
        cn_buf tools = {0};
        add_messages(&d, r->messages);
        if (r->tools) cn_json_write(&tools, r->tools);
        digest_bytes(&d.exact, tools.p, tools.n);
        cn_buf_deinit(&tools);
    } else if (r->form == RECORD_PAIR) {
        d.has_prompt = add_near(&d.near, r->prompt);
        d.prompt = d.near;
        add_near(&d.near, r->completion);
        digest_bytes(&d.exact, r->prompt.p, r->prompt.n);
        digest_bytes(&d.exact, r->completion.p, r->completion.n);
    } else {
        add_near(&d.near, r->text);
        digest_bytes(&d.exact, r->text.p, r->text.n);
    }
    return d;
}

static uint64_t characters(cn_str s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

void record_characters(const record *r, bool all, uint64_t *n, uint64_t *n_loss)
{
    *n = characters(r->text) + characters(r->prompt) + characters(r->completion);
    *n_loss = characters(r->text) + characters(r->completion);
    for (size_t i = 0; r->form == RECORD_MESSAGES && i < cn_json_size(r->messages); i++) {
        const cn_json *m = cn_json_at(r->messages, i);
        uint64_t size = characters(record_content(m));
        if (!record_content(m).p) size = 1; /* parts or calls: something is there */
        *n += size;
        *n_loss += record_is_assistant(m) ? size : 0;
    }
    if (all) *n_loss = *n;
}
