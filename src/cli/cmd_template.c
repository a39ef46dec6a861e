/* conatus template: what the model will see of a conversation. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "file.h"
#include "input.h"
#include "jsonl.h"
#include "model.h"
#include "verbs.h"

typedef struct template_settings {
    cli_common common;
    const char *file, *messages;
    bool mark, jsonl;
    uint64_t now_unix;
} template_settings;

#define NOW_CLOCK UINT64_MAX

static const cli_option options[] = {
    {.name = "file",
     .letter = 'f',
     .kind = CLI_TEXT,
     .value = "FILE",
     .help = "render this template in place of a model's",
     .offset = offsetof(template_settings, file)},
    {.name = "messages",
     .letter = 'm',
     .kind = CLI_TEXT,
     .value = "FILE",
     .help = "JSON: an array of messages, or an object of all variables",
     .offset = offsetof(template_settings, messages)},
    {.name = "mark",
     .kind = CLI_FLAG,
     .help = "put control tokens between double angle brackets",
     .offset = offsetof(template_settings, mark)},
    {.name = "now",
     .kind = CLI_SEED,
     .value = "SECONDS",
     .help = "the time that the template sees, since 1970",
     .offset = offsetof(template_settings, now_unix)},
    {.name = "jsonl",
     .kind = CLI_FLAG,
     .help = "one JSON object a line in, one a line out",
     .offset = offsetof(template_settings, jsonl)},
    CLI_COMMON_OPTIONS(template_settings),
};

typedef struct template_job {
    const template_settings *s;
    cn_tokenizer *t; /* NULL with --file alone */
    cn_template *tmpl;
} template_job;

static cn_status render(const template_job *job, const cn_json *variables, cn_rendered *out,
                        cn_err *err)
{
    uint64_t now = job->s->now_unix;
    return cli_render(job->tmpl, job->t, variables, now == NOW_CLOCK ? -1 : (int64_t)now, out,
                      err);
}

static cn_status on_line(void *user, const cn_json *line, json_out *out, cn_err *err)
{
    cn_rendered r = {0};
    cn_status st = render(user, line, &r, err);
    if (!st) {
        json_open(out, '{');
        json_key(out, "text");
        json_text(out, (cn_str){r.text, r.n});
        json_close(out, '}');
    }
    cn_rendered_free(&r);
    return st;
}

/* An array of objects, or an object of variables whose "messages" is such an array. */
static cn_status check_messages(const cn_json *j, cn_err *err)
{
    bool all = cn_json_kind_of(j) == CN_JSON_OBJECT;
    const cn_json *list = all ? cn_json_get(j, "messages") : j;
    bool good = cn_json_kind_of(list) == CN_JSON_ARRAY || (all && cn_json_is_null(list));
    for (size_t i = 0; i < cn_json_size(list) && good; i++)
        good = cn_json_kind_of(cn_json_at(list, i)) == CN_JSON_OBJECT;
    if (good) return CN_OK;
    cn_status st = cn_fail(err, CN_E_ARG, "messages are an array of objects");
    cn_ctx(err, st, "the messages");
    return cn_next(err, st, "write them as [{\"role\":\"user\",\"content\":\"...\"}]");
}

/* An array of messages becomes the variables of a question to be answered. */
static cn_status variables_of(const template_settings *s, cn_json **out, cn_err *err)
{
    cn_buf text = {0}, b = {0};
    cn_json *given = NULL;
    cn_status st = CN_OK;
    if (s->messages)
        st = cli_read_json(&given, s->messages, err);
    else
        st = cli_input(&text, &s->common, s->file ? 0 : 1, err);
    if (!st && s->messages) st = check_messages(given, err);
    if (!st && cn_json_kind_of(given) == CN_JSON_OBJECT) {
        cn_buf_deinit(&text);
        *out = given;
        return CN_OK;
    }
    cn_buf_lit(&b, "{\"messages\":");
    if (given) {
        cn_json_write(&b, given);
    } else {
        cn_buf_lit(&b, "[{\"role\":\"user\",\"content\":");
        cn_buf_json(&b, cn_buf_view(&text));
        cn_buf_lit(&b, "}]");
    }
    cn_buf_lit(&b, ",\"add_generation_prompt\":true}");
    if (!st) st = cn_json_parse(out, cn_buf_view(&b), err);
    cn_json_free(given);
    cn_buf_deinit(&b);
    cn_buf_deinit(&text);
    return st;
}

