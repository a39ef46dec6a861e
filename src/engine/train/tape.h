/* The tape: every operation of the forward pass leaves a record with what its backward pass
 * needs; walked from the end, the records give the gradients. Arrays come from two slabs that
 * are sized once, by a dry run of the same operations, so that a step allocates nothing. */
#ifndef TRAIN_TAPE_H
#define TRAIN_TAPE_H

#include <stddef.h>

#include "arena.h"
#include "param.h"
#include "pool.h"
#include "real.h"

typedef struct tensor {
    size_t n, width;
    real *v;    /* (n, width) */
    real *g;    /* its gradient; NULL until the first contribution */
    bool needs; /* something under it is trained, so that its gradient is wanted */
} tensor;

typedef struct slab {
    char *p;
    size_t used, size, peak; /* bytes */
} slab;

typedef struct tape_op tape_op;

typedef struct tape {
    cn_pool *pool;
    void *scratch; /* of the products, for all threads */
    char *room;    /* (n_threads, room_bytes): for operations */
    size_t room_bytes;
    bool bf16;      /* products of numbers rounded to bf16 */
    bool recording; /* false: forward only, records are not kept */
    bool dry;       /* nothing is computed, memory is counted */
    slab records, values, grads;
    tape_op *last;
} tape;

typedef void tape_back(tape *t, void *op);

typedef struct tape_mark {
    size_t records, values;
    tape_op *last;
} tape_mark;

/* A new array of n rows; zeroed only by who fills it. */
tensor *tape_tensor(tape *t, size_t n, size_t width, bool needs);
/* A view of memory that lives elsewhere. */
tensor *tape_view(tape *t, real *v, size_t n, size_t width, bool needs);
real *tape_values(tape *t, size_t n);
void *tape_bytes(tape *t, size_t n);
/* A record of `size` bytes, copied from `op`, whose backward pass is `back`. */
void tape_record(tape *t, tape_back *back, const void *op, size_t size);

/* The gradient of x to be stored (false) or added to (true). */
real *tape_grad(tape *t, tensor *x, bool *add);
/* The gradient of x to be added to, zeroed at the first time. */
real *tape_grad_zeroed(tape *t, tensor *x);
/* x's gradient begins as y's, which is used up: for y = x + something. */
void tape_pass_grad(tape *t, tensor *x, tensor *y);

/* Runs the records after `from`, the last first, and forgets the gradients of all tensors. */
void tape_backward(tape *t, tape_mark from);
tape_mark tape_here(const tape *t);
void tape_rewind(tape *t, tape_mark m);

/* fn on parts [from, to) of n items, on all threads; each item is done whole by one thread, so
 * nothing depends on their number. `room`: room_bytes of this thread. */
typedef void tape_fn(void *job, size_t from, size_t to, void *room);
void tape_run(const tape *t, tape_fn *fn, void *job, size_t n, size_t grain);

#endif
