/* cn_map: a file mapped read-only. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef struct cn_map {
    const uint8_t *base; /* NULL when closed or taken */
    size_t size;
} cn_map;

/* CN_E_NOT_FOUND, CN_E_REFUSED (permission), CN_E_ARG (a folder), CN_E_FORMAT (empty), CN_E_IO.
 */
cn_status cn_map_open(cn_map *out, const char *path, cn_err *err);
/* Its first bytes only, at most `most` of them; *file_size is the whole. For looking into files
 * that are larger than the address space allows. */
cn_status cn_map_open_head(cn_map *out, const char *path, size_t most, size_t *file_size,
                           cn_err *err);
void cn_map_close(cn_map *m);
cn_map cn_map_take(cn_map *m); /* moves ownership; *m is closed afterwards */

#endif
