/* Records of the corpus, as maiathon-corpus writes them. */
#ifndef MEASURE_RECORDS_H
#define MEASURE_RECORDS_H

#include "err.h"
#include "json.h"

typedef struct ms_record {
    cn_json *root;
    const cn_json *messages, *meta; /* of root */
} ms_record;

typedef struct ms_records {
    ms_record *items;
    size_t n;
} ms_records;

typedef struct ms_source {
    const char *program; /* maiathon-corpus */
    uint64_t seed;
} ms_source;

/* `n` records of a kind ("all": the mixture) of the training half or of the held-out one.
 *
 * errors  CN_E_NOT_FOUND the program; CN_E_FORMAT what it writes; CN_E_NOMEM */
CN_MUST_USE cn_status ms_records_read(ms_records *out, const ms_source *from, const char *kind,
                                      bool heldout, size_t n, cn_err *err);
void ms_records_deinit(ms_records *r);

cn_str ms_role(const ms_record *r, size_t i);    /* of message i */
cn_str ms_content(const ms_record *r, size_t i); /* its text */
size_t ms_n_messages(const ms_record *r);
/* What meta says of the pupil's turn: "intent", "act", "key"; .n 0 when nothing. */
cn_str ms_turn(const ms_record *r, size_t turn, const char *what);

#endif
