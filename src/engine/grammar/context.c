/* The compilation's memory, limits and first failure. */
#include "context.h"

#include <stdarg.h>
#include <stdio.h>

#include "clock.h"

#define ARENA_BYTES ((size_t)512 << 20)

void gctx_init(gctx *c, const cn_grammar_limits *limits, cn_grammar_report *r, cn_err *err)
{
    *c = (gctx){.report = r, .err = err, .steps_left = GCTX_STEPS};
    if (limits) c->limits = *limits;
    if (!c->limits.max_states) c->limits.max_states = 1000000;
    if (!c->limits.max_depth) c->limits.max_depth = 64;
    if (!c->limits.max_compile_ms) c->limits.max_compile_ms = 2000;
    if (!c->limits.max_digits) c->limits.max_digits = 20;
    c->limits.max_states = CN_MIN(c->limits.max_states, 20000000u);
    c->limits.max_depth = CN_MIN(c->limits.max_depth, 1000u);
    c->limits.max_whitespace = CN_MIN(c->limits.max_whitespace, 64u);
    c->limits.max_digits = CN_MIN(c->limits.max_digits, 40u);
    c->deadline_ns = cn_now_ns() + (uint64_t)c->limits.max_compile_ms * 1000000;
    c->arena.cap = ARENA_BYTES;
    if (r) *r = (cn_grammar_report){0};
}

bool gctx_fail(gctx *c, cn_status st, const char *pointer, const char *fmt, ...)
{
    if (c->status) return false;
    c->status = st;
    char reason[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    if (c->report) {
        snprintf(c->report->pointer, sizeof c->report->pointer, "%s", pointer);
        snprintf(c->report->reason, sizeof c->report->reason, "%s", reason);
    }
    cn_fail(c->err, st, "%s%s%s", pointer, *pointer ? ": " : "", reason);
    return false;
}

void *gctx_alloc(gctx *c, size_t n, size_t size)
{
    if (c->status) return NULL;
    void *p = cn_arena_alloc(&c->arena, n ? n : 1, size);
    if (!p) gctx_fail(c, CN_E_NOMEM, "", "memory for compiling (%zu x %zu bytes)", n, size);
    return p;
}

bool gctx_work(gctx *c, uint64_t steps)
{
    if (c->status) return false;
    bool look = c->steps_left >> 16 != (c->steps_left - steps) >> 16;
    if (steps > c->steps_left)
        return gctx_fail(c, CN_E_LIMIT, "", "compiling takes more than %d steps", GCTX_STEPS);
    c->steps_left -= steps;
    if (look && cn_now_ns() > c->deadline_ns)
        return gctx_fail(c, CN_E_LIMIT, "", "compiling takes more than %u ms",
                         c->limits.max_compile_ms);
    return true;
}
