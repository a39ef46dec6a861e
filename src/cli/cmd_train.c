/* conatus train: from files of text to an adapter or a model. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "curve.h"
#include "file.h"
#include "interrupt.h"
#include "jobs.h"
#include "mem.h"
#include "model.h"
#include "progress.h"
#include "store.h"
#include "train_report.h"
#include "train_request.h"
#include "train_view.h"
#include "verbs.h"

#define TEXT(i, option, what, how)                                                             \
    {                                                                                          \
        .name = option, .kind = CLI_TEXT, .value = what, .help = how,                          \
        .offset = offsetof(train_request, text) + (i) * sizeof(const char *)                   \
    }
#define WORD(option, member, what, how)                                                        \
    {                                                                                          \
        .name = option, .kind = CLI_TEXT, .value = what, .help = how,                          \
        .offset = offsetof(train_request, member)                                              \
    }
#define FLAG(option, member, how)                                                              \
    {                                                                                          \
        .name = option, .kind = CLI_FLAG, .help = how,                                         \
        .offset = offsetof(train_request, member)                                              \
    }

/* The texts stand in the order of train_text_names. */
static const cli_option options[] = {
    WORD("base", base, "MODEL", "the model to adapt (LoRA), or with --full to train whole"),
    FLAG("full", full, "train every weight of the base, not an adapter"),
    WORD("new", shape, "SHAPE", "a new model: layers=6,embd=256,heads=4,kv-heads=4,ff=704"),
    WORD("tokenizer", tokenizer, "FILE", "of a new model: tokenizer.model or tokenizer.json"),
    {.name = "data",
     .letter = 'd',
     .kind = CLI_LIST,
     .value = "FILE",
     .help = "JSONL or CSV records; may be given again",
     .offset = offsetof(train_request, data)},
    {.name = "heldout",
     .kind = CLI_NUM,
     .value = "X",
     .help = "share of the records to hold out (0.05)",
     .offset = offsetof(train_request, heldout),
     .max = 0.9},
    WORD("heldout-file", heldout_file, "FILE", "held-out records in a file of their own"),
    {.name = "out",
     .letter = 'o',
     .kind = CLI_TEXT,
     .value = "DIR",
     .help = "folder of the run: record, metrics, checkpoints, result",
     .offset = offsetof(train_request, out)},
    WORD("resume", resume, "DIR", "go on with the run in DIR from its last checkpoint"),
    TEXT(0, "rank", "N", "of the adapter (16)"),
    TEXT(1, "alpha", "X", "of the adapter: its scale is alpha / rank (32)"),
    TEXT(2, "dropout", "X", "on what the adapter sees (0)"),
    FLAG("rslora", rslora, "scale alpha / sqrt(rank)"),
    TEXT(3, "targets", "LIST",
         "layers that get an adapter: q,k,v,o,gate,up,down, attention, mlp, all"),
    TEXT(4, "context", "N", "tokens of a row, and of the longest record (1024)"),
    TEXT(5, "batch", "N", "rows computed at once (4)"),
    TEXT(6, "accumulate", "N", "batches of a step (1)"),
    TEXT(7, "epochs", "X", "times through the data (3; new models 1)"),
    TEXT(8, "steps", "N", "steps in all, in place of epochs"),
    TEXT(9, "lr", "X", "highest learning rate (2e-4; full 2e-5; new 1e-3)"),
    TEXT(10, "lr-floor", "X", "the last rate as a share of the highest (0.1)"),
    TEXT(11, "schedule", "NAME", "cosine (the default), linear, constant"),
    TEXT(12, "warmup", "X", "steps of warm-up, or a share of all (0.03)"),
    TEXT(13, "beta1", "X", "of AdamW (0.9)"),
    TEXT(14, "beta2", "X", "of AdamW (0.999; new models 0.95)"),
    TEXT(15, "weight-decay", "X", "of AdamW (0; new models 0.1)"),
    TEXT(16, "clip", "X", "largest norm of the gradient (1; 0: none)"),
    TEXT(17, "eval-every", "N", "steps between held-out losses (100; 0: at the end)"),
    TEXT(18, "eval-batches", "N", "batches of a held-out loss (0: all)"),
    TEXT(19, "save-every", "N", "steps between checkpoints (100)"),
    TEXT(20, "keep", "N", "checkpoints to keep (2)"),
    TEXT(21, "patience", "N", "stop after N held-out losses without a gain (0: never)"),
    TEXT(22, "min-gain", "X", "what counts as a gain (0)"),
    TEXT(23, "seed", "N", "of everything random (1)"),
    FLAG("adam-8bit", adam_8bit, "keep the optimiser's moments in 8 bits"),
    FLAG("checkpointing", checkpointing, "compute activations twice rather than keep them"),
    FLAG("f32", f32, "products in f32, also where the processor has bf16"),
    FLAG("no-pack", no_pack, "one record a row"),
    FLAG("skip-bad", skip_bad, "leave bad lines out, rather than refuse the file"),
    FLAG("keep-duplicates", keep_duplicates,
         "train on repeated records as often as they are there"),
    FLAG("loss-on-all", loss_on_all, "learn prompts too, not answers alone"),
    WORD("template", template_file, "FILE", "chat template in place of the model's"),
    WORD("type", type, "TYPE", "of the weights written: F16 (the default), BF16, F32, Q8_0"),
    WORD("name", name, "NAME", "of the model written"),
    WORD("description", description, "TEXT", "of the model written"),
    FLAG("export", export_only,
         "with --resume: write what the last checkpoint holds, and stop"),
    FLAG("estimate", estimate, "tell memory and time, and stop"),
    FLAG("force", force, "begin even if the estimate says that it does not fit"),
    FLAG("detach", detach, "go on in the background; conatus jobs follows it"),
    {.name = "nice",
     .kind = CLI_INT,
     .value = "N",
     .help = "let others go first: 0 to 19",
     .offset = offsetof(train_request, nice),
     .max = 19},
    {.name = "threads",
     .letter = 't',
     .kind = CLI_INT,
     .value = "N",
     .help = "compute threads (0: all that this process may use)",
     .offset = offsetof(train_request, threads),
     .max = 256,
     .env = "CONATUS_THREADS"},
    CLI_COMMON_OPTIONS(train_request),
};

