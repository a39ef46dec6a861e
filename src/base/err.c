/* Filling cn_err, and the stable names of statuses. */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_codes[] = {
    [CN_OK] = "ok",
    [CN_E_ARG] = "bad-argument",
    [CN_E_NOT_FOUND] = "not-found",
    [CN_E_REFUSED] = "refused",
    [CN_E_UNSUPPORTED] = "unsupported",
    [CN_E_MISMATCH] = "mismatch",
    [CN_E_LIMIT] = "over-limit",
    [CN_E_NOMEM] = "no-memory",
    [CN_E_DISK] = "disk",
    [CN_E_IO] = "io",
    [CN_E_NETWORK] = "network",
    [CN_E_FORMAT] = "bad-format",
    [CN_E_BUSY] = "busy",
    [CN_E_CANCELLED] = "cancelled",
};

const char *cn_status_code(cn_status status)
{
    size_t i = (size_t)status;
    return i < CN_ARRAY_LEN(status_codes) ? status_codes[i] : "unknown";
}

cn_status cn_fail(cn_err *e, cn_status status, const char *fmt, ...)
{
    if (!e) return status;
    va_list ap;
    va_start(ap, fmt);
    e->status = status;
    e->what[0] = e->next[0] = '\0';
    vsnprintf(e->why, sizeof e->why, fmt, ap);
    va_end(ap);
    return status;
}

cn_status cn_ctx(cn_err *e, cn_status status, const char *fmt, ...)
{
    if (!e) return status;
    char inner[sizeof e->what];
    memcpy(inner, e->what, sizeof inner);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->what, sizeof e->what, fmt, ap);
    va_end(ap);
    if (inner[0] && n >= 0 && (size_t)n + 2 < sizeof e->what)
        snprintf(e->what + n, sizeof e->what - (size_t)n, ": %.*s",
                 (int)(sizeof e->what - (size_t)n - 3), inner);
    return status;
}

cn_status cn_next(cn_err *e, cn_status status, const char *fmt, ...)
{
    if (!e || e->next[0]) return status;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->next, sizeof e->next, fmt, ap);
    va_end(ap);
    return status;
}

cn_status cn_status_of_errno(int err_no)
{
    switch (err_no) {
    case ENOENT:
    case ENOTDIR:
        return CN_E_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return CN_E_REFUSED;
    case ENOMEM:
        return CN_E_NOMEM;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return CN_E_DISK;
    default:
        return CN_E_IO;
    }
}

void cn_bug(const char *file, int line, const char *cond)
{
    fprintf(stderr, "conatus: bug at %s:%d: %s\n", file, line, cond);
    abort();
}
