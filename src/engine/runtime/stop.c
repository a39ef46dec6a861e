#include "stop.h"

cn_status stop_init(stop_filter *f, const char *const *stops, size_t n, size_t longest_piece,
                    cn_err *err)
{
    *f = (stop_filter){.stops = stops, .n = n};
    if (n > MAX_STOPS)
        return cn_fail(err, CN_E_ARG, "%zu stop strings, at most %d", n, MAX_STOPS);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(stops[i]);
        if (len == 0 || len > MAX_STOP_BYTES)
            return cn_fail(err, CN_E_ARG, "stop string %zu has %zu bytes, want 1 to %d", i, len,
                           MAX_STOP_BYTES);
    }
    cn_buf_extend(&f->held, longest_piece + MAX_STOP_BYTES);
    if (f->held.failed) return cn_fail(err, CN_E_NOMEM, "text of %zu bytes", longest_piece);
    cn_buf_clear(&f->held);
    return CN_OK;
}

void stop_deinit(stop_filter *f)
{
    cn_buf_deinit(&f->held);
}

/* Where the first complete stop string begins; held.n without one. */
static size_t find_stop(const stop_filter *f)
{
    size_t first = f->held.n;
    for (size_t i = 0; i < f->n; i++) {
        size_t len = strlen(f->stops[i]);
        const char *at = memmem(f->held.p, f->held.n, f->stops[i], len);
        if (at && (size_t)(at - f->held.p) < first) first = (size_t)(at - f->held.p);
    }
    return first;
}

/* Where the earliest tail begins that may still grow into a stop string; held.n without one. */
static size_t find_beginning(const stop_filter *f)
{
    size_t from = f->held.n > MAX_STOP_BYTES ? f->held.n - MAX_STOP_BYTES : 0;
    for (size_t at = from; at < f->held.n; at++)
        for (size_t i = 0; i < f->n; i++) {
            size_t tail = f->held.n - at;
            if (strlen(f->stops[i]) > tail && memcmp(f->stops[i], f->held.p + at, tail) == 0)
                return at;
        }
    return f->held.n;
}

static void drop_shown(stop_filter *f)
{
    if (!f->shown) return;
    f->held.n -= f->shown;
    memmove(f->held.p, f->held.p + f->shown, f->held.n);
    f->shown = 0;
}

cn_str stop_add(stop_filter *f, cn_str text)
{
    drop_shown(f);
    cn_buf_str(&f->held, text);
    size_t end = find_stop(f);
    if (end < f->held.n) {
        f->stopped = true;
        f->held.n = end;
    } else {
        end = find_beginning(f);
    }
    f->shown = end;
    return (cn_str){f->held.p, end};
}

cn_str stop_rest(stop_filter *f)
{
    drop_shown(f);
    f->shown = f->held.n;
    return cn_buf_view(&f->held);
}
