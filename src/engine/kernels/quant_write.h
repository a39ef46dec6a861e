/* One block from f32, private to the quantisers. The weights are finite. */
#ifndef KERNELS_QUANT_WRITE_H
#define KERNELS_QUANT_WRITE_H

#include <stddef.h>

#include "quant_blocks.h"

/* Copies weights: NaN becomes 0, what is over `top` in size +-top, what is under `bottom` 0. */
void quant_clean(float *out, const float *x, size_t n, float top, float bottom);

void quant_write_q2_K(block_q2_K *b, const float x[QUANT_K]);
void quant_write_q3_K(block_q3_K *b, const float x[QUANT_K]);
void quant_write_q4_K(block_q4_K *b, const float x[QUANT_K]);
void quant_write_q5_K(block_q5_K *b, const float x[QUANT_K]);
void quant_write_q6_K(block_q6_K *b, const float x[QUANT_K]);

/* 64 weights as NF4 codes; returns the scale. */
float quant_write_nf4(uint8_t qs[32], const float x[64]);

#endif
