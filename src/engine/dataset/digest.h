/* Fingerprints: SHA-256 of files, and a quick hash of contents with a table of them. */
#ifndef DATASET_DIGEST_H
#define DATASET_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sha256 {
    uint32_t h[8];
    uint64_t n; /* bytes so far */
    uint8_t block[64];
} sha256;

sha256 sha256_begin(void);
void sha256_add(sha256 *s, const void *p, size_t n);
void sha256_hex(sha256 *s, char out[65]); /* ends it */

/* 128 bits: two equal ones mean equal contents (not against an adversary). */
typedef struct digest {
    uint64_t a, b;
} digest;

digest digest_begin(uint64_t kind);
void digest_word(digest *d, uint64_t word);
void digest_bytes(digest *d, const void *p, size_t n); /* and n */

/* The first index under each digest. */
typedef struct digest_slot {
    digest d;
    uint32_t index; /* + 1; 0: free */
} digest_slot;
typedef struct digest_table {
    digest_slot *slots;
    size_t n, mask;
} digest_table;

/* The index already there, or `index` itself, now there. UINT32_MAX: no memory. */
uint32_t digest_table_add(digest_table *t, digest d, uint32_t index);
uint32_t digest_table_find(const digest_table *t, digest d); /* UINT32_MAX: absent */
void digest_table_deinit(digest_table *t);

#endif
