/* What one compilation carries along: its memory, its limits, and the first failure. */
#ifndef GRAMMAR_CONTEXT_H
#define GRAMMAR_CONTEXT_H

#include <conatus/grammar.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "compiler.h"
#include "err.h"

typedef struct gctx {
    cn_arena arena;
    cn_grammar_limits limits; /* with the defaults filled in */
    cn_grammar_report *report;
    cn_err *err;
    cn_status status; /* the first failure; everything after it does nothing useful */
    uint64_t steps_left;
    uint64_t deadline_ns;
    const struct cdfa *numbers[3][41]; /* see numbers.c */
    const struct cdfa *formats[16];    /* see formats.c */
} gctx;

enum { GCTX_STEPS = 100000000 }; /* about a second of work; the clock is the second limit */

void gctx_init(gctx *c, const cn_grammar_limits *limits, cn_grammar_report *r, cn_err *err);
/* Zeroed; NULL after a failure. */
void *gctx_alloc(gctx *c, size_t n, size_t size);
/* Fails once; `pointer` says where. Always false, for `return`. */
bool gctx_fail(gctx *c, cn_status st, const char *pointer, const char *fmt, ...)
    CN_PRINTF(4, 5);
/* Counts work; false when the limit is reached or something failed before. */
bool gctx_work(gctx *c, uint64_t steps);

#endif
