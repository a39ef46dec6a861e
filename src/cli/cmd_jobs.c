/* conatus jobs: training runs, living and ended, wherever their folders are. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "facts.h"
#include "file.h"
#include "jobs.h"
#include "json_out.h"
#include "mem.h"
#include "near.h"
#include "train_view.h"
#include "utf8.h"
#include "verbs.h"

typedef struct jobs_settings {
    cli_common common;
    bool follow, files, log_scale;
    int32_t wait;
} jobs_settings;

static const cli_option options[] = {
    {.name = "follow",
     .letter = 'f',
     .kind = CLI_FLAG,
     .help = "logs: go on until the run ends",
     .offset = offsetof(jobs_settings, follow)},
    {.name = "log-scale",
     .kind = CLI_FLAG,
     .help = "show: the chart with a logarithmic loss axis",
     .offset = offsetof(jobs_settings, log_scale)},
    {.name = "wait",
     .kind = CLI_INT,
     .value = "SECONDS",
     .help = "cancel: how long to wait for the checkpoint (120)",
     .offset = offsetof(jobs_settings, wait),
     .max = 86400},
    {.name = "files",
     .kind = CLI_FLAG,
     .help = "rm: remove record, metrics, log and checkpoints too, not what was exported",
     .offset = offsetof(jobs_settings, files)},
    CLI_COMMON_OPTIONS(jobs_settings),
};

static void defaults(void *settings)
{
    ((jobs_settings *)settings)->wait = 120;
}

/* Files may be anybody's: what could steer a terminal is shown as '?'. Owned. */
static char *plain(const char *s)
{
    cn_buf b = {0};
    size_t left = s ? strlen(s) : 0, n;
    for (; left; s += n, left -= n) {
        uint32_t rune = 0;
        n = cn_utf8_decode(s, left, &rune);
        bool control = n == 0 || rune < 0x20 || (rune >= 0x7F && rune < 0xA0) ||
                       (rune >= 0x202A && rune <= 0x202E) || (rune >= 0x2066 && rune <= 0x2069);
        n = CN_MAX(n, 1);
        if (control)
            cn_buf_putc(&b, '?');
        else
            cn_buf_append(&b, s, n);
    }
    return b.p ? cn_buf_take(&b) : cn_xstrndup("", 0);
}

static const char *state_of(const job_view *v)
{
    return v->missing ? "missing" : v->problem[0] ? "broken" : job_status_name(v->status);
}

/* "1.234", or "-" when it was not measured. */
static const char *loss_text(char out[static 16], double loss)
{
    if (isnan(loss))
        snprintf(out, 16, "-");
    else
        snprintf(out, 16, "%.4f", loss);
    return out;
}

/* ---- as JSON */

static void put_name(json_out *j, const char *key, const char *v)
{
    json_put_text(j, key, v && *v ? v : NULL);
}

static void view_json(json_out *j, const job_view *v)
{
    const job_record *r = &v->record;
    json_open(j, '{');
    put_name(j, "id", v->id);
    json_put_text(j, "dir", v->dir);
    json_put_text(j, "status", state_of(v));
    put_name(j, "problem", v->problem);
    if (v->pid)
        json_put_uint(j, "pid", (uint64_t)v->pid);
    else
        put_name(j, "pid", NULL);
    put_name(j, "kind", r->kind);
    json_put_uint(j, "step", r->step);
    json_put_uint(j, "n_steps", r->n_steps);
    json_put_num(j, "loss", r->loss);
    json_put_num(j, "heldout_loss", r->heldout_loss);
    json_put_num(j, "best_heldout_loss", r->best_heldout_loss);
    json_put_uint(j, "best_step", r->best_step);
    json_put_uint(j, "tokens", r->tokens);
    json_put_num(j, "seconds", r->seconds);
    put_name(j, "started", r->started);
    put_name(j, "ended", r->ended);
    json_close(j, '}');
}

/* What was measured, for programs that draw it themselves. */
static void points_json(json_out *j, const char *key, const job_metric *m, size_t n)
{
    json_key(j, key);
    json_open(j, '[');
    for (size_t i = 0; i < n; i++) {
        json_open(j, '[');
        json_uint(j, m[i].step);
        json_num(j, m[i].heldout ? m[i].heldout_loss : m[i].loss);
        json_close(j, ']');
    }
    json_close(j, ']');
}

