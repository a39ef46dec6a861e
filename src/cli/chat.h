/* A conversation with a model: its messages, and the answer to the last one. */
#ifndef CLI_CHAT_H
#define CLI_CHAT_H

#include "answer.h"

typedef struct cli_chat {
    cli_model model;
    cn_session *session;
    cli_contract contract;
    cli_sampling sampling;
    bool plain;      /* no template: a text is continued as it stands, nothing is kept */
    cn_buf messages; /* JSON objects with commas between */
    size_t n_messages;
} cli_chat;

void cli_chat_deinit(cli_chat *c);
/* Appends {"role","content"}. */
void cli_chat_add(cli_chat *c, const char *role, cn_str content);
/* Takes the messages of an array, or of an object's "messages", in place of those there. */
cn_status cli_chat_load(cli_chat *c, const cn_json *j, cn_err *err);
/* Forgets everything after the first n messages of `length` bytes (see n_messages, messages.n).
 */
void cli_chat_back(cli_chat *c, size_t n, size_t length);
/* Answers the conversation (`text` NULL), or continues the text when plain. The answer becomes
 * the last message; after a failure the conversation is as before. */
cn_status cli_chat_answer(cli_chat *c, const cn_str *text, cli_answer *a, cn_err *err);

#endif
