/* Checkpoints of a training run: one file a checkpoint in the run's folder,
 * "checkpoint-000000120.ckpt", written beside and renamed, so that it is there whole or not at
 * all, with a checksum over everything, so that a damaged one is told and the one before is
 * taken. The newest `keep` remain. The format is described in checkpoint_priv.h.
 *
 * limits  state up to 1 MiB of JSON, 64 parts, 1 TiB */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "json.h"

typedef struct checkpoint_part {
    const char *name; /* "weights", "adam.m", ... */
    void *data;
    size_t size; /* bytes */
} checkpoint_part;

/* Data reach the disk before the rename; the folder is synced after. `state`: any JSON object
 * (settings, step, best loss). On failure (disk full) nothing that was there is lost and no
 * partial file is left. What a killed writer left is removed first. Afterwards the newest
 * `keep` (at least this one) stay; those of later steps are removed, as a run that writes an
 * earlier one has left their course: a new run takes an empty folder. Ignore SIGXFSZ where
 * file sizes are limited. errors  CN_E_DISK (bytes needed and free), CN_E_LIMIT,
 * CN_E_NOT_FOUND, CN_E_REFUSED for the folder, CN_E_ARG, CN_E_FORMAT for a state that is not a
 * JSON object */
cn_status checkpoint_write(const char *dir, uint64_t step, const char *state_json,
                           const checkpoint_part *parts, size_t n_parts, unsigned keep,
                           cn_err *err);

typedef struct checkpoint checkpoint;
/* The newest whole one; *out NULL when there is none, or no folder. Damaged ones and those of
 * a later version are logged and passed over. */
cn_status checkpoint_open_latest(checkpoint **out, const char *dir, cn_err *err);
/* errors  CN_E_FORMAT, CN_E_UNSUPPORTED (a later version), CN_E_LIMIT, CN_E_NOT_FOUND, CN_E_IO
 */
cn_status checkpoint_open(checkpoint **out, const char *path, cn_err *err);
void checkpoint_close(checkpoint *c);
uint64_t checkpoint_step(const checkpoint *c);
const cn_json *checkpoint_state(const checkpoint *c);
/* Reads every part into the memory given; names and sizes must be exactly those of the file,
 * in its order, or nothing is touched.
 * errors  CN_E_MISMATCH with both names or sizes */
cn_status checkpoint_read(const checkpoint *c, const checkpoint_part *parts, size_t n_parts,
                          cn_err *err);

#endif