static void defaults(void *settings)
{
    ((train_request *)settings)->heldout = 0.05F;
}

/* Everything of a run under way. */
typedef struct training {
    train_request *r;
    job *job;
    job_record record, before; /* before: of the part that a resume continues */
    job_detached detached;
    train_view view;
    char *out;       /* the folder */
    cli_place place; /* of the base */
    cn_model *base;
    cn_tokenizer *own_tokenizer; /* of a new model */
    const cn_tokenizer *tokenizer;
    cn_template *tmpl;
    dataset *data;
    cn_pool *pool;
    net *net;
    trainer *trainer;
    train_result result;
    cn_buf settings, command, resume;
    char base_hash[80], checkpoint[64];
} training;

static bool on_progress(void *user, double done)
{
    cli_progress_at(user, done, 1);
    return !atomic_load(&cli_interrupted);
}

/* ---- opening */

/* A run that is resumed goes on with the base that it began with. */
static cn_status check_same_base(const training *t, cn_err *err)
{
    const char *was = t->before.base_hash;
    if (!was || strcmp(was, t->base_hash) == 0) return CN_OK;
    cn_fail(err, CN_E_MISMATCH,
            "%s is another file than the run began with: SHA-256 %.16s..., then %.16s...",
            t->r->base, t->base_hash, was);
    return cn_next(err, CN_E_MISMATCH, "put the base that it began with in its place");
}