static void show_json(const job_view *v, const job_metrics *m)
{
    json_out j = {0};
    cn_buf record = {0};
    cn_json *root = v->record.root;
    cn_json_write(&record, root);
    json_open(&j, '{');
    json_key(&j, "job");
    view_json(&j, v);
    json_key(&j, "record");
    json_raw(&j, root ? cn_buf_view(&record) : CN_STR("null"));
    points_json(&j, "losses", m->train, m->n_train);
    points_json(&j, "heldout_losses", m->heldout, m->n_heldout);
    json_close(&j, '}');
    json_print(&j);
    cn_buf_deinit(&record);
}

/* ---- list */

static void list_table(const job_view *list, size_t n)
{
    cli_table *t = cli_table_new("llrrrll");
    static const char *const heads[] = {"ID",       "STATUS",  "STEP",  "LOSS",
                                        "HELD-OUT", "STARTED", "FOLDER"};
    for (size_t i = 0; i < CN_ARRAY_LEN(heads); i++)
        cli_table_cell(t, "%s", heads[i]);
    for (size_t i = 0; i < n; i++) {
        const job_view *v = &list[i];
        char loss[16], heldout[16], steps[24] = "";
        char *started = plain(v->record.started), *dir = plain(v->dir);
        if (v->record.n_steps) snprintf(steps, sizeof steps, "/%" PRIu64, v->record.n_steps);
        cli_table_cell(t, "%s", v->id);
        cli_table_cell(t, "%s", state_of(v));
        cli_table_cell(t, "%" PRIu64 "%s", v->record.step, steps);
        cli_table_cell(t, "%s", loss_text(loss, v->record.loss));
        cli_table_cell(t, "%s", loss_text(heldout, v->record.heldout_loss));
        cli_table_cell(t, "%s", started[0] ? started : "-");
        cli_table_cell(t, "%s", dir);
        cn_free(started);
        cn_free(dir);
    }
    cli_table_print(t, stdout);
    cli_table_free(t);
}

static cn_status list(const jobs_settings *s, cn_err *err)
{
    job_view *views;
    size_t n;
    cn_status st = jobs_list(&views, &n, err);
    if (st) return st;
    if (s->common.json) {
        json_out j = {0};
        json_open(&j, '{');
        json_key(&j, "jobs");
        json_open(&j, '[');
        for (size_t i = 0; i < n; i++)
            view_json(&j, &views[i]);
        json_close(&j, ']');
        json_close(&j, '}');
        json_print(&j);
    } else if (n) {
        list_table(views, n);
    } else {
        puts("no runs yet: conatus train begins one");
    }
    jobs_list_free(views, n);
    return CN_OK;
}

/* ---- show */

static void known_text(facts *f, const char *key, const char *text)
{
    if (!text || !*text) return;
    char *shown = plain(text);
    fact_text(f, key, "%s", shown);
    cn_free(shown);
}

static void known_with_hash(facts *f, const char *key, const char *name, const char *hash)
{
    cn_buf b = {0};
    if (!name) return;
    cn_buf_printf(&b, "%s", name);
    if (hash) cn_buf_printf(&b, " (sha256 %.16s...)", hash);
    known_text(f, key, b.p);
    cn_buf_deinit(&b);
}

static void show_settings(facts *f, const cn_json *settings)
{
    for (cn_json_member m = cn_json_first(settings); m.value; m = cn_json_next(settings, m)) {
        cn_buf b = {0};
        cn_buf_printf(&b, "%.*s ", CN_STR_ARG(m.key));
        cn_json_write(&b, m.value);
        known_text(f, "setting", b.p);
        cn_buf_deinit(&b);
    }
}

static void show_losses(facts *f, const job_record *r)
{
    char steps[32] = "", tokens[24], time[32];
    if (r->n_steps) snprintf(steps, sizeof steps, " of %" PRIu64, r->n_steps);
    fact_text(f, "step", "%" PRIu64 "%s", r->step, steps);
    if (!isnan(r->loss)) fact_text(f, "loss", "%.4f", r->loss);
    if (!isnan(r->heldout_loss)) fact_text(f, "held-out_loss", "%.4f", r->heldout_loss);
    if (!isnan(r->best_heldout_loss))
        fact_text(f, "best_held-out_loss", "%.4f at step %" PRIu64, r->best_heldout_loss,
                  r->best_step);
    if (r->tokens) fact_text(f, "tokens", "%s", cli_count(tokens, sizeof tokens, r->tokens));
    if (!isnan(r->seconds))
        fact_text(f, "time", "%s", cli_duration(time, sizeof time, r->seconds));
    if (r->n_resumed) fact_text(f, "resumed", "%" PRIu64 " times", r->n_resumed);
}

