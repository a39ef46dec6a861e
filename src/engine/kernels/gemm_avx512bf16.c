/* Matrix products for training, AVX-512 with its products of bf16. */
#include "isa_avx512.h"

#define GEMM_NAME gemm_avx512bf16
#define GEMM_PAIRS "gemm_pairs_avx512.h"
#include "gemm_vec.h"
