/* Cutting a text into words, which the model then treats one by one. */
#ifndef TOKENIZER_PRETOK_H
#define TOKENIZER_PRETOK_H

#include "unicode.h"

typedef enum pre_kind {
    PRE_GPT2,   /* byte-level: GPT-2, phi-2 */
    PRE_LLAMA3, /* digits in groups of up to max_digits, newlines with what precedes them */
    PRE_QWEN2,  /* as Llama 3, digits apart: max_digits is 1 */
    PRE_BERT,   /* white space vanishes, punctuation stands alone */
    PRE_SPACES, /* white space vanishes */
    PRE_WORDS_WITH_SPACE, /* cut before every space that follows another character */
    PRE_DIGITS,           /* these three and PRE_REGEX find matches: `behaviour` counts */
    PRE_PUNCT,
    PRE_STRING,
    PRE_REGEX,
} pre_kind;

/* What becomes of a match (the names are those of tokenizer.json). */
typedef enum pre_behaviour {
    PRE_ISOLATED,
    PRE_REMOVED,
    PRE_MERGED_WITH_PREVIOUS,
    PRE_MERGED_WITH_NEXT,
    PRE_CONTIGUOUS,
} pre_behaviour;

typedef struct pre_stage {
    pre_kind kind;
    pre_behaviour behaviour;
    bool invert;     /* of PRE_REMOVED: what lies between the matches vanishes */
    bool single;     /* PRE_DIGITS: every digit is a match of its own */
    bool on_letters; /* PRE_DIGITS: of the byte alphabet, as it comes after a ByteLevel */
    cn_str text; /* PRE_STRING, borrowed from the tokenizer's arena; PRE_REGEX of a name: the
                    expression, constant */
    void *regex; /* PRE_REGEX; owned */
} pre_stage;

enum { PRE_MAX_STAGES = 16 };

/* Each stage cuts the pieces that the one before it left. */
typedef struct pretok {
    pre_stage stages[PRE_MAX_STAGES];
    size_t n;
    const char *name; /* constant string */
} pretok;

cn_status pretok_add(pretok *p, pre_stage stage, cn_err *err);
/* A Split by regular expression; the known ones become hand-written matchers. At most 16 KiB.
 */
cn_status pretok_add_regex(pretok *p, cn_str pattern, pre_behaviour behaviour, bool invert,
                           cn_err *err);
/* The stages behind a GGUF tokenizer.ggml.pre; CN_E_UNSUPPORTED names an unknown one. */
cn_status pretok_by_name(pretok *p, cn_str name, cn_err *err);
/* The expression behind a hand-written matcher (PRE_GPT2, PRE_LLAMA3, PRE_QWEN2); else NULL. */
const char *pretok_pattern(pre_kind kind);
/* The name it was asked for by, or what its only stage is called. */
const char *pretok_name(const pretok *p);
void pretok_deinit(pretok *p);

typedef cn_status pretok_fn(void *ctx, cn_str word);
/* Calls fn with every word in order; stops at the first failure. */
cn_status pretok_run(const pretok *p, cn_str text, pretok_fn *fn, void *ctx, cn_err *err);

/* The generic path (PCRE2 with Unicode properties and limits on matching). */
cn_status pre_regex_compile(void **out, cn_str pattern, cn_err *err);
void pre_regex_free(void *regex);
/* The first match at or after `at` that is not empty; *found false when there is none. */
cn_status pre_regex_find(void *regex, cn_str text, size_t at, size_t *start, size_t *end,
                         bool *found, cn_err *err);

#endif
