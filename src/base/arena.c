/* Bump allocation in chunks; unused room is poisoned under AddressSanitizer. */
#include "arena.h"

#include <stdint.h>

#include "compiler.h"
#include "mem.h"

#if CN_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define RED_ZONE 16
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#define RED_ZONE 0
#endif

#define ALIGN ((size_t)16)
#define CHUNK_BYTES ((size_t)64 << 10)
#define DEFAULT_CAP ((size_t)4 << 30)

struct cn_arena_chunk {
    cn_arena_chunk *below;
    size_t size, used;
    _Alignas(16) char bytes[];
};

static cn_arena_chunk *chunk_new(cn_arena_chunk *below, size_t size)
{
    cn_arena_chunk *c = cn_realloc_array(NULL, 1, sizeof *c + size); /* zeroed piece by piece */
    if (!c) return NULL;
    c->used = 0;
    c->below = below;
    c->size = size;
    POISON(c->bytes, size);
    return c;
}

static void chunk_free(cn_arena_chunk *c)
{
    UNPOISON(c->bytes, c->size);
    cn_free(c);
}

void *cn_arena_alloc(cn_arena *a, size_t n, size_t size)
{
    size_t bytes, cap = a->cap ? a->cap : DEFAULT_CAP;
    if (cn_mul_overflow(n, size, &bytes) || bytes > cap || a->used > cap - bytes) return NULL;
    size_t room = (bytes + RED_ZONE + ALIGN - 1) & ~(ALIGN - 1);
    cn_arena_chunk *c = a->top;
    if (!c || c->size - c->used < room) {
        c = chunk_new(a->top, CN_MAX(room, CHUNK_BYTES));
        if (!c) return NULL;
        a->top = c;
    }
    void *p = c->bytes + c->used;
    c->used += room;
    a->used += bytes;
    UNPOISON(p, bytes);
    memset(p, 0, bytes);
    return p;
}

char *cn_arena_strndup(cn_arena *a, const char *p, size_t n)
{
    if (n == SIZE_MAX) return NULL;
    char *copy = cn_arena_alloc(a, n + 1, 1);
    if (copy && n) memcpy(copy, p, n);
    return copy;
}

cn_str cn_arena_str(cn_arena *a, cn_str s)
{
    return (cn_str){cn_arena_strndup(a, s.p, s.n), s.n};
}

void cn_arena_reset(cn_arena *a)
{
    while (a->top && a->top->below) {
        cn_arena_chunk *c = a->top;
        a->top = c->below;
        chunk_free(c);
    }
    if (a->top) {
        a->top->used = 0;
        POISON(a->top->bytes, a->top->size);
    }
    a->used = 0;
}

void cn_arena_deinit(cn_arena *a)
{
    while (a->top) {
        cn_arena_chunk *c = a->top;
        a->top = c->below;
        chunk_free(c);
    }
    a->used = 0;
}
