/* Stop strings: found across token borders, never shown, not even half. */
#ifndef RUNTIME_STOP_H
#define RUNTIME_STOP_H

#include "buf.h"
#include "err.h"

#define MAX_STOPS 16
#define MAX_STOP_BYTES 256

typedef struct stop_filter {
    const char *const *stops;
    size_t n;
    bool stopped;
    cn_buf held; /* not yet shown, after `shown` bytes that the last call gave out */
    size_t shown;
} stop_filter;

/* `longest_piece`: bytes of the longest text that one call adds; memory for it is taken here.
 * CN_E_ARG for too many stop strings, an empty or an overlong one. */
cn_status stop_init(stop_filter *f, const char *const *stops, size_t n, size_t longest_piece,
                    cn_err *err);
void stop_deinit(stop_filter *f);
/* Adds text and gives what is certain not to belong to a stop string, valid until the next
 * call. Sets `stopped` when one is complete: what comes after its beginning is dropped. */
cn_str stop_add(stop_filter *f, cn_str text);
/* What was held back, once the answer has ended otherwise. */
cn_str stop_rest(stop_filter *f);

#endif
