/* Progress on stderr: a bar with rate and time left, on a terminal only; silent for the first
 * second. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cli_progress {
    const char *label; /* "loading" */
    bool bytes;        /* done and total are bytes; else only the share is shown */
    bool terminal, shown;
    uint64_t start_ns, last_ns;
} cli_progress;

cli_progress cli_progress_start(const char *label, bool bytes);
void cli_progress_at(cli_progress *p, double done, double total);
/* Takes the bar away. */
void cli_progress_end(cli_progress *p);

#endif
