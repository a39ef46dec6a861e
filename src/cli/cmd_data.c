/* conatus data check: what a file of training data holds, before anything starts. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "dataset.h"
#include "interrupt.h"
#include "json_out.h"
#include "mem.h"
#include "model.h"
#include "progress.h"
#include "table.h"
#include "verbs.h"

typedef struct data_settings {
    cli_common common;
    const char *model, *template_file, *heldout_file;
    int32_t context, threads;
    float heldout;
    uint64_t seed;
    bool loss_on_all;
} data_settings;

static const cli_option options[] = {
    {.name = "model",
     .kind = CLI_TEXT,
     .value = "MODEL",
     .help = "count in this model's tokens; without it in characters",
     .offset = offsetof(data_settings, model)},
    {.name = "context",
     .kind = CLI_INT,
     .value = "N",
     .help = "tell of records that are longer than N (0: any length)",
     .offset = offsetof(data_settings, context),
     .max = 1 << 24},
    {.name = "heldout",
     .kind = CLI_NUM,
     .value = "X",
     .help = "the share to hold out, and what would leak (0)",
     .offset = offsetof(data_settings, heldout),
     .max = 0.9},
    {.name = "heldout-file",
     .kind = CLI_TEXT,
     .value = "FILE",
     .help = "the held-out records, in a file of their own",
     .offset = offsetof(data_settings, heldout_file)},
    {.name = "loss-on-all",
     .kind = CLI_FLAG,
     .help = "prompts are learnt too",
     .offset = offsetof(data_settings, loss_on_all)},
    {.name = "template",
     .kind = CLI_TEXT,
     .value = "FILE",
     .help = "chat template to use in place of the model's",
     .offset = offsetof(data_settings, template_file)},
    {.name = "seed",
     .letter = 's',
     .kind = CLI_SEED,
     .value = "N",
     .help = "of the choice of what is held out",
     .offset = offsetof(data_settings, seed)},
    {.name = "threads",
     .letter = 't',
     .kind = CLI_INT,
     .value = "N",
     .help = "threads (0: all that this process may use)",
     .offset = offsetof(data_settings, threads),
     .max = 256,
     .env = "CONATUS_THREADS"},
    CLI_COMMON_OPTIONS(data_settings),
};

static void print_findings(const dataset_report *r)
{
    static const char *const titles[DATASET_WHATS] = {
        "bad lines", "empty", "duplicates", "cut", "nothing to learn", "leaks"};
    const uint64_t counts[DATASET_WHATS] = {r->n_bad,       r->n_empty,   r->n_duplicate,
                                            r->n_truncated, r->n_no_loss, r->n_leaks};
    uint64_t told = 0;
    for (size_t i = 0; i < r->n_findings; i++) {
        const dataset_finding *f = &r->findings[i];
        bool first = i == 0 || r->findings[i - 1].what != f->what;
        bool last = i + 1 == r->n_findings || r->findings[i + 1].what != f->what;
        told = first ? 1 : told + 1;
        if (first) printf("\n%s:\n", titles[f->what]);
        printf("  %s%sline %" PRIu64 ": %s\n", r->n_paths > 1 ? r->paths[f->file] : "",
               r->n_paths > 1 ? ", " : "", f->line, f->why);
        if (last && counts[f->what] > told)
            printf("  and %" PRIu64 " more\n", counts[f->what] - told);
    }
}

static void row(cli_table *t, const char *name, uint64_t n, const char *note)
{
    cli_table_cell(t, "%s", name);
    cli_table_cell(t, "%" PRIu64, n);
    cli_table_cell(t, "%s", note);
}

/* Only what is there. */
static void row_if(cli_table *t, const char *name, uint64_t n, const char *note)
{
    if (n) row(t, name, n, note);
}

static void print_table(const dataset_report *r)
{
    char note[96];
    const char *unit = r->in_tokens ? "tokens" : "characters";
    cli_table *t = cli_table_new("lrl");
    row(t, "lines", r->n_lines, "");
    snprintf(note, sizeof note, "%" PRIu64 " text, %" PRIu64 " prompts, %" PRIu64 " messages",
             r->n_text, r->n_pairs, r->n_messages);
    row(t, "records", r->n_records + r->n_heldout, note);
    row(t, "  bad", r->n_bad, "");
    row(t, "  empty", r->n_empty, "");
    row(t, "  duplicate", r->n_duplicate, "");
    row_if(t, "  nothing to learn", r->n_no_loss, "");
    row_if(t, "  cut", r->n_truncated, "");
    row_if(t, "byte order marks", r->n_boms, "skipped");
    if (r->n_heldout) {
        row(t, "held out", r->n_heldout, "");
        snprintf(note, sizeof note, "%" PRIu64 " the same text, %" PRIu64 " the same prompt",
                 r->n_leaks_text, r->n_leaks_prompt);
        row(t, "  leaks", r->n_leaks, r->n_leaks ? note : "");
    }
    row(t, unit, r->n_tokens + r->heldout_tokens, "");
    row(t, "  learnt", r->n_loss_tokens + r->heldout_loss_tokens, "");
    row(t, "  of a record, least", r->shortest, "");
    row(t, "  median", r->median, "");
    row(t, "  95 in 100 up to", r->p95, "");
    row(t, "  most", r->longest, "");
    cli_table_print(t, stdout);
    cli_table_free(t);
    print_findings(r);
}

