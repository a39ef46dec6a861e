/* conatus quantize: a model in another type. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include <conatus/quantize.h>

#include "clock.h"
#include "compiler.h"
#include "file.h"
#include "gguf.h"
#include "interrupt.h"
#include "json_out.h"
#include "mem.h"
#include "progress.h"
#include "quant_mix.h"
#include "store.h"
#include "table.h"
#include "verbs.h"

typedef struct quantize_settings {
    cli_common common;
    const char *type;
    int32_t threads;
    bool verbose, overwrite;
} quantize_settings;

static const cli_option options[] = {
    {.name = "type",
     .kind = CLI_TEXT,
     .value = "TYPE",
     .help = "Q4_K_M (the default), Q8_0, F16, NF4, ... or any other type",
     .offset = offsetof(quantize_settings, type)},
    {.name = "threads",
     .letter = 't',
     .kind = CLI_INT,
     .value = "N",
     .help = "compute threads (0: all that this process may use)",
     .offset = offsetof(quantize_settings, threads),
     .max = 256,
     .env = "CONATUS_THREADS"},
    {.name = "verbose",
     .letter = 'v',
     .kind = CLI_FLAG,
     .help = "the error of every tensor",
     .offset = offsetof(quantize_settings, verbose)},
    {.name = "overwrite",
     .kind = CLI_FLAG,
     .help = "replace an output that is there already",
     .offset = offsetof(quantize_settings, overwrite)},
    CLI_COMMON_OPTIONS(quantize_settings),
};

typedef struct quantize_job {
    bool verbose, json;
    cli_progress bar;
    cli_table *table;
    json_out tensors;
    uint64_t n, bytes;
    double worst; /* largest relative error of a tensor that changed */
    char worst_name[96];
} quantize_job;

/* Tensors that became another type than asked, alike in type and row. */
typedef struct stray {
    cn_dtype type;
    uint64_t n, cols; /* cols 0: chosen by the mix, not for the rows */
} stray;

enum { MAX_STRAYS = 32 };

static void add_stray(stray *strays, size_t *n, cn_dtype type, uint64_t cols)
{
    size_t i = 0;
    while (i < *n && (strays[i].type != type || strays[i].cols != cols))
        i++;
    if (i == MAX_STRAYS) return;
    if (i == *n) strays[(*n)++] = (stray){type, 0, cols};
    strays[i].n++;
}

/* The matrices of the file just written that are not of the type that its name says. */
static size_t find_strays(stray *strays, const char *file, const char *type)
{
    const quant_mix *mix = quant_mix_find(type);
    gguf *g = NULL;
    size_t n = 0;
    if (!mix || gguf_open_head(&g, file, NULL)) return 0;
    uint32_t block = cn_dtype_info_of(mix->type)->block;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const file_tensor *t = gguf_tensor_at(g, i);
        if (t->n_dims < 2 || t->type == mix->type) continue;
        add_stray(strays, &n, t->type, t->dims[0] % block ? t->dims[0] : 0);
    }
    gguf_close(g);
    return n;
}

/* "rows of 64 are no multiple of 256" */
static void why_stray(char *out, size_t size, const stray *s, const char *type)
{
    if (s->cols)
        snprintf(out, size, "rows of %" PRIu64 " are no multiple of %u", s->cols,
                 cn_dtype_info_of(quant_mix_find(type)->type)->block);
    else
        snprintf(out, size, "%s keeps them so", quant_mix_find(type)->name);
}

