/* Forward and backward passes of a net over micro-batches, in memory that is sized once. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "ops.h"

typedef struct run_options {
    size_t max_tokens;  /* of a micro-batch */
    size_t max_doc;     /* tokens of a document */
    bool checkpointing; /* keep the input of each layer only, and compute the layer again in the
                           backward pass (Chen et al. 2016) */
    bool bf16;
} run_options;

typedef struct net_run net_run;

cn_status net_run_new(net_run **out, const net *n, cn_pool *pool, const run_options *o,
                      cn_err *err);
void net_run_free(net_run *r);
/* What net_run_new will take, found by a dry run of the same operations. */
uint64_t net_run_bytes(const net *n, unsigned n_threads, const run_options *o);

/* The summed negative log-likelihood of the batch's targets. With `backward`, adds the gradient
 * of scale * sum to the parameters' (between params_begin_step and params_end_step). */
double net_run_loss(net_run *r, const net_batch *b, bool backward, double scale);

#endif
