/* Matrix products for training, AVX-512. */
#include "isa_avx512.h"

#define GEMM_NAME gemm_avx512
#include "gemm_vec.h"
