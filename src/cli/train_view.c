#include "train_view.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "curve.h"

#define SECOND 1000000000u
enum { PLAIN_EVERY_S = 15 };
#define SMOOTH 0.9 /* of the loss shown: about the last ten steps */

const char *cli_duration(char *out, size_t size, double seconds)
{
    uint64_t s = seconds > 0 ? (uint64_t)fmin(seconds + 0.5, 1e12) : 0;
    if (s >= 86400)
        snprintf(out, size, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        snprintf(out, size, "%" PRIu64 " h %" PRIu64 " m", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, size, "%" PRIu64 " m %" PRIu64 " s", s / 60, s % 60);
    else
        snprintf(out, size, "%" PRIu64 " s", s);
    return out;
}

bool cli_locale_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < CN_ARRAY_LEN(names); i++) {
        const char *v = getenv(names[i]);
        if (v && *v) return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
    }
    return false;
}

unsigned cli_columns(int fd, unsigned otherwise)
{
    struct winsize w;
    return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : otherwise;
}

void cli_print_curve(const job_metrics *m, bool log_scale)
{
    cn_buf chart = {0};
    curve_options o = {.log_scale = log_scale};
    unsigned columns = CN_MIN(cli_columns(STDOUT_FILENO, 80), 100);
    if (curve_text(&chart, m, &o, columns - 1, 10, cli_locale_utf8(), NULL) == CN_OK && chart.n)
        printf("\n%s", chart.p);
    cn_buf_deinit(&chart);
}

train_view train_view_start(uint64_t first_step, uint64_t n_steps, bool quiet)
{
    uint64_t now = cn_now_ns();
    return (train_view){.terminal = isatty(STDERR_FILENO) == 1,
                        .quiet = quiet,
                        .first_step = first_step,
                        .n_steps = n_steps,
                        .shown_step = first_step,
                        .start_ns = now,
                        .last_ns = now,
                        .plain_every_s = PLAIN_EVERY_S,
                        .loss = (double)NAN,
                        .heldout = job_metric_heldout(0, (double)NAN),
                        .now = job_metric_new(first_step)};
}

/* Adds the part when it fits into the width: the parts come in the order of their weight. */
static void add_part(cn_buf *out, unsigned width, const char *fmt, ...) CN_PRINTF(3, 4);
static void add_part(cn_buf *out, unsigned width, const char *fmt, ...)
{
    char text[96];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t gap = out->n ? 2 : 0;
    if (out->n + gap + strlen(text) <= width) cn_buf_printf(out, "%*s%s", (int)gap, "", text);
}

void train_view_line(cn_buf *out, const train_view *v, double elapsed_s, unsigned width)
{
    char left[32];
    uint64_t done = v->now.step > v->first_step ? v->now.step - v->first_step : 0,
             to_do = v->n_steps > v->now.step ? v->n_steps - v->now.step : 0;
    if (v->n_steps)
        add_part(out, width, "step %" PRIu64 "/%" PRIu64, v->now.step, v->n_steps);
    else
        add_part(out, width, "step %" PRIu64, v->now.step);
    add_part(out, width, "loss %.4f", v->loss);
    if (!isnan(v->heldout.heldout_loss))
        add_part(out, width, "held-out %.4f", v->heldout.heldout_loss);
    if (done && to_do)
        add_part(out, width, "%s left",
                 cli_duration(left, sizeof left, elapsed_s * (double)to_do / (double)done));
    if (isfinite(v->now.tokens_per_s))
        add_part(out, width, "%.0f tokens/s", v->now.tokens_per_s);
    if (isfinite(v->now.lr)) add_part(out, width, "lr %.2e", v->now.lr);
    if (isfinite(v->now.epoch)) add_part(out, width, "epoch %.2f", v->now.epoch);
}

static void show(train_view *v, uint64_t now_ns)
{
    cn_buf line = {0};
    unsigned width = v->terminal ? cli_columns(STDERR_FILENO, 80) - 1 : 200;
    train_view_line(&line, v, (double)(now_ns - v->start_ns) * 1e-9, width);
    if (line.n) fprintf(stderr, v->terminal ? "\r%s\033[K" : "%s\n", line.p);
    cn_buf_deinit(&line);
    v->shown = true;
    v->shown_step = v->now.step;
    v->last_ns = now_ns;
}

void train_view_at(train_view *v, const job_metric *m)
{
    uint64_t now = cn_now_ns();
    if (m->heldout) {
        v->heldout = *m;
    } else {
        v->loss = isfinite(v->loss) ? SMOOTH * v->loss + (1 - SMOOTH) * m->loss : m->loss;
        v->now = *m;
    }
    if (v->quiet || v->now.step == v->first_step) return; /* nothing to tell before a step */
    uint64_t pause = v->terminal ? SECOND / 10 : (uint64_t)v->plain_every_s * SECOND;
    bool first = !v->shown && !v->terminal; /* a log begins with a sign of life */
    if (first || m->heldout || now - v->last_ns >= pause) show(v, now);
}

void train_view_note(train_view *v, const char *fmt, ...)
{
    va_list ap;
    if (v->quiet) return;
    if (v->terminal) fputs("\r\033[K", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void train_view_end(train_view *v)
{
    if (v->quiet) return;
    if (v->terminal && v->shown)
        fputs("\r\033[K", stderr);
    else if (!v->terminal && v->now.step != v->shown_step)
        show(v, cn_now_ns());
    v->shown = false;
}
