/* conatus schema: what a JSON Schema's automaton accepts, without a model. */
#include <stdio.h>
#include <unistd.h>

#include <conatus/grammar.h>

#include "compact.h"
#include "compiler.h"
#include "file.h"
#include "input.h"
#include "jsonl.h"
#include "verbs.h"

typedef struct schema_settings {
    cli_common common;
    bool jsonl;
} schema_settings;

static const cli_option options[] = {
    {.name = "jsonl",
     .kind = CLI_FLAG,
     .help = "one JSON object a line in, one a line out",
     .offset = offsetof(schema_settings, jsonl)},
    CLI_COMMON_OPTIONS(schema_settings),
};

static bool accepts(const cn_grammar *g, cn_str text)
{
    return cn_grammar_accepts(g, text.p ? text.p : "", text.n);
}

/* The value's compact text, keys in the schema's order. */
static bool accepts_value(const cn_grammar *g, const cn_json *value)
{
    cn_buf text = {0};
    bool accepted = grammar_compact_in_order(&text, g, value, NULL) == CN_OK &&
                    accepts(g, cn_buf_view(&text));
    cn_buf_deinit(&text);
    return accepted;
}

static void verdicts(json_out *out, const cn_grammar *g, const cn_json *data,
                     const cn_json *texts)
{
    json_key(out, "data");
    json_open(out, '[');
    for (size_t i = 0; i < cn_json_size(data); i++)
        json_bool(out, accepts_value(g, cn_json_at(data, i)));
    json_close(out, ']');
    json_key(out, "text");
    json_open(out, '[');
    for (size_t i = 0; i < cn_json_size(texts); i++)
        json_bool(out, accepts(g, cn_json_str(cn_json_at(texts, i))));
    json_close(out, ']');
}

static void refusal(json_out *out, const cn_grammar_report *report)
{
    json_open(out, '{');
    json_put_bool(out, "compiled", false);
    json_put_text(out, "pointer", report->pointer);
    json_put_text(out, "reason", report->reason);
    json_key(out, "data");
    json_open(out, '[');
    json_close(out, ']');
    json_key(out, "text");
    json_open(out, '[');
    json_close(out, ']');
    json_close(out, '}');
}

static cn_status list_field(const cn_json *line, const char *key, bool of_texts, cn_err *err)
{
    const cn_json *j = cn_json_get(line, key);
    if (cn_json_is_null(j)) return CN_OK;
    bool good = cn_json_kind_of(j) == CN_JSON_ARRAY;
    for (size_t i = 0; good && of_texts && i < cn_json_size(j); i++)
        good = cn_json_kind_of(cn_json_at(j, i)) == CN_JSON_STRING;
    return good ? CN_OK
                : cn_fail(err, CN_E_ARG, "\"%s\" must be an array%s", key,
                          of_texts ? " of texts" : "");
}

static cn_status on_line(void *user, const cn_json *line, json_out *out, cn_err *err)
{
    static const char *const known[] = {"schema", "data", "text", NULL};
    const cn_json *rules = cn_json_get(line, "schema");
    cn_grammar_report report = {0};
    cn_grammar *g = NULL;
    cn_buf source = {0};
    (void)user;
    cn_status st = cli_fields_known(line, known, err);
    if (!st && !rules) st = cn_fail(err, CN_E_ARG, "\"schema\" is missing");
    if (!st) st = list_field(line, "data", false, err);
    if (!st) st = list_field(line, "text", true, err);
    if (!st) {
        cn_json_write(&source, rules);
        st = cn_grammar_from_schema(&g, source.p, source.n, NULL, &report, err);
    }
    cn_buf_deinit(&source);
    if (st == CN_E_UNSUPPORTED) {
        refusal(out, &report);
        return CN_OK;
    }
    if (st) return st;
    json_open(out, '{');
    json_put_bool(out, "compiled", true);
    verdicts(out, g, cn_json_get(line, "data"), cn_json_get(line, "text"));
    json_close(out, '}');
    cn_grammar_free(g);
    return CN_OK;
}

/* The verdict on one document against a schema file. */
static cn_status once(const schema_settings *s, cn_err *err)
{
    cn_buf source = {0}, text = {0};
    cn_grammar *g = NULL;
    cn_grammar_report report = {0};
    bool compile_only = s->common.n_words == 1;
    cn_status st = cli_read_file(&source, s->common.words[0], (size_t)16 << 20, err);
    if (!st)
        st = cn_grammar_from_schema(&g, source.p ? source.p : "", source.n, NULL, &report, err);
    if (st == CN_E_UNSUPPORTED) {
        st = cn_fail(err, st, "%s: %s", report.pointer, report.reason);
        cn_ctx(err, st, "enforcing %s", cn_path_base(s->common.words[0]));
    }
    if (!st && !compile_only) st = cli_input(&text, &s->common, 1, err);
    if (!st && !compile_only && !accepts(g, cn_buf_view(&text))) {
        st = cn_schema_validate(source.p, source.n, text.p ? text.p : "", text.n, err);
        if (!st) {
            st = cn_fail(err, CN_E_REFUSED, "valid, but not in the form that is generated");
            cn_next(err, st, "write it without white space, keys in the schema's order");
        }
    }
    if (!st && s->common.json)
        puts(compile_only ? "{\"compiled\":true}" : "{\"compiled\":true,\"accepted\":true}");
    else if (!st)
        puts(compile_only ? "the schema can be enforced" : "accepted");
    cn_grammar_free(g);
    cn_buf_deinit(&text);
    cn_buf_deinit(&source);
    return st;
}

static cn_status run(const void *settings, cn_err *err)
{
    const schema_settings *s = settings;
    if (s->jsonl) return cli_jsonl(STDIN_FILENO, on_line, NULL, err);
    if (s->common.n_words) return once(s, err);
    cn_status st = cn_fail(err, CN_E_ARG, "FILE is missing");
    return cn_next(err, st, "conatus schema FILE [JSON], or --jsonl");
}

const cli_verb verb_schema = {
    .name = "schema",
    .words = "[FILE [JSON]]",
    .summary = "Try a JSON Schema: can it be enforced, and what does it accept?",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .max_words = CLI_ANY_WORDS,
    .settings_size = sizeof(schema_settings),
    .run = run,
};
