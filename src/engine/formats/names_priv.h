/* Finding things by name among up to 65,536 whose names come from outside: sorted once, halved
 * at each look-up, so that no choice of names makes it slow. */
#ifndef FORMATS_NAMES_PRIV_H
#define FORMATS_NAMES_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "str.h"

typedef struct name_entry {
    cn_str name;
    uint32_t at;
} name_entry;

typedef struct name_index {
    name_entry *entries; /* owned */
    size_t n;
} name_index;

/* Over n records of `stride` bytes, the first one's name at `first`; the names must outlive the
 * index. CN_E_FORMAT when one occurs twice (`what` says of what). */
cn_status name_index_build(name_index *out, const cn_str *first, size_t stride, size_t n,
                           const char *what, cn_err *err);
void name_index_deinit(name_index *x);
/* The record's number, SIZE_MAX when absent. */
size_t name_index_find(const name_index *x, cn_str name);

/* UTF-8 without control characters, 1 to max_bytes: fit to be looked up and to be printed. */
bool name_is_clean(cn_str name, size_t max_bytes);

#endif
