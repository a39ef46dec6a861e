/* GGUF v2 and v3 files, single and in parts ("name-00001-of-00003.gguf"): reading by mapping.
 * All counts, lengths, offsets and sizes are proven inside the file before anything is touched.
 * Limits: 65,536 tensors with names of 63 bytes, 65,536 keys of 65,535 bytes, strings of 16
 * MiB, arrays of 64 Mi elements (no arrays of arrays), 1,024 parts. Keys and names are
 * printable UTF-8. Tensors must follow each other without holes, as the peers demand. Source:
 * ggml's docs/gguf.md. */
#ifndef FORMATS_GGUF_H
#define FORMATS_GGUF_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "tensor.h"

typedef struct gguf gguf;

typedef enum gguf_kind {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
} gguf_kind;

/* A metadata value. Scalars are widened: u for unsigned and bool, i for signed, f for floats.
 */
typedef struct gguf_value {
    cn_str key;
    gguf_kind kind;
    gguf_kind item; /* of an array */
    uint64_t n;     /* elements of an array, else 1 */
    union {
        uint64_t u;
        int64_t i;
        double f;
        cn_str s;
        const void *items; /* array of scalars: file bytes, little-endian, maybe unaligned */
        const cn_str *strings; /* array of strings, owned by the gguf */
    };
} gguf_value;

/* Of a model in parts any part may be given; the others lie beside it. The metadata is that of
 * the first part, the tensors are those of all. */
cn_status gguf_open(gguf **out, const char *path, cn_err *err);
/* Metadata and tensor table only, from at most 64 MiB of each part: the tensors of a larger
 * file have no `data`. For describing files that are larger than the memory at hand. */
cn_status gguf_open_head(gguf **out, const char *path, cn_err *err);
/* Over bytes that the caller keeps alive (tests, fuzzing); no parts. */
cn_status gguf_parse(gguf **out, const void *bytes, size_t size, cn_err *err);
void gguf_close(gguf *g);

uint32_t gguf_version(const gguf *g);
size_t gguf_file_bytes(const gguf *g); /* of all parts */
size_t gguf_n_parts(const gguf *g);

size_t gguf_n_values(const gguf *g);
const gguf_value *gguf_value_at(const gguf *g, size_t i);
const gguf_value *gguf_find(const gguf *g, const char *key); /* NULL when absent */

/* With a fallback for "absent or of another kind"; any integer kind that fits counts. */
uint64_t gguf_uint(const gguf *g, const char *key, uint64_t fallback);
double gguf_float(const gguf *g, const char *key, double fallback);
bool gguf_bool(const gguf *g, const char *key, bool fallback);
cn_str gguf_string(const gguf *g, const char *key); /* .p NULL when absent */
/* Element i of a numeric array value, as a number: out of range goes to the nearest end, NaN
 * and what is not there to 0. */
double gguf_item_float(const gguf_value *v, uint64_t i);
int64_t gguf_item_int(const gguf_value *v, uint64_t i);

size_t gguf_n_tensors(const gguf *g);
const file_tensor *gguf_tensor_at(const gguf *g, size_t i);
const file_tensor *gguf_tensor(const gguf *g, const char *name); /* NULL when absent */

#endif
