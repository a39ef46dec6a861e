/* Ctrl-C: ends an answer, and the program only when it is pressed again before that worked. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdatomic.h>

/* The flag that a signal sets: the one global that changes, as a handler can reach nothing
 * else. */
extern atomic_bool cli_interrupted;
/* From now on SIGINT and SIGTERM set the flag. */
void cli_catch_interrupt(void);

#endif
