/* UTF-8, strictly (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length in bytes (1 to 4) of the character at p, its code in *rune; 0 when the bytes are not
 * one. */
size_t cn_utf8_decode(const char *p, size_t n, uint32_t *rune);
/* Writes `rune` (a valid code) into out[4], returns its length. */
size_t cn_utf8_encode(uint32_t rune, char out[4]);
bool cn_utf8_valid(const char *p, size_t n);
/* Length of the longest prefix of p that ends at a character border: what may be shown while
 * the rest is still to come. Bytes that can never become a character count as whole. */
size_t cn_utf8_complete(const char *p, size_t n);

#endif
