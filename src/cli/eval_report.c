#include "eval_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "json_out.h"
#include "table.h"
#include "utf8.h"

/* "pass rate" of "pass_rate", in out[size]; returns out. */
static const char *spoken(char *out, size_t size, const char *name)
{
    snprintf(out, size, "%s", name);
    for (char *p = out; (p = strchr(p, '_'));)
        *p = ' ';
    return out;
}

static void row(cli_table *t, const eval_side *s, const char *what, double value, int digits)
{
    cli_table_cell(t, "%s", s->mark ? s->mark : "");
    cli_table_cell(t, "%s", what);
    if (isnan(value))
        cli_table_cell(t, "-");
    else
        cli_table_cell(t, "%.*f", digits, value);
}

static void measure_row(cli_table *t, const eval_side *s, const eval_measure *m)
{
    char name[32];
    row(t, s, spoken(name, sizeof name, m->name), m->value, 4);
    if (isnan(m->interval.low))
        cli_table_cell(t, " ");
    else
        cli_table_cell(t, "[%.4f, %.4f]", m->interval.low, m->interval.high);
}

static void read_cell(cli_table *t, const eval_mark_figures *m)
{
    char rank[64] = "";
    if (!isnan(m->rank_correlation))
        snprintf(rank, sizeof rank, ", rank correlation %.3f", m->rank_correlation);
    if (m->read)
        cli_table_cell(t, "%zu of %zu read, error at most %g%s", m->read, m->asked,
                       m->max_error, rank);
    else
        cli_table_cell(t, "0 of %zu read", m->asked);
}

static void mark_row(cli_table *t, const eval_side *s, const char *name,
                     const eval_mark_figures *m)
{
    row(t, s, name, m->mean_error, 4);
    cli_table_cell(t, " ");
    read_cell(t, m);
}

static void speed_row(cli_table *t, const eval_side *s, const char *what, size_t n,
                      double seconds)
{
    row(t, s, what, seconds > 0 ? (double)n / seconds : (double)NAN, 1);
    cli_table_cell(t, " ");
    cli_table_cell(t, "tokens/s: %zu tokens in %.2f s", n, seconds);
}

static void task_rows(cli_table *t, const eval_side *s, const eval_task *task)
{
    const eval_figures *f = &s->figures;
    char name[64];
    measure_row(t, s, &s->measures[0]);
    cli_table_cell(t, "%zu of %zu cases", f->passed, f->n);
    for (unsigned k = 0; k < EVAL_N_KINDS; k++) {
        if (f->kinds[k].n == 0) continue;
        snprintf(name, sizeof name, "  %s", eval_kind_name(k));
        row(t, s, name, (double)f->kinds[k].passed / (double)f->kinds[k].n, 4);
        cli_table_cell(t, " ");
        cli_table_cell(t, "%zu of %zu", f->kinds[k].passed, f->kinds[k].n);
    }
    if (task->n_marks) {
        measure_row(t, s, &s->measures[1]);
        read_cell(t, &f->all_marks);
    }
    for (size_t i = 0; i < task->n_marks; i++) {
        snprintf(name, sizeof name, "  %.40s", task->mark_names[i].p);
        mark_row(t, s, name, &f->marks[i]);
    }
    speed_row(t, s, "prompts", s->run.prompt_tokens, s->run.prompt_seconds);
    speed_row(t, s, "replies", s->run.tokens, s->run.seconds);
}

static void scored_row(cli_table *t, const eval_side *s)
{
    const eval_measure *m = &s->measures[0];
    measure_row(t, s, m);
    char left[96] = "";
    if (s->cut || s->bad)
        snprintf(left, sizeof left, " (of the file %zu cut, %zu bad left out)", s->cut, s->bad);
    if (s->window)
        cli_table_cell(t, "%zu tokens in %zu windows of %zu, %.2f s", s->tokens, m->n,
                       s->window, s->seconds);
    else
        cli_table_cell(t, "%zu tokens of %zu records%s, %.2f s", s->tokens, m->n, left,
                       s->seconds);
}

/* A reply on one line: control characters become blanks, what is long is cut. */
static void print_line(cn_str s, size_t most)
{
    bool cut = s.n > most;
    size_t n = cut ? cn_utf8_complete(s.p, most) : s.n;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.p[i],
                      next = i + 1 < n ? (unsigned char)s.p[i + 1] : 0;
        bool c1 = c == 0xC2 && next >= 0x80 && next < 0xA0;
        i += c1;
        putchar(c1 || c < 0x20 || c == 0x7F ? ' ' : c);
    }
    puts(cut ? "..." : "");
}

