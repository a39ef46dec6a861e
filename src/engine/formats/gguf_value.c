/* Metadata values as numbers and texts, whatever width the file chose. */
#include <math.h>

#include "gguf.h"
#include "gguf_file_priv.h"

static bool is_signed(gguf_kind k)
{
    return k == GGUF_I8 || k == GGUF_I16 || k == GGUF_I32 || k == GGUF_I64;
}

static bool is_unsigned(gguf_kind k)
{
    return k == GGUF_U8 || k == GGUF_U16 || k == GGUF_U32 || k == GGUF_U64;
}

bool gguf_value_uint(const gguf_value *v, uint64_t *out)
{
    if (is_signed(v->kind) ? v->i < 0 : !is_unsigned(v->kind)) return false;
    *out = is_signed(v->kind) ? (uint64_t)v->i : v->u;
    return true;
}

uint64_t gguf_uint(const gguf *g, const char *key, uint64_t fallback)
{
    const gguf_value *v = gguf_find(g, key);
    uint64_t u;
    return v && gguf_value_uint(v, &u) ? u : fallback;
}

double gguf_float(const gguf *g, const char *key, double fallback)
{
    const gguf_value *v = gguf_find(g, key);
    if (!v) return fallback;
    if (v->kind == GGUF_F32 || v->kind == GGUF_F64) return v->f;
    if (is_signed(v->kind)) return (double)v->i;
    return is_unsigned(v->kind) ? (double)v->u : fallback;
}

bool gguf_bool(const gguf *g, const char *key, bool fallback)
{
    const gguf_value *v = gguf_find(g, key);
    return v && v->kind == GGUF_BOOL ? v->u != 0 : fallback;
}

cn_str gguf_string(const gguf *g, const char *key)
{
    const gguf_value *v = gguf_find(g, key);
    return v && v->kind == GGUF_STRING ? v->s : (cn_str){0};
}

/* Element i as a scalar value; a zero outside the array or for texts. */
static gguf_value item_at(const gguf_value *v, uint64_t i)
{
    gguf_value item = {.kind = GGUF_U64, .n = 1};
    size_t bytes = v->kind == GGUF_ARRAY ? gguf_kind_bytes((uint32_t)v->item) : 0;
    if (!bytes || i >= v->n) return item;
    const char *at = (const char *)v->items + i * bytes;
    if (v->item == GGUF_F32) {
        float f;
        memcpy(&f, at, sizeof f);
        return (gguf_value){.kind = GGUF_F64, .f = (double)f};
    }
    memcpy(&item.u, at, bytes);
    item.kind = v->item;
    if (is_signed(v->item)) {
        unsigned shift = 64 - 8 * (unsigned)bytes;
        item.i = (int64_t)(item.u << shift) >> shift;
    }
    return item;
}

double gguf_item_float(const gguf_value *v, uint64_t i)
{
    gguf_value item = item_at(v, i);
    if (item.kind == GGUF_F64) return item.f;
    return is_signed(item.kind) ? (double)item.i : (double)item.u;
}

/* Out of range goes to the nearest end, NaN to 0. */
int64_t gguf_item_int(const gguf_value *v, uint64_t i)
{
    gguf_value item = item_at(v, i);
    if (item.kind == GGUF_F64) {
        if (isnan(item.f)) return 0;
        if (item.f >= 0x1p63) return INT64_MAX;
        return item.f < -0x1p63 ? INT64_MIN : (int64_t)item.f;
    }
    if (is_signed(item.kind)) return item.i;
    return item.u > INT64_MAX ? INT64_MAX : (int64_t)item.u;
}
