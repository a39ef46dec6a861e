/* Allocation. Small fixed sizes: cn_xmalloc, which stops the program. Sizes that come from
 * outside: cn_alloc_array, which may return NULL and is answered with CN_E_NOMEM. All of it
 * goes through here, so that a debug build can assert that the token loop allocates nothing. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *cn_xmalloc(size_t size);
void *cn_xcalloc(size_t n, size_t size);
char *cn_xstrndup(const char *p, size_t n);

/* n * size bytes, zeroed and aligned for SIMD (64 bytes); NULL when that overflows or is not to
 * be had. */
void *cn_alloc_array(size_t n, size_t size);
/* The array grown or shrunk to n elements, NULL (and `p` kept) on failure. New bytes are not
 * zeroed. */
void *cn_realloc_array(void *p, size_t n, size_t size);
void cn_free(void *p);

/* While forbidden on this thread, any allocation above is a bug (debug builds only). Calls
 * nest. */
void cn_alloc_forbid(void);
void cn_alloc_permit(void);

/* True when a*b does not fit into size_t; otherwise *out is the product. */
bool cn_mul_overflow(size_t a, size_t b, size_t *out);

#endif
