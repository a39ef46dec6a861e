/* Messages through the chat template, and which bytes of it the assistant says. */
#ifndef DATASET_CHAT_H
#define DATASET_CHAT_H

#include "record.h"

#include <conatus/template.h>
#include <conatus/tokenizer.h>

typedef struct chat_span {
    size_t from, to; /* bytes of the rendered text */
} chat_span;

typedef struct chat_text {
    cn_rendered text;
    chat_span *spans; /* in order, apart, none empty */
    size_t n_spans, alloc;
    cn_buf json;  /* the template's variables */
    size_t *ends; /* in `json`, of each message */
    size_t n_ends;
    bool ends_with_assistant;
} chat_text;

/* `now_unix` as in cn_template_render. With `whole` no spans are looked for.
 * errors  CN_E_FORMAT why the record is a bad line; CN_E_NOMEM */
cn_status chat_render(chat_text *c, const cn_template *t, const cn_tokenizer *tokenizer,
                      const record *r, int64_t now_unix, bool whole, cn_err *err);
void chat_deinit(chat_text *c);

#endif
