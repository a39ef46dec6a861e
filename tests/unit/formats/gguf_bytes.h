/* GGUF files written byte by byte, so that tests can also write broken ones. */
#ifndef FORMATS_GGUF_BYTES_H
#define FORMATS_GGUF_BYTES_H

#include "cases.h"

#include "gguf.h"

static inline void put_u32(cn_buf *b, uint32_t v)
{
    cn_buf_append(b, &v, sizeof v);
}

static inline void put_u64(cn_buf *b, uint64_t v)
{
    cn_buf_append(b, &v, sizeof v);
}

static inline void put_text(cn_buf *b, const char *s)
{
    put_u64(b, strlen(s));
    cn_buf_str(b, cn_str_of(s));
}

static inline void put_head(cn_buf *b, uint32_t version, uint64_t n_tensors, uint64_t n_values)
{
    cn_buf_lit(b, "GGUF");
    put_u32(b, version);
    put_u64(b, n_tensors);
    put_u64(b, n_values);
}

/* Key and kind; the content is the caller's. */
static inline void put_key(cn_buf *b, const char *key, gguf_kind kind)
{
    put_text(b, key);
    put_u32(b, (uint32_t)kind);
}

static inline void put_u16_key(cn_buf *b, const char *key, uint16_t v)
{
    put_key(b, key, GGUF_U16);
    cn_buf_append(b, &v, sizeof v);
}

/* A row of F32. */
static inline void put_row(cn_buf *b, const char *name, uint64_t n, uint64_t offset)
{
    put_text(b, name);
    put_u32(b, 1);
    put_u64(b, n);
    put_u32(b, CN_F32);
    put_u64(b, offset);
}

static inline void pad(cn_buf *b, size_t alignment)
{
    while (b->n % alignment)
        cn_buf_putc(b, 0);
}

static inline void put_floats(cn_buf *b, size_t n, float first)
{
    for (size_t i = 0; i < n; i++) {
        float f = first + (float)i;
        cn_buf_append(b, &f, sizeof f);
    }
}

static inline void save(const char *path, cn_str bytes)
{
    cn_err err = {0};
    if (cn_file_write(path, bytes, &err)) fail_msg("%s", err.why);
}

#endif
