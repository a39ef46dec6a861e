/* conatus generate: text for scripts, once or a line at a time. */
#include <stdio.h>
#include <unistd.h>

#include "answer.h"
#include "compiler.h"
#include "input.h"
#include "interrupt.h"
#include "jsonl.h"
#include "mem.h"
#include "request.h"
#include "verbs.h"

typedef struct generate_settings {
    cli_common common;
    cli_model_options model;
    cli_sampling sampling;
    bool jsonl, reuse;
} generate_settings;

static const cli_option options[] = {
    CLI_SAMPLING_OPTIONS(generate_settings),
    {.name = "logprobs",
     .kind = CLI_INT,
     .value = "N",
     .help = "tell log-probabilities and N alternatives a token",
     .offset = offsetof(generate_settings, sampling.logprobs),
     .min = -1,
     .max = 20},
    CLI_MODEL_OPTIONS(generate_settings),
    CLI_TEMPLATE_OPTION(generate_settings),
    CLI_KEEP_OPTION(generate_settings),
    {.name = "reuse",
     .kind = CLI_FLAG,
     .help = "keep what is evaluated from line to line where prompts begin alike",
     .offset = offsetof(generate_settings, reuse)},
    {.name = "jsonl",
     .kind = CLI_FLAG,
     .help = "one JSON object a line in, one a line out",
     .offset = offsetof(generate_settings, jsonl)},
    CLI_COMMON_OPTIONS(generate_settings),
};

typedef struct generate_job {
    const generate_settings *s;
    cli_model model;
    cn_session *session;
    cli_contract contract;
} generate_job;

/* Generates for `prompt`; the session forgets what it held unless it may be used again. */
static cn_status complete(generate_job *job, cli_request *r, const cn_tokens *prompt,
                          cli_answer *a, cn_err *err)
{
    if (!job->s->reuse) cn_session_truncate(job->session, 0);
    cn_status st = cli_answer_generate(a, job->session, prompt, r, err);
    if (!st && a->how.finish == CN_FINISH_CANCELLED)
        st = cn_fail(err, CN_E_CANCELLED, "interrupted");
    if (!st) st = cli_contract_check(&job->contract, cn_buf_view(&a->text), a->how.finish, err);
    return st;
}

static cn_status line_prompt(const generate_job *job, const cn_json *line, cn_tokens *out,
                             cn_err *err)
{
    bool prompt = !cn_json_is_null(cn_json_get(line, "prompt")),
         ids = !cn_json_is_null(cn_json_get(line, "ids")),
         messages = !cn_json_is_null(cn_json_get(line, "messages"));
    cn_str text = {0};
    if (prompt + ids + messages != 1)
        return cn_fail(err, CN_E_ARG, "give one of \"prompt\", \"ids\" and \"messages\"");
    if (prompt) {
        cn_status st = cli_field_text(line, "prompt", true, &text, err);
        return st ? st : cli_prompt_text(&job->model, text, out, err);
    }
    if (ids) {
        int32_t *list = NULL;
        size_t n = 0;
        cn_status st = cli_field_ids(line, "ids", &list, &n, err);
        for (size_t i = 0; i < n && !st; i++)
            st = cn_tokens_push(out, list[i], err);
        cn_free(list);
        return st;
    }
    /* The template sees messages and tools, and is asked for the beginning of an answer. */
    cn_buf b = {0};
    cn_json *variables = NULL;
    cn_buf_lit(&b, "{\"messages\":");
    cn_json_write(&b, cn_json_get(line, "messages"));
    if (!cn_json_is_null(cn_json_get(line, "tools"))) {
        cn_buf_lit(&b, ",\"tools\":");
        cn_json_write(&b, cn_json_get(line, "tools"));
    }
    cn_buf_lit(&b, ",\"add_generation_prompt\":true}");
    cn_status st = b.failed ? cn_fail(err, CN_E_NOMEM, "messages of over 1 GiB")
                            : cn_json_parse(&variables, cn_buf_view(&b), err);
    if (!st) st = cli_prompt_messages(&job->model, variables, out, err);
    cn_json_free(variables);
    cn_buf_deinit(&b);
    return st;
}

