#include "eval_side.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "compiler.h"
#include "interrupt.h"
#include "loss.h"
#include "mem.h"
#include "progress.h"

typedef struct asking {
    const cli_model *m;
    cli_progress bar;
} asking;

static void at_item(void *user, size_t done, size_t total)
{
    cli_progress_at(&((asking *)user)->bar, (double)done, (double)total);
}

static void put_message(cn_buf *b, const char *role, cn_str content)
{
    if (b->p[b->n - 1] != '[') cn_buf_putc(b, ',');
    cn_buf_printf(b, "{\"role\":\"%s\",\"content\":", role);
    cn_buf_json(b, content);
    cn_buf_putc(b, '}');
}

/* The variables of the chat template. A conversation's own system message is stronger than the
 * case's. */
static void write_variables(cn_buf *b, const eval_case *c)
{
    size_t n = cn_json_size(c->messages);
    bool own = cn_json_is(cn_json_get(cn_json_at(c->messages, 0), "role"), "system");
    cn_buf_lit(b, "{\"messages\":[");
    if (c->system.p && !own) put_message(b, "system", c->system);
    if (c->prompt.p) put_message(b, "user", c->prompt);
    for (size_t i = 0; i < n; i++) {
        if (b->p[b->n - 1] != '[') cn_buf_putc(b, ',');
        cn_json_write(b, cn_json_at(c->messages, i));
    }
    cn_buf_lit(b, "],\"add_generation_prompt\":true}");
}

static cn_status prompt_of(void *user, const eval_case *c, cn_tokens *out, cn_err *err)
{
    const cli_model *m = ((asking *)user)->m;
    cn_buf b = {0};
    cn_json *variables = NULL;
    if (c->prompt.p && (c->raw || (!m->tmpl && !c->system.p)))
        return cli_prompt_text(m, c->prompt, out, err);
    write_variables(&b, c);
    cn_status st = b.failed ? cn_fail(err, CN_E_NOMEM, "the messages of a case")
                            : cn_json_parse(&variables, cn_buf_view(&b), err);
    if (!st) st = cli_prompt_messages(m, variables, out, err);
    cn_json_free(variables);
    cn_buf_deinit(&b);
    return st;
}

static cn_status add_measure(eval_side *s, const char *name, bool less, size_t n,
                             eval_measure **out, cn_err *err)
{
    eval_measure *m = &s->measures[s->n_measures++];
    *m = (eval_measure){.name = name, .less_is_better = less, .n = n};
    m->items = cn_alloc_array(n, sizeof *m->items);
    *out = m;
    return m->items ? CN_OK : cn_fail(err, CN_E_NOMEM, "%zu items", n);
}

static cn_status task_figures(eval_side *s, const eval_job *job, cn_err *err)
{
    const eval_task *t = job->task;
    eval_measure *passed, *errors;
    cn_status st = eval_figures_of(&s->figures, t, &s->run, err);
    if (!st) st = add_measure(s, "pass_rate", false, t->n, &passed, err);
    if (st) return st;
    eval_items_passed(passed->items, &s->run);
    st = eval_measure_work_out(passed, job->seed, err);
    passed->interval = s->figures.pass_interval; /* Wilson's also tells of 0 and 1 */
    if (st || t->n_marks == 0) return st;
    st = add_measure(s, "mark_error", true, t->n, &errors, err);
    if (st) return st;
    eval_items_errors(errors->items, t, &s->run, NULL);
    return eval_measure_work_out(errors, job->seed, err);
}

static cn_status measure_task(eval_side *s, const eval_job *job, cn_session *session, asking *a,
                              cn_err *err)
{
    const eval_asking how = {
        .session = session,
        .tokenizer = a->m->tokenizer,
        .prompt = prompt_of,
        .progress = at_item,
        .user = a,
        .seed = job->seed,
        .reuse = job->reuse,
    };
    cn_status st = eval_ask(&s->run, job->task, &how, err);
    s->tokens = s->run.tokens;
    return st ? st : task_figures(s, job, err);
}

