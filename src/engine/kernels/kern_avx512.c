/* The AVX-512 variant: the templates of this folder on vectors of 16. */
#include "isa_avx512.h"

#include "kern_table_vec.h"

const kern_table kern_avx512 = VARIANT("avx512");