/* The text with its control tokens made visible: in colour, or between brackets. */
static cn_status print_marked(const template_job *job, const cn_rendered *r, bool colour,
                              cn_err *err)
{
    cn_tokens ids = {0};
    cn_status st = cli_encode_rendered(job->t, r, &ids, err);
    const char *open = colour ? "\033[7m" : "\u00ab", *close = colour ? "\033[0m" : "\u00bb";
    cn_decoder *d = NULL;
    if (!st) st = cn_decoder_new(&d, job->t, CN_DECODE_SPECIAL | CN_DECODE_KEEP_SPACE, err);
    for (size_t i = 0; i < ids.n && !st; i++) {
        const char *text;
        size_t n;
        bool control = cn_token_is_control(job->t, ids.ids[i]);
        st = cn_decoder_next(d, ids.ids[i], &text, &n, err);
        if (!st) printf("%s%.*s%s", control ? open : "", (int)n, text, control ? close : "");
    }
    if (!st)
        printf("\n%s%zu tokens%s\n", colour ? "\033[2m" : "", ids.n, colour ? "\033[0m" : "");
    cn_decoder_free(d);
    cn_tokens_free(&ids);
    return st;
}

static cn_status once(const template_job *job, cn_err *err)
{
    bool terminal = isatty(STDOUT_FILENO) == 1;
    cn_json *variables = NULL;
    cn_rendered r = {0};
    cn_status st = variables_of(job->s, &variables, err);
    if (!st) st = render(job, variables, &r, err);
    if (!st && job->s->common.json) {
        json_out out = {0};
        st = on_line((void *)(uintptr_t)job, variables, &out, err);
        json_print(&out);
    } else if (!st && job->t && (terminal || job->s->mark)) {
        st = print_marked(job, &r, terminal, err);
    } else if (!st) {
        fwrite(r.text, 1, r.n, stdout);
    }
    cn_rendered_free(&r);
    cn_json_free(variables);
    return st;
}

static cn_status run(const void *settings, cn_err *err)
{
    const template_settings *s = settings;
    template_job job = {.s = s};
    cn_status st = CN_OK;
    if (!s->file && s->common.n_words == 0) {
        st = cn_fail(err, CN_E_ARG, "MODEL or --file FILE is missing");
        return cn_next(err, st, "conatus template MODEL TEXT");
    }
    if (!s->file) st = cli_tokenizer_open(&job.t, s->common.words[0], err);
    if (!st) st = cli_template_open(&job.tmpl, job.t, s->file, err);
    if (!st && !job.tmpl) {
        st = cn_fail(err, CN_E_UNSUPPORTED, "%s has no chat template", s->common.words[0]);
        cn_next(err, st, "conatus template --file FILE renders one of yours");
    }
    if (!st) st = s->jsonl ? cli_jsonl(STDIN_FILENO, on_line, &job, err) : once(&job, err);
    cn_template_free(job.tmpl);
    cn_tokenizer_free(job.t);
    return st;
}

static void defaults(void *settings)
{
    ((template_settings *)settings)->now_unix = NOW_CLOCK;
}

const cli_verb verb_template = {
    .name = "template",
    .words = "MODEL|--file FILE [TEXT]",
    .summary = "Preview what the model will see of a conversation.",
    .details =
        "TEXT is the user's message; without it and --messages it is read from standard "
        "input.\n"
        "On a terminal control tokens are shown inverted; piped, the text comes as it is.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .max_words = CLI_ANY_WORDS,
    .settings_size = sizeof(template_settings),
    .defaults = defaults,
    .run = run,
};
