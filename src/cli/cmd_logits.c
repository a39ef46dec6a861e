/* conatus logits: what the model thinks comes next, exactly; for tests and comparisons. */
#include <stdio.h>
#include <unistd.h>

#include "compiler.h"
#include "input.h"
#include "interrupt.h"
#include "jsonl.h"
#include "mem.h"
#include "model.h"
#include "score.h"
#include "table.h"
#include "verbs.h"

typedef struct logits_settings {
    cli_common common;
    cli_model_options model;
    bool all, jsonl;
} logits_settings;

static const cli_option options[] = {
    {.name = "all",
     .kind = CLI_FLAG,
     .help = "every logit, in the order of the ids",
     .offset = offsetof(logits_settings, all)},
    CLI_MODEL_OPTIONS(logits_settings),
    {.name = "jsonl",
     .kind = CLI_FLAG,
     .help = "one JSON object a line in, one a line out",
     .offset = offsetof(logits_settings, jsonl)},
    CLI_COMMON_OPTIONS(logits_settings),
};

typedef struct logits_job {
    const logits_settings *s;
    cli_model model;
    cn_session *session;
} logits_job;

enum { N_TOP = 10 };

/* The n largest, largest first, the lowest id first among equals; returns how many. */
static size_t largest(const float *logits, int32_t n_vocab, int32_t *ids, size_t n)
{
    size_t have = 0;
    for (int32_t i = 0; i < n_vocab; i++) {
        size_t at = have;
        while (at > 0 && logits[i] > logits[ids[at - 1]])
            at--;
        if (at == n) continue;
        have = CN_MIN(have + 1, n);
        for (size_t k = have - 1; k > at; k--)
            ids[k] = ids[k - 1];
        ids[at] = i;
    }
    return have;
}

static void write_logits(const logits_job *job, const eval_score *s, json_out *out)
{
    int32_t n_vocab = (int32_t)cn_model_info_of(job->model.model)->n_vocab, top[N_TOP];
    size_t n = largest(s->logits, n_vocab, top, N_TOP);
    json_open(out, '{');
    json_key(out, "argmax");
    json_int(out, n ? top[0] : -1);
    json_key(out, "top");
    json_open(out, '[');
    for (size_t i = 0; i < n; i++) {
        json_open(out, '[');
        json_int(out, top[i]);
        json_float(out, s->logits[top[i]]);
        json_close(out, ']');
    }
    json_close(out, ']');
    if (job->s->all) {
        json_key(out, "logits");
        json_open(out, '[');
        for (int32_t i = 0; i < n_vocab; i++)
            json_float(out, s->logits[i]);
        json_close(out, ']');
    }
    json_put_num(out, "nll", s->nll);
    json_close(out, '}');
}

static cn_status answer(const logits_job *job, const int32_t *ids, size_t n, json_out *out,
                        cn_err *err)
{
    eval_score s;
    if (n == 0) return cn_fail(err, CN_E_ARG, "no ids: give at least one");
    cn_session_truncate(job->session, 0);
    cn_status st = eval_score_ids(&s, job->session, job->model.model, ids, n, 1, NULL, err);
    if (!st) write_logits(job, &s, out);
    return st;
}

static cn_status on_line(void *user, const cn_json *line, json_out *out, cn_err *err)
{
    static const char *const known[] = {"ids", NULL};
    int32_t *ids = NULL;
    size_t n = 0;
    cn_status st = cli_fields_known(line, known, err);
    if (!st) st = cli_field_ids(line, "ids", &ids, &n, err);
    if (!st) st = answer(user, ids, n, out, err);
    cn_free(ids);
    return st;
}

static void print_top(const logits_job *job, const cn_tokens *ids, const json_out *result)
{
    cn_json *j = NULL;
    if (cn_json_parse(&j, cn_buf_view(&result->b), NULL)) return;
    const cn_json *top = cn_json_get(j, "top");
    cli_table *t = cli_table_new("rrl");
    for (size_t i = 0; i < cn_json_size(top); i++) {
        const cn_json *pair = cn_json_at(top, i);
        int32_t id = (int32_t)cn_json_int(cn_json_at(pair, 0), 0);
        size_t n = 0;
        const char *piece =
            job->model.tokenizer ? cn_token_piece(job->model.tokenizer, id, &n) : "";
        cli_table_cell(t, "%d", id);
        cli_table_cell(t, "%.4f", cn_json_num(cn_json_at(pair, 1), 0));
        cli_table_cell(t, "%.*s", (int)CN_MIN(n, 100), piece ? piece : "");
    }
    cli_table_print(t, stdout);
    printf("nll %.6f over %zu tokens\n", cn_json_num(cn_json_get(j, "nll"), 0), ids->n - 1);
    cli_table_free(t);
    cn_json_free(j);
}

static cn_status once(const logits_job *job, cn_err *err)
{
    cn_buf text = {0};
    cn_tokens ids = {0};
    json_out out = {0};
    cn_status st = cli_input(&text, &job->s->common, 1, err);
    if (!st) st = cli_ids_in(cn_buf_view(&text), &ids, err);
    if (!st) st = answer(job, ids.ids, ids.n, &out, err);
    if (!st && !job->s->common.json && !job->s->all)
        print_top(job, &ids, &out);
    else if (!st)
        json_print(&out);
    cn_buf_deinit(&out.b);
    cn_tokens_free(&ids);
    cn_buf_deinit(&text);
    return st;
}

static cn_status run(const void *settings, cn_err *err)
{
    const logits_settings *s = settings;
    logits_job job = {.s = s};
    cli_catch_interrupt();
    cn_status st = cli_model_open(&job.model, s->common.words[0], &s->model, err);
    if (!st) st = cli_session_new(&job.session, &job.model, &s->model, err);
    if (!st) st = s->jsonl ? cli_jsonl(STDIN_FILENO, on_line, &job, err) : once(&job, err);
    cn_session_free(job.session);
    cli_model_close(&job.model);
    return st;
}

const cli_verb verb_logits = {
    .name = "logits",
    .words = "MODEL [IDS]",
    .summary = "The raw scores of the next token after the given ids.",
    .details =
        "Without IDS they are read from standard input. nll is the sum of -log p of every id\n"
        "after the first, given those before it.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 1,
    .max_words = CLI_ANY_WORDS,
    .settings_size = sizeof(logits_settings),
    .run = run,
};
