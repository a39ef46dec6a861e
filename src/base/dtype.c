/* The table of element types. */
#include <conatus/dtype.h>

#include <strings.h>

#include "compiler.h"
#include "err.h"
#include "mem.h"

static const struct {
    cn_dtype type;
    cn_dtype_info info;
} types[] = {
    {CN_F32, {"F32", 1, 4}},         {CN_F16, {"F16", 1, 2}},
    {CN_Q4_0, {"Q4_0", 32, 18}},     {CN_Q4_1, {"Q4_1", 32, 20}},
    {CN_Q5_0, {"Q5_0", 32, 22}},     {CN_Q5_1, {"Q5_1", 32, 24}},
    {CN_Q8_0, {"Q8_0", 32, 34}},     {CN_Q2_K, {"Q2_K", 256, 84}},
    {CN_Q3_K, {"Q3_K", 256, 110}},   {CN_Q4_K, {"Q4_K", 256, 144}},
    {CN_Q5_K, {"Q5_K", 256, 176}},   {CN_Q6_K, {"Q6_K", 256, 210}},
    {CN_IQ4_NL, {"IQ4_NL", 32, 18}}, {CN_I8, {"I8", 1, 1}},
    {CN_I16, {"I16", 1, 2}},         {CN_I32, {"I32", 1, 4}},
    {CN_I64, {"I64", 1, 8}},         {CN_F64, {"F64", 1, 8}},
    {CN_BF16, {"BF16", 1, 2}},       {CN_NF4, {"NF4", 64, 36}},
    {CN_NF4_DQ, {"NF4_DQ", 64, 33}},
};

const cn_dtype_info *cn_dtype_info_of(uint32_t type)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(types); i++)
        if ((uint32_t)types[i].type == type) return &types[i].info;
    return NULL;
}

cn_status cn_dtype_parse(cn_dtype *out, const char *name)
{
    for (size_t i = 0; i < CN_ARRAY_LEN(types); i++)
        if (strcasecmp(types[i].info.name, name) == 0) {
            *out = types[i].type;
            return CN_OK;
        }
    return CN_E_NOT_FOUND;
}

size_t cn_dtype_row_bytes(cn_dtype type, uint64_t n)
{
    const cn_dtype_info *t = cn_dtype_info_of((uint32_t)type);
    size_t bytes;
    if (!t || n % t->block || cn_mul_overflow(n / t->block, t->block_bytes, &bytes)) return 0;
    return bytes;
}

size_t cn_dtype_tensor_bytes(cn_dtype type, uint64_t n_rows, uint64_t n)
{
    size_t bytes, row = cn_dtype_row_bytes(type, n);
    if (!row || cn_mul_overflow(n_rows, row, &bytes)) return 0;
    if (type == CN_NF4_DQ) {
        uint64_t blocks = n_rows * (n / 64);
        size_t after = 4 + 4 * ((blocks + 255) / 256);
        if (__builtin_add_overflow(bytes, after, &bytes)) return 0;
    }
    return bytes;
}