static cn_status on_line(void *user, const cn_json *line, json_out *out, cn_err *err)
{
    static const char *const known[] = {"prompt",
                                        "ids",
                                        "messages",
                                        "tools",
                                        "max_tokens",
                                        "min_tokens",
                                        "temperature",
                                        "top_k",
                                        "top_p",
                                        "min_p",
                                        "typical_p",
                                        "repeat_penalty",
                                        "seed",
                                        "stop",
                                        "frequency_penalty",
                                        "presence_penalty",
                                        "penalty_last_n",
                                        "logit_bias",
                                        "schema",
                                        "grammar",
                                        "logprobs",
                                        "ignore_end",
                                        NULL};
    generate_job *job = user;
    cli_request r = {0};
    cn_tokens prompt = {0};
    cli_answer a = {0};
    cn_status st = cli_fields_known(line, known, err);
    if (!st) st = line_prompt(job, line, &prompt, err);
    if (!st)
        st = cli_request_init(&r, &job->s->sampling, line, &job->contract, job->model.tokenizer,
                              err);
    if (!st) st = complete(job, &r, &prompt, &a, err);
    if (!st) cli_answer_json(&a, out);
    cli_answer_deinit(&a);
    cli_request_deinit(&r);
    cn_tokens_free(&prompt);
    return st;
}

static cn_status once(generate_job *job, cn_err *err)
{
    cn_buf text = {0};
    cli_request r = {0};
    cn_tokens prompt = {0};
    cli_answer a = {0};
    json_out out = {0};
    cn_status st = cli_input(&text, &job->s->common, 1, err);
    if (!st) st = cli_prompt_text(&job->model, cn_buf_view(&text), &prompt, err);
    if (!st)
        st = cli_request_init(&r, &job->s->sampling, NULL, &job->contract, job->model.tokenizer,
                              err);
    if (!st) st = complete(job, &r, &prompt, &a, err);
    if (!st && job->s->common.json) {
        cli_answer_json(&a, &out);
        json_print(&out);
    } else if (!st) {
        fwrite(a.text.p ? a.text.p : "", 1, a.text.n, stdout);
        putchar('\n');
        fflush(stdout);
        cli_answer_note_full(&a, job->session);
    }
    cli_answer_deinit(&a);
    cli_request_deinit(&r);
    cn_tokens_free(&prompt);
    cn_buf_deinit(&text);
    return st;
}

static void defaults(void *settings)
{
    cli_sampling_defaults(&((generate_settings *)settings)->sampling);
}

static cn_status run(const void *settings, cn_err *err)
{
    const generate_settings *s = settings;
    generate_job job = {.s = s};
    cli_catch_interrupt();
    cn_status st = cli_model_open(&job.model, s->common.words[0], &s->model, err);
    if (!st) st = cli_session_new(&job.session, &job.model, &s->model, err);
    if (!st) st = s->jsonl ? cli_jsonl(STDIN_FILENO, on_line, &job, err) : once(&job, err);
    cn_session_free(job.session);
    cli_contract_deinit(&job.contract);
    cli_model_close(&job.model);
    return st;
}

const cli_verb verb_generate = {
    .name = "generate",
    .words = "MODEL [PROMPT]",
    .summary = "Continue a text; made for scripts.",
    .details =
        "The prompt is continued as it stands, without a chat template. Without PROMPT it is "
        "read\nfrom standard input. --jsonl: see CONTRACT FOR SCRIPTS in the manual page.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 1,
    .max_words = CLI_ANY_WORDS,
    .settings_size = sizeof(generate_settings),
    .defaults = defaults,
    .run = run,
};
