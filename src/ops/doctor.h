/* What this machine can do for a language model, and what stands in its way. */
#ifndef OPS_DOCTOR_H
#define OPS_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef enum doctor_state { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_PROBLEM } doctor_state;

typedef struct doctor_check {
    const char *name; /* "memory" */
    doctor_state state;
    char text[320];
    char mend[200]; /* the command or setting that mends it; empty when all is well */
} doctor_check;

/* A well-known model as a yardstick. */
typedef struct doctor_model {
    const char *name;
    uint64_t bytes;  /* of its weights, read once a token */
    uint64_t memory; /* with the cache of 4096 positions */
    bool fits;
    double tokens_per_second; /* estimated from the measured bandwidth */
} doctor_model;

#define DOCTOR_MAX_CHECKS 12
#define DOCTOR_N_MODELS 7

typedef struct doctor_options {
    const char *kernels; /* NULL: the best */
    unsigned n_threads;  /* 0: all */
    const char *store;   /* folder of models, need not exist */
} doctor_options;

typedef struct doctor_report {
    doctor_check checks[DOCTOR_MAX_CHECKS];
    size_t n_checks;
    doctor_model models[DOCTOR_N_MODELS];
    const char *kernels, *features; /* constant strings */
    unsigned n_threads;
    uint64_t memory_total, memory_left;
    const char *memory_limit;
    double bandwidth; /* bytes a second; 0: not measured */
} doctor_report;

/* Looks at everything; takes about a second. Never fails: what is wrong is in the report. */
void doctor_examine(doctor_report *out, const doctor_options *o);

#endif
