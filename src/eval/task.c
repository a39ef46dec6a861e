#include "task.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "mem.h"

const char *eval_kind_name(eval_kind k)
{
    static const char *const names[] = {"expect", "contains", "regex", "schema", "marks"};
    return (size_t)k < CN_ARRAY_LEN(names) ? names[k] : "";
}

const char *eval_case_name(char *out, size_t size, const eval_case *c)
{
    const cn_json *id = cn_json_get(c->own, "id");
    cn_str text = cn_json_str(id);
    if (text.p)
        snprintf(out, size, "%.*s (line %zu)", (int)CN_MIN(text.n, (size_t)60), text.p,
                 c->line);
    else if (!cn_json_is_null(id))
        snprintf(out, size, "%" PRId64 " (line %zu)", cn_json_int(id, 0), c->line);
    else
        snprintf(out, size, "line %zu", c->line);
    return out;
}

#define IS(kind) (1u << CN_JSON_##kind)
#define ANY (~0u)

/* What a line may hold: the kinds of value, and for numbers their range. */
static const struct field {
    const char *name;
    unsigned kinds;
    const char *want;
    double min, max;
    bool own; /* not among the defaults */
} fields[] = {
    {"id", IS(STRING) | IS(INT), "a text or a whole number", -1e18, 1e18, true},
    {"messages", IS(ARRAY), "an array", 0, 0, true},
    {"prompt", IS(STRING), "a text", 0, 0, true},
    {"system", IS(STRING), "a text", 0, 0, false},
    {"raw", IS(BOOL), "true or false", 0, 0, false},
    {"max_tokens", IS(INT), "a whole number", 1, 1e6, false},
    {"temperature", IS(INT) | IS(REAL), "a number", 0, 100, false},
    {"seed", IS(INT), "a whole number", 0, 9.3e18, false},
    {"stop", IS(STRING) | IS(ARRAY), "a text or an array of texts", 0, 0, false},
    {"expect", IS(STRING) | IS(ARRAY), "a text or an array of texts", 0, 0, false},
    {"contains", IS(STRING) | IS(ARRAY), "a text or an array of texts", 0, 0, false},
    {"regex", IS(STRING), "a text", 0, 0, false},
    {"schema", IS(OBJECT) | IS(BOOL), "a JSON Schema", 0, 0, false},
    {"constrain", IS(BOOL), "true or false", 0, 0, false},
    {"marks", IS(OBJECT), "an object of numbers", 0, 0, false},
    {"tolerance", IS(INT) | IS(REAL), "a number", 0, 1e300, false},
    {"trim", IS(BOOL), "true or false", 0, 0, false},
    {"ignore_case", IS(BOOL), "true or false", 0, 0, false},
    {"note", ANY, "anything", 0, 0, false},
};

static cn_status unknown_field(cn_str key, cn_err *err)
{
    cn_buf known = {0};
    for (size_t i = 0; i < CN_ARRAY_LEN(fields); i++)
        cn_buf_printf(&known, "%s%s", i ? ", " : "", fields[i].name);
    cn_fail(err, CN_E_FORMAT, "unknown field \"%.*s\"", CN_STR_ARG(key));
    cn_status st = cn_next(err, CN_E_FORMAT, "the fields are: %s", known.p);
    cn_buf_deinit(&known);
    return st;
}

static cn_status check_field(const struct field *f, const cn_json *v, bool defaults,
                             cn_err *err)
{
    if (cn_json_is_null(v)) return CN_OK;
    if (defaults && f->own)
        return cn_fail(err, CN_E_FORMAT, "\"%s\" is no default: each case has its own",
                       f->name);
    if (!(1u << cn_json_kind_of(v) & f->kinds))
        return cn_fail(err, CN_E_FORMAT, "\"%s\" must be %s", f->name, f->want);
    double x = cn_json_num(v, (double)NAN);
    if (f->max > f->min && (x < f->min || x > f->max))
        return cn_fail(err, CN_E_FORMAT, "\"%s\" is %g, allowed is %g to %g", f->name, x,
                       f->min, f->max);
    return CN_OK;
}

static cn_status check_fields(const cn_json *line, bool defaults, cn_err *err)
{
    if (cn_json_kind_of(line) != CN_JSON_OBJECT)
        return cn_fail(err, CN_E_FORMAT, "%s must be a JSON object",
                       defaults ? "\"defaults\"" : "a line");
    for (cn_json_member m = cn_json_first(line); m.value; m = cn_json_next(line, m)) {
        size_t i = 0;
        while (i < CN_ARRAY_LEN(fields) && !cn_str_is(m.key, fields[i].name))
            i++;
        if (i == CN_ARRAY_LEN(fields)) return unknown_field(m.key, err);
        cn_status st = check_field(&fields[i], m.value, defaults, err);
        if (st) return st;
    }
    return CN_OK;
}

