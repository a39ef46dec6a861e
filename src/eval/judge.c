#include "judge.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "compiler.h"
#include "unicode.h"

CN_PRINTF(3, 4)
static void fail(eval_verdict *v, eval_kind kind, const char *fmt, ...)
{
    va_list args;
    if (!v->failed) {
        va_start(args, fmt);
        vsnprintf(v->why, sizeof v->why, fmt, args);
        va_end(args);
    }
    v->failed |= 1u << kind;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static cn_str trimmed(cn_str s)
{
    while (s.n && is_space(s.p[0]))
        s = cn_str_skip(s, 1);
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Composed characters (NFC), as two ways to write "é" are one text; then the case's options. */
static void normalise(cn_buf *out, cn_str s, bool trim, bool ignore_case)
{
    cn_buf composed = {0};
    uc_normalize(&composed, trim ? trimmed(s) : s, UC_NFC);
    if (ignore_case)
        uc_lower_text(out, cn_buf_view(&composed));
    else
        cn_buf_str(out, cn_buf_view(&composed));
    out->failed |= composed.failed;
    cn_buf_deinit(&composed);
}

static bool holds(cn_str text, cn_str part)
{
    return part.n == 0 || (text.n && memmem(text.p, text.n, part.p, part.n));
}

/* Of one text or the i-th of an array of them. */
static cn_str text_at(const cn_json *v, size_t i)
{
    return cn_json_str(cn_json_kind_of(v) == CN_JSON_ARRAY ? cn_json_at(v, i) : v);
}

static size_t n_texts(const cn_json *v)
{
    return cn_json_kind_of(v) == CN_JSON_ARRAY ? cn_json_size(v) : 1;
}

static void judge_expect(eval_verdict *v, const eval_case *c, cn_str reply, cn_buf *scratch)
{
    for (size_t i = 0; i < n_texts(c->expect); i++) {
        cn_buf_clear(scratch);
        normalise(scratch, text_at(c->expect, i), c->trim, c->ignore_case);
        if (scratch->failed || cn_str_eq(reply, cn_buf_view(scratch))) return;
    }
    cn_str first = text_at(c->expect, 0);
    fail(v, EVAL_EXPECT, "not the expected text: \"%.*s\"%s", CN_STR_ARG(first),
         n_texts(c->expect) > 1 ? " or another" : "");
}

static void judge_contains(eval_verdict *v, const eval_case *c, cn_str reply, cn_buf *scratch)
{
    for (size_t i = 0; i < n_texts(c->contains); i++) {
        cn_str part = text_at(c->contains, i);
        cn_buf_clear(scratch);
        normalise(scratch, part, false, c->ignore_case);
        if (scratch->failed || holds(reply, cn_buf_view(scratch))) continue;
        fail(v, EVAL_CONTAINS, "does not contain \"%.*s\"", CN_STR_ARG(part));
        return;
    }
}

static cn_status judge_texts(eval_verdict *v, const eval_case *c, cn_str reply, cn_err *err)
{
    cn_buf text = {0}, scratch = {0};
    if (!c->expect && !c->contains) return CN_OK;
    normalise(&text, reply, c->trim, c->ignore_case);
    if (c->expect && !text.failed) judge_expect(v, c, cn_buf_view(&text), &scratch);
    if (c->contains && !text.failed && !scratch.failed)
        judge_contains(v, c, cn_buf_view(&text), &scratch);
    bool failed = text.failed || scratch.failed;
    cn_buf_deinit(&scratch);
    cn_buf_deinit(&text);
    return failed ? cn_fail(err, CN_E_NOMEM, "a reply of %zu bytes", reply.n) : CN_OK;
}

static void judge_regex(eval_verdict *v, const eval_case *c, cn_str reply)
{
    cn_err why = {0};
    bool found = false;
    if (!c->regex) return;
    if (eval_regex_find(c->regex, reply, &found, &why))
        fail(v, EVAL_REGEX, "%s", why.why);
    else if (!found)
        fail(v, EVAL_REGEX, "the regular expression does not match");
}

static void judge_schema(eval_verdict *v, const eval_case *c, cn_str reply)
{
    cn_err why = {0};
    if (!c->schema) return;
    if (cn_schema_validate(c->schema->text.p, c->schema->text.n, reply.p ? reply.p : "",
                           reply.n, &why))
        fail(v, EVAL_SCHEMA, "not what the schema allows: %.160s", why.why);
}

/* The reply as JSON; or what stands in it from the first '{' to the last '}'. */
static cn_json *json_in(cn_str reply)
{
    cn_json *j = NULL;
    const char *open = reply.n ? memchr(reply.p, '{', reply.n) : NULL;
    const char *close = reply.n ? memrchr(reply.p, '}', reply.n) : NULL;
    if (!cn_json_parse(&j, reply, NULL) && cn_json_kind_of(j) == CN_JSON_OBJECT) return j;
    cn_json_free(j);
    j = NULL;
    if (!open || !close || close < open) return NULL;
    return cn_json_parse(&j, (cn_str){open, (size_t)(close - open) + 1}, NULL) ? NULL : j;
}

/* The number of a mark: a member "name", or "/outer/name" of objects within each other. */
static double mark_in(const cn_json *j, cn_str name)
{
    char part[256];
    if (name.n == 0 || name.p[0] != '/')
        return cn_json_num(cn_json_get(j, name.p), (double)NAN);
    while (name.n) {
        name = cn_str_skip(name, 1);
        const char *end = name.n ? memchr(name.p, '/', name.n) : NULL;
        size_t n = end ? (size_t)(end - name.p) : name.n;
        if (n >= sizeof part) return (double)NAN;
        snprintf(part, sizeof part, "%.*s", (int)n, name.n ? name.p : "");
        j = cn_json_get(j, part);
        name = cn_str_skip(name, n);
    }
    return cn_json_num(j, (double)NAN);
}

static void judge_marks(eval_verdict *v, const eval_task *t, const eval_case *c, cn_str reply,
                        double *marks)
{
    for (size_t k = 0; k < t->n_marks; k++)
        marks[k] = (double)NAN;
    if (!c->marks) return;
    cn_json *j = json_in(reply);
    if (!j) fail(v, EVAL_MARKS, "the reply holds no JSON object");
    for (size_t k = 0; j && k < t->n_marks; k++) {
        if (isnan(c->wanted[k])) continue;
        marks[k] = mark_in(j, t->mark_names[k]);
        if (isnan(marks[k]))
            fail(v, EVAL_MARKS, "no number \"%.*s\"", CN_STR_ARG(t->mark_names[k]));
        else if (fabs(marks[k] - c->wanted[k]) > c->tolerance)
            fail(v, EVAL_MARKS, "%.*s is %g, expected %g", CN_STR_ARG(t->mark_names[k]),
                 marks[k], c->wanted[k]);
    }
    cn_json_free(j);
}

cn_status eval_judge(eval_verdict *out, const eval_task *t, const eval_case *c, cn_str reply,
                     double *marks, cn_err *err)
{
    *out = (eval_verdict){0};
    cn_status st = judge_texts(out, c, reply, err);
    if (st) return st;
    judge_regex(out, c, reply);
    judge_schema(out, c, reply);
    judge_marks(out, t, c, reply, marks);
    return CN_OK;
}
