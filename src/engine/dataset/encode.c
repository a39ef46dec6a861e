#include "encode.h"

#include <string.h>

#include "compiler.h"

/* Text with the origin of each byte; marks NULL: all of it is data. */
typedef struct marked {
    const char *p;
    const uint8_t *marks;
    size_t n;
} marked;

static cn_status encode(const encoder *e, marked s, cn_tokens *out, cn_err *err)
{
    return cn_encode_marked(e->t, s.n ? s.p : "", s.n, s.marks, s.marks ? CN_PARSE_SPECIAL : 0,
                            out, err);
}

/* The rules are what surrounds a letter. */
cn_status encoder_init(encoder *e, const cn_tokenizer *t, bool no_eos, cn_err *err)
{
    cn_tokens plain = {0}, ruled = {0};
    size_t n, at = 0;
    *e = (encoder){.t = t, .eos = no_eos ? -1 : cn_token_eos(t)};
    cn_status st = cn_encode(t, "a", 1, 0, &plain, err);
    if (!st) st = cn_encode(t, "a", 1, CN_ADD_SPECIAL, &ruled, err);
    while (!st && at + plain.n < ruled.n &&
           memcmp(ruled.ids + at, plain.ids, plain.n * sizeof *plain.ids) != 0)
        at++;
    for (size_t i = 0; i < ruled.n && !st; i++) {
        if (i >= at && i < at + plain.n) continue;
        st = cn_tokens_push(i < at ? &e->before : &e->after, ruled.ids[i], err);
    }
    const char *first = !st && plain.n ? cn_token_bytes(t, plain.ids[0], &n) : NULL;
    e->glued = first && n > 0 && first[0] == ' ';
    cn_tokens_free(&plain);
    cn_tokens_free(&ruled);
    if (st) encoder_deinit(e);
    return st;
}

void encoder_deinit(encoder *e)
{
    cn_tokens_free(&e->before);
    cn_tokens_free(&e->after);
}

void encoded_deinit(encoded *e)
{
    cn_tokens_free(&e->ids);
    cn_tokens_free(&e->part);
    cn_buf_deinit(&e->loss);
    cn_buf_deinit(&e->text);
    cn_buf_deinit(&e->marks);
}

/* Ids of `s` behind an anchor that is taken off again: no blank gets put before it then. False
 * when the anchor cannot be told from what follows. */
static cn_status behind_anchor(const encoder *e, cn_str anchor, marked s, encoded *w,
                               bool *done, cn_err *err)
{
    cn_tokens alone = {0};
    marked a = {anchor.p, NULL, anchor.n};
    cn_buf_clear(&w->text);
    cn_buf_clear(&w->marks);
    cn_buf_str(&w->text, anchor);
    cn_buf_append(&w->text, s.p, s.n);
    uint8_t *marks = cn_buf_extend(&w->marks, anchor.n + s.n);
    if (w->text.failed || !marks) return cn_fail(err, CN_E_NOMEM, "a text of %zu bytes", s.n);
    memset(marks, 1, anchor.n);
    if (s.marks)
        memcpy(marks + anchor.n, s.marks, s.n);
    else
        memset(marks + anchor.n, 0, s.n);
    a.marks = marks;
    w->part.n = 0;
    cn_status st = encode(e, a, &alone, err);
    if (!st) st = encode(e, (marked){w->text.p, marks, w->text.n}, &w->part, err);
    *done = !st && alone.n > 0 && alone.n <= w->part.n &&
            memcmp(alone.ids, w->part.ids, alone.n * sizeof *alone.ids) == 0;
    if (*done) {
        w->part.n -= alone.n;
        memmove(w->part.ids, w->part.ids + alone.n, w->part.n * sizeof *w->part.ids);
    }
    cn_tokens_free(&alone);
    return st;
}

