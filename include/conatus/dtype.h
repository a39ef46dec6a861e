/* Element types of tensors. The numbers below 1000 are GGUF's; NF4 is ours. */
#ifndef CONATUS_DTYPE_H
#define CONATUS_DTYPE_H

#include <stddef.h>
#include <stdint.h>

#include <conatus/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cn_dtype {
    CN_F32 = 0,
    CN_F16 = 1,
    CN_Q4_0 = 2,
    CN_Q4_1 = 3,
    CN_Q5_0 = 6,
    CN_Q5_1 = 7,
    CN_Q8_0 = 8,
    CN_Q2_K = 10,
    CN_Q3_K = 11,
    CN_Q4_K = 12,
    CN_Q5_K = 13,
    CN_Q6_K = 14,
    CN_IQ4_NL = 20,
    CN_I8 = 24,
    CN_I16 = 25,
    CN_I32 = 26,
    CN_I64 = 27,
    CN_F64 = 28,
    CN_BF16 = 30,
    CN_NF4 = 1000,    /* bitsandbytes NF4: 64 weights, one f32 scale */
    CN_NF4_DQ = 1001, /* its double-quantised form: 64 weights, one byte that stands for the
                         scale; the f32 offset and one f32 per 256 blocks follow the rows
                         (cn_dtype_tensor_bytes) */
} cn_dtype;

typedef struct cn_dtype_info {
    const char *name;     /* "Q4_K" */
    uint32_t block;       /* elements in a block; a row is a whole number of blocks */
    uint32_t block_bytes; /* bytes of a block */
} cn_dtype_info;

/** NULL for a number that is no type of this program. Constant data. */
CN_API const cn_dtype_info *cn_dtype_info_of(uint32_t type);
/** By name in any case ("q4_k"). CN_E_NOT_FOUND otherwise. */
CN_MUST_USE CN_API cn_status cn_dtype_parse(cn_dtype *out, const char *name);
/** Bytes of a row of n elements; 0 when n is no whole number of blocks or the size overflows.
 */
CN_API size_t cn_dtype_row_bytes(cn_dtype type, uint64_t n);
/** Bytes of a tensor of n_rows such rows, with what follows them; 0 as above. */
CN_API size_t cn_dtype_tensor_bytes(cn_dtype type, uint64_t n_rows, uint64_t n);

#ifdef __cplusplus
}
#endif
#endif
