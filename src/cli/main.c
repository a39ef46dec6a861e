/* The program: finds the verb, reads its options, runs it, tells how it ended. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "error.h"
#include "mem.h"
#include "near.h"
#include "verb.h"

static cn_status unknown_verb(const char *name, cn_err *err)
{
    size_t n;
    const cli_verb *const *verbs = cli_verbs(&n);
    const char *best = NULL;
    for (size_t i = 0; i < n; i++)
        best = cli_nearer(name, best, verbs[i]->name);
    cn_buf known = {0};
    for (size_t i = 0; i < n; i++)
        cn_buf_printf(&known, "%s%s", i ? ", " : "", verbs[i]->name);
    cn_status st = cn_fail(err, CN_E_ARG, "the verbs are %s", known.p ? known.p : "none");
    cn_ctx(err, st, "no verb \"%.60s\"", name);
    cn_buf_deinit(&known);
    if (best) return cn_next(err, st, "did you mean: conatus %s", best);
    return cn_next(err, st, "conatus help");
}

static cn_status count_words(const cli_verb *v, const cli_common *c, cn_err *err)
{
    if (c->n_words >= v->min_words && c->n_words <= v->max_words) return CN_OK;
    cn_status st =
        cn_fail(err, CN_E_ARG, "the form is: conatus %s [OPTIONS] %s", v->name, v->words);
    if (c->n_words < v->min_words)
        cn_ctx(err, st, "a word is missing after \"conatus %s\"", v->name);
    else
        cn_ctx(err, st, "\"%.60s\" is one word too many", c->words[v->max_words]);
    return cn_next(err, st, "conatus help %s", v->name);
}

/* Where the words could not be parsed: an error should still come in the form asked for. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0) return true;
    return false;
}

static cn_status run(const cli_verb *v, int argc, char **argv, bool *json, int *exit_status,
                     cn_err *err)
{
    cli_common *common = cn_xcalloc(1, v->settings_size);
    if (v->defaults) v->defaults(common);
    common->words = argv;
    common->exit_status = exit_status;
    cn_status st =
        cli_parse(v->options, v->n_options, argc, argv, common, &common->n_words, err);
    *json = common->json;
    if (st) *json |= asks_for_json(argc, argv);
    if (st)
        cn_next(err, st, "conatus help %s", v->name);
    else if (common->help)
        cli_verb_help(v);
    else if (!(st = count_words(v, common, err)))
        st = v->run(common, err);
    cn_free(common);
    if (!st && (fflush(stdout) || ferror(stdout)))
        st = cn_fail(err, CN_E_DISK, "writing the result: %s", strerror(errno));
    return st;
}

int main(int argc, char **argv)
{
    cn_err err = {0};
    bool json = false;
    int exit_status = 0;
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) name = "version";
    const cli_verb *v = cli_verb_find(name);
    if (!v) json = asks_for_json(argc, argv);
    int n = argc > 2 ? argc - 2 : 0;
    cn_status st = v ? run(v, n, argv + CN_MIN(argc, 2), &json, &exit_status, &err)
                     : unknown_verb(name, &err);
    if (st) cli_error_print(v ? v->name : NULL, json, st, &err);
    return st ? cli_exit_code(st) : exit_status;
}
