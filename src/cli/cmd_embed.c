/* conatus embed: a text as a vector. */
#include <stdio.h>
#include <unistd.h>

#include "compiler.h"
#include "input.h"
#include "interrupt.h"
#include "jsonl.h"
#include "mem.h"
#include "model.h"
#include "verbs.h"

typedef struct embed_settings {
    cli_common common;
    cli_model_options model;
    bool jsonl;
} embed_settings;

static const cli_option options[] = {
    CLI_MODEL_OPTIONS(embed_settings),
    {.name = "jsonl",
     .kind = CLI_FLAG,
     .help = "one JSON object a line in, one a line out",
     .offset = offsetof(embed_settings, jsonl)},
    CLI_COMMON_OPTIONS(embed_settings),
};

typedef struct embed_job {
    cli_model model;
    cn_session *session;
    float *vector; /* n_embd */
    size_t n_embd;
} embed_job;

static cn_status embed(embed_job *job, cn_str text, cn_err *err)
{
    cn_tokens ids = {0};
    cn_status st = cli_prompt_text(&job->model, text, &ids, err);
    if (!st) st = cn_embed(job->session, ids.ids, ids.n, job->vector, err);
    if (st == CN_E_LIMIT)
        cn_next(err, st, "use a shorter text or a larger --ctx (%u at most)",
                cn_model_info_of(job->model.model)->n_ctx_train);
    cn_tokens_free(&ids);
    return st;
}

static void write_vector(const embed_job *job, json_out *out)
{
    json_open(out, '{');
    json_key(out, "embedding");
    json_open(out, '[');
    for (size_t i = 0; i < job->n_embd; i++)
        json_float(out, job->vector[i]);
    json_close(out, ']');
    json_close(out, '}');
}

static cn_status on_line(void *user, const cn_json *line, json_out *out, cn_err *err)
{
    static const char *const known[] = {"text", NULL};
    cn_str text = {0};
    cn_status st = cli_fields_known(line, known, err);
    if (!st) st = cli_field_text(line, "text", true, &text, err);
    if (!st) st = embed(user, text, err);
    if (!st) write_vector(user, out);
    return st;
}

static cn_status once(embed_job *job, const cli_common *c, cn_err *err)
{
    cn_buf text = {0};
    cn_status st = cli_input(&text, c, 1, err);
    if (!st) st = embed(job, cn_buf_view(&text), err);
    if (!st && c->json) {
        json_out out = {0};
        write_vector(job, &out);
        json_print(&out);
    } else if (!st) {
        for (size_t i = 0; i < job->n_embd; i++)
            printf("%s%.9g", i ? " " : "", (double)job->vector[i]);
        putchar('\n');
    }
    cn_buf_deinit(&text);
    return st;
}

static cn_status run(const void *settings, cn_err *err)
{
    const embed_settings *s = settings;
    embed_job job = {0};
    cli_catch_interrupt();
    cn_status st = cli_model_open(&job.model, s->common.words[0], &s->model, err);
    if (!st) st = cli_session_new(&job.session, &job.model, &s->model, err);
    if (!st) {
        job.n_embd = cn_model_info_of(job.model.model)->n_embd;
        job.vector = cn_alloc_array(job.n_embd, sizeof *job.vector);
        if (!job.vector) st = cn_fail(err, CN_E_NOMEM, "a vector of %zu numbers", job.n_embd);
    }
    if (!st)
        st = s->jsonl ? cli_jsonl(STDIN_FILENO, on_line, &job, err)
                      : once(&job, &s->common, err);
    cn_free(job.vector);
    cn_session_free(job.session);
    cli_model_close(&job.model);
    return st;
}

const cli_verb verb_embed = {
    .name = "embed",
    .words = "MODEL [TEXT]",
    .summary = "A text as a normalised vector.",
    .details =
        "Without TEXT it is read from standard input. A model made for it pools as it was\n"
        "trained to; a language model gives the mean of its last hidden states.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 1,
    .max_words = CLI_ANY_WORDS,
    .settings_size = sizeof(embed_settings),
    .run = run,
};
