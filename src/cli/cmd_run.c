/* conatus run and conatus chat: a model in the terminal, once or in conversation. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chat.h"
#include "clock.h"
#include "compiler.h"
#include "input.h"
#include "interrupt.h"
#include "repl.h"
#include "rng.h"
#include "verbs.h"

typedef struct run_settings {
    cli_common common;
    cli_model_options model;
    cli_sampling sampling;
    const char *system, *messages;
    bool raw, verbose;
} run_settings;

#define CHAT_OPTIONS                                                                           \
    {.name = "system",                                                                         \
     .kind = CLI_TEXT,                                                                         \
     .value = "TEXT",                                                                          \
     .help = "system message that begins the conversation",                                    \
     .offset = offsetof(run_settings, system)},                                                \
        {.name = "messages",                                                                   \
         .letter = 'm',                                                                        \
         .kind = CLI_TEXT,                                                                     \
         .value = "FILE",                                                                      \
         .help = "begin with these messages (JSON; - is standard input)",                      \
         .offset = offsetof(run_settings, messages)},                                          \
        CLI_SAMPLING_OPTIONS(run_settings), CLI_MODEL_OPTIONS(run_settings),                   \
        CLI_TEMPLATE_OPTION(run_settings), CLI_KEEP_OPTION(run_settings),                      \
        {.name = "verbose",                                                                    \
         .letter = 'v',                                                                        \
         .kind = CLI_FLAG,                                                                     \
         .help = "show the speed on stderr",                                                   \
         .offset = offsetof(run_settings, verbose)},                                           \
        CLI_COMMON_OPTIONS(run_settings)

static const cli_option run_options[] = {
    {.name = "raw",
     .kind = CLI_FLAG,
     .help = "continue the text as it stands, without the chat template",
     .offset = offsetof(run_settings, raw)},
    CHAT_OPTIONS,
};
static const cli_option chat_options[] = {CHAT_OPTIONS};

/* Another answer each time unless --seed says otherwise. */
static void defaults(void *settings)
{
    run_settings *s = settings;
    cli_sampling_defaults(&s->sampling);
    cn_rng rng = cn_rng_seeded(cn_now_ns() ^ (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid());
    s->sampling.seed = cn_rng_next(&rng) >> 1;
}

static cn_status load_messages(const run_settings *s, cli_chat *c, cn_err *err)
{
    cn_json *j = NULL;
    cn_status st = cli_read_json(&j, s->messages, err);
    if (!st) st = cli_chat_load(c, j, err);
    cn_json_free(j);
    return st ? cn_ctx(err, st, "the messages") : CN_OK;
}

/* One answer on stdout, as it comes or as JSON at the end. */
static cn_status answer_once(const run_settings *s, cli_chat *c, const cn_str *text,
                             cn_err *err)
{
    bool json = s->common.json;
    cli_answer a = {.show = json ? NULL : stdout, .terminal = isatty(STDOUT_FILENO) == 1};
    cn_status st = cli_chat_answer(c, text, &a, err);
    if (!json && a.text.n && a.text.p[a.text.n - 1] != '\n') putchar('\n');
    if (!st && json) {
        json_out out = {0};
        cli_answer_json(&a, &out);
        json_print(&out);
    }
    if (!st && !json) cli_answer_note_full(&a, c->session);
    if (!st && s->verbose) cli_answer_speed(&a, stderr);
    if (!st && a.how.finish == CN_FINISH_CANCELLED)
        st = cn_fail(err, CN_E_CANCELLED, "interrupted");
    cli_answer_deinit(&a);
    return st;
}

static cn_status prompt_once(const run_settings *s, cli_chat *c, cn_err *err)
{
    cn_buf text = {0};
    cn_status st = cli_input(&text, &s->common, 1, err);
    cn_str view = cn_buf_view(&text);
    if (!st && c->plain)
        st = answer_once(s, c, &view, err);
    else if (!st) {
        cli_chat_add(c, "user", view);
        st = answer_once(s, c, NULL, err);
    }
    cn_buf_deinit(&text);
    return st;
}

/* With a prompt, messages or a pipe: one answer. Otherwise a conversation. */
static cn_status converse(const run_settings *s, cli_chat *c, cn_err *err)
{
    bool typed = isatty(STDIN_FILENO) == 1, prompt = s->common.n_words > 1;
    if (s->system && c->plain)
        return cn_fail(err, CN_E_ARG, "--system means nothing without a chat template");
    if (s->system) cli_chat_add(c, "system", cn_str_of(s->system));
    if (s->messages) {
        cn_status st = load_messages(s, c, err);
        if (st) return st;
        if (!prompt) return answer_once(s, c, NULL, err);
    }
    if (prompt || !typed) return prompt_once(s, c, err);
    if (!s->common.json) return cli_repl(c, s->verbose, err);
    cn_status st = cn_fail(err, CN_E_ARG, "--json needs a prompt");
    return cn_next(err, st, "conatus run MODEL --json PROMPT");
}

static cn_status start(const run_settings *s, bool always_chat, cn_err *err)
{
    cli_chat c = {.sampling = s->sampling};
    cli_catch_interrupt();
    cn_status st = cli_model_open(&c.model, s->common.words[0], &s->model, err);
    if (!st && !c.model.tmpl && (always_chat || s->messages)) {
        st = cn_fail(err, CN_E_UNSUPPORTED, "the model has no chat template");
        cn_next(err, st, "conatus run continues a text; --template FILE gives it a template");
    }
    c.plain = s->raw || !c.model.tmpl;
    if (!st) st = cli_session_new(&c.session, &c.model, &s->model, err);
    if (!st) st = converse(s, &c, err);
    cli_chat_deinit(&c);
    return st;
}

static cn_status run(const void *settings, cn_err *err)
{
    return start(settings, false, err);
}

static cn_status chat(const void *settings, cn_err *err)
{
    return start(settings, true, err);
}

const cli_verb verb_run = {
    .name = "run",
    .words = "MODEL [PROMPT]",
    .summary = "Talk to a model, or ask it once.",
    .details = "With PROMPT, or with text piped in, one answer is given; a word \"-\" in "
               "PROMPT stands for\n"
               "standard input. Otherwise a conversation begins: /help lists its commands.\n"
               "A model with a chat template is asked through it. One without continues the "
               "text as it\n"
               "stands (so does --raw), and only the continuation is printed.",
    .options = run_options,
    .n_options = CN_ARRAY_LEN(run_options),
    .min_words = 1,
    .max_words = CLI_ANY_WORDS,
    .settings_size = sizeof(run_settings),
    .defaults = defaults,
    .run = run,
};

const cli_verb verb_chat = {
    .name = "chat",
    .words = "MODEL [PROMPT]",
    .summary = "As run, but always through the chat template.",
    .details = "A model without a chat template needs --template FILE.",
    .options = chat_options,
    .n_options = CN_ARRAY_LEN(chat_options),
    .min_words = 1,
    .max_words = CLI_ANY_WORDS,
    .settings_size = sizeof(run_settings),
    .defaults = defaults,
    .run = chat,
};