static void show_text(const jobs_settings *s, const job_view *v, const job_metrics *m)
{
    const job_record *r = &v->record;
    facts f;
    facts_begin(&f, false);
    known_text(&f, "id", v->id);
    known_text(&f, "folder", v->dir);
    if (v->pid)
        fact_text(&f, "status", "%s, process %d", state_of(v), (int)v->pid);
    else
        fact_text(&f, "status", "%s", state_of(v));
    known_text(&f, "problem", v->problem);
    known_text(&f, "error", r->error);
    known_text(&f, "kind", r->kind);
    known_with_hash(&f, "base", r->base, r->base_hash);
    known_with_hash(&f, "data", r->data, r->data_hash);
    show_losses(&f, r);
    known_text(&f, "started", r->started);
    known_text(&f, "ended", r->ended);
    known_text(&f, "machine", r->machine);
    known_text(&f, "version", r->version);
    known_text(&f, "command", r->command);
    show_settings(&f, cn_json_get(r->root, "settings"));
    known_text(&f, "checkpoint", r->checkpoint);
    known_text(&f, "result", r->result);
    if (v->status == JOB_STOPPED || v->status == JOB_INTERRUPTED)
        known_text(&f, "go_on_with", r->resume);
    facts_end(&f);
    cli_print_curve(m, s->log_scale);
}

static cn_status show(const jobs_settings *s, const char *dir, cn_err *err)
{
    job_view v;
    job_metrics m = {0};
    job_look(&v, dir);
    cn_status st = v.missing ? cn_fail(err, CN_E_NOT_FOUND, "the folder %s is not there", dir)
                             : job_metrics_read(&m, dir, err);
    if (v.missing) cn_next(err, st, "conatus jobs rm %.60s forgets it", s->common.words[1]);
    for (size_t i = 0; !st && i < m.n_heldout; i++)
        job_record_note(&v.record, &m.heldout[i]); /* the best may be newer than the record */
    if (!st && s->common.json)
        show_json(&v, &m);
    else if (!st)
        show_text(s, &v, &m);
    job_metrics_deinit(&m);
    job_view_deinit(&v);
    return st;
}

/* ---- logs */

/* Copies what is there from *offset on, as it is: the log is our own text, on a terminal too.
 */
static cn_status copy_from(int fd, off_t *offset, cn_err *err)
{
    char chunk[16 << 10];
    ssize_t n;
    while ((n = pread(fd, chunk, sizeof chunk, *offset)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cn_fail(err, cn_status_of_errno(errno), "%s", strerror(errno));
        if (fwrite(chunk, 1, (size_t)n, stdout) != (size_t)n) break; /* main tells */
        *offset += n;
    }
    fflush(stdout);
    return CN_OK;
}

static bool runs(const char *dir)
{
    job_view v;
    job_look(&v, dir);
    bool running = v.status == JOB_RUNNING;
    job_view_deinit(&v);
    return running;
}

static cn_status logs(const jobs_settings *s, const char *dir, cn_err *err)
{
    char *path = cn_path_join(dir, "log.txt");
    off_t offset = 0;
    cn_status st = CN_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", path, strerror(errno));
        if (st == CN_E_NOT_FOUND)
            cn_next(err, st, "only runs begun with --detach have a log; conatus jobs show %s",
                    s->common.words[1]);
        goto done;
    }
    if (s->common.json) {
        json_out j = {0};
        cn_buf text = {0};
        st = cn_is_file(path) ? cn_file_read(&text, path, (size_t)64 << 20, err) : CN_OK;
        if (st == CN_E_FORMAT) st = CN_OK; /* still empty */
        if (st) goto done;
        json_open(&j, '{');
        json_key(&j, "log");
        json_text(&j, cn_buf_view(&text));
        json_close(&j, '}');
        json_print(&j);
        cn_buf_deinit(&text);
        goto done;
    }
    for (bool again = true; again && !st && !ferror(stdout);) {
        again = s->follow && runs(dir); /* asked first: what it wrote last is copied then */
        st = copy_from(fd, &offset, err);
        if (again) poll(NULL, 0, 300);
    }
done:
    if (fd >= 0) close(fd);
    cn_free(path);
    return st;
}

/* ---- cancel, rm */

