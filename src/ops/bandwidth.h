/* How fast this process reads memory: what bounds the tokens a second of a large model. */
#ifndef OPS_BANDWIDTH_H
#define OPS_BANDWIDTH_H

#include "err.h"

/* Bytes a second that n_threads (0: all) read together, the best of several passes over a
 * buffer larger than the caches. Takes about half a second. CN_E_NOMEM when no 32 MiB are to be
 * had. */
cn_status cn_memory_bandwidth(double *bytes_per_second, unsigned n_threads, cn_err *err);

#endif
