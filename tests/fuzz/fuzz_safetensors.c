/* The safetensors reader: whatever loads covers the data exactly. */
#include <stdint.h>

#include "safetensors.h"

static volatile uint64_t sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    safetensors *s;
    cn_err err;
    if (safetensors_parse(&s, data, size, &err)) {
        CN_BUG_ON(s || !err.why[0]);
        return 0;
    }
    size_t covered = 0;
    for (size_t i = 0; i < safetensors_n(s); i++) {
        const file_tensor *t = safetensors_at(s, i);
        const uint8_t *p = t->data;
        CN_BUG_ON(p < data || t->size > size - (size_t)(p - data));
        CN_BUG_ON(cn_dtype_row_bytes(t->type, t->dims[0] * file_tensor_rows(t)) != t->size);
        if (t->size) sink = p[0] + p[t->size - 1];
        covered += t->size;
    }
    CN_BUG_ON(covered > size);
    sink = safetensors_find(s, "a") != NULL;
    safetensors_close(s);
    return 0;
}
