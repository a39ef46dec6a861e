/* One JSON line: messages, kind, meta. */
#ifndef CORPUS_RUBRIC_RECORD_H
#define CORPUS_RUBRIC_RECORD_H

#include "rubric.h"
#include "sim.h"

typedef struct rubric_record {
    cn_buf *out;
    bool more; /* a message was written already */
} rubric_record;

void rubric_record_open(rubric_record *r);
void rubric_record_message(rubric_record *r, const char *role, cn_str text);
/* meta: what co_json_meta tells of the game, and the marks when there are some. */
void rubric_record_close(rubric_record *r, const char *kind, const co_game *g,
                         const rubric_marks *marks);

#endif
