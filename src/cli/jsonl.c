#include "jsonl.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "error.h"
#include "mem.h"
#include "near.h"

/* Lines out of a descriptor, each as soon as it is there. A line over the limit is read away.
 */
typedef struct line_reader {
    int fd;
    char chunk[65536];
    size_t at, n; /* of chunk */
    cn_buf line;
    bool too_long, end;
} line_reader;

static cn_status fill(line_reader *r, cn_err *err)
{
    ssize_t got = read(r->fd, r->chunk, sizeof r->chunk);
    if (got < 0 && errno == EINTR) return cn_fail(err, CN_E_CANCELLED, "interrupted");
    if (got < 0) return cn_fail(err, CN_E_IO, "reading standard input: %s", strerror(errno));
    r->at = 0;
    r->n = (size_t)got;
    r->end = got == 0;
    return CN_OK;
}

/* The next line in r->line; *found false at the end of the input. */
static cn_status next_line(line_reader *r, bool *found, cn_err *err)
{
    cn_buf_clear(&r->line);
    r->too_long = false;
    for (;;) {
        cn_status st = r->at == r->n ? fill(r, err) : CN_OK;
        if (st) return st;
        *found = !r->end || r->line.n || r->too_long;
        if (r->end) return CN_OK;
        const char *p = r->chunk + r->at, *newline = memchr(p, '\n', r->n - r->at);
        size_t n = newline ? (size_t)(newline - p) : r->n - r->at;
        r->too_long |= r->line.n + n > CLI_LINE_MAX;
        if (!r->too_long) cn_buf_append(&r->line, p, n);
        if (r->line.failed) return cn_fail(err, CN_E_NOMEM, "a line of %zu bytes", r->line.n);
        r->at += n + (newline != NULL);
        if (newline) return CN_OK;
    }
}

static bool is_blank(cn_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(" \t\r", s.p[i])) return false;
    return true;
}

static void line_error(json_out *out, cn_status st, const cn_err *err)
{
    cn_buf message = {0};
    if (err->what[0]) cn_buf_printf(&message, "%s: ", err->what);
    cn_buf_printf(&message, "%s", err->why);
    if (err->next[0]) cn_buf_printf(&message, "; %s", err->next);
    json_open(out, '{');
    json_key(out, "error");
    json_open(out, '{');
    json_put_text(out, "code", cn_status_code(st));
    json_key(out, "message");
    json_text(out, cn_buf_view(&message));
    json_close(out, '}');
    json_close(out, '}');
    cn_buf_deinit(&message);
}

static cn_status parse_line(const line_reader *r, cn_json **line, cn_err *err)
{
    if (r->too_long)
        return cn_fail(err, CN_E_LIMIT, "a line over %zu bytes", (size_t)CLI_LINE_MAX);
    cn_status st = cn_json_parse(line, cn_buf_view(&r->line), err);
    if (st) {
        bool big = strstr(err->why, "too big integer") != NULL;
        return big ? cn_next(err, st, "whole numbers go up to %" PRId64, INT64_MAX) : st;
    }
    if (cn_json_kind_of(*line) != CN_JSON_OBJECT)
        return cn_fail(err, CN_E_ARG, "a line must hold one JSON object");
    return CN_OK;
}

static cn_status answer_line(const line_reader *r, cli_line_fn *answer, void *user, cn_err *err)
{
    json_out out = {0};
    cn_json *line = NULL;
    cn_err e = {0};
    cn_status st = parse_line(r, &line, &e);
    if (!st) st = answer(user, line, &out, &e);
    if (!st && out.b.failed) st = cn_fail(&e, CN_E_NOMEM, "an answer of over 1 GiB");
    cn_json_free(line);
    if (st == CN_E_CANCELLED) {
        cn_buf_deinit(&out.b);
        *err = e;
        return st;
    }
    if (st) {
        cn_buf_deinit(&out.b);
        out = (json_out){0};
        line_error(&out, st, &e);
    }
    json_print(&out);
    if (fflush(stdout))
        return cn_fail(err, CN_E_DISK, "writing the answer: %s", strerror(errno));
    return CN_OK;
}

cn_status cli_jsonl(int in, cli_line_fn *answer, void *user, cn_err *err)
{
    line_reader *r = cn_xcalloc(1, sizeof *r);
    r->fd = in;
    r->line.cap = CLI_LINE_MAX + 2;
    bool found = true;
    cn_status st = CN_OK;
    while (!st) {
        st = next_line(r, &found, err);
        if (st || !found) break;
        if (r->too_long || !is_blank(cn_buf_view(&r->line)))
            st = answer_line(r, answer, user, err);
    }
    cn_buf_deinit(&r->line);
    cn_free(r);
    return st;
}

