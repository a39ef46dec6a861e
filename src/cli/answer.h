/* What comes out of one generation: collected, shown while it comes, and as JSON. */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include <stdio.h>

#include "request.h"

typedef struct cli_answer {
    cn_buf text;
    cn_tokens ids;
    json_out logprobs; /* elements of an array, when asked for */
    bool want_logprobs, failed;
    uint32_t max_tokens; /* that were asked for; 0: no limit */
    FILE *show;          /* where the text goes while it comes; NULL: nowhere */
    bool terminal;       /* `show` is one: control characters are left out */
    cn_generated how;
} cli_answer;

/* Generates into `a`; `show` and `terminal` the caller may have set. */
cn_status cli_answer_generate(cli_answer *a, cn_session *s, const cn_tokens *prompt,
                              cli_request *r, cn_err *err);
/* {"text","ids","finish_reason","logprobs"?,"usage","timings"} */
void cli_answer_json(const cli_answer *a, json_out *j);
/* A line on stderr when the answer ends because the context does. */
void cli_answer_note_full(const cli_answer *a, const cn_session *s);
/* "12 tokens in 0.8 s, 15.2 tokens/s" */
void cli_answer_speed(const cli_answer *a, FILE *out);
void cli_answer_deinit(cli_answer *a);

#endif
