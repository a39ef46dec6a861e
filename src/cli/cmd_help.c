/* conatus help: the list of verbs, one verb, or all of it as JSON. */
#include <stdio.h>

#include "compiler.h"
#include "json_out.h"
#include "verbs.h"

typedef struct help_settings {
    cli_common common;
} help_settings;

static const cli_option options[] = {CLI_COMMON_OPTIONS(help_settings)};

static void as_text(void)
{
    size_t n;
    const cli_verb *const *verbs = cli_verbs(&n);
    printf("conatus %s: language models on one machine\n\nusage: conatus VERB [words] "
           "[options]\n\n",
           CONATUS_VERSION);
    for (size_t i = 0; i < n; i++)
        printf("  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
    printf("\nMODEL is a GGUF file, a Hugging Face folder, or a name in the store.\n"
           "conatus help VERB explains a verb; man conatus explains all of them.\n");
}

static void option_json(json_out *j, const cli_option *o)
{
    char letter[2] = {o->letter, '\0'};
    json_open(j, '{');
    json_put_text(j, "name", o->name);
    json_put_text(j, "letter", o->letter ? letter : NULL);
    json_put_text(j, "value", o->value);
    json_put_text(j, "help", o->help);
    json_put_text(j, "env", o->env);
    json_close(j, '}');
}

static void verb_json(json_out *j, const cli_verb *v)
{
    json_open(j, '{');
    json_put_text(j, "name", v->name);
    json_put_text(j, "words", v->words);
    json_put_text(j, "summary", v->summary);
    json_key(j, "options");
    json_open(j, '[');
    for (size_t k = 0; k < v->n_options; k++)
        option_json(j, &v->options[k]);
    json_close(j, ']');
    json_close(j, '}');
}

/* {"verbs": [...]}: the one that was asked for, or all. */
static void as_json(const cli_verb *only)
{
    json_out j = {0};
    size_t n;
    const cli_verb *const *verbs = cli_verbs(&n);
    json_open(&j, '{');
    json_key(&j, "verbs");
    json_open(&j, '[');
    for (size_t i = 0; i < n; i++)
        if (!only || only == verbs[i]) verb_json(&j, verbs[i]);
    json_close(&j, ']');
    json_close(&j, '}');
    json_print(&j);
}

static cn_status run(const void *settings, cn_err *err)
{
    const help_settings *s = settings;
    const cli_verb *v = s->common.n_words ? cli_verb_find(s->common.words[0]) : NULL;
    if (s->common.n_words && !v) {
        cn_status st = cn_fail(err, CN_E_ARG, "no verb has that name");
        cn_ctx(err, st, "help for \"%.60s\"", s->common.words[0]);
        return cn_next(err, st, "conatus help");
    }
    if (s->common.json)
        as_json(v);
    else if (v)
        cli_verb_help(v);
    else
        as_text();
    return CN_OK;
}

const cli_verb verb_help = {
    .name = "help",
    .words = "[VERB]",
    .summary = "Explain the verbs.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .max_words = 1,
    .settings_size = sizeof(help_settings),
    .run = run,
};