/* What the line says, else the defaults. */
static const cn_json *get(const eval_case *c, const char *key)
{
    const cn_json *own = cn_json_get(c->own, key);
    return cn_json_is_null(own) ? cn_json_get(c->defaults, key) : own;
}

/* NULL for a field that is not there, so that one test tells. */
static const cn_json *given(const eval_case *c, const char *key)
{
    const cn_json *v = get(c, key);
    return cn_json_is_null(v) ? NULL : v;
}

static cn_status check_messages(const cn_json *messages, cn_err *err)
{
    size_t n = cn_json_size(messages);
    if (n == 0) return cn_fail(err, CN_E_FORMAT, "\"messages\" is empty");
    for (size_t i = 0; i < n; i++) {
        const cn_json *m = cn_json_at(messages, i);
        if (!cn_json_str(cn_json_get(m, "role")).p || !cn_json_str(cn_json_get(m, "content")).p)
            return cn_fail(err, CN_E_FORMAT,
                           "message %zu of %zu needs the texts \"role\" and \"content\"", i + 1,
                           n);
    }
    return CN_OK;
}

static cn_status read_question(eval_case *c, cn_err *err)
{
    c->messages = given(c, "messages");
    c->prompt = cn_json_str(get(c, "prompt"));
    c->system = cn_json_str(get(c, "system"));
    c->raw = cn_json_bool(get(c, "raw"), false);
    if (!c->messages == !c->prompt.p)
        return cn_fail(err, CN_E_FORMAT, "a case has one of \"prompt\" and \"messages\"");
    return c->messages ? check_messages(c->messages, err) : CN_OK;
}

/* A text, or an array of 1 to `most` of them, none of them empty. */
static cn_status check_texts(const cn_json *v, const char *key, size_t most, bool empty_too,
                             cn_err *err)
{
    bool list = cn_json_kind_of(v) == CN_JSON_ARRAY;
    size_t n = list ? cn_json_size(v) : 1;
    if (n == 0 || n > most)
        return cn_fail(err, CN_E_FORMAT, "\"%s\" has %zu texts, allowed are 1 to %zu", key, n,
                       most);
    for (size_t i = 0; i < n; i++) {
        cn_str s = cn_json_str(list ? cn_json_at(v, i) : v);
        if (!s.p) return cn_fail(err, CN_E_FORMAT, "\"%s\"[%zu] is no text", key, i);
        if (s.n == 0 && !empty_too)
            return cn_fail(err, CN_E_FORMAT, "\"%s\" holds an empty text", key);
    }
    return CN_OK;
}

static cn_status read_settings(eval_case *c, cn_err *err)
{
    const cn_json *stop = given(c, "stop"), *seed = given(c, "seed");
    c->max_tokens = (uint32_t)cn_json_int(get(c, "max_tokens"), 256);
    c->temperature = (float)cn_json_num(get(c, "temperature"), 0);
    c->has_seed = seed != NULL;
    c->seed = (uint64_t)cn_json_int(seed, 0);
    if (!stop) return CN_OK;
    cn_status st = check_texts(stop, "stop", EVAL_MAX_STOPS, false, err);
    if (st) return st;
    bool list = cn_json_kind_of(stop) == CN_JSON_ARRAY;
    for (size_t n = list ? cn_json_size(stop) : 1; c->n_stop < n; c->n_stop++) {
        cn_str s = cn_json_str(list ? cn_json_at(stop, c->n_stop) : stop);
        if (strlen(s.p) != s.n) return cn_fail(err, CN_E_FORMAT, "\"stop\" holds a NUL");
        c->stop[c->n_stop] = s.p;
    }
    return CN_OK;
}

/* Is it a schema that the validator can judge by? Tried on a value that says nothing. */
static cn_status try_schema(cn_str text, cn_err *err)
{
    cn_err why = {0};
    cn_status st = cn_schema_validate(text.p, text.n, "null", 4, &why);
    if (!st || st == CN_E_REFUSED) return CN_OK;
    return cn_fail(err, st, "\"schema\": %s", why.why);
}

static cn_status new_schema(eval_schema **out, eval_task *t, cn_buf *text, cn_err *err)
{
    if (t->n_schemas == EVAL_MAX_SCHEMAS)
        return cn_fail(err, CN_E_LIMIT, "more than %d different schemas", EVAL_MAX_SCHEMAS);
    cn_status st = try_schema(cn_buf_view(text), err);
    if (st) return st;
    eval_schema *s = cn_xcalloc(1, sizeof *s);
    s->text = *text;
    *text = (cn_buf){0};
    *out = t->schemas[t->n_schemas++] = s;
    return CN_OK;
}

