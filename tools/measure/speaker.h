/* The model as it is used: a conversation through its own template, the next message back. */
#ifndef MEASURE_SPEAKER_H
#define MEASURE_SPEAKER_H

#include <conatus/session.h>
#include <conatus/template.h>

#include "buf.h"
#include "err.h"

typedef struct ms_speaker {
    cn_model *model;
    const cn_tokenizer *tokenizer; /* the model's */
    cn_template *tmpl;
    cn_session *session;
    cn_vocab_trie *trie;
    cn_buf text; /* what was said last */
    size_t n_tokens;
    double seconds; /* of all answers, without their prompts */
} ms_speaker;

/* errors  as cn_model_open; CN_E_UNSUPPORTED a model without template or tokenizer */
CN_MUST_USE cn_status ms_speaker_open(ms_speaker *s, const char *path, unsigned n_threads,
                                      cn_err *err);
void ms_speaker_close(ms_speaker *s);

/* JSON objects of messages with commas between. */
typedef struct ms_chat {
    cn_buf json;
    unsigned n;
} ms_chat;
void ms_chat_add(ms_chat *c, const char *role, cn_str content);
void ms_chat_clear(ms_chat *c);

typedef struct ms_how {
    float temperature, top_p;
    uint64_t seed;
    uint32_t max_tokens;
    const cn_grammar *grammar; /* NULL: free text */
} ms_how;

/* Answers the chat; the answer is s->text, trimmed. errors  CN_E_LIMIT when question and
 * longest answer are over the context; else as cn_generate */
CN_MUST_USE cn_status ms_say(ms_speaker *s, const ms_chat *c, const ms_how *how, cn_err *err);
/* The ids of the chat up to where the answer begins. */
CN_MUST_USE cn_status ms_prompt(const ms_speaker *s, const ms_chat *c, cn_tokens *out,
                                cn_err *err);

#endif
