/* The generated tables behind unicode.c. */
#ifndef TOKENIZER_UNICODE_PRIV_H
#define TOKENIZER_UNICODE_PRIV_H

#include <stddef.h>
#include <stdint.h>

extern const char unicode_version[];
/* Properties of c: unicode_block[unicode_index[c / 128]][c % 128], bits of unicode.h. */
extern const uint16_t unicode_index[0x110000 / 128];
extern const uint8_t unicode_block[][128];
/* {code, its simple lower-case form}, sorted. */
extern const uint32_t unicode_lower[][2];
extern const size_t unicode_n_lower;
/* {first, last, canonical combining class}, sorted; class 0 is left out. */
extern const uint32_t unicode_ccc[][3];
extern const size_t unicode_n_ccc;
/* {code, place in the pool | length << 24 | compatibility << 31}, sorted; one step, not the
 * full decomposition; Hangul is left out. */
extern const uint32_t unicode_decomp[][2];
extern const size_t unicode_n_decomp;
extern const uint32_t unicode_decomp_pool[];
/* {first, second, composed}, sorted. */
extern const uint32_t unicode_compose[][3];
extern const size_t unicode_n_compose;

#endif
