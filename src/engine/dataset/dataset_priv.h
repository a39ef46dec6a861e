/* An open dataset, and the work of opening it. */
#ifndef DATASET_DATASET_PRIV_H
#define DATASET_DATASET_PRIV_H

#include "dataset.h"
#include "encode.h"
#include "pool.h"

typedef struct kept {
    uint64_t at; /* first id */
    uint64_t line;
    uint32_t n, n_loss, length; /* length: before it was cut */
    uint32_t file;
    uint8_t form; /* record_form */
    bool heldout;
} kept;

struct dataset {
    char **paths;
    size_t n_paths;
    int32_t *ids;
    uint8_t *loss;
    size_t n_ids, ids_alloc;
    kept *records;
    size_t n_records, records_alloc;
    uint32_t *side[2]; /* indices of the records for training, held out */
    size_t n_side[2];
    dataset_finding *findings; /* DATASET_FINDINGS of each kind */
    uint32_t n_findings[DATASET_WHATS];
    dataset_report report;
};

/* Transient: what the records are compared by, one for each kept. */
typedef struct dataset_keys {
    digest near, prompt;
    bool has_prompt;
} dataset_keys;

typedef struct dataset_build {
    const dataset_options *o;
    dataset *d;
    encoder encoder;
    int64_t now;
    dataset_keys *keys;   /* as records_alloc */
    digest_table same[2]; /* of the training files, of the held-out file */
    cn_err *err;
} dataset_build;

/* Remembers one of the first of its kind. */
dataset_finding *dataset_find(dataset *d, dataset_what what, uint32_t file, uint64_t line);

/* Reads a whole file into the dataset. */
cn_status dataset_read_file(dataset_build *b, cn_pool *pool, uint32_t file, cn_str text,
                            double done, double share);

/* Divides, looks for leaks, counts. */
cn_status dataset_split(dataset_build *b);

#endif
