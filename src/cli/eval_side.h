/* One of the models that conatus eval measures: opened, asked, closed; what stays is figures.
 */
#ifndef CLI_EVAL_SIDE_H
#define CLI_EVAL_SIDE_H

#include "figures.h"
#include "measure.h"
#include "model.h"

/* What is measured: one of the three is there. */
typedef struct eval_job {
    const eval_task *task;
    const char *text_file, *data_file;
    cn_str text; /* of text_file */
    size_t limit;
    uint64_t seed;
    bool reuse, skip_bad;
} eval_job;

enum { EVAL_MAX_MEASURES = 2 }; /* of a task with marks: pass rate and mark error */

typedef struct eval_side {
    char name[200];   /* the model and its adapters as the user named them */
    const char *mark; /* "A", "B"; NULL: there is but one */
    eval_measure measures[EVAL_MAX_MEASURES];
    size_t n_measures;
    uint64_t fingerprint; /* of the tokens that were scored; two sides must have the same */
    size_t tokens;        /* that count */
    size_t window;        /* of a text: ids in one */
    size_t cut, bad;      /* of data: records of the file that were cut; lines left out */
    double seconds;
    eval_run run; /* of a task */
    eval_figures figures;
} eval_side;

/* Opens the model called `name` and measures it. errors  as cli_model_open, cn_generate */
cn_status eval_side_measure(eval_side *out, const eval_job *job, const char *name,
                            const cli_model_options *o, const char *mark, cn_err *err);
void eval_side_deinit(eval_side *s);

#endif
