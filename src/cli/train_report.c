#include "train_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler.h"
#include "digest.h"
#include "export.h"
#include "file.h"
#include "json_out.h"
#include "mem.h"
#include "table.h"
#include "train_view.h"

/* ---- before */

static void report_data(const dataset_report *d)
{
    char tokens[24], loss[24];
    printf("data     %" PRIu64 " records, %s tokens (%s to learn), longest %u", d->n_records,
           cli_count(tokens, sizeof tokens, d->n_tokens),
           cli_count(loss, sizeof loss, d->n_loss_tokens), d->longest);
    if (d->n_heldout) printf("; %" PRIu64 " held out", d->n_heldout);
    putchar('\n');
    if (d->n_bad || d->n_empty || d->n_duplicate || d->n_truncated || d->n_no_loss)
        printf("         left out: %" PRIu64 " bad, %" PRIu64 " empty, %" PRIu64
               " repeated, %" PRIu64 " with nothing to learn; cut: %" PRIu64 "\n",
               d->n_bad, d->n_empty, d->n_duplicate, d->n_no_loss, d->n_truncated);
    if (d->n_leaks)
        printf("         %" PRIu64 " of %" PRIu64
               " held-out records are also in the training set (same text %" PRIu64
               ", same prompt %" PRIu64 ")\n",
               d->n_leaks, d->n_heldout, d->n_leaks_text, d->n_leaks_prompt);
}

void train_report_plan(const train_request *r, const net *n, const dataset_report *d,
                       const train_need *need)
{
    char all[24], some[24], bytes[6][24];
    report_data(d);
    printf("model    %s, %s parameters, %s in training", n->hp.arch,
           cli_count(all, sizeof all, need->n_params),
           cli_count(some, sizeof some, need->n_trained));
    if (r->settings.mode == TRAIN_LORA)
        printf(" (LoRA rank %u, alpha %g)", n->lora.rank, (double)n->lora.alpha);
    printf("\nmemory   %s: base %s, weights and gradients %s, optimiser %s, activations %s; %s "
           "free (%s)\n",
           cli_bytes(bytes[0], 24, need->total), cli_bytes(bytes[1], 24, need->base),
           cli_bytes(bytes[2], 24, need->weights + need->gradients),
           cli_bytes(bytes[3], 24, need->optimiser), cli_bytes(bytes[4], 24, need->activations),
           cli_bytes(bytes[5], 24, need->available), need->limit);
    fflush(stdout);
}

cn_status train_need_fits(const train_need *need, cn_err *err)
{
    char wants[24], has[24];
    if (need->total <= need->available) return CN_OK;
    cn_fail(err, CN_E_NOMEM, "this run needs %s, and %s are free (%s)",
            cli_bytes(wants, sizeof wants, need->total),
            cli_bytes(has, sizeof has, need->available), need->limit);
    return cn_next(err, CN_E_NOMEM,
                   need->activations > need->total / 2
                       ? "use a smaller --batch or --context, or --checkpointing"
                   : need->weights > need->total / 8
                       ? "train an adapter (no --full), or use --adam-8bit"
                       : "use a base in a smaller type (conatus quantize)");
}

void train_report_time(const trainer *t, double seconds_per_step)
{
    char time[48];
    uint64_t left = trainer_n_steps(t) - trainer_step(t);
    printf("time     %" PRIu64 " steps of about %.2g s: %s\n", left, seconds_per_step,
           cli_duration(time, sizeof time, seconds_per_step * (double)left));
    fflush(stdout);
}

/* ---- after */

const char *train_result_name(const train_request *r)
{
    return r->settings.mode == TRAIN_LORA ? "adapter" : "model.gguf";
}

static void result_json(const train_request *r, const char *dir, const train_result *x)
{
    json_out j = {0};
    char *file = cn_path_join(dir, train_result_name(r));
    json_open(&j, '{');
    json_put_text(&j, "result", file);
    json_put_uint(&j, "step", x->step);
    json_put_uint(&j, "tokens", x->tokens);
    json_put_num(&j, "loss", x->loss);
    json_put_num(&j, "heldout_loss", x->heldout_loss);
    json_put_num(&j, "best_heldout_loss", x->best_heldout_loss);
    json_put_uint(&j, "best_step", x->best_step);
    json_put_num(&j, "seconds", x->seconds);
    json_put_bool(&j, "stopped_early", x->stopped_early);
    json_close(&j, '}');
    json_print(&j);
    cn_free(file);
}

void train_report_end(const train_request *r, const char *dir, const train_result *x)
{
    char time[48];
    if (r->common.json) {
        result_json(r, dir, x);
        return;
    }
    job_metrics m = {0};
    cn_err ignored;
    if (!job_metrics_read(&m, dir, &ignored)) cli_print_curve(&m, false);
    job_metrics_deinit(&m);
    printf("%s after %" PRIu64 " steps, %s: loss %.4f",
           x->stopped_early ? "stopped early" : "done", x->step,
           cli_duration(time, sizeof time, x->seconds), x->loss);
    if (isfinite(x->heldout_loss)) printf(", held-out %.4f", x->heldout_loss);
    if (isfinite(x->best_heldout_loss))
        printf(" (best %.4f at step %" PRIu64 ")", x->best_heldout_loss, x->best_step);
    printf("\n%s/%s\n", dir, train_result_name(r));
    if (r->settings.mode == TRAIN_LORA)
        printf("try it: conatus run %s+%s/adapter\n", r->base, dir);
    else
        printf("try it: conatus run %s/model.gguf\n", dir);
}

