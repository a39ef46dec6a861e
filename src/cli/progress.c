#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "compiler.h"
#include "table.h"

#define SECOND 1000000000u

cli_progress cli_progress_start(const char *label, bool bytes)
{
    uint64_t now = cn_now_ns();
    return (cli_progress){label, bytes, isatty(STDERR_FILENO) == 1, false, now, now};
}

/* "3 m 20 s", "45 s" */
static void time_left(char *out, size_t size, double seconds)
{
    unsigned s = (unsigned)CN_MIN(seconds, 359999.0);
    if (s >= 3600)
        snprintf(out, size, "%u h %u m", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, size, "%u m %u s", s / 60, s % 60);
    else
        snprintf(out, size, "%u s", s);
}

static void show(const cli_progress *p, double done, double total, double elapsed)
{
    char bar[25], amount[64] = "", left[32], a[24], b[24], rate[24];
    double share = CN_MIN(done / total, 1.0);
    for (unsigned i = 0; i < 24; i++)
        bar[i] = i < (unsigned)(share * 24) ? '#' : '.';
    bar[24] = '\0';
    if (p->bytes)
        snprintf(amount, sizeof amount, "  %s of %s, %s/s",
                 cli_bytes(a, sizeof a, (uint64_t)done),
                 cli_bytes(b, sizeof b, (uint64_t)total),
                 cli_bytes(rate, sizeof rate, (uint64_t)(done / elapsed)));
    time_left(left, sizeof left, share > 0 ? elapsed * (1 - share) / share : 0);
    fprintf(stderr, "\r%s [%s] %3.0f %%%s, %s left\033[K", p->label, bar, share * 100, amount,
            left);
}

/* Every 100 ms, but not within the first second, and not when all is done. */
void cli_progress_at(cli_progress *p, double done, double total)
{
    uint64_t now = cn_now_ns();
    if (!p->terminal || now - p->start_ns < SECOND || done >= total) return;
    if (p->shown && now - p->last_ns < SECOND / 10) return;
    p->shown = true;
    p->last_ns = now;
    show(p, done, total, (double)(now - p->start_ns) * 1e-9);
}

void cli_progress_end(cli_progress *p)
{
    if (p->shown) fputs("\r\033[K", stderr);
    p->shown = false;
}
