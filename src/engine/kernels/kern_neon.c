/* The NEON variant: the templates of this folder on vectors of 4, all of them; what AVX2 and
 * AVX-512 leave to plain C (rounding to Q8_0 in store, norms of numbers whose squares overflow)
 * is left to it here as well. */
#include "isa_neon.h"

#include "kern_table_vec.h"

const kern_table kern_neon = VARIANT("neon");