static const char *kind_name(const cn_json *j)
{
    static const char *const names[] = {"null",   "true or false", "a whole number", "a number",
                                        "a text", "an array",      "an object"};
    return names[cn_json_kind_of(j)];
}

static cn_status wrong_kind(const cn_json *j, const char *key, const char *want, cn_err *err)
{
    return cn_fail(err, CN_E_ARG, "\"%s\" must be %s, is %s", key, want, kind_name(j));
}

cn_status cli_field_text(const cn_json *line, const char *key, bool required, cn_str *out,
                         cn_err *err)
{
    const cn_json *j = cn_json_get(line, key);
    if (cn_json_is_null(j))
        return required ? cn_fail(err, CN_E_ARG, "\"%s\" is missing", key) : CN_OK;
    if (cn_json_kind_of(j) != CN_JSON_STRING) return wrong_kind(j, key, "a text", err);
    *out = cn_json_str(j);
    return CN_OK;
}

cn_status cli_field_bool(const cn_json *line, const char *key, bool *out, cn_err *err)
{
    const cn_json *j = cn_json_get(line, key);
    if (cn_json_is_null(j)) return CN_OK;
    if (cn_json_kind_of(j) != CN_JSON_BOOL) return wrong_kind(j, key, "true or false", err);
    *out = cn_json_bool(j, false);
    return CN_OK;
}

/* Whole numbers written as 3 or 3.0. */
static bool whole(const cn_json *j, int64_t *out)
{
    *out = cn_json_int(j, INT64_MIN);
    return *out != INT64_MIN;
}

cn_status cli_field_int(const cn_json *line, const char *key, int64_t min, int64_t max,
                        int64_t *out, cn_err *err)
{
    const cn_json *j = cn_json_get(line, key);
    int64_t v;
    if (cn_json_is_null(j)) return CN_OK;
    if (!whole(j, &v)) return wrong_kind(j, key, "a whole number", err);
    if (v < min || v > max)
        return cn_fail(err, CN_E_ARG,
                       "\"%s\" is %" PRId64 ", allowed is %" PRId64 " to %" PRId64, key, v, min,
                       max);
    *out = v;
    return CN_OK;
}

cn_status cli_field_float(const cn_json *line, const char *key, float *out, cn_err *err)
{
    const cn_json *j = cn_json_get(line, key);
    if (cn_json_is_null(j)) return CN_OK;
    double v = cn_json_num(j, (double)NAN);
    if (isnan(v)) return wrong_kind(j, key, "a number", err);
    *out = (float)v;
    return CN_OK;
}

cn_status cli_field_ids(const cn_json *line, const char *key, int32_t **ids, size_t *n,
                        cn_err *err)
{
    const cn_json *j = cn_json_get(line, key);
    if (cn_json_is_null(j)) return cn_fail(err, CN_E_ARG, "\"%s\" is missing", key);
    if (cn_json_kind_of(j) != CN_JSON_ARRAY) return wrong_kind(j, key, "an array", err);
    *n = cn_json_size(j);
    *ids = cn_alloc_array(CN_MAX(*n, 1), sizeof **ids);
    if (!*ids) return cn_fail(err, CN_E_NOMEM, "\"%s\" with %zu ids", key, *n);
    for (size_t i = 0; i < *n; i++) {
        int64_t v;
        bool fits = whole(cn_json_at(j, i), &v) && v >= 0 && v <= INT32_MAX;
        if (!fits) {
            cn_free(*ids);
            *ids = NULL;
            return cn_fail(err, CN_E_ARG, "\"%s\"[%zu] is no token id", key, i);
        }
        (*ids)[i] = (int32_t)v;
    }
    return CN_OK;
}

cn_status cli_fields_known(const cn_json *line, const char *const *known, cn_err *err)
{
    for (cn_json_member m = cn_json_first(line); m.value; m = cn_json_next(line, m)) {
        const char *best = NULL;
        size_t i = 0;
        while (known[i] && !cn_str_is(m.key, known[i]))
            i++;
        if (known[i]) continue;
        for (i = 0; known[i]; i++)
            best = cli_nearer(m.key.p, best, known[i]);
        cn_status st = cn_fail(err, CN_E_ARG, "unknown field \"%.*s\"", CN_STR_ARG(m.key));
        return best ? cn_next(err, st, "did you mean \"%s\"?", best) : st;
    }
    return CN_OK;
}
