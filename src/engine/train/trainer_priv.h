/* The trainer's state, and how it goes into a checkpoint and comes back. */
#ifndef TRAIN_TRAINER_PRIV_H
#define TRAIN_TRAINER_PRIV_H

#include "pack.h"
#include "trainer.h"

/* A micro-batch without padding. */
typedef struct micro {
    int32_t *ids, *targets, *positions; /* (batch * n_ctx) */
    uint32_t *doc_at;                   /* (batch * n_ctx + 1) */
    net_batch batch;
    uint32_t n_loss;
} micro;

struct trainer {
    net *net;
    const dataset *data;
    train_settings s;
    cn_pool *pool;
    const char *dir;
    char best_dir[4096];
    packer *packer, *heldout;
    net_run *run;
    adamw *adam;
    schedule schedule;
    patience patience;
    micro *micros; /* (accumulate) */
    uint64_t step, n_steps, tokens, best_step;
    uint64_t micros_per_epoch;
    double loss, heldout_loss;
    bool owes_evaluation; /* the last step's was interrupted */
    double seconds;       /* of the parts before this one */
    uint64_t start_ns;
};

/* Writes a checkpoint and tells the hooks. */
cn_status trainer_save(trainer *t, const train_hooks *hooks, cn_err *err);
/* The newest checkpoint's state in place of this one. errors  CN_E_NOT_FOUND, CN_E_MISMATCH */
cn_status trainer_restore(trainer *t, cn_err *err);
/* The best weights so far, without the optimiser, in a folder of their own. */
cn_status trainer_save_best(trainer *t, cn_err *err);
cn_status trainer_load_best(trainer *t, cn_err *err);

#endif