static cn_status compile(eval_schema *s, cn_err *err)
{
    cn_grammar_report report = {0};
    if (s->grammar) return CN_OK;
    cn_status st =
        cn_grammar_from_schema(&s->grammar, s->text.p, s->text.n, NULL, &report, err);
    if (st != CN_E_UNSUPPORTED) return st;
    cn_fail(err, st, "\"schema\" cannot be enforced, at %s: %s",
            report.pointer[0] ? report.pointer : "the document", report.reason);
    return cn_next(err, st, "change that keyword, or leave \"constrain\" out");
}

/* Cases share the schemas that they have in common. */
static cn_status read_schema(eval_case *c, eval_task *t, cn_err *err)
{
    const cn_json *given_schema = given(c, "schema");
    if (!given_schema)
        return c->constrain ? cn_fail(err, CN_E_FORMAT, "\"constrain\" needs a \"schema\"")
                            : CN_OK;
    cn_buf text = {0};
    eval_schema *s = NULL;
    cn_status st = CN_OK;
    cn_json_write(&text, given_schema);
    for (size_t i = t->n_schemas; i-- > 0 && !s;)
        if (cn_str_eq(cn_buf_view(&t->schemas[i]->text), cn_buf_view(&text))) s = t->schemas[i];
    if (text.failed) st = cn_fail(err, CN_E_NOMEM, "a schema");
    if (!st && !s) st = new_schema(&s, t, &text, err);
    if (!st && c->constrain) st = compile(s, err);
    c->schema = s;
    cn_buf_deinit(&text);
    return st;
}

/* Notes the names of marks that no case had before. */
static cn_status read_marks(const eval_case *c, eval_task *t, cn_err *err)
{
    if (c->marks && cn_json_size(c->marks) == 0)
        return cn_fail(err, CN_E_FORMAT, "\"marks\" is empty");
    for (cn_json_member m = cn_json_first(c->marks); m.value; m = cn_json_next(c->marks, m)) {
        size_t i = 0;
        if (!isfinite(cn_json_num(m.value, (double)NAN)))
            return cn_fail(err, CN_E_FORMAT, "the mark \"%.*s\" is no number",
                           CN_STR_ARG(m.key));
        while (i < t->n_marks && !cn_str_eq(t->mark_names[i], m.key))
            i++;
        if (i == EVAL_MAX_MARKS)
            return cn_fail(err, CN_E_LIMIT, "more than %d names of marks", EVAL_MAX_MARKS);
        if (i == t->n_marks) t->mark_names[t->n_marks++] = m.key;
    }
    return CN_OK;
}

static cn_status read_answer(eval_case *c, eval_task *t, cn_err *err)
{
    const cn_json *regex = given(c, "regex");
    cn_status st = CN_OK;
    c->expect = given(c, "expect");
    c->contains = given(c, "contains");
    c->marks = given(c, "marks");
    c->constrain = cn_json_bool(get(c, "constrain"), false);
    c->trim = cn_json_bool(get(c, "trim"), true);
    c->ignore_case = cn_json_bool(get(c, "ignore_case"), false);
    c->tolerance = cn_json_num(get(c, "tolerance"), 1);
    if (c->expect) st = check_texts(c->expect, "expect", EVAL_MAX_TEXTS, true, err);
    if (!st && c->contains)
        st = check_texts(c->contains, "contains", EVAL_MAX_TEXTS, false, err);
    if (!st && regex) st = eval_regex_new(&c->regex, cn_json_str(regex), err);
    if (!st) st = read_schema(c, t, err);
    if (!st) st = read_marks(c, t, err);
    if (st) return st;
    const void *const asked[EVAL_N_KINDS] = {c->expect, c->contains, c->regex, c->schema,
                                             c->marks};
    for (unsigned k = 0; k < EVAL_N_KINDS; k++)
        c->kinds |= asked[k] ? 1u << k : 0;
    if (c->kinds) return CN_OK;
    return cn_fail(err, CN_E_FORMAT,
                   "nothing is expected: give \"expect\", \"contains\", \"regex\", \"schema\" "
                   "or \"marks\"");
}