static cn_status open_base(training *t, cn_err *err)
{
    cn_model_options o = {.n_threads = (unsigned)t->r->threads, .ignore_memory_limit = true};
    cn_status st = cli_place_find(&t->place, t->r->base, err);
    if (st) return st;
    if (t->place.n_adapters)
        return cn_fail(err, CN_E_UNSUPPORTED, "training on top of an adapter: %s", t->r->base);
    st = cn_model_open(&t->base, t->place.model, &o, err);
    if (st) return st;
    t->tokenizer = cn_model_tokenizer(t->base);
    train_hash_file(t->base_hash, t->place.model);
    uint32_t n_ctx = cn_model_info_of(t->base)->n_ctx_train;
    if (!t->r->text[TRAIN_TEXT_CONTEXT])
        t->r->settings.n_ctx = CN_MIN(t->r->settings.n_ctx, n_ctx);
    st = check_same_base(t, err);
    if (st) return st;
    return t->tokenizer ? CN_OK
                        : cn_fail(err, CN_E_UNSUPPORTED, "%s holds no tokenizer", t->r->base);
}

static cn_status open_tokenizer(training *t, cn_err *err)
{
    cn_status st = t->r->base ? open_base(t, err)
                              : cn_tokenizer_open(&t->own_tokenizer, t->r->tokenizer, err);
    if (st) return st;
    if (t->own_tokenizer) t->tokenizer = t->own_tokenizer;
    return cli_template_open(&t->tmpl, t->tokenizer, t->r->template_file, err);
}

static cn_status open_data(training *t, cn_err *err)
{
    const train_request *r = t->r;
    cli_progress bar = cli_progress_start("reading", false);
    dataset_options o = {.tokenizer = t->tokenizer,
                         .chat = t->tmpl,
                         .n_ctx = r->settings.n_ctx,
                         .heldout = r->heldout_file ? 0 : (double)r->heldout,
                         .heldout_path = r->heldout_file,
                         .seed = r->settings.seed,
                         .skip_bad = r->skip_bad,
                         .loss_on_all = r->loss_on_all,
                         .keep_duplicates = r->keep_duplicates,
                         .n_threads = (unsigned)r->threads,
                         .progress = on_progress,
                         .user = &bar};
    cn_status st = dataset_open(&t->data, r->data.items, r->data.n, &o, err);
    cli_progress_end(&bar);
    return st;
}

static cn_status make_net(training *t, cn_err *err)
{
    const train_settings *s = &t->r->settings;
    if (t->base) return net_from_base(&t->net, t->base, s->mode, &s->lora, err);
    hparams hp;
    bool tied;
    cn_status st = train_shape_parse(&hp, &tied, t->r->shape,
                                     (uint32_t)cn_n_vocab(t->tokenizer), s->n_ctx, err);
    return st ? st : net_from_scratch(&t->net, &hp, tied, err);
}

static cn_status check_vocabulary(const training *t, cn_err *err)
{
    uint32_t has = t->net->hp.n_vocab, needs = (uint32_t)cn_n_vocab(t->tokenizer);
    if (needs <= has) return CN_OK;
    return cn_fail(err, CN_E_MISMATCH, "the tokenizer has %u pieces, the model %u rows", needs,
                   has);
}

/* ---- the folder */

static char *default_out(const train_request *r)
{
    char name[256];
    const char *base = cn_path_base(r->data.items[0]);
    int stem = (int)strcspn(base, ".");
    snprintf(name, sizeof name, "%.*s-%s", stem > 100 ? 100 : stem, base,
             r->shape  ? "model"
             : r->full ? "full"
                       : "lora");
    return cn_xstrndup(name, strlen(name));
}

