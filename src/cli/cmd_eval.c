/* conatus eval: how good a model is, in figures with intervals, alone or against another. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "eval_report.h"
#include "input.h"
#include "interrupt.h"
#include "mem.h"
#include "store.h"
#include "verbs.h"

typedef struct eval_settings {
    cli_common common;
    cli_model_options model;
    const char *text, *data, *task, *figure, *with;
    cli_list with_adapters;
    float under, over;
    int32_t limit, show_failures;
    uint64_t seed;
    bool reuse, skip_bad;
} eval_settings;

static const cli_option options[] = {
    {.name = "text",
     .kind = CLI_TEXT,
     .value = "FILE",
     .help = "perplexity on a text",
     .offset = offsetof(eval_settings, text)},
    {.name = "data",
     .kind = CLI_TEXT,
     .value = "FILE",
     .help = "loss on records to learn from (JSONL or CSV)",
     .offset = offsetof(eval_settings, data)},
    {.name = "task",
     .kind = CLI_TEXT,
     .value = "FILE",
     .help = "cases with what is expected of the replies (JSONL)",
     .offset = offsetof(eval_settings, task)},
    {.name = "with",
     .kind = CLI_TEXT,
     .value = "MODEL",
     .help = "compare with this model on the same cases",
     .offset = offsetof(eval_settings, with)},
    {.name = "with-adapter",
     .kind = CLI_LIST,
     .value = "DIR[:SCALE]",
     .help = "compare with this adapter on the model (or on --with)",
     .offset = offsetof(eval_settings, with_adapters)},
    {.name = "figure",
     .kind = CLI_TEXT,
     .value = "NAME",
     .help = "of a task: pass-rate, mark-error or rank-correlation decides",
     .offset = offsetof(eval_settings, figure)},
    {.name = "fail-under",
     .kind = CLI_NUM,
     .value = "X",
     .help = "exit with 1 when the figure is under X",
     .offset = offsetof(eval_settings, under),
     .min = -1e9,
     .max = 1e9},
    {.name = "fail-over",
     .kind = CLI_NUM,
     .value = "X",
     .help = "exit with 1 when the figure is over X",
     .offset = offsetof(eval_settings, over),
     .min = -1e9,
     .max = 1e9},
    {.name = "limit",
     .kind = CLI_INT,
     .value = "N",
     .help = "only the first N cases, records or windows (0: all)",
     .offset = offsetof(eval_settings, limit),
     .max = INT32_MAX},
    {.name = "show-failures",
     .kind = CLI_INT,
     .value = "N",
     .help = "list the first N failed cases with the reply (5)",
     .offset = offsetof(eval_settings, show_failures),
     .max = INT32_MAX},
    {.name = "seed",
     .letter = 's',
     .kind = CLI_SEED,
     .value = "N",
     .help = "of the resampling, and of cases without their own",
     .offset = offsetof(eval_settings, seed)},
    {.name = "skip-bad",
     .kind = CLI_FLAG,
     .help = "leave bad lines of --data out",
     .offset = offsetof(eval_settings, skip_bad)},
    {.name = "reuse",
     .kind = CLI_FLAG,
     .help = "keep what is evaluated from case to case where prompts begin alike",
     .offset = offsetof(eval_settings, reuse)},
    CLI_MODEL_OPTIONS(eval_settings),
    CLI_TEMPLATE_OPTION(eval_settings),
    CLI_COMMON_OPTIONS(eval_settings),
};

static const char *const figures[] = {"pass-rate", "mark-error", "rank-correlation"};

static cn_status check_settings(const eval_settings *s, cn_err *err)
{
    size_t i = 0;
    if (!s->text + !s->data + !s->task != 2) {
        cn_status st = cn_fail(err, CN_E_ARG, "there are %d of --text, --data and --task",
                               3 - !s->text - !s->data - !s->task);
        cn_ctx(err, st, "choosing what to measure");
        return cn_next(err, st, "give one of --text FILE, --data FILE and --task FILE");
    }
    if (!s->figure) return CN_OK;
    while (i < CN_ARRAY_LEN(figures) && strcmp(s->figure, figures[i]) != 0)
        i++;
    if (i < CN_ARRAY_LEN(figures) && s->task) return CN_OK;
    cn_status st = cn_fail(err, CN_E_ARG, "--figure %.40s: %s", s->figure,
                           s->task ? "no such figure" : "only a task has several figures");
    cn_ctx(err, st, "choosing the figure");
    return cn_next(err, st,
                   "--task FILE with --figure pass-rate, mark-error or rank-correlation");
}

static cn_status read_task(eval_task *t, const eval_settings *s, cn_err *err)
{
    cn_buf text = {0};
    cn_status st = cli_read_file(&text, s->task, EVAL_MAX_FILE, err);
    if (!st) {
        st = eval_task_read(t, cn_buf_view(&text), (size_t)s->limit, err);
        if (st) cn_ctx(err, st, "reading %s", s->task);
    }
    cn_buf_deinit(&text);
    if (st || !s->figure || t->n_marks || strcmp(s->figure, figures[0]) == 0) return st;
    st = cn_fail(err, CN_E_ARG, "no case of %s expects marks", s->task);
    return cn_next(err, st, "leave --figure out");
}

/* The other side: --with, else the first model without its adapters. */
typedef struct other_model {
    char *name; /* owned */
    cli_model_options o;
} other_model;

