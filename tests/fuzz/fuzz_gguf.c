/* The GGUF reader: whatever loads lies inside the bytes given, and can be asked everything. */
#include <stdint.h>

#include "gguf.h"

static volatile uint64_t sink;

static void visit_value(const gguf_value *v)
{
    uint64_t sum = v->key.n + (uint64_t)v->key.p[0];
    if (v->kind == GGUF_STRING)
        for (size_t i = 0; i < v->s.n; i++)
            sum += (uint64_t)v->s.p[i];
    for (uint64_t i = 0; v->kind == GGUF_ARRAY && i < v->n; i++)
        sum += v->item == GGUF_STRING
                   ? v->strings[i].n
                   : (uint64_t)gguf_item_int(v, i) + (uint64_t)(gguf_item_float(v, i) > 0);
    sink = sum;
}

static void visit_tensor(const file_tensor *t, const uint8_t *data, size_t size)
{
    const uint8_t *p = t->data;
    CN_BUG_ON(p < data || t->size == 0 || t->size > size - (size_t)(p - data));
    CN_BUG_ON(cn_dtype_tensor_bytes(t->type, file_tensor_rows(t), t->dims[0]) != t->size);
    sink = p[0] + p[t->size - 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gguf *g;
    cn_err err;
    if (gguf_parse(&g, data, size, &err)) {
        CN_BUG_ON(g || !err.why[0]);
        return 0;
    }
    for (size_t i = 0; i < gguf_n_values(g); i++)
        visit_value(gguf_value_at(g, i));
    for (size_t i = 0; i < gguf_n_tensors(g); i++)
        visit_tensor(gguf_tensor_at(g, i), data, size);
    sink = gguf_uint(g, "u16", 0) + (uint64_t)gguf_bool(g, "yes", false);
    gguf_close(g);
    return 0;
}
