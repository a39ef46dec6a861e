#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int threshold = CN_LOG_WARN;

void cn_log_set_level(cn_log_level most_verbose)
{
    atomic_store_explicit(&threshold, (int)most_verbose, memory_order_relaxed);
}

void cn_log(cn_log_level level, const char *area, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char line[1024];
    if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed)) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    fprintf(stderr, "level=%s area=%s %s\n", names[level], area, line);
}
