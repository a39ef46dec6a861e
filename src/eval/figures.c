#include "figures.h"

#include <math.h>

#include "compiler.h"
#include "mem.h"

static void count_passed(eval_figures *f, const eval_task *t, const eval_run *r)
{
    for (size_t i = 0; i < t->n; i++) {
        unsigned failed = r->replies[i].verdict.failed;
        f->n++;
        f->passed += !failed;
        for (unsigned k = 0; k < EVAL_N_KINDS; k++) {
            if (!(t->cases[i].kinds >> k & 1)) continue;
            f->kinds[k].n++;
            f->kinds[k].passed += !(failed >> k & 1);
        }
    }
    f->pass_interval = eval_wilson(f->passed, f->n);
}

typedef struct columns {
    double *wanted, *got;
    size_t n;
} columns;

static cn_status correlate(eval_mark_figures *m, const columns *c, cn_err *err)
{
    return eval_spearman(&m->rank_correlation, c->wanted, c->got, c->n, err);
}

static void add_error(eval_mark_figures *m, double error)
{
    m->read++;
    m->mean_error += error;
    m->max_error = fmax(m->max_error, error);
}

static void finish_errors(eval_mark_figures *m)
{
    m->mean_error = m->read ? m->mean_error / (double)m->read : (double)NAN;
    if (!m->read) m->max_error = (double)NAN;
}

static cn_status one_mark(eval_figures *f, const eval_task *t, const eval_run *r, size_t k,
                          columns *c, cn_err *err)
{
    eval_mark_figures *m = &f->marks[k];
    c->n = 0;
    for (size_t i = 0; i < t->n; i++) {
        double wanted = t->wanted[i * t->n_marks + k], got = r->marks[i * t->n_marks + k];
        if (isnan(wanted)) continue;
        m->asked++;
        f->all_marks.asked++;
        if (isnan(got)) continue;
        add_error(m, fabs(got - wanted));
        add_error(&f->all_marks, fabs(got - wanted));
        c->wanted[c->n] = wanted;
        c->got[c->n++] = got;
    }
    finish_errors(m);
    return correlate(m, c, err);
}

/* The sums of every case whose marks were all read. */
static cn_status all_marks(eval_figures *f, const eval_task *t, const eval_run *r, columns *c,
                           cn_err *err)
{
    c->n = 0;
    for (size_t i = 0; i < t->n; i++) {
        const double *wanted = t->wanted + i * t->n_marks, *got = r->marks + i * t->n_marks;
        double sum_wanted = 0, sum_got = 0;
        if (!t->cases[i].marks) continue;
        for (size_t k = 0; k < t->n_marks; k++) {
            if (isnan(wanted[k])) continue;
            sum_wanted += wanted[k];
            sum_got += got[k];
        }
        if (isnan(sum_got)) continue;
        c->wanted[c->n] = sum_wanted;
        c->got[c->n++] = sum_got;
    }
    finish_errors(&f->all_marks);
    return correlate(&f->all_marks, c, err);
}

cn_status eval_figures_of(eval_figures *out, const eval_task *t, const eval_run *r, cn_err *err)
{
    *out = (eval_figures){0};
    count_passed(out, t, r);
    if (t->n_marks == 0) return CN_OK;
    columns c = {.wanted = cn_alloc_array(t->n, 2 * sizeof(double))};
    if (!c.wanted) return cn_fail(err, CN_E_NOMEM, "the marks of %zu cases", t->n);
    c.got = c.wanted + t->n;
    cn_status st = CN_OK;
    for (size_t k = 0; k < t->n_marks && !st; k++)
        st = one_mark(out, t, r, k, &c, err);
    if (!st) st = all_marks(out, t, r, &c, err);
    cn_free(c.wanted);
    return st;
}

void eval_items_passed(eval_item *items, const eval_run *r)
{
    for (size_t i = 0; i < r->n; i++)
        items[i] = (eval_item){!r->replies[i].verdict.failed, 1};
}

void eval_items_errors(eval_item *items, const eval_task *t, const eval_run *r,
                       const eval_run *other)
{
    for (size_t i = 0; i < t->n; i++) {
        items[i] = (eval_item){0};
        for (size_t k = 0, at = i * t->n_marks; k < t->n_marks; k++, at++) {
            double error = fabs(r->marks[at] - t->wanted[at]);
            if (isnan(error) || (other && isnan(other->marks[at]))) continue;
            items[i].sum += error;
            items[i].weight++;
        }
    }
}