static cn_status read_case(eval_task *t, const cn_json *line, const cn_json *defaults,
                           size_t number, cn_err *err)
{
    if (t->n == EVAL_MAX_CASES)
        return cn_fail(err, CN_E_LIMIT, "more than %d cases", EVAL_MAX_CASES);
    cn_status st = check_fields(line, false, err);
    if (st) return st;
    eval_case *c = &t->cases[t->n++];
    *c = (eval_case){.line = number, .own = line, .defaults = defaults};
    st = read_question(c, err);
    if (!st) st = read_settings(c, err);
    if (!st) st = read_answer(c, t, err);
    if (!st && c->constrain && c->n_stop)
        st = cn_fail(err, CN_E_FORMAT,
                     "\"stop\" and \"constrain\": a reply that is cut is not what the schema "
                     "asks for");
    return st;
}

/* {"defaults": {...}} as the first line that is not blank. */
static bool is_defaults(const cn_json *line)
{
    return cn_json_size(line) == 1 && cn_json_get(line, "defaults");
}

static cn_status read_line(eval_task *t, cn_str text, size_t number, const cn_json **defaults,
                           cn_err *err)
{
    if (text.n > EVAL_MAX_LINE)
        return cn_fail(err, CN_E_LIMIT, "%zu bytes, at most %d", text.n, EVAL_MAX_LINE);
    cn_status st = cn_json_parse(&t->lines[t->n_lines], text, err);
    if (st) return st;
    const cn_json *line = t->lines[t->n_lines++];
    if (!is_defaults(line)) return read_case(t, line, *defaults, number, err);
    if (t->n_lines > 1)
        return cn_fail(err, CN_E_FORMAT, "\"defaults\" stand in the first line only");
    *defaults = cn_json_get(line, "defaults");
    return check_fields(*defaults, true, err);
}

static cn_str trimmed(cn_str s)
{
    while (s.n && strchr(" \t\r", s.p[0]) && s.p[0])
        s = cn_str_skip(s, 1);
    while (s.n && strchr(" \t\r", s.p[s.n - 1]) && s.p[s.n - 1])
        s.n--;
    return s;
}

static cn_status read_lines(eval_task *t, cn_str text, size_t most, cn_err *err)
{
    const cn_json *defaults = NULL;
    for (size_t number = 1; text.n && (!most || t->n < most); number++) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        cn_str line = trimmed((cn_str){text.p, n});
        cn_status st = line.n ? read_line(t, line, number, &defaults, err) : CN_OK;
        if (st) return cn_ctx(err, st, "line %zu", number);
        text = cn_str_skip(text, n + (end != NULL));
    }
    return t->n ? CN_OK : cn_fail(err, CN_E_FORMAT, "the file holds no case");
}

/* The marks as a table, once all their names are known. */
static cn_status fill_marks(eval_task *t, cn_err *err)
{
    if (t->n_marks == 0) return CN_OK;
    t->wanted = cn_alloc_array(t->n, t->n_marks * sizeof *t->wanted);
    if (!t->wanted) return cn_fail(err, CN_E_NOMEM, "%zu x %zu marks", t->n, t->n_marks);
    for (size_t i = 0; i < t->n; i++) {
        double *row = t->wanted + i * t->n_marks;
        for (size_t k = 0; k < t->n_marks; k++)
            row[k] =
                cn_json_num(cn_json_get(t->cases[i].marks, t->mark_names[k].p), (double)NAN);
        t->cases[i].wanted = row;
    }
    return CN_OK;
}

cn_status eval_task_read(eval_task *out, cn_str text, size_t most, cn_err *err)
{
    size_t n = 1;
    *out = (eval_task){0};
    if (text.n > EVAL_MAX_FILE)
        return cn_fail(err, CN_E_LIMIT, "%zu bytes, at most %d", text.n, EVAL_MAX_FILE);
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    n = CN_MIN(n, (size_t)EVAL_MAX_CASES + 2); /* the defaults, and one too many */
    out->lines = cn_alloc_array(n, sizeof(cn_json *));
    out->cases = cn_alloc_array(n, sizeof *out->cases);
    cn_status st = CN_OK;
    if (!out->lines || !out->cases) st = cn_fail(err, CN_E_NOMEM, "%zu cases", n);
    if (!st) st = read_lines(out, text, most, err);
    if (!st) st = fill_marks(out, err);
    if (st) eval_task_deinit(out);
    return st;
}

void eval_task_deinit(eval_task *t)
{
    for (size_t i = 0; i < t->n; i++)
        eval_regex_free(t->cases[i].regex);
    for (size_t i = 0; i < t->n_schemas; i++) {
        cn_grammar_free(t->schemas[i]->grammar);
        cn_buf_deinit(&t->schemas[i]->text);
        cn_free(t->schemas[i]);
    }
    for (size_t i = 0; i < t->n_lines; i++)
        cn_json_free(t->lines[i]);
    cn_free(t->lines);
    cn_free(t->cases);
    cn_free(t->wanted);
    *t = (eval_task){0};
}