static void json_findings(json_out *j, const dataset_report *r)
{
    json_key(j, "findings");
    json_open(j, '[');
    for (size_t i = 0; i < r->n_findings; i++) {
        const dataset_finding *f = &r->findings[i];
        json_open(j, '{');
        json_put_text(j, "what", dataset_what_name(f->what));
        json_put_text(j, "file", r->paths[f->file]);
        json_put_uint(j, "line", f->line);
        if (f->other_line) json_put_uint(j, "other_line", f->other_line);
        json_put_text(j, "why", f->why);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void print_json(const dataset_report *r)
{
    const struct {
        const char *key;
        uint64_t n;
    } counts[] = {
        {"lines", r->n_lines},
        {"found", r->n_found},
        {"records", r->n_records},
        {"heldout", r->n_heldout},
        {"text", r->n_text},
        {"pairs", r->n_pairs},
        {"messages", r->n_messages},
        {"bad", r->n_bad},
        {"empty", r->n_empty},
        {"duplicate", r->n_duplicate},
        {"truncated", r->n_truncated},
        {"no_loss", r->n_no_loss},
        {"byte_order_marks", r->n_boms},
        {"leaks", r->n_leaks},
        {"leaks_text", r->n_leaks_text},
        {"leaks_prompt", r->n_leaks_prompt},
        {"length", r->n_tokens},
        {"learnt", r->n_loss_tokens},
        {"heldout_length", r->heldout_tokens},
        {"heldout_learnt", r->heldout_loss_tokens},
        {"shortest", r->shortest},
        {"median", r->median},
        {"p95", r->p95},
        {"longest", r->longest},
    };
    json_out j = {0};
    json_open(&j, '{');
    json_put_text(&j, "unit", r->in_tokens ? "tokens" : "characters");
    for (size_t i = 0; i < CN_ARRAY_LEN(counts); i++)
        json_put_uint(&j, counts[i].key, counts[i].n);
    json_put_text(&j, "sha256", r->sha256);
    json_put_text(&j, "heldout_sha256", r->heldout_sha256[0] ? r->heldout_sha256 : NULL);
    json_put_num(&j, "seconds", r->seconds);
    json_findings(&j, r);
    json_close(&j, '}');
    json_print(&j);
}

static bool on_progress(void *user, double done)
{
    cli_progress_at(user, done, 1);
    return !atomic_load(&cli_interrupted);
}

static cn_status check(const data_settings *s, const cn_tokenizer *t, const cn_template *chat,
                       cn_err *err)
{
    dataset *d;
    cli_progress bar = cli_progress_start("reading", false);
    dataset_options o = {
        .tokenizer = t,
        .chat = chat,
        .n_ctx = (uint32_t)s->context,
        .heldout = (double)s->heldout,
        .heldout_path = s->heldout_file,
        .seed = s->seed,
        .skip_bad = true,
        .loss_on_all = s->loss_on_all,
        .allow_none = true,
        .n_threads = (unsigned)s->threads,
        .progress = on_progress,
        .user = &bar,
    };
    const char *const *files = (const char *const *)s->common.words + 1;
    cn_status st = dataset_open(&d, files, s->common.n_words - 1, &o, err);
    cli_progress_end(&bar);
    if (st) return st;
    const dataset_report *r = dataset_report_of(d);
    if (s->common.json)
        print_json(r);
    else
        print_table(r);
    if (r->n_bad) *s->common.exit_status = 1;
    dataset_close(d);
    return CN_OK;
}

static cn_status run(const void *settings, cn_err *err)
{
    const data_settings *s = settings;
    cn_tokenizer *t = NULL;
    cn_template *chat = NULL;
    cn_status st = CN_OK;
    if (strcmp(s->common.words[0], "check") != 0) {
        st = cn_fail(err, CN_E_ARG, "what can be done with data is: check");
        cn_ctx(err, st, "data \"%.60s\"", s->common.words[0]);
        return cn_next(err, st, "conatus data check FILE");
    }
    cli_catch_interrupt();
    if (s->model) st = cli_tokenizer_open(&t, s->model, err);
    if (!st && t) st = cli_template_open(&chat, t, s->template_file, err);
    if (!st) st = check(s, t, chat, err);
    cn_template_free(chat);
    cn_tokenizer_free(t);
    return st;
}

const cli_verb verb_data = {
    .name = "data",
    .words = "check FILE...",
    .summary = "Check training data: its form, lengths, duplicates, what would leak.",
    .details =
        "A file is JSONL or CSV, which its content tells. A record has \"text\", \"prompt\" "
        "and\n"
        "\"completion\", or \"messages\"; other members are ignored. A CSV file names its "
        "columns\n"
        "in the first line. Nothing is written. The exit status is 1 when a line is bad.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 2,
    .max_words = CLI_ANY_WORDS,
    .settings_size = sizeof(data_settings),
    .run = run,
};
