/* Lines that a person types: edited and remembered where libedit is, plain otherwise. */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include "buf.h"

typedef struct cli_lines cli_lines;

typedef enum cli_line { CLI_LINE_READ, CLI_LINE_END, CLI_LINE_INTERRUPTED } cli_line;

/* `history`: a file that is read now and written at the end; NULL for none. */
cli_lines *cli_lines_new(const char *history);
void cli_lines_free(cli_lines *l);
/* Shows `prompt` and reads a line into `out`, its end taken off. */
cli_line cli_lines_read(cli_lines *l, const char *prompt, cn_buf *out);
/* Remembers what was typed. */
void cli_lines_remember(cli_lines *l, const char *text);

#endif