/* Opened once before the first is measured: what cannot be is told before the long part. */
static cn_status find_other(other_model *out, const eval_settings *s, cn_err *err)
{
    cli_place place = {0};
    cli_model m = {0};
    cn_status st = s->with ? CN_OK : cli_place_find(&place, s->common.words[0], err);
    if (st) return st;
    const char *name = s->with ? s->with : place.model;
    out->name = cn_xstrndup(name, strlen(name));
    out->o = s->model;
    out->o.adapters = s->with_adapters;
    if (!s->with) cli_place_deinit(&place);
    st = cli_model_open(&m, out->name, &out->o, err);
    cli_model_close(&m);
    return st;
}

static cn_status check_same_tokens(const eval_side *s, cn_err *err)
{
    if (s[0].fingerprint == s[1].fingerprint && s[0].measures[0].n == s[1].measures[0].n)
        return CN_OK;
    cn_status st = cn_fail(err, CN_E_MISMATCH,
                           "A counts %zu tokens, B %zu, and not the same: figures for a token "
                           "are then no measure of the models",
                           s[0].tokens, s[1].tokens);
    cn_ctx(err, st, "comparing %s and %s", s[0].name, s[1].name);
    return cn_next(err, st, "compare models of one tokenizer (with one --ctx), or use --task");
}

/* Marks that one side did not read say nothing about the difference. */
static void keep_common_marks(eval_side *s, const eval_task *t)
{
    for (int i = 0; i < 2; i++)
        eval_items_errors(s[i].measures[1].items, t, &s[i].run, &s[1 - i].run);
}

static cn_status compare(eval_report *r, eval_side *s, cn_err *err)
{
    cn_status st = r->job->task ? CN_OK : check_same_tokens(s, err);
    if (r->job->task && s[0].n_measures > 1) keep_common_marks(s, r->job->task);
    for (size_t i = 0; i < s[0].n_measures && !st; i++) {
        const eval_measure *a = &s[0].measures[i], *b = &s[1].measures[i];
        eval_comparison *c = &r->comparisons[r->n_comparisons++];
        *c = (eval_comparison){.name = a->name};
        st = eval_compare(&c->d, a, b, r->job->seed, err);
    }
    return st;
}

static eval_decision decide(const eval_settings *s, const eval_side *a)
{
    eval_decision d = {a->measures[0].name, a->measures[0].value, s->under, s->over, false};
    if (s->figure && strcmp(s->figure, "mark-error") == 0) {
        d.name = a->measures[1].name;
        d.value = a->measures[1].value;
    } else if (s->figure && strcmp(s->figure, "rank-correlation") == 0) {
        d.name = "rank_correlation";
        d.value = a->figures.all_marks.rank_correlation;
    }
    /* In the threshold's own precision, so that 0.7 is not over 0.7. No figure is no success.
     */
    float v = (float)d.value;
    d.missed = (!isnan(s->under) && !(v >= s->under)) || (!isnan(s->over) && !(v <= s->over));
    return d;
}

static void tell_missed(const eval_decision *d)
{
    bool under = !isnan(d->under) && !((float)d->value >= d->under);
    if (isnan(d->value))
        fprintf(stderr, "threshold missed: %s could not be measured\n", d->name);
    else
        fprintf(stderr, "threshold missed: %s is %.4f, %s %g\n", d->name, d->value,
                under ? "under" : "over", (double)(under ? d->under : d->over));
}

static cn_status measure(const eval_settings *s, const eval_job *job, eval_side sides[2],
                         cn_err *err)
{
    bool both = s->with || s->with_adapters.n;
    other_model other = {0};
    eval_report r = {.job = job,
                     .sides = sides,
                     .n_sides = both ? 2 : 1,
                     .show_failures = (size_t)s->show_failures};
    cn_status st = both ? find_other(&other, s, err) : CN_OK;
    if (!st)
        st = eval_side_measure(&sides[0], job, s->common.words[0], &s->model, both ? "A" : NULL,
                               err);
    if (!st && both) st = eval_side_measure(&sides[1], job, other.name, &other.o, "B", err);
    if (!st) r.decision = decide(s, &sides[0]);
    if (!st && both) st = compare(&r, sides, err);
    cn_free(other.name);
    if (st) return st;
    if (s->common.json)
        eval_report_json(&r);
    else
        eval_report_text(&r);
    if (r.decision.missed) {
        tell_missed(&r.decision);
        *s->common.exit_status = 1;
    }
    return CN_OK;
}

static void defaults(void *settings)
{
    eval_settings *s = settings;
    s->under = s->over = NAN;
    s->show_failures = 5;
}

static cn_status run(const void *settings, cn_err *err)
{
    const eval_settings *s = settings;
    eval_side sides[2] = {0};
    eval_task *task = cn_xcalloc(1, sizeof *task);
    cn_buf text = {0};
    cli_catch_interrupt();
    cn_status st = check_settings(s, err);
    if (!st && s->task) st = read_task(task, s, err);
    if (!st && s->text) st = cli_read_file(&text, s->text, (size_t)1 << 30, err);
    if (!st) {
        const eval_job job = {s->task ? task : NULL, s->text, s->data,  cn_buf_view(&text),
                              (size_t)s->limit,      s->seed, s->reuse, s->skip_bad};
        st = measure(s, &job, sides, err);
    }
    for (int i = 0; i < 2; i++)
        eval_side_deinit(&sides[i]);
    cn_buf_deinit(&text);
    eval_task_deinit(task);
    cn_free(task);
    return st;
}

const cli_verb verb_eval = {
    .name = "eval",
    .words = "MODEL",
    .summary = "How good a model is, and which of two is better.",
    .details = "Perplexity on a text, the loss on held-out records, or the cases of a task "
               "file with what\n"
               "is expected of the replies; docs/eval.md tells its form. Exit status 1: the "
               "threshold is\n"
               "missed.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 1,
    .max_words = 1,
    .settings_size = sizeof(eval_settings),
    .defaults = defaults,
    .run = run,
};
