/* Texts to ids with the loss beside them, cut where inference cuts: the ids of a prompt do not
 * depend on what follows it. */
#ifndef DATASET_ENCODE_H
#define DATASET_ENCODE_H

#include "chat.h"

/* What is constant of a tokenizer. */
typedef struct encoder {
    const cn_tokenizer *t;
    cn_tokens before, after; /* what the vocabulary puts around a text */
    int32_t eos;             /* -1: none, or not wanted */
    bool glued;              /* the beginning of a text gets a blank put before it */
} encoder;

cn_status encoder_init(encoder *e, const cn_tokenizer *t, bool no_eos, cn_err *err);
void encoder_deinit(encoder *e);

/* Ids, and a byte for each: 1 when the loss counts it. */
typedef struct encoded {
    cn_tokens ids;
    cn_buf loss;
    cn_tokens part;     /* work space */
    cn_buf text, marks; /* work space */
} encoded;
void encoded_deinit(encoded *e);

/* Append one record. `all`: the loss counts every token but the first. */
cn_status encode_text(const encoder *e, cn_str text, encoded *out, cn_err *err);
cn_status encode_pair(const encoder *e, cn_str prompt, cn_str completion, bool all,
                      encoded *out, cn_err *err);
cn_status encode_chat(const encoder *e, const chat_text *c, bool all, encoded *out,
                      cn_err *err);

#endif
