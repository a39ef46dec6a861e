/* cn_arena: memory with one lifetime (a loaded model, a request, a step), freed all at once. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "str.h"

typedef struct cn_arena_chunk cn_arena_chunk;

typedef struct cn_arena {
    cn_arena_chunk *top;
    size_t used, cap; /* bytes handed out; cap 0 means 4 GiB */
} cn_arena;

/* Zeroed, aligned to 16 bytes; NULL over the cap or without memory: answer CN_E_NOMEM. */
void *cn_arena_alloc(cn_arena *a, size_t n, size_t size);
char *cn_arena_strndup(cn_arena *a, const char *p, size_t n); /* NUL-terminated */
cn_str cn_arena_str(cn_arena *a, cn_str s);                   /* .p NULL on failure */
void cn_arena_reset(cn_arena *a);                             /* keeps one chunk */
void cn_arena_deinit(cn_arena *a);

#endif
