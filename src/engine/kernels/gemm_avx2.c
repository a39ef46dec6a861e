/* Matrix products for training, AVX2. */
#include "isa_avx2.h"

#define GEMM_NAME gemm_avx2
#include "gemm_vec.h"
