/* What others may have left in a run's folder: the record, the metrics, and curves drawn of
 * them. The first byte says which: 'r' a record, else metrics. */
#include <math.h>
#include <stdint.h>

#include "compiler.h"
#include "curve.h"

static void record(cn_str text)
{
    job_record r, again;
    cn_buf one = {0}, two = {0};
    if (job_record_parse(&r, text, NULL)) return;
    job_record_write(&one, &r);
    CN_BUG_ON(job_record_parse(&again, cn_buf_view(&one), NULL) != CN_OK);
    job_record_write(&two, &again);
    CN_BUG_ON(!cn_str_eq(cn_buf_view(&one), cn_buf_view(&two)));
    job_record_deinit(&r);
    job_record_deinit(&again);
    cn_buf_deinit(&one);
    cn_buf_deinit(&two);
}

/* What is kept are whole lines that count, each step once: it reads as itself. */
static void kept(cn_str text, const job_metrics *all)
{
    cn_buf b = {0};
    job_metrics m;
    job_metrics_keep(&b, text, INT64_MAX);
    CN_BUG_ON(job_metrics_parse(&m, cn_buf_view(&b), NULL) != CN_OK);
    CN_BUG_ON(m.n_ignored || m.torn);
    CN_BUG_ON(m.n_train != all->n_train || m.n_heldout != all->n_heldout);
    for (size_t i = 1; i < m.n_train; i++)
        CN_BUG_ON(m.train[i].step <= m.train[i - 1].step);
    job_metrics_deinit(&m);
    cn_buf_deinit(&b);
}

static void metrics(cn_str text)
{
    job_metrics m;
    if (job_metrics_parse(&m, text, NULL)) return;
    kept(text, &m);
    for (int i = 0; i < 2; i++) {
        curve_options o = {.log_scale = i};
        cn_buf svg = {0}, chart = {0};
        CN_BUG_ON(curve_svg(&svg, &m, &o, NULL) != CN_OK || svg.n > 100000);
        CN_BUG_ON(curve_text(&chart, &m, &o, 40, 6, i, NULL) != CN_OK);
        cn_buf_deinit(&svg);
        cn_buf_deinit(&chart);
    }
    job_metrics_deinit(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    cn_str rest = {(const char *)data + 1, size - 1};
    if (data[0] == 'r')
        record(rest);
    else
        metrics(rest);
    return 0;
}
