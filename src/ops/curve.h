/* The loss curve of a run: as SVG for a browser, as characters for a terminal. */
#ifndef OPS_CURVE_H
#define OPS_CURVE_H

#include "jobs.h"

typedef struct curve_options {
    const char *title; /* any text; NULL: "Loss" */
    bool log_scale;    /* the loss axis */
} curve_options;

/* A document of its own: no outside resource, light and dark by the reader's preference, under
 * 100 KB for any number of steps. A run without steps gives axes and says so. errors CN_E_NOMEM
 */
cn_status curve_svg(cn_buf *out, const job_metrics *m, const curve_options *o, cn_err *err);
/* DIR/curve.svg from DIR/metrics.jsonl. */
cn_status curve_write(const char *dir, const curve_options *o, cn_err *err);
/* Lines of at most `columns` (20 to 400) characters, `rows` (3 to 100) of them for the plot:
 * Braille dots, or ASCII where the terminal knows no UTF-8. Nothing when there is no step.
 * errors CN_E_NOMEM */
cn_status curve_text(cn_buf *out, const job_metrics *m, const curve_options *o,
                     unsigned columns, unsigned rows, bool utf8, cn_err *err);

#endif
