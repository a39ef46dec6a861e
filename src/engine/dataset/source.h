/* A file of records: mapped, its kind found from its content, cut into the bytes of one record
 * after the other. What is in them is record.h's. */
#ifndef DATASET_SOURCE_H
#define DATASET_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "map.h"
#include "str.h"

#define SOURCE_MAX_LINE ((size_t)16 << 20) /* of one record */
enum { SOURCE_MAX_COLUMNS = 256 };

/* What a column or a member of a record is for. */
typedef enum source_role { ROLE_TEXT, ROLE_PROMPT, ROLE_COMPLETION, ROLES } source_role;

typedef struct source {
    cn_str all, rest;
    uint64_t line;   /* of the next byte of `rest` */
    uint64_t n_boms; /* byte order marks met */
    bool csv;
    char separator;
    uint32_t n_columns;
    int32_t column[ROLES]; /* -1: none */
    uint32_t n_unclosed;   /* quotes that never ended */
} source;

typedef struct source_record {
    cn_str bytes; /* without the line's end; borrowed from the file */
    uint64_t line;
    const char *bad; /* why it is none; a constant */
} source_record;

/* `text` stays borrowed. errors  CN_E_FORMAT neither JSONL nor CSV; CN_E_LIMIT */
cn_status source_begin(source *s, cn_str text, cn_err *err);
bool source_next(source *s, source_record *out);

/* The next field of a CSV record: raw bytes with its quotes, cut off `rest`. False at the end.
 * *bad (a constant) where the record breaks the rules of RFC 4180. */
bool source_csv_field(cn_str *rest, char separator, cn_str *out, const char **bad);

#endif