/* w->part: the ids that `s` adds to a text whose last id is `last` (-1: it begins one). */
static cn_status continued(const encoder *e, int32_t last, marked s, encoded *w, cn_err *err)
{
    cn_str anchor = CN_STR("\n");
    bool done = false;
    cn_status st = CN_OK;
    if (last >= 0 && e->glued && s.n) {
        if (cn_token_is_control(e->t, last)) anchor.p = cn_token_piece(e->t, last, &anchor.n);
        st = behind_anchor(e, anchor, s, w, &done, err);
    }
    if (st || done) return st;
    w->part.n = 0;
    return encode(e, s, &w->part, err);
}

static cn_status push(encoded *out, const int32_t *ids, size_t n, bool loss, cn_err *err)
{
    cn_status st = CN_OK;
    char *mask = n ? cn_buf_extend(&out->loss, n) : NULL;
    if (n && !mask) return cn_fail(err, CN_E_NOMEM, "a mask of %zu tokens", n);
    if (n) memset(mask, loss, n);
    for (size_t i = 0; i < n && !st; i++)
        st = cn_tokens_push(&out->ids, ids[i], err);
    return st;
}

static cn_status push_eos(const encoder *e, encoded *out, cn_err *err)
{
    size_t n = out->ids.n;
    if (e->eos < 0 || (n && out->ids.ids[n - 1] == e->eos)) return CN_OK;
    return push(out, &e->eos, 1, true, err);
}

cn_status encode_text(const encoder *e, cn_str text, encoded *out, cn_err *err)
{
    size_t at = out->ids.n;
    cn_status st = push(out, e->before.ids, e->before.n, true, err);
    if (!st) st = continued(e, -1, (marked){text.p, NULL, text.n}, out, err);
    if (!st) st = push(out, out->part.ids, out->part.n, true, err);
    if (!st) st = push(out, e->after.ids, e->after.n, true, err);
    if (!st) st = push_eos(e, out, err);
    if (!st && out->ids.n > at) out->loss.p[at] = 0;
    return st;
}

cn_status encode_pair(const encoder *e, cn_str prompt, cn_str completion, bool all,
                      encoded *out, cn_err *err)
{
    size_t at = out->ids.n;
    cn_status st = push(out, e->before.ids, e->before.n, all, err);
    if (!st) st = continued(e, -1, (marked){prompt.p, NULL, prompt.n}, out, err);
    if (!st) st = push(out, out->part.ids, out->part.n, all, err);
    int32_t last = prompt.n && out->ids.n > at ? out->ids.ids[out->ids.n - 1] : -1;
    if (!st) st = continued(e, last, (marked){completion.p, NULL, completion.n}, out, err);
    if (!st) st = push(out, out->part.ids, out->part.n, true, err);
    if (!st) st = push_eos(e, out, err);
    if (!st && out->ids.n > at) out->loss.p[at] = 0;
    return st;
}

static marked piece_of(const chat_text *c, size_t from, size_t to)
{
    return (marked){c->text.text + from, c->text.trusted + from, to - from};
}

/* Appends what continues the record that began at index `at`. */
static cn_status append(const encoder *e, size_t at, marked s, bool loss, encoded *out,
                        cn_err *err)
{
    int32_t last = out->ids.n > at ? out->ids.ids[out->ids.n - 1] : -1;
    cn_status st = continued(e, last, s, out, err);
    return st ? st : push(out, out->part.ids, out->part.n, loss, err);
}

/* The turn [from, to) and what follows it up to `next`: encoded together unless a control token
 * divides them, as inference sees the turn's end together with what comes after it. */
