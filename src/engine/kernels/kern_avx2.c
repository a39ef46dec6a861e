/* The AVX2 variant: the templates of this folder on vectors of 8. */
#include "isa_avx2.h"

#include "kern_table_vec.h"

const kern_table kern_avx2 = VARIANT("avx2");
