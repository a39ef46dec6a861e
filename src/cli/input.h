/* The text that a verb works on: words of the command line, standard input, or both. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <conatus/tokenizer.h>

#include "buf.h"
#include "verb.h"

/* The words from index `first` on, joined by blanks; a word "-" stands for standard input, and
 * no words at all for it too. A last newline of standard input is dropped. */
cn_status cli_input(cn_buf *out, const cli_common *c, size_t first, cn_err *err);
cn_status cli_read_stdin(cn_buf *out, cn_err *err);
/* Token ids written in `text` with anything between them: "1 2", "[1,2]". */
cn_status cli_ids_in(cn_str text, cn_tokens *out, cn_err *err);

#endif