static cn_status append_turn(const encoder *e, const chat_text *c, size_t at, chat_span turn,
                             size_t next, encoded *out, cn_err *err)
{
    size_t start = out->ids.n, middle;
    cn_status st = append(e, at, piece_of(c, turn.from, turn.to), true, out, err);
    middle = out->ids.n;
    if (!st) st = append(e, at, piece_of(c, turn.to, next), false, out, err);
    if (st || middle == out->ids.n || middle == start) return st;
    const int32_t *ids = out->ids.ids;
    if (cn_token_is_control(e->t, ids[middle - 1]) || cn_token_is_control(e->t, ids[middle]))
        return CN_OK;
    int32_t last = start > at ? ids[start - 1] : -1;
    st = continued(e, last, piece_of(c, turn.from, next), out, err);
    if (st) return st;
    size_t same = 0, most = CN_MIN(middle - start, out->part.n);
    while (same < most && ids[start + same] == out->part.ids[same])
        same++;
    if (same < middle - start && same < out->part.n) same++; /* one that reaches over the end */
    out->ids.n = out->loss.n = start;
    st = push(out, out->part.ids, same, true, err);
    return st ? st : push(out, out->part.ids + same, out->part.n - same, false, err);
}

static bool is_space_token(const encoder *e, int32_t id)
{
    size_t n;
    const char *p = cn_token_bytes(e->t, id, &n);
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n", p[i])) return false;
    return n > 0;
}

/* How many tokens of a turn follow its end token: what the template writes behind the data is
 * encoded by itself, as nothing merges across a control token. SIZE_MAX: there is none. */
static cn_status after_end(const encoder *e, const chat_text *c, chat_span turn, size_t *n,
                           encoded *out, cn_err *err)
{
    size_t at = turn.to;
    *n = SIZE_MAX;
    while (at > turn.from && c->text.trusted[at - 1])
        at--;
    out->part.n = 0;
    cn_status st = encode(e, piece_of(c, at, turn.to), &out->part, err);
    for (size_t i = out->part.n; i > 0 && !st; i--)
        if (cn_token_is_end(e->t, out->part.ids[i - 1])) *n = out->part.n - i;
    return st;
}

/* A turn is ids [from, to): its loss ends with its end token, which may be the first thing
 * after it. Without one anywhere, the end-of-text ends the last turn. */
static cn_status end_turn(const encoder *e, const chat_text *c, chat_span turn, size_t from,
                          size_t to, bool is_last, encoded *out, cn_err *err)
{
    const int32_t *ids = out->ids.ids;
    size_t end = to, n = out->ids.n, after;
    cn_status st = after_end(e, c, turn, &after, out, err);
    if (st) return st;
    if (after < to - from && cn_token_is_end(e->t, ids[to - 1 - after])) {
        memset(out->loss.p + to - after, 0, after);
        return CN_OK;
    }
    while (end < n && is_space_token(e, ids[end]))
        end++;
    if (end < n && cn_token_is_end(e->t, ids[end]))
        memset(out->loss.p + to, 1, end + 1 - to);
    else if (end == n && is_last)
        return push_eos(e, out, err);
    return CN_OK;
}

/* The same where the loss counts everything. */
static cn_status end_all(const encoder *e, size_t at, encoded *out, cn_err *err)
{
    size_t end = out->ids.n;
    while (end > at && is_space_token(e, out->ids.ids[end - 1]))
        end--;
    bool ended = end > at && cn_token_is_end(e->t, out->ids.ids[end - 1]);
    return ended ? CN_OK : push_eos(e, out, err);
}

cn_status encode_chat(const encoder *e, const chat_text *c, bool all, encoded *out, cn_err *err)
{
    size_t at = out->ids.n, n = c->text.n;
    size_t first = c->n_spans && !all ? c->spans[0].from : n;
    cn_status st = append(e, at, piece_of(c, 0, first), all, out, err);
    for (size_t i = 0; i < c->n_spans && !all && !st; i++) {
        bool is_last = i + 1 == c->n_spans;
        size_t from = out->ids.n, to;
        st = append_turn(e, c, at, c->spans[i], is_last ? n : c->spans[i + 1].from, out, err);
        for (to = out->ids.n; to > from && !out->loss.p[to - 1];)
            to--;
        if (!st)
            st = end_turn(e, c, c->spans[i], from, to, is_last && c->ends_with_assistant, out,
                          err);
    }
    if (!st && all && c->ends_with_assistant) st = end_all(e, at, out, err);
    if (!st && out->ids.n > at) out->loss.p[at] = 0;
    return st;
}
