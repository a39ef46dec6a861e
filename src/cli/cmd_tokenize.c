/* conatus tokenize: text to ids and back. */
#include <stdio.h>
#include <unistd.h>

#include "compiler.h"
#include "input.h"
#include "jsonl.h"
#include "mem.h"
#include "model.h"
#include "table.h"
#include "verbs.h"

typedef struct tokenize_settings {
    cli_common common;
    bool jsonl, decode, no_special, parse_special;
} tokenize_settings;

static const cli_option options[] = {
    {.name = "decode",
     .letter = 'd',
     .kind = CLI_FLAG,
     .help = "ids to text",
     .offset = offsetof(tokenize_settings, decode)},
    {.name = "no-special",
     .kind = CLI_FLAG,
     .help = "add no beginning-of-text and the like",
     .offset = offsetof(tokenize_settings, no_special)},
    {.name = "parse-special",
     .kind = CLI_FLAG,
     .help = "recognise control tokens in the text: trusted text only",
     .offset = offsetof(tokenize_settings, parse_special)},
    {.name = "jsonl",
     .kind = CLI_FLAG,
     .help = "one JSON object a line in, one a line out",
     .offset = offsetof(tokenize_settings, jsonl)},
    CLI_COMMON_OPTIONS(tokenize_settings),
};

typedef struct tokenize_job {
    const tokenize_settings *s;
    cn_tokenizer *t;
} tokenize_job;

static unsigned flags_of(bool add_special, bool parse_special)
{
    return (add_special ? CN_ADD_SPECIAL : 0u) | (parse_special ? CN_PARSE_SPECIAL : 0u);
}

static void write_tokens(json_out *out, const cn_tokenizer *t, const cn_tokens *tokens)
{
    json_open(out, '{');
    json_put_ids(out, "ids", tokens->ids, tokens->n);
    json_key(out, "pieces");
    json_open(out, '[');
    for (size_t i = 0; i < tokens->n; i++) {
        size_t n;
        const char *piece = cn_token_piece(t, tokens->ids[i], &n);
        json_text(out, (cn_str){piece, n});
    }
    json_close(out, ']');
    json_close(out, '}');
}

static cn_status encode_line(void *user, const cn_json *line, json_out *out, cn_err *err)
{
    static const char *const known[] = {"text", "add_special", "parse_special", NULL};
    const tokenize_job *job = user;
    bool add = !job->s->no_special, parse = job->s->parse_special;
    cn_tokens tokens = {0};
    cn_str text = {0};
    cn_status st = cli_fields_known(line, known, err);
    if (!st) st = cli_field_text(line, "text", true, &text, err);
    if (!st) st = cli_field_bool(line, "add_special", &add, err);
    if (!st) st = cli_field_bool(line, "parse_special", &parse, err);
    if (!st) st = cn_encode(job->t, text.p, text.n, flags_of(add, parse), &tokens, err);
    if (!st) write_tokens(out, job->t, &tokens);
    cn_tokens_free(&tokens);
    return st;
}

static cn_status decode(const cn_tokenizer *t, const int32_t *ids, size_t n, json_out *out,
                        cn_err *err)
{
    char *text = NULL;
    size_t len;
    cn_status st = cn_decode(t, ids, n, CN_DECODE_SPECIAL, &text, &len, err);
    if (st) return st;
    json_open(out, '{');
    json_key(out, "text");
    json_text(out, (cn_str){text, len});
    json_close(out, '}');
    cn_text_free(text);
    return CN_OK;
}

static cn_status decode_line(void *user, const cn_json *line, json_out *out, cn_err *err)
{
    static const char *const known[] = {"ids", NULL};
    const tokenize_job *job = user;
    int32_t *ids = NULL;
    size_t n = 0;
    cn_status st = cli_fields_known(line, known, err);
    if (!st) st = cli_field_ids(line, "ids", &ids, &n, err);
    if (!st) st = decode(job->t, ids, n, out, err);
    cn_free(ids);
    return st;
}

static void print_tokens(const cn_tokenizer *t, const cn_tokens *tokens)
{
    if (!isatty(STDOUT_FILENO)) {
        for (size_t i = 0; i < tokens->n; i++)
            printf("%s%d", i ? " " : "", tokens->ids[i]);
        printf("\n");
        return;
    }
    cli_table *table = cli_table_new("rl");
    for (size_t i = 0; i < tokens->n; i++) {
        size_t n;
        const char *piece = cn_token_piece(t, tokens->ids[i], &n);
        cli_table_cell(table, "%d", tokens->ids[i]);
        cli_table_cell(table, "%.*s%s", (int)CN_MIN(n, 200), piece,
                       cn_token_is_control(t, tokens->ids[i]) ? "  (control)" : "");
    }
    cli_table_print(table, stdout);
    cli_table_free(table);
    printf("%zu tokens\n", tokens->n);
}

static cn_status encode_once(const tokenize_job *job, cn_str text, cn_err *err)
{
    cn_tokens tokens = {0};
    cn_status st =
        cn_encode(job->t, text.p, text.n, flags_of(!job->s->no_special, job->s->parse_special),
                  &tokens, err);
    if (!st && job->s->common.json) {
        json_out out = {0};
        write_tokens(&out, job->t, &tokens);
        json_print(&out);
    } else if (!st) {
        print_tokens(job->t, &tokens);
    }
    cn_tokens_free(&tokens);
    return st;
}

static cn_status decode_once(const tokenize_job *job, cn_str text, cn_err *err)
{
    cn_tokens ids = {0};
    cn_status st = cli_ids_in(text, &ids, err);
    json_out out = {0};
    char *plain = NULL;
    size_t n;
    if (!st && job->s->common.json)
        st = decode(job->t, ids.ids, ids.n, &out, err);
    else if (!st)
        st = cn_decode(job->t, ids.ids, ids.n, CN_DECODE_SPECIAL, &plain, &n, err);
    if (!st && job->s->common.json)
        json_print(&out);
    else if (!st)
        printf("%.*s%s", (int)n, plain, isatty(STDOUT_FILENO) ? "\n" : "");
    cn_text_free(plain);
    cn_tokens_free(&ids);
    return st;
}

static cn_status run(const void *settings, cn_err *err)
{
    const tokenize_settings *s = settings;
    tokenize_job job = {.s = s};
    cn_buf text = {0};
    cn_status st = cli_tokenizer_open(&job.t, s->common.words[0], err);
    if (!st && s->jsonl) {
        st = cli_jsonl(STDIN_FILENO, s->decode ? decode_line : encode_line, &job, err);
    } else if (!st) {
        st = cli_input(&text, &s->common, 1, err);
        if (!st && s->decode)
            st = decode_once(&job, cn_buf_view(&text), err);
        else if (!st)
            st = encode_once(&job, cn_buf_view(&text), err);
    }
    cn_buf_deinit(&text);
    cn_tokenizer_free(job.t);
    return st;
}

const cli_verb verb_tokenize = {
    .name = "tokenize",
    .words = "MODEL [TEXT]",
    .summary = "Text to token ids, or ids to text.",
    .details =
        "Without TEXT it is read from standard input. MODEL may also be a tokenizer file.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 1,
    .max_words = CLI_ANY_WORDS,
    .settings_size = sizeof(tokenize_settings),
    .run = run,
};
