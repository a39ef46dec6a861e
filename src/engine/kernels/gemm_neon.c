/* Matrix products for training, NEON. */
#include "isa_neon.h"

#define GEMM_NAME gemm_neon
#include "gemm_vec.h"
