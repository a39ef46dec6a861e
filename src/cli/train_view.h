/* How a training run looks while it goes: on a terminal one line on stderr that is redrawn,
 * elsewhere (a log, a pipe) a plain line now and then. */
#ifndef CLI_TRAIN_VIEW_H
#define CLI_TRAIN_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "jobs.h"

typedef struct train_view {
    bool terminal, quiet, shown;
    uint64_t first_step,
        n_steps; /* the step it starts behind (0, or the checkpoint's); the last */
    uint64_t shown_step;
    uint64_t start_ns, last_ns;
    unsigned plain_every_s;
    double loss; /* smoothed */
    job_metric heldout;
    job_metric now;
} train_view;

/* `quiet`: nothing is shown. Ask for it after job_detached_tell, which changes what stderr is.
 */
train_view train_view_start(uint64_t first_step, uint64_t n_steps, bool quiet);
/* A metric just measured, of a step or held out: the one that job_metric_append takes. */
void train_view_at(train_view *v, const job_metric *m);
/* A line that stays, above the progress: "checkpoint-200 written". */
void train_view_note(train_view *v, const char *fmt, ...) CN_PRINTF(2, 3);
/* Takes the redrawn line away; a log gets the last step's line if it has not had it. */
void train_view_end(train_view *v);

/* The line without its end: "step 120/500  loss 1.234  held-out 1.301 ...", at most `width`
 * characters: what comes last is left out first. */
void train_view_line(cn_buf *out, const train_view *v, double elapsed_s, unsigned width);

/* Does the terminal take UTF-8 (LC_ALL, LC_CTYPE, LANG)? */
bool cli_locale_utf8(void);
/* Columns of the terminal behind `fd`; `otherwise` when it is none. */
unsigned cli_columns(int fd, unsigned otherwise);
/* The smoothed and the held-out losses as a chart on stdout, for a person. */
void cli_print_curve(const job_metrics *m, bool log_scale);
/* "45 s", "3 m 20 s", "2 h 5 m", "3 d 4 h" */
const char *cli_duration(char *out, size_t size, double seconds);

#endif