static void print_failures(const eval_report *r, const eval_side *s)
{
    const eval_task *t = r->job->task;
    size_t failed = s->figures.n - s->figures.passed, shown = 0;
    char name[96];
    if (failed == 0 || r->show_failures == 0) return;
    printf("\n%s%sfailed, %zu of %zu shown (--show-failures):\n", s->mark ? s->mark : "",
           s->mark ? " " : "", CN_MIN(failed, r->show_failures), failed);
    for (size_t i = 0; i < s->run.n && shown < r->show_failures; i++) {
        const eval_reply *a = &s->run.replies[i];
        if (!a->verdict.failed) continue;
        shown++;
        eval_case_name(name, sizeof name, &t->cases[i]);
        printf("  %s: ", name);
        print_line(cn_str_of(a->verdict.why), sizeof a->verdict.why);
        printf("    reply: ");
        print_line((cn_str){a->text, a->n}, 300);
    }
}

static void print_comparison(const eval_comparison *c)
{
    const eval_difference *d = &c->d;
    char name[32];
    spoken(name, sizeof name, c->name);
    if (d->pairs < EVAL_MIN_PAIRS) {
        printf("too few pairs (%zu) to see a difference in %s: A - B = %.4f\n", d->pairs, name,
               d->by);
        return;
    }
    if (d->better == 0) {
        printf("no difference seen in %s: A - B = %.4f [%.4f, %.4f], %zu pairs\n", name, d->by,
               d->interval.low, d->interval.high, c->d.pairs);
        return;
    }
    double low = fmin(fabs(d->interval.low), fabs(d->interval.high));
    double high = fmax(fabs(d->interval.low), fabs(d->interval.high));
    printf("%s is better by %.4f [%.4f, %.4f] in %s, %zu pairs\n", d->better > 0 ? "A" : "B",
           fabs(d->by), low, high, name, c->d.pairs);
}

void eval_report_text(const eval_report *r)
{
    cli_table *t = cli_table_new("llrll");
    for (size_t i = 0; i < r->n_sides && r->n_sides > 1; i++)
        printf("%s: %s\n", r->sides[i].mark, r->sides[i].name);
    for (size_t i = 0; i < r->n_sides; i++) {
        if (r->job->task)
            task_rows(t, &r->sides[i], r->job->task);
        else
            scored_row(t, &r->sides[i]);
    }
    cli_table_print(t, stdout);
    cli_table_free(t);
    for (size_t i = 0; i < r->n_comparisons; i++)
        print_comparison(&r->comparisons[i]);
    for (size_t i = 0; i < r->n_sides && r->job->task; i++)
        print_failures(r, &r->sides[i]);
}

static void json_interval(json_out *j, const char *key, eval_interval v)
{
    json_key(j, key);
    json_open(j, '[');
    json_num(j, v.low);
    json_num(j, v.high);
    json_close(j, ']');
}

static void json_marks(json_out *j, const char *key, const eval_mark_figures *m)
{
    json_key(j, key);
    json_open(j, '{');
    json_put_uint(j, "asked", m->asked);
    json_put_uint(j, "read", m->read);
    json_put_num(j, "mean_error", m->mean_error);
    json_put_num(j, "max_error", m->max_error);
    json_put_num(j, "rank_correlation", m->rank_correlation);
    json_close(j, '}');
}

static void json_figures(json_out *j, const eval_task *t, const eval_figures *f)
{
    json_put_uint(j, "cases", f->n);
    json_put_uint(j, "passed", f->passed);
    json_key(j, "kinds");
    json_open(j, '{');
    for (unsigned k = 0; k < EVAL_N_KINDS; k++) {
        if (f->kinds[k].n == 0) continue;
        json_key(j, eval_kind_name(k));
        json_open(j, '{');
        json_put_uint(j, "cases", f->kinds[k].n);
        json_put_uint(j, "passed", f->kinds[k].passed);
        json_close(j, '}');
    }
    json_close(j, '}');
    if (t->n_marks == 0) return;
    json_key(j, "marks");
    json_open(j, '{');
    for (size_t i = 0; i < t->n_marks; i++)
        json_marks(j, t->mark_names[i].p, &f->marks[i]);
    json_close(j, '}');
    json_marks(j, "all_marks", &f->all_marks);
}

static void json_value(json_out *j, const char *key, const cn_json *v)
{
    cn_buf text = {0};
    json_key(j, key);
    if (cn_json_is_null(v)) {
        json_null(j);
        return;
    }
    cn_json_write(&text, v);
    json_raw(j, cn_buf_view(&text));
    cn_buf_deinit(&text);
}