static void fill_record(training *t)
{
    const train_request *r = t->r;
    job_record *j = &t->record;
    static const char *const kinds[] = {"lora", "full", "scratch"};
    train_request_write(&t->settings, r);
    cn_buf_printf(&t->resume, "conatus train --resume %s", job_dir(t->job));
    j->kind = kinds[r->settings.mode];
    j->command = t->before.command ? t->before.command : t->command.p;
    j->settings = t->settings.p;
    j->version = CONATUS_VERSION;
    j->base = r->base;
    j->base_hash = t->base_hash[0] ? t->base_hash : NULL;
    j->data = r->data.items[0];
    j->data_hash = dataset_report_of(t->data)->sha256;
    j->seed = r->settings.seed;
    j->threads = cn_pool_size(t->pool);
    j->resume = t->resume.p;
    j->n_steps = trainer_n_steps(t->trainer);
    j->step = trainer_step(t->trainer);
}

static cn_status claim(training *t, cn_err *err)
{
    train_request *r = t->r;
    t->out = r->out ? cn_xstrndup(r->out, strlen(r->out)) : default_out(r);
    if (r->detach) {
        cn_status st = job_detach(&t->detached, err);
        if (st || t->detached.parent) return st;
    }
    job_be_polite(r->nice, r->nice > 0);
    cn_status st = job_claim(&t->job, t->out, r->resume != NULL, err);
    if (st || !r->resume) return st;
    st = job_record_read(&t->before, t->out, err);
    t->record.started = t->before.started;
    t->record.best_heldout_loss = t->before.best_heldout_loss;
    t->record.best_step = t->before.best_step;
    t->record.n_resumed = t->before.n_resumed + 1;
    return st;
}

/* ---- while it goes */

static cn_status on_moment(void *user, const train_moment *m, cn_err *err)
{
    training *t = user;
    job_metric j = m->heldout ? job_metric_heldout(m->step, m->loss) : job_metric_new(m->step);
    if (!m->heldout) {
        j.tokens = m->tokens;
        j.epoch = m->epoch;
        j.loss = m->loss;
        j.lr = m->lr;
        j.grad_norm = m->grad_norm;
        j.tokens_per_s = m->tokens_per_s;
        j.elapsed_s = m->elapsed_s;
    }
    job_record_note(&t->record, &j);
    train_view_at(&t->view, &j);
    return job_metric_append(t->job, &j, err);
}

static cn_status on_saved(void *user, uint64_t step, cn_err *err)
{
    training *t = user;
    snprintf(t->checkpoint, sizeof t->checkpoint, "checkpoint-%09" PRIu64 ".ckpt", step);
    t->record.checkpoint = t->checkpoint;
    return job_update(t->job, &t->record, err);
}

/* ---- the story */

static cn_status prepare(training *t, cn_err *err)
{
    train_request *r = t->r;
    cn_status st = open_tokenizer(t, err);
    if (!st) st = open_data(t, err);
    if (!st) st = cn_pool_new(&t->pool, (unsigned)r->threads, err);
    if (!st) st = make_net(t, err);
    if (!st) st = check_vocabulary(t, err);
    if (!st) st = train_settings_check(&r->settings, &t->net->hp, err);
    if (st) return st;
    train_need need;
    train_estimate(&need, t->net, t->data, &r->settings, cn_pool_size(t->pool));
    if (!r->common.json) train_report_plan(r, t->net, dataset_report_of(t->data), &need);
    return r->force ? CN_OK : train_need_fits(&need, err);
}

static cn_status begin(training *t, cn_err *err)
{
    train_request *r = t->r;
    cn_status st = trainer_new(&t->trainer, t->net, t->data, &r->settings, t->pool, t->out,
                               r->resume != NULL, err);
    if (st) return st;
    if (!r->common.json && !r->export_only)
        train_report_time(t->trainer, trainer_measure(t->trainer));
    return CN_OK;
}

static cn_status export_result(training *t, cn_err *err)
{
    const train_request *r = t->r;
    return train_export(t->net, r, t->place.model, t->out, err);
}

