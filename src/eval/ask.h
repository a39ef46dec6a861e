/* Asks a model every case of a task and judges the replies. */
#ifndef EVAL_ASK_H
#define EVAL_ASK_H

#include <conatus/session.h>

#include "judge.h"
#include "score.h"

/* The ids of a case's question, as the caller's templates write it. */
typedef cn_status eval_prompt_fn(void *user, const eval_case *c, cn_tokens *out, cn_err *err);

typedef struct eval_asking {
    cn_session *session;
    const cn_tokenizer *tokenizer;
    eval_prompt_fn *prompt;
    eval_progress_fn *progress; /* NULL: none */
    void *user;                 /* of both */
    uint64_t seed;              /* of cases without their own */
    bool reuse;                 /* keep what questions have in common at their beginning */
} eval_asking;

typedef struct eval_reply {
    char *text; /* owned; NULL when empty */
    size_t n, n_tokens;
    cn_finish finish;
    eval_verdict verdict;
} eval_reply;

typedef struct eval_run {
    eval_reply *replies; /* of the task's cases, in their order */
    double *marks;       /* (n, n_marks) that the replies gave; NaN: none */
    size_t n;
    size_t prompt_tokens, tokens;
    double prompt_seconds, seconds; /* of prompts; of the rest */
} eval_run;

/* A question over the context, and one that the sampler refuses, count as failed in all that
 * was expected; any other error ends the run.
 *
 * errors  as cn_generate, with the case named */
CN_MUST_USE cn_status eval_ask(eval_run *out, const eval_task *t, const eval_asking *how,
                               cn_err *err);
void eval_run_deinit(eval_run *r);

#endif
