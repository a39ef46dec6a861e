/* The one way to fail: `return cn_fail(err, CN_E_FORMAT, "...", ...)`. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <conatus/status.h>

#include "compiler.h"

/* Fills `e` (may be NULL) with the cause and returns `status`, so that failing is one line. */
cn_status cn_fail(cn_err *e, cn_status status, const char *fmt, ...) CN_PRINTF(3, 4);

/* Names the action that failed, on the way up; an outer action goes before an inner one. */
cn_status cn_ctx(cn_err *e, cn_status status, const char *fmt, ...) CN_PRINTF(3, 4);

/* Says what to type or change next; the innermost advice wins, as it knows most. */
cn_status cn_next(cn_err *e, cn_status status, const char *fmt, ...) CN_PRINTF(3, 4);

/* The status that fits an errno value of a failed file operation. */
cn_status cn_status_of_errno(int err_no);

#endif