/* ---- what it was */

#define HASH_PART ((long)64 << 20)

static void hash_part(FILE *f, sha256 *s, long from, long to)
{
    char buf[65536];
    fseek(f, from, SEEK_SET);
    while (from < to) {
        size_t n = fread(buf, 1, CN_MIN(sizeof buf, (size_t)(to - from)), f);
        if (!n) return;
        sha256_add(s, buf, n);
        from += (long)n;
    }
}

void train_hash_file(char out[80], const char *path)
{
    struct stat st;
    out[0] = 0;
    if (cn_is_dir(path)) {
        char *inside = cn_path_join(path, "model.safetensors");
        if (cn_is_file(inside)) train_hash_file(out, inside);
        cn_free(inside);
        return;
    }
    FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
    if (!f) return;
    sha256 s = sha256_begin();
    long size = (long)st.st_size, head = CN_MIN(size, HASH_PART);
    hash_part(f, &s, 0, head);
    hash_part(f, &s, CN_MAX(head, size - HASH_PART), size);
    fclose(f);
    char hex[65];
    sha256_hex(&s, hex);
    snprintf(out, 80, "%s%s", size > 2 * HASH_PART ? "ends-" : "", hex);
}

static void put_option(cn_buf *out, const char *name, const char *value)
{
    if (value) cn_buf_printf(out, " --%s %s", name, value);
}

static void put_flags(cn_buf *out, const train_request *r)
{
    const struct {
        const char *name;
        bool on;
    } flags[] = {{"full", r->full},
                 {"rslora", r->rslora},
                 {"adam-8bit", r->adam_8bit},
                 {"checkpointing", r->checkpointing},
                 {"f32", r->f32},
                 {"no-pack", r->no_pack},
                 {"skip-bad", r->skip_bad},
                 {"keep-duplicates", r->keep_duplicates},
                 {"loss-on-all", r->loss_on_all}};
    for (size_t i = 0; i < CN_ARRAY_LEN(flags); i++)
        if (flags[i].on) cn_buf_printf(out, " --%s", flags[i].name);
}

void train_command_line(cn_buf *out, const train_request *r)
{
    cn_buf_lit(out, "conatus train");
    put_option(out, "base", r->base);
    put_option(out, "new", r->shape);
    put_option(out, "tokenizer", r->tokenizer);
    for (size_t i = 0; i < r->data.n; i++)
        put_option(out, "data", r->data.items[i]);
    if (r->heldout_file)
        put_option(out, "heldout-file", r->heldout_file);
    else
        cn_buf_printf(out, " --heldout %g", (double)r->heldout);
    for (size_t i = 0; i < TRAIN_TEXT_OPTIONS && train_text_names[i]; i++)
        put_option(out, train_text_names[i], r->text[i]);
    put_flags(out, r);
    put_option(out, "template", r->template_file);
    put_option(out, "type", r->type);
    put_option(out, "out", r->out);
}

/* ---- what it leaves */

static cn_status export_type(cn_dtype *out, const train_request *r, cn_err *err)
{
    *out = CN_F16;
    if (!r->type || !cn_dtype_parse(out, r->type)) return CN_OK;
    cn_fail(err, CN_E_ARG, "no type is called \"%.40s\"", r->type);
    return cn_next(err, CN_E_ARG,
                   "use F32, F16, BF16 or Q8_0; conatus quantize makes the others");
}

static cn_dtype hf_type(cn_dtype type)
{
    return type == CN_F32 || type == CN_BF16 ? type : CN_F16;
}

cn_status train_export(const net *n, const train_request *r, const char *base_path,
                       const char *dir, cn_err *err)
{
    cn_dtype type;
    cn_buf tmpl = {0};
    cn_status st = export_type(&type, r, err);
    if (!st && r->template_file) st = cn_file_read(&tmpl, r->template_file, 1 << 20, err);
    if (st) return st;
    export_source src = {.base_path = base_path,
                         .tokenizer_path = r->tokenizer,
                         .chat_template = tmpl.p,
                         .name = r->name ? r->name : cn_path_base(dir),
                         .description = r->description};
    char *adapter = cn_path_join(dir, "adapter"), *file = cn_path_join(dir, "model.gguf"),
         *hf = cn_path_join(dir, "hf");
    if (r->settings.mode == TRAIN_LORA) {
        st = export_peft(n, &src, adapter, err);
    } else {
        st = export_gguf(n, &src, file, type, err);
        if (!st) st = export_hf(n, &src, hf, hf_type(type), err);
    }
    cn_free(adapter);
    cn_free(file);
    cn_free(hf);
    cn_buf_deinit(&tmpl);
    return st ? cn_ctx(err, st, "writing what was trained") : CN_OK;
}
