/* One block of 32 columns of any quantised type in the common form of kern_priv.h. */
#ifndef KERNELS_UNPACK_REF_H
#define KERNELS_UNPACK_REF_H

#include "kern_priv.h"

typedef struct unpacked {
    uint8_t u[32];
    float scale[2], bias[2]; /* of the halves; [0] alone where the type has no halves */
} unpacked;

void unpack_block_ref(cn_dtype type, const void *row, size_t block, unpacked *out);

#endif
