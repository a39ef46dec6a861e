/* How an error reaches the user: four parts on stderr, or JSON; and the exit code. */
#ifndef CLI_ERROR_H
#define CLI_ERROR_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"

/* 0 ok, 2 usage, 3 not found, 4 refused, 5 no memory or disk, 6 network, 7 integrity, 8 busy,
 * 130 interrupted. */
int cli_exit_code(cn_status st);
/* Fills the parts that are still empty: the action by the verb, advice by the status. */
void cli_error_complete(const char *verb, cn_status st, cn_err *err);
/* {"error":{"code","message","what","why","next"}} */
void cli_error_json(cn_buf *out, cn_status st, const cn_err *err);
/* Prints the error of `verb` (JSON to stdout, text to stderr). An interruption is silent. */
void cli_error_print(const char *verb, bool json, cn_status st, const cn_err *err);

#endif