static cn_status measure_text(eval_side *s, const eval_job *job, cn_session *session,
                              const cli_model_options *o, asking *a, cn_err *err)
{
    cn_tokens ids = {0};
    eval_text t = {0};
    size_t window = CN_MIN(cn_session_n_ctx(session), o->ctx ? UINT32_MAX : 512);
    cn_status st = cli_prompt_text(a->m, job->text, &ids, err);
    if (!st)
        st = eval_text_score(&t, session, a->m->model, ids.ids, ids.n, window,
                             cn_token_bos(a->m->tokenizer), job->limit, at_item, a, err);
    if (!st) {
        eval_measure *m = &s->measures[s->n_measures++];
        *m = (eval_measure){"perplexity", true, exp, t.windows, t.n, 0, {0, 0}};
        s->fingerprint = eval_fingerprint(t.window, ids.ids, t.n * t.window);
        s->tokens = t.tokens;
        s->window = t.window;
        t.windows = NULL;
        st = eval_measure_work_out(m, job->seed, err);
    }
    eval_text_deinit(&t);
    cn_tokens_free(&ids);
    return st;
}

static bool on_reading(void *user, double done)
{
    cli_progress_at(&((asking *)user)->bar, done, 1);
    return !atomic_load(&cli_interrupted);
}

/* Every record counts, as often as it stands in the file. */
static cn_status open_data(dataset **out, const eval_job *job, const cn_session *session,
                           const cli_model_options *o, asking *a, cn_err *err)
{
    const dataset_options options = {
        .tokenizer = a->m->tokenizer,
        .chat = a->m->tmpl,
        .n_ctx = cn_session_n_ctx(session),
        .keep_duplicates = true,
        .skip_bad = job->skip_bad,
        .n_threads = (unsigned)o->threads,
        .progress = on_reading,
        .user = a,
    };
    *out = NULL;
    if (!a->m->tokenizer)
        return cn_fail(err, CN_E_UNSUPPORTED, "the model's files hold no tokenizer");
    return dataset_open(out, &job->data_file, 1, &options, err);
}

static cn_status measure_data(eval_side *s, const eval_job *job, cn_session *session,
                              const cli_model_options *o, asking *a, cn_err *err)
{
    dataset *d;
    eval_loss l = {0};
    cn_status st = open_data(&d, job, session, o, a, err);
    if (!st) st = eval_loss_score(&l, session, a->m->model, d, job->limit, at_item, a, err);
    if (!st) {
        eval_measure *m = &s->measures[s->n_measures++];
        *m = (eval_measure){"loss", true, NULL, l.records, l.n, 0, {0, 0}};
        s->fingerprint = l.fingerprint;
        s->tokens = l.tokens;
        s->cut = (size_t)dataset_report_of(d)->n_truncated;
        s->bad = (size_t)dataset_report_of(d)->n_bad;
        l.records = NULL;
        st = eval_measure_work_out(m, job->seed, err);
    }
    eval_loss_deinit(&l);
    dataset_close(d);
    return st;
}

static void name_side(eval_side *s, const char *name, const cli_model_options *o)
{
    size_t n = (size_t)snprintf(s->name, sizeof s->name, "%s", name);
    for (size_t i = 0; i < o->adapters.n && n < sizeof s->name; i++)
        n += (size_t)snprintf(s->name + n, sizeof s->name - n, "+%s", o->adapters.items[i]);
}

cn_status eval_side_measure(eval_side *out, const eval_job *job, const char *name,
                            const cli_model_options *o, const char *mark, cn_err *err)
{
    cli_model m = {0};
    cn_session *session = NULL;
    char label[16];
    *out = (eval_side){.mark = mark};
    name_side(out, name, o);
    snprintf(label, sizeof label, "evaluating%s%s", mark ? " " : "", mark ? mark : "");
    cn_status st = cli_model_open(&m, name, o, err);
    if (!st) st = cli_session_new(&session, &m, o, err);
    if (!st) {
        asking a = {&m, cli_progress_start(label, false)};
        uint64_t start = cn_now_ns();
        if (job->task)
            st = measure_task(out, job, session, &a, err);
        else if (job->text_file)
            st = measure_text(out, job, session, o, &a, err);
        else
            st = measure_data(out, job, session, o, &a, err);
        out->seconds = cn_seconds_since(start);
        cli_progress_end(&a.bar);
    }
    cn_session_free(session);
    cli_model_close(&m);
    return st;
}

void eval_side_deinit(eval_side *s)
{
    for (size_t i = 0; i < s->n_measures; i++)
        eval_measure_deinit(&s->measures[i]);
    eval_run_deinit(&s->run);
    *s = (eval_side){0};
}
