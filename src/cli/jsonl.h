/* The contract for scripts: one JSON object a line in, one a line out, in order. */
#ifndef CLI_JSONL_H
#define CLI_JSONL_H

#include <stdint.h>

#include "err.h"
#include "json.h"
#include "json_out.h"

#define CLI_LINE_MAX ((size_t)64 << 20) /* bytes of an input line */

/* Answers one line by writing one JSON object to `out`; what was written is dropped on failure.
 */
typedef cn_status cli_line_fn(void *user, const cn_json *line, json_out *out, cn_err *err);

/* Reads descriptor `in` to its end and answers every line on stdout: the result, or
 * {"error":{"code","message"}} and on to the next line. Blank lines are skipped. Ends early
 * only for an interruption (CN_E_CANCELLED), memory, or when reading or writing fails. */
cn_status cli_jsonl(int in, cli_line_fn *answer, void *user, cn_err *err);

/* Fields of a line. A missing one leaves *out as it is (or is CN_E_ARG where `required`); null
 * counts as missing; one of another kind is CN_E_ARG with its name and both kinds. */
cn_status cli_field_text(const cn_json *line, const char *key, bool required, cn_str *out,
                         cn_err *err);
cn_status cli_field_bool(const cn_json *line, const char *key, bool *out, cn_err *err);
cn_status cli_field_int(const cn_json *line, const char *key, int64_t min, int64_t max,
                        int64_t *out, cn_err *err);
cn_status cli_field_float(const cn_json *line, const char *key, float *out, cn_err *err);
/* An array of token ids, owned (cn_free). */
cn_status cli_field_ids(const cn_json *line, const char *key, int32_t **ids, size_t *n,
                        cn_err *err);
/* CN_E_ARG for a member that is not in the NULL-ended list, with the nearest named. */
cn_status cli_fields_known(const cn_json *line, const char *const *known, cn_err *err);

#endif