static void print_stopped(const job_view *v)
{
    char *checkpoint = plain(v->record.checkpoint), *resume = plain(v->record.resume);
    char *dir = plain(v->dir);
    printf("%s at step %" PRIu64 "\n", state_of(v), v->record.step);
    if (checkpoint[0]) printf("checkpoint: %s/%s\n", dir, checkpoint);
    if (resume[0]) printf("go on with: %s\n", resume);
    cn_free(checkpoint);
    cn_free(resume);
    cn_free(dir);
}

static cn_status cancel(const jobs_settings *s, const char *dir, cn_err *err)
{
    job_view v;
    cn_status st = job_cancel(dir, (double)s->wait, err);
    if (st) {
        if (st == CN_E_NOT_FOUND)
            cn_next(err, st, "conatus jobs show %s tells how it ended", s->common.words[1]);
        return st;
    }
    job_look(&v, dir);
    if (s->common.json) {
        json_out j = {0};
        json_open(&j, '{');
        json_key(&j, "job");
        view_json(&j, &v);
        put_name(&j, "checkpoint", v.record.checkpoint);
        put_name(&j, "resume", v.record.resume);
        json_close(&j, '}');
        json_print(&j);
    } else {
        print_stopped(&v);
    }
    job_view_deinit(&v);
    return CN_OK;
}

static cn_status rm(const jobs_settings *s, const char *dir, cn_err *err)
{
    cn_status st = jobs_remove(dir, s->files, err);
    if (st == CN_E_BUSY) {
        cn_ctx(err, st, "removing %s", dir);
        return cn_next(err, st, "conatus jobs cancel %s", s->common.words[1]);
    }
    if (st) return st;
    bool left = cn_is_dir(dir);
    if (s->common.json) {
        json_out j = {0};
        json_open(&j, '{');
        json_put_text(&j, "removed", s->common.words[1]);
        put_name(&j, "left", left ? dir : NULL);
        json_close(&j, '}');
        json_print(&j);
    } else if (left) {
        printf("forgotten; %s stays%s\n", dir,
               s->files ? " with what is not of the run itself" : "");
    } else {
        puts("removed");
    }
    return CN_OK;
}

/* ---- which of them */

typedef struct action {
    const char *name;
    cn_status (*run)(const jobs_settings *s, const char *dir, cn_err *err);
} action;

static const action actions[] = {
    {"show", show}, {"logs", logs}, {"cancel", cancel}, {"rm", rm}};

static const action *find_action(const char *word, cn_err *err)
{
    const char *best = cli_nearer(word, NULL, "list");
    for (size_t i = 0; i < CN_ARRAY_LEN(actions); i++) {
        if (strcmp(actions[i].name, word) == 0) return &actions[i];
        best = cli_nearer(word, best, actions[i].name);
    }
    cn_fail(err, CN_E_ARG, "\"%.60s\" is none of list, show, logs, cancel, rm", word);
    cn_next(err, CN_E_ARG, best ? "did you mean: conatus jobs %s" : "conatus help jobs%s",
            best ? best : "");
    return NULL;
}

static cn_status run(const void *settings, cn_err *err)
{
    const jobs_settings *s = settings;
    const char *word = s->common.n_words ? s->common.words[0] : "list";
    if (strcmp(word, "list") == 0 && s->common.n_words < 2) return list(s, err);
    if (strcmp(word, "list") == 0)
        return cn_fail(err, CN_E_ARG, "list takes no \"%.60s\"", s->common.words[1]);
    const action *a = find_action(word, err);
    if (!a) return CN_E_ARG;
    if (s->common.n_words < 2) {
        cn_status st = cn_fail(err, CN_E_ARG, "ID is missing");
        return cn_next(err, st, "conatus jobs %s ID; conatus jobs list tells the ids", a->name);
    }
    char *dir;
    cn_status st = jobs_find(&dir, s->common.words[1], err);
    if (!st) st = a->run(s, dir, err);
    cn_free(dir);
    return st;
}

const cli_verb verb_jobs = {
    .name = "jobs",
    .words = "[list | show ID | logs ID | cancel ID | rm ID]",
    .summary = "Training runs: list them, look at one, end or forget it.",
    .details = "ID is what the list shows, the only one that begins so, or the run's folder.",
    .options = options,
    .n_options = CN_ARRAY_LEN(options),
    .max_words = 2,
    .settings_size = sizeof(jobs_settings),
    .defaults = defaults,
    .run = run,
};