static void json_reply(json_out *j, const eval_task *t, const eval_side *s, size_t i)
{
    static const char *const reasons[] = {"stop", "length", "cancelled"};
    const eval_reply *r = &s->run.replies[i];
    const double *marks = s->run.marks + i * t->n_marks;
    json_open(j, '{');
    json_value(j, "id", cn_json_get(t->cases[i].own, "id"));
    json_put_uint(j, "line", t->cases[i].line);
    json_put_bool(j, "passed", r->verdict.failed == 0);
    json_key(j, "failed");
    json_open(j, '[');
    for (unsigned k = 0; k < EVAL_N_KINDS; k++)
        if (r->verdict.failed >> k & 1) json_text(j, cn_str_of(eval_kind_name(k)));
    json_close(j, ']');
    json_put_text(j, "why", r->verdict.failed ? r->verdict.why : NULL);
    json_key(j, "reply");
    json_text(j, (cn_str){r->text, r->n});
    json_put_uint(j, "tokens", r->n_tokens);
    json_put_text(j, "finish_reason", r->n_tokens ? reasons[r->finish] : NULL);
    if (t->cases[i].marks) {
        json_key(j, "marks");
        json_open(j, '{');
        for (size_t k = 0; k < t->n_marks; k++)
            if (!isnan(t->cases[i].wanted[k])) json_put_num(j, t->mark_names[k].p, marks[k]);
        json_close(j, '}');
    }
    json_close(j, '}');
}

static void json_run(json_out *j, const eval_task *t, const eval_side *s)
{
    const eval_run *r = &s->run;
    json_figures(j, t, &s->figures);
    json_put_uint(j, "prompt_tokens", r->prompt_tokens);
    json_put_num(j, "prompt_seconds", r->prompt_seconds);
    json_put_num(j, "generate_seconds", r->seconds);
    json_put_num(j, "tokens_per_second",
                 r->seconds > 0 ? (double)r->tokens / r->seconds : (double)NAN);
    json_key(j, "replies");
    json_open(j, '[');
    for (size_t i = 0; i < r->n; i++)
        json_reply(j, t, s, i);
    json_close(j, ']');
}

static void json_side(json_out *j, const eval_report *r, const eval_side *s)
{
    char key[64];
    json_open(j, '{');
    json_put_text(j, "name", s->name);
    for (size_t i = 0; i < s->n_measures; i++) {
        json_put_num(j, s->measures[i].name, s->measures[i].value);
        snprintf(key, sizeof key, "%s_interval", s->measures[i].name);
        json_interval(j, key, s->measures[i].interval);
    }
    json_put_uint(j, "tokens", s->tokens);
    json_put_num(j, "seconds", s->seconds);
    if (r->job->task) {
        json_run(j, r->job->task, s);
    } else {
        json_put_uint(j, s->window ? "windows" : "records", s->measures[0].n);
        if (s->window) {
            json_put_uint(j, "window", s->window);
        } else {
            json_put_uint(j, "cut", s->cut);
            json_put_uint(j, "bad", s->bad);
        }
    }
    json_close(j, '}');
}

static void json_comparisons(json_out *j, const eval_report *r)
{
    static const char *const better[] = {"B", NULL, "A"};
    json_key(j, "comparison");
    json_open(j, '[');
    for (size_t i = 0; i < r->n_comparisons; i++) {
        const eval_comparison *c = &r->comparisons[i];
        json_open(j, '{');
        json_put_text(j, "figure", c->name);
        json_put_num(j, "difference", c->d.by);
        json_interval(j, "interval", c->d.interval);
        json_put_text(j, "better", better[c->d.better + 1]);
        json_put_uint(j, "pairs", c->d.pairs);
        json_close(j, '}');
    }
    json_close(j, ']');
}

void eval_report_json(const eval_report *r)
{
    const eval_decision *d = &r->decision;
    json_out j = {0};
    json_open(&j, '{');
    json_put_text(&j, "figure", d->name);
    json_put_num(&j, "value", d->value);
    json_put_num(&j, "fail_under", (double)d->under);
    json_put_num(&j, "fail_over", (double)d->over);
    json_put_bool(&j, "missed", d->missed);
    json_key(&j, "models");
    json_open(&j, '[');
    for (size_t i = 0; i < r->n_sides; i++)
        json_side(&j, r, &r->sides[i]);
    json_close(&j, ']');
    if (r->n_sides > 1) json_comparisons(&j, r);
    json_close(&j, '}');
    json_print(&j);
}
