/* The table of verbs, and the help that is made of it. */
#include "verbs.h"

#include <stdio.h>
#include <string.h>

#include "compiler.h"

static const cli_verb *const verbs[] = {
    &verb_run,      &verb_chat,   &verb_generate,   &verb_embed,   &verb_tokenize,
    &verb_template, &verb_logits, &verb_perplexity, &verb_eval,    &verb_inspect,
    &verb_quantize, &verb_schema, &verb_bench,      &verb_train,   &verb_data,
    &verb_jobs,     &verb_doctor, &verb_completion, &verb_version, &verb_help,
};

const cli_verb *const *cli_verbs(size_t *n)
{
    *n = CN_ARRAY_LEN(verbs);
    return verbs;
}

const cli_verb *cli_verb_find(const char *name)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i]->name, name) == 0) return verbs[i];
    return NULL;
}

static void option_help(const cli_option *o)
{
    char left[64];
    char letter[8] = "   ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c,", o->letter);
    snprintf(left, sizeof left, "%s --%s%s%s", letter, o->name, o->value ? " " : "",
             o->value ? o->value : "");
    printf("  %-28s %s%s%s%s\n", left, o->help, o->env ? " [" : "", o->env ? o->env : "",
           o->env ? "]" : "");
}

void cli_verb_help(const cli_verb *v)
{
    printf("usage: conatus %s%s%s [options]\n\n%s\n\noptions:\n", v->name,
           v->words[0] ? " " : "", v->words, v->summary);
    for (size_t i = 0; i < v->n_options; i++)
        option_help(&v->options[i]);
    if (v->details) printf("\n%s\n", v->details);
}
