/* The conversation in a terminal. */
#ifndef CLI_REPL_H
#define CLI_REPL_H

#include "chat.h"

/* Reads and answers until /bye or the end of the input. Errors of single answers are shown and
 * the conversation goes on. `stats`: show the speed after each answer. */
cn_status cli_repl(cli_chat *c, bool stats, cn_err *err);

#endif
