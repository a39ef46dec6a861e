/* conatus doctor: the report of ops as lines, or as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "compiler.h"
#include "doctor.h"
#include "json_out.h"
#include "mem.h"
#include "store.h"
#include "table.h"
#include "verbs.h"

typedef struct doctor_settings {
    cli_common common;
    const char *kernels;
    int32_t threads;
} doctor_settings;

static const cli_option options[] = {
    {.name = "kernels",
     .kind = CLI_TEXT,
     .value = "NAME",
     .help = "judge these kernels: auto, ref, avx2, avx512, neon",
     .offset = offsetof(doctor_settings, kernels),
     .env = "CONATUS_KERNELS"},
    {.name = "threads",
     .letter = 't',
     .kind = CLI_INT,
     .value = "N",
     .help = "measure with N threads (0: all)",
     .offset = offsetof(doctor_settings, threads),
     .max = 256,
     .env = "CONATUS_THREADS"},
    CLI_COMMON_OPTIONS(doctor_settings),
};

static const char *const state_names[] = {"OK", "warning", "problem"};

static void print_checks(const doctor_report *r)
{
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
    bool colour = isatty(STDOUT_FILENO) == 1;
    for (size_t i = 0; i < r->n_checks; i++) {
        const doctor_check *c = &r->checks[i];
        printf("%s%-8s%s %-10s %s\n", colour ? colours[c->state] : "", state_names[c->state],
               colour ? "\033[0m" : "", c->name, c->text);
        if (c->mend[0]) printf("%20s-> %s\n", "", c->mend);
    }
}

static void print_models(const doctor_report *r)
{
    char bytes[24], memory[24];
    cli_table *t = cli_table_new("lrrl");
    printf("\nThis machine can run (estimated from the measured bandwidth, context 4096):\n");
    for (size_t i = 0; i < DOCTOR_N_MODELS; i++) {
        const doctor_model *m = &r->models[i];
        cli_table_cell(t, "  %s", m->name);
        cli_table_cell(t, "%s", cli_bytes(bytes, sizeof bytes, m->bytes));
        cli_table_cell(t, "needs %s", cli_bytes(memory, sizeof memory, m->memory));
        if (!m->fits)
            cli_table_cell(t, "does not fit");
        else if (r->bandwidth > 0)
            cli_table_cell(t, "about %.*f tokens/s", m->tokens_per_second < 10,
                           m->tokens_per_second);
        else
            cli_table_cell(t, "fits");
    }
    cli_table_print(t, stdout);
    cli_table_free(t);
}

static void print_json(const doctor_report *r)
{
    json_out j = {0};
    json_open(&j, '{');
    json_put_text(&j, "kernels", r->kernels);
    json_put_text(&j, "features", r->features);
    json_put_uint(&j, "threads", r->n_threads);
    json_put_uint(&j, "memory_total", r->memory_total);
    json_put_uint(&j, "memory_left", r->memory_left);
    json_put_text(&j, "memory_limit", r->memory_limit);
    json_put_num(&j, "bandwidth", r->bandwidth);
    json_key(&j, "checks");
    json_open(&j, '[');
    for (size_t i = 0; i < r->n_checks; i++) {
        json_open(&j, '{');
        json_put_text(&j, "name", r->checks[i].name);
        json_put_text(&j, "state", state_names[r->checks[i].state]);
        json_put_text(&j, "text", r->checks[i].text);
        json_put_text(&j, "mend", r->checks[i].mend[0] ? r->checks[i].mend : NULL);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_key(&j, "can_run");
    json_open(&j, '[');
    for (size_t i = 0; i < DOCTOR_N_MODELS; i++) {
        json_open(&j, '{');
        json_put_text(&j, "model", r->models[i].name);
        json_put_uint(&j, "bytes", r->models[i].bytes);
        json_put_uint(&j, "memory", r->models[i].memory);
        json_put_bool(&j, "fits", r->models[i].fits);
        json_put_num(&j, "tokens_per_second", r->models[i].tokens_per_second);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    json_print(&j);
}

static cn_status run(const void *settings, cn_err *err)
{
    const doctor_settings *s = settings;
    char *store = cli_store_folder("models");
    doctor_report *r = cn_xmalloc(sizeof *r);
    (void)err;
    doctor_examine(r, &(doctor_options){s->kernels, (unsigned)s->threads, store});
    if (s->common.json) {
        print_json(r);
    } else {
        print_checks(r);
        print_models(r);
    }
    cn_free(r);
    cn_free(store);
    return CN_OK;
}

const cli_verb verb_doctor = {
    .name = "doctor",
    .words = "",
    .summary = "Examine this machine and say what it can run.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .settings_size = sizeof(doctor_settings),
    .run = run,
};