static cn_status train(training *t, cn_err *err)
{
    const train_hooks hooks = {
        .user = t, .moment = on_moment, .saved = on_saved, .stop = &cli_interrupted};
    fill_record(t);
    if (t->r->export_only) return export_result(t, err);
    cn_status st = job_metrics_begin(t->job, trainer_step(t->trainer), err);
    if (!st) st = job_update(t->job, &t->record, err);
    if (!st) st = job_detached_tell(&t->detached, t->job, CN_OK, err);
    if (st) return st;
    t->view = train_view_start(trainer_step(t->trainer), trainer_n_steps(t->trainer),
                               t->r->common.json);
    st = trainer_run(t->trainer, &hooks, &t->result, err);
    train_view_end(&t->view);
    t->record.loss = t->result.loss;
    t->record.heldout_loss = t->result.heldout_loss;
    t->record.best_heldout_loss = t->result.best_heldout_loss;
    t->record.best_step = t->result.best_step;
    if (!st) st = export_result(t, err);
    cn_err ignored;
    curve_write(t->out, &(curve_options){.title = cn_path_base(t->out)}, &ignored);
    return st;
}

/* In the folder that is claimed. */
static cn_status whole_run(training *t, cn_err *err)
{
    cli_catch_interrupt();
    signal(SIGXFSZ, SIG_IGN); /* a file over the limit is an error to tell, not a death */
    cn_status st = prepare(t, err);
    if (!st && !t->r->estimate) st = begin(t, err);
    if (st || t->r->estimate) return st;
    st = train(t, err);
    if (t->r->export_only) return st;
    cn_err late = {0};
    t->record.result = st ? NULL : train_result_name(t->r);
    job_finish(t->job, &t->record, st, err, &late);
    if (st == CN_E_CANCELLED) cn_next(err, st, "conatus train --resume %.150s", t->out);
    if (!st) train_report_end(t->r, t->out, &t->result);
    return st;
}

static void close_all(training *t)
{
    trainer_free(t->trainer);
    net_free(t->net);
    dataset_close(t->data);
    cn_pool_free(t->pool);
    cn_template_free(t->tmpl);
    cn_tokenizer_free(t->own_tokenizer);
    cn_model_close(t->base);
    cli_place_deinit(&t->place);
    job_close(t->job);
    cn_buf_deinit(&t->settings);
    cn_buf_deinit(&t->command);
    cn_buf_deinit(&t->resume);
    job_record_deinit(&t->before);
    cn_free(t->out);
}

static void tell_parent_left(const training *t)
{
    printf("goes on in the background, in %s\nfollow it: conatus jobs logs -f %s\n", t->out,
           t->out);
}

static cn_status run(const void *settings, cn_err *err)
{
    train_request r = *(const train_request *)settings;
    training t = {.r = &r,
                  .record = job_record_new(),
                  .before = job_record_new(),
                  .detached = JOB_ATTACHED};
    cn_status st = train_request_complete(&r, err);
    if (!st && !r.estimate) st = claim(&t, err);
    if (!st && t.detached.parent) {
        tell_parent_left(&t);
    } else if (!st) {
        train_command_line(&t.command, &r);
        st = whole_run(&t, err);
    }
    if (!t.detached.parent && (st || t.job)) job_detached_tell(&t.detached, t.job, st, err);
    close_all(&t);
    train_request_deinit(&r);
    return st;
}

const cli_verb verb_train = {
    .name = "train",
    .words = "",
    .summary = "Train an adapter (LoRA), a whole model, or a new one.",
    .details =
        "Records are JSON lines with \"text\", with \"prompt\" and \"completion\", or with\n"
        "\"messages\" (the loss counts the assistant's tokens), or CSV with such columns.\n\n"
        "  conatus train --base MODEL --data talks.jsonl --out my-adapter\n"
        "  conatus run MODEL+my-adapter/adapter\n\n"
        "The run's folder holds everything: run.json, metrics.jsonl, curve.svg, checkpoints "
        "and\n"
        "the result (adapter/, or model.gguf and hf/). Ctrl-C writes a checkpoint; --resume "
        "DIR goes on.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .settings_size = sizeof(train_request),
    .defaults = defaults,
    .run = run,
};