static void strays_json(json_out *j, const stray *strays, size_t n, const char *type)
{
    json_key(j, "other_types");
    json_open(j, '[');
    for (size_t i = 0; i < n; i++) {
        char why[80];
        why_stray(why, sizeof why, &strays[i], type);
        json_open(j, '{');
        json_put_text(j, "type", cn_dtype_info_of(strays[i].type)->name);
        json_put_uint(j, "tensors", strays[i].n);
        json_put_text(j, "why", why);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void strays_text(const stray *strays, size_t n, const char *type)
{
    for (size_t i = 0; i < n; i++) {
        char why[80];
        why_stray(why, sizeof why, &strays[i], type);
        printf("%" PRIu64 " tensor%s became %s: %s\n", strays[i].n, strays[i].n == 1 ? "" : "s",
               cn_dtype_info_of(strays[i].type)->name, why);
    }
}

static double relative(const cn_quantized_tensor *t)
{
    return t->rms > 0 ? t->rmse / t->rms : 0;
}

static void note_json(json_out *j, const cn_quantized_tensor *t)
{
    json_open(j, '{');
    json_put_text(j, "name", t->name);
    json_put_text(j, "from", cn_dtype_info_of(t->from)->name);
    json_put_text(j, "to", cn_dtype_info_of(t->to)->name);
    json_put_uint(j, "elements", t->n_elements);
    json_put_uint(j, "bytes", t->bytes);
    json_put_num(j, "rmse", t->rmse);
    json_put_num(j, "max_error", t->max_error);
    json_put_num(j, "rms", t->rms);
    json_close(j, '}');
}

static void note_row(cli_table *t, const cn_quantized_tensor *q)
{
    char bytes[24];
    cli_table_cell(t, "%s", q->name);
    cli_table_cell(t, "%s", cn_dtype_info_of(q->from)->name);
    cli_table_cell(t, "%s", cn_dtype_info_of(q->to)->name);
    cli_table_cell(t, "%s", cli_bytes(bytes, sizeof bytes, q->bytes));
    cli_table_cell(t, "rmse %.3g", q->rmse);
    cli_table_cell(t, "%.3f %%", 100 * relative(q));
    cli_table_cell(t, "max %.3g", q->max_error);
}

static bool on_tensor(void *user, const cn_quantized_tensor *t, uint64_t done, uint64_t total)
{
    quantize_job *job = user;
    job->n++;
    job->bytes += t->bytes;
    if (relative(t) > job->worst) {
        job->worst = relative(t);
        snprintf(job->worst_name, sizeof job->worst_name, "%s", t->name);
    }
    if (job->json) note_json(&job->tensors, t);
    if (job->verbose) note_row(job->table, t);
    cli_progress_at(&job->bar, (double)done, (double)total);
    return !atomic_load(&cli_interrupted);
}

static void report(const quantize_job *job, const char *out, const char *type, double seconds)
{
    char bytes[24];
    stray strays[MAX_STRAYS];
    size_t n = find_strays(strays, out, type);
    if (job->json) {
        json_out j = {0};
        json_open(&j, '{');
        json_put_text(&j, "file", out);
        json_put_text(&j, "type", type);
        json_put_uint(&j, "bytes", job->bytes);
        json_put_num(&j, "seconds", seconds);
        strays_json(&j, strays, n, type);
        json_key(&j, "tensors");
        json_open(&j, '[');
        json_raw(&j, cn_buf_view(&job->tensors.b));
        json_close(&j, ']');
        json_close(&j, '}');
        json_print(&j);
        return;
    }
    if (job->verbose) cli_table_print(job->table, stdout);
    printf("%s: %s, %" PRIu64 " tensors, %s in %.1f s", cn_path_base(out), type, job->n,
           cli_bytes(bytes, sizeof bytes, job->bytes), seconds);
    if (job->worst > 0)
        printf("; largest relative error %.2f %% (%s)", 100 * job->worst, job->worst_name);
    putchar('\n');
    strays_text(strays, n, type);
}

static cn_status run(const void *settings, cn_err *err)
{
    const quantize_settings *s = settings;
    const char *out = s->common.words[1], *type = s->type;
    if (s->common.n_words > 2) type = s->common.words[2];
    if (!type) type = "Q4_K_M";
    quantize_job job = {.verbose = s->verbose && !s->common.json, .json = s->common.json};
    cli_place place;
    uint64_t start = cn_now_ns();
    cn_status st = cli_place_find(&place, s->common.words[0], err);
    if (st) return st;
    if (!s->overwrite && access(out, F_OK) == 0) {
        st = cn_fail(err, CN_E_ARG, "%s is there already", out);
        cn_next(err, st, "give another name, or --overwrite");
        cli_place_deinit(&place);
        return st;
    }
    cli_catch_interrupt();
    job.table = cli_table_new("lllrrrr");
    job.bar = cli_progress_start("quantizing", true);
    cn_quantize_options o = {(unsigned)s->threads, on_tensor, &job};
    st = cn_quantize(place.model, out, type, &o, err);
    cli_progress_end(&job.bar);
    if (st == CN_E_NOT_FOUND) cn_next(err, st, "make the folder of %.150s first", out);
    if (!st) report(&job, out, type, cn_seconds_since(start));
    cli_table_free(job.table);
    cn_buf_deinit(&job.tensors.b);
    cli_place_deinit(&place);
    return st;
}

const cli_verb verb_quantize = {
    .name = "quantize",
    .words = "MODEL OUT.gguf [TYPE]",
    .summary = "Write a model in a smaller type.",
    .details = "MODEL may be a GGUF file or a Hugging Face folder. The output appears when it "
               "is complete.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .min_words = 2,
    .max_words = 3,
    .settings_size = sizeof(quantize_settings),
    .run = run,
};
