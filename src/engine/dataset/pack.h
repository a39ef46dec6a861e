/* Batches out of a dataset: rows filled with whole records in an order that is drawn anew for
 * every epoch. Records keep apart: each has its number in its row and its own positions. */
#ifndef DATASET_PACK_H
#define DATASET_PACK_H

#include "dataset.h"

/* Arrays of n_rows * n_ctx, row-major, borrowed until the next call on the packer. */
typedef struct pack_batch {
    uint32_t n_rows, n_ctx;
    int32_t *ids;       /* 0 where there is padding */
    int32_t *targets;   /* the id to predict at this place; -1: no loss */
    int32_t *positions; /* from 0 in every record */
    int32_t *doc;    /* number of the record in its row: attention stays inside; -1: padding */
    uint32_t n_loss; /* targets that are not -1 */
    uint32_t n_tokens; /* places that are not padding */
    uint32_t n_docs;
    uint64_t epoch, step; /* step counts through all epochs */
} pack_batch;

/* Its whole state is (seed, epoch, step). */
typedef struct packer packer;

/* `pack` false: one record a row, batches padded to their longest, rounded up to 16. A record
 * of n tokens takes the places up to the one that predicts its last target. errors  CN_E_ARG no
 * rows or no training records; CN_E_LIMIT a record over n_ctx; CN_E_NOMEM */
cn_status packer_new(packer **out, const dataset *d, uint32_t n_rows, uint32_t n_ctx,
                     uint64_t seed, bool pack, cn_err *err);
/* The held-out records in the order of the files, the same in every epoch. */
cn_status packer_new_heldout(packer **out, const dataset *d, uint32_t n_rows, uint32_t n_ctx,
                             bool pack, cn_err *err);
void packer_free(packer *p);

/* The next batch, epoch after epoch without end; allocates nothing. The last batch of an epoch
 * may have empty rows. */
void packer_next(packer *p, pack_batch *out);
/* Makes `step` the next one: the same batches follow as if all before it had been taken. */
void packer_seek(packer *p, uint64_t step);
/* Of the epoch at hand; epochs may differ by a step, as their rows fill differently. */
uint64_t packer_steps_per_epoch(const packer *p);
/* Steps of the first n epochs together. */
uint64_t packer_steps(packer *p, uint64_t n_epochs);
/* Share of places of the epoch at hand that are padding. */
double packer_padding(const packer *p);

#endif
