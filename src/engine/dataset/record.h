/* One record: its texts or messages, checked, and what it can be compared by. */
#ifndef DATASET_RECORD_H
#define DATASET_RECORD_H

#include "buf.h"
#include "digest.h"
#include "json.h"
#include "source.h"

typedef enum record_form { RECORD_TEXT, RECORD_PAIR, RECORD_MESSAGES } record_form;

typedef struct record {
    record_form form;
    cn_str text, prompt, completion; /* borrowed from what follows */
    const cn_json *messages, *tools;
    cn_json *root;
    cn_buf fields; /* CSV, unquoted */
    bool empty;
} record;

/* Reads into `r` (zeroed, or used before). errors  CN_E_FORMAT why it is a bad line; CN_E_NOMEM
 */
cn_status record_read(record *r, const source *s, const source_record *from, cn_err *err);
void record_deinit(record *r);

bool record_is_assistant(const cn_json *message);
/* The message's text; .p NULL when it has none, or has it in parts. */
cn_str record_content(const cn_json *message);

/* The digest of all letters and digits in lower case; of those that stand before what is to be
 * learnt (has_prompt false: nothing does); of the exact content. */
typedef struct record_digests {
    digest near, prompt, exact;
    bool has_prompt;
} record_digests;
record_digests record_digests_of(const record *r);

/* Characters in all, and of those to be learnt. */
void record_characters(const record *r, bool all, uint64_t *n, uint64_t *n_loss);

#endif
