/* The definition of the matrix product and of its sums, in plain C. */
#ifndef KERNELS_MATMUL_REF_H
#define KERNELS_MATMUL_REF_H

#include "kern_priv.h"

void quantize_ref(const kern_act *a, cn_dtype type, size_t t0, size_t t1);
void matmul_ref(const kern_mat *w, const kern_act *a, kern_precision precision, float *y,
                size_t ldy, size_t r0, size_t r1, void *scratch);
float dot_ref(const float *a, const float *b, size_t n);

#endif
