/* AdamW (Loshchilov and Hutter 2019) over a flat block of float parameters, with the two
 * moments in f32 or in 8 bits (Dettmers et al. 2022: blocks of 256 values, each with its own
 * scale, dynamic code, rounded to nearest). The result does not depend on the number of
 * threads. */
#ifndef TRAIN_ADAMW_H
#define TRAIN_ADAMW_H

#include "checkpoint.h"
#include "param.h"
#include "pool.h"

typedef struct adamw_options {
    float beta1, beta2, eps; /* 0.9, 0.95 or 0.999, 1e-8 */
    float weight_decay;      /* decoupled; on parameters with `decay` only */
    bool eight_bit;
} adamw_options;

typedef struct adamw adamw;

/* The moments start at 0. `s` must outlive it and be allocated. */
cn_status adamw_new(adamw **out, const param_set *s, const adamw_options *o, cn_err *err);
void adamw_free(adamw *a);
uint64_t adamw_state_bytes(size_t n_values, bool eight_bit);

/* Euclidean norm of all gradients, summed in double in a fixed order; NaN or infinite when any
 * is (and then a step would spoil the state: skip it). */
double adamw_grad_norm(adamw *a, cn_pool *pool);
/* One update (counted from 1 in the bias correction): gradients are multiplied by `scale`
 * (clipping) first. Reads each array once, on all threads. */
void adamw_step(adamw *a, cn_pool *pool, float lr, float scale);
uint64_t adamw_steps(const adamw *a);
void adamw_set_steps(adamw *a, uint64_t steps); /* after a resume */

/* The moments as named parts of a checkpoint: at most ADAMW_PARTS. The memory stays the
 * optimiser's; a resume reads into it. */
#define ADAMW_PARTS 4
size_t adamw_parts(adamw *a, checkpoint_part parts[ADAMW_PARTS]);

#endif
