/* The block formats of quantised weights: to f32 and from f32, one row at a time.
 * Bit-compatible with GGUF (ggml-quants) and, for NF4, with bitsandbytes. Plain C. */
#ifndef KERNELS_QUANTS_H
#define KERNELS_QUANTS_H

#include <conatus/dtype.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "kernels.h"

/* Row `row` of `m` as m->n_cols floats. Any type of weights. */
void quant_row_to_f32(const kern_mat *m, size_t row, float *out);
/* n f32 numbers as blocks of `type` (n a whole number of blocks); NaN and infinities become 0
 * and the largest finite. Not for NF4_DQ, whose scales are made of
 * the whole tensor. */
void quant_row_from_f32(cn_dtype type, const float *x, size_t n, void *out);
/* A whole tensor, any type; out has cn_dtype_tensor_bytes. */
cn_status quant_tensor_from_f32(cn_dtype type, const float *x, size_t n_rows, size_t n_cols,
                                void *out, cn_err *err);
/* NF4_DQ in two steps, so that rows may come one after the other: each row's codes with its
 * n / 64 scales apart, then all scales of the tensor at once (absmax is spoilt). `tensor` has
 * all its cn_dtype_tensor_bytes. */
void quant_row_to_nf4_dq(const float *x, size_t n, void *row, float *absmax);
void quant_finish_nf4_dq(void *tensor, size_t n_blocks, float *absmax);
bool quant_is_weight_type(cn_dtype type); /* one of the types that matmul takes */

float quant_f16_to_f32(uint16_t h);
uint16_t quant_f32_to_f16(float f); /* round to nearest even */
float quant_bf16_to_f32(uint16_t h);
uint16_t quant_f32_to_bf16(float f);

#endif
