/* The file of a checkpoint, little-endian, in stripes of 64 bytes:
 *
 *   header      64 bytes: magic, version, numbers (below)
 *   parts       64 bytes each: name, offset from the file's start, bytes
 *   state       JSON text, filled up to a stripe with zeros
 *   data        of each part, filled up likewise, in the order of the table
 *   checksum    8 bytes, over all before
 *
 * Checksum: eight lanes of 64 bits, lane k starts at (k + 1) * P with P = 0x9E3779B97F4A7C15
 * (2^64 over the golden ratio). Word k of each stripe w goes into its lane: a = rotate(a ^ w,
 * 29) * P. Each of these steps can be undone, so damage within one word always shows. The end
 * is h = number of bytes * P, for each lane h = rotate(h ^ a, 31) * P, then h ^ h >> 32. */
#ifndef TRAIN_CHECKPOINT_PRIV_H
#define TRAIN_CHECKPOINT_PRIV_H

#include <stdbool.h>

#include "checkpoint.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "checkpoints are little-endian");

#define CHECKPOINT_MAGIC                                                                       \
    "\x89"                                                                                     \
    "cnckpt\n"
#define CHECKPOINT_VERSION 1
#define CHECKPOINT_STRIPE 64
#define CHECKPOINT_PARTS 64
#define CHECKPOINT_STATE (1 << 20)
#define CHECKPOINT_BYTES (UINT64_C(1) << 40)
#define CHECKPOINT_CHUNK (1 << 20) /* bytes summed while they are in the cache */

typedef struct checkpoint_header {
    char magic[8];
    uint32_t version, n_parts;
    uint64_t step, file_size, state_size;
    uint64_t zero[3];
} checkpoint_header;

typedef struct checkpoint_entry {
    char name[40]; /* filled up with NULs, at least one */
    uint64_t offset, size, zero;
} checkpoint_entry;

_Static_assert(sizeof(checkpoint_header) == CHECKPOINT_STRIPE, "layout");
_Static_assert(sizeof(checkpoint_entry) == CHECKPOINT_STRIPE, "layout");

static inline uint64_t checkpoint_padded(uint64_t n)
{
    return (n + CHECKPOINT_STRIPE - 1) / CHECKPOINT_STRIPE * CHECKPOINT_STRIPE;
}

typedef struct checkpoint_sum {
    uint64_t lane[8], n_bytes;
} checkpoint_sum;

checkpoint_sum checkpoint_sum_new(void);
void checkpoint_sum_add(checkpoint_sum *s, const void *p, size_t n); /* whole stripes */
uint64_t checkpoint_sum_end(const checkpoint_sum *s);

/* "checkpoint-000000120.ckpt" */
#define CHECKPOINT_NAME 48
void checkpoint_name(char name[CHECKPOINT_NAME], uint64_t step);
/* The steps that the folder has files of, the newest first; *steps is owned. */
cn_status checkpoint_list(const char *dir, uint64_t **steps, size_t *n, cn_err *err);

#endif
