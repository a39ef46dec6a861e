#include "interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

atomic_bool cli_interrupted;

static void on_signal(int number)
{
    if (atomic_exchange(&cli_interrupted, true)) _exit(128 + number);
}

/* Without SA_RESTART: a read that waits for the user returns. */
void cli_catch_interrupt(void)
{
    struct sigaction a = {.sa_handler = on_signal};
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}
