/* Allocation, with the debug guard of the token loop. */
#include "mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "compiler.h"

#ifndef NDEBUG
static _Thread_local int forbidden;
#define ASSERT_MAY_ALLOCATE() CN_BUG_ON(forbidden > 0)
void cn_alloc_forbid(void)
{
    forbidden++;
}
void cn_alloc_permit(void)
{
    forbidden--;
}
#else
#define ASSERT_MAY_ALLOCATE() ((void)0)
void cn_alloc_forbid(void)
{
}
void cn_alloc_permit(void)
{
}
#endif

void *cn_xmalloc(size_t size)
{
    ASSERT_MAY_ALLOCATE();
    void *p = malloc(size ? size : 1);
    CN_BUG_ON(!p);
    return p;
}

void *cn_xcalloc(size_t n, size_t size)
{
    ASSERT_MAY_ALLOCATE();
    void *p = calloc(n ? n : 1, size ? size : 1);
    CN_BUG_ON(!p);
    return p;
}

char *cn_xstrndup(const char *p, size_t n)
{
    char *copy = cn_xmalloc(n + 1);
    if (n) memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

bool cn_mul_overflow(size_t a, size_t b, size_t *out)
{
    return __builtin_mul_overflow(a, b, out);
}

#define LARGE_PAGE ((size_t)2 << 20)

/* Large arrays ask for large pages: walking them costs fewer address translations (a few
 * percent of a matrix product). */
static void prefer_large_pages(void *p, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    if (bytes >= 4 * LARGE_PAGE) madvise(p, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
#else
    (void)p, (void)bytes;
#endif
}

void *cn_alloc_array(size_t n, size_t size)
{
    ASSERT_MAY_ALLOCATE();
    size_t bytes;
    void *p = NULL;
    if (cn_mul_overflow(n, size, &bytes) || bytes > PTRDIFF_MAX - 64) return NULL;
    if (posix_memalign(&p, bytes >= 4 * LARGE_PAGE ? LARGE_PAGE : 64, bytes ? bytes : 1))
        return NULL;
    prefer_large_pages(p, bytes);
    memset(p, 0, bytes);
    return p;
}

void *cn_realloc_array(void *p, size_t n, size_t size)
{
    ASSERT_MAY_ALLOCATE();
    size_t bytes;
    if (cn_mul_overflow(n, size, &bytes) || bytes > PTRDIFF_MAX) return NULL;
    return realloc(p, bytes ? bytes : 1);
}

void cn_free(void *p)
{
    free(p);
}
