/* Plain C that other variants fall back on. */
#ifndef KERNELS_OPS_REF_H
#define KERNELS_OPS_REF_H

#include "kern_priv.h"

void store_ref(void *dst, cn_dtype type, const float *x, size_t n);
float cache_value(const kern_cache *c, size_t position, size_t i);

#endif
