/* The training loop: batches, losses, updates, evaluations, checkpoints, resume. It knows no
 * terminal and no job: what happens is told to the hooks. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include <stdatomic.h>

#include "dataset.h"
#include "run.h"
#include "settings.h"

/* A step done, or (heldout) an evaluation. */
typedef struct train_moment {
    bool heldout;
    uint64_t step, n_steps; /* done, of */
    double epoch, loss;     /* loss: mean negative log-likelihood of a target */
    double lr, grad_norm;
    uint64_t tokens;                /* of the run so far */
    double tokens_per_s, elapsed_s; /* over all parts of a resumed run */
} train_moment;

typedef struct train_hooks {
    void *user;
    /* A failure ends the run with a checkpoint. Any may be NULL. */
    cn_status (*moment)(void *user, const train_moment *m, cn_err *err);
    cn_status (*saved)(void *user, uint64_t step, cn_err *err);
    const atomic_bool *stop; /* becomes true: write a checkpoint and return CN_E_CANCELLED */
} train_hooks;

typedef struct train_result {
    uint64_t step, n_steps, tokens, best_step;
    double loss, heldout_loss, best_heldout_loss; /* NAN: not measured */
    double seconds;
    bool stopped_early; /* patience */
} train_result;

/* Bytes that a run needs, before anything is allocated. */
typedef struct train_need {
    uint64_t base;                          /* frozen weights as mapped */
    uint64_t weights, gradients, optimiser; /* of what is trained */
    uint64_t activations, data;
    uint64_t total, available;
    const char *limit; /* what sets `available` */
    uint64_t n_params, n_trained;
} train_need;
void train_estimate(train_need *out, const net *n, const dataset *d, const train_settings *s,
                    unsigned n_threads);

typedef struct trainer trainer;

/* `net` is a plan or filled; it, the data and the pool outlive the trainer. `dir`: where
 * checkpoints are. With `resume` the newest checkpoint there is continued: the same losses
 * follow as without the interruption. errors  CN_E_NOMEM, CN_E_NOT_FOUND no checkpoint,
 * CN_E_MISMATCH another model, data or settings */
cn_status trainer_new(trainer **out, net *n, const dataset *d, const train_settings *s,
                      cn_pool *pool, const char *dir, bool resume, cn_err *err);
void trainer_free(trainer *t);
/* Where it stands (a resumed one not at 0) and will end. */
uint64_t trainer_step(const trainer *t);
uint64_t trainer_n_steps(const trainer *t);
/* Seconds a step takes, from one micro-batch computed for nothing but that. */
double trainer_measure(trainer *t);
/* To the end, or the stop flag (CN_E_CANCELLED, with a checkpoint), or a loss that is no number
 * (CN_E_LIMIT). Afterwards the net holds the weights of the best evaluation when patience is
 * set, else the last ones. */
cn_status trainer_run(trainer *t, const train_hooks *hooks, train_result *out, cn_err *err);

#endif
