/* A task file: cases a line, each a question and what is expected of the reply. docs/eval.md
 * tells the form. Read from outside: every line is checked before anything runs, and what is
 * wrong is told with its number. */
#ifndef EVAL_TASK_H
#define EVAL_TASK_H

#include <conatus/grammar.h>

#include "json.h"
#include "search.h"

enum {
    EVAL_MAX_CASES = 100000,
    EVAL_MAX_LINE = 1 << 20, /* bytes */
    EVAL_MAX_FILE = 1 << 28, /* bytes */
    EVAL_MAX_MARKS = 32,     /* names in a file */
    EVAL_MAX_TEXTS = 100,    /* of "contains", or that "expect" allows */
    EVAL_MAX_SCHEMAS = 1000, /* different ones in a file */
    EVAL_MAX_STOPS = 16,
};

/* What may be asked of a reply; a bit each. */
typedef enum eval_kind {
    EVAL_EXPECT,
    EVAL_CONTAINS,
    EVAL_REGEX,
    EVAL_SCHEMA,
    EVAL_MARKS,
    EVAL_N_KINDS,
} eval_kind;
const char *eval_kind_name(eval_kind k); /* "expect", as in the file */

typedef struct eval_schema {
    cn_buf text;
    cn_grammar *grammar; /* NULL until a case constrains by it */
} eval_schema;

typedef struct eval_case {
    size_t line;
    const cn_json *own, *defaults; /* the line's object; what it does not say */
    /* The question: messages, or a prompt with an optional system message. */
    const cn_json *messages;
    cn_str prompt, system; /* system.p NULL: none */
    bool raw;              /* the prompt is continued as it stands */
    uint32_t max_tokens;
    float temperature;
    bool has_seed;
    uint64_t seed;
    const char *stop[EVAL_MAX_STOPS];
    size_t n_stop;
    /* The answer. */
    unsigned kinds;          /* bits of eval_kind */
    const cn_json *expect;   /* a text, or an array of those that are right */
    const cn_json *contains; /* a text, or an array of which all must be there */
    eval_regex *regex;
    const eval_schema *schema;
    const cn_json *marks; /* {"name": number} */
    const double *wanted; /* of the task's mark names; NaN where none is expected */
    double tolerance;     /* of a mark */
    bool trim, ignore_case, constrain;
} eval_case;

typedef struct eval_task {
    cn_json **lines; /* what the cases borrow from */
    size_t n_lines;
    eval_case *cases;
    size_t n;
    eval_schema *schemas[EVAL_MAX_SCHEMAS];
    size_t n_schemas;
    cn_str mark_names[EVAL_MAX_MARKS];
    size_t n_marks;
    double *wanted; /* (n, n_marks) */
} eval_task;

/* Reads at most `most` cases (0: all) out of `text`, which need not outlive the call.
 *
 * errors  CN_E_FORMAT a line that is wrong, by its number; CN_E_LIMIT; CN_E_UNSUPPORTED a
 * schema that cannot be enforced; CN_E_NOMEM */
CN_MUST_USE cn_status eval_task_read(eval_task *out, cn_str text, size_t most, cn_err *err);
void eval_task_deinit(eval_task *t);
/* "ID (line 12)", or without an id "line 12", in out[size]; returns out. */
const char *eval_case_name(char *out, size_t size, const eval_case *c);

#endif
