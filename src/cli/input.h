/* The text that a verb works on: words of the command line, standard input, or both. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <conatus/tokenizer.h>

#include "buf.h"
#include "json.h"
#include "verb.h"

/* The words from index `first` on, joined by blanks; a word "-" stands for standard input, and
 * no words at all for it too. A last newline of standard input is dropped. */
cn_status cli_input(cn_buf *out, const cli_common *c, size_t first, cn_err *err);
cn_status cli_read_stdin(cn_buf *out, cn_err *err);
/* A file, a pipe such as /dev/fd/63, or "-", up to `max` bytes. */
cn_status cli_read_file(cn_buf *out, const char *path, size_t max, cn_err *err);
/* The same as JSON, up to 64 MiB; *out is the caller's (cn_json_free). */
cn_status cli_read_json(cn_json **out, const char *path, cn_err *err);
/* Token ids between blanks and commas, maybe in brackets: "1 2", "[1,2]".
 * errors  CN_E_ARG, naming the first word that is none */
cn_status cli_ids_in(cn_str text, cn_tokens *out, cn_err *err);

#endif
