/* One request for text: from the flags, from a JSON line over them, and its answer. */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include <conatus/session.h>

#include "json.h"
#include "json_out.h"
#include "model.h"
#include "options.h"

/* What the flags say; the defaults of every line. */
typedef struct cli_sampling {
    float temperature, top_p, min_p, typical_p;
    float repeat_penalty, frequency_penalty, presence_penalty;
    int32_t top_k, penalty_last_n, max_tokens, min_tokens, logprobs; /* logprobs -1: none */
    uint64_t seed;
    cli_list stop;
    const char *schema_file, *grammar_file;
    bool ignore_end;
} cli_sampling;

void cli_sampling_defaults(cli_sampling *s);

/* Entries of an option table for the member `sampling` of the settings T. */
#define CLI_SAMPLING_NUM(T, field, option, text, low, high)                                    \
    {                                                                                          \
        .name = option, .kind = CLI_NUM, .value = "X", .help = text,                           \
        .offset = offsetof(T, sampling.field), .min = low, .max = high                         \
    }
#define CLI_SAMPLING_INT(T, field, option, text, low, high)                                    \
    {                                                                                          \
        .name = option, .kind = CLI_INT, .value = "N", .help = text,                           \
        .offset = offsetof(T, sampling.field), .min = low, .max = high                         \
    }
#define CLI_SAMPLING_OPTIONS(T)                                                                \
    {.name = "max-tokens",                                                                     \
     .letter = 'n',                                                                            \
     .kind = CLI_INT,                                                                          \
     .value = "N",                                                                             \
     .help = "end after N tokens (0: when the context is full)",                               \
     .offset = offsetof(T, sampling.max_tokens),                                               \
     .max = INT32_MAX},                                                                        \
        CLI_SAMPLING_INT(T, min_tokens, "min-tokens", "do not end before N tokens", 0,         \
                         INT32_MAX),                                                           \
        CLI_SAMPLING_NUM(T, temperature, "temperature", "0: always the likeliest (0.8)", 0,    \
                         100),                                                                 \
        CLI_SAMPLING_INT(T, top_k, "top-k", "only the K likeliest; 0: off (40)", 0,            \
                         INT32_MAX),                                                           \
        CLI_SAMPLING_NUM(T, top_p, "top-p", "only the likeliest up to this sum (0.95)", 0, 1), \
        CLI_SAMPLING_NUM(T, min_p, "min-p", "only those this likely, best = 1 (0.05)", 0, 1),  \
        CLI_SAMPLING_NUM(T, typical_p, "typical-p", "locally typical sampling; 1: off", 0, 1), \
        CLI_SAMPLING_NUM(T, repeat_penalty, "repeat-penalty", "divide seen tokens; 1: off", 0, \
                         100),                                                                 \
        CLI_SAMPLING_NUM(T, frequency_penalty, "frequency-penalty",                            \
                         "subtract for each time that a token was seen; 0: off", -2, 2),       \
        CLI_SAMPLING_NUM(T, presence_penalty, "presence-penalty",                              \
                         "subtract once for a token that was seen; 0: off", -2, 2),            \
        CLI_SAMPLING_INT(T, penalty_last_n, "penalty-last-n",                                  \
                         "tokens that penalties look back on; -1: all", -1, INT32_MAX),        \
        {.name = "seed",                                                                       \
         .letter = 's',                                                                        \
         .kind = CLI_SEED,                                                                     \
         .value = "N",                                                                         \
         .help = "same seed and settings, same text",                                          \
         .offset = offsetof(T, sampling.seed)},                                                \
        {.name = "stop",                                                                       \
         .kind = CLI_LIST,                                                                     \
         .value = "TEXT",                                                                      \
         .help = "end before this text; may be given again",                                   \
         .offset = offsetof(T, sampling.stop)},                                                \
        {.name = "schema",                                                                     \
         .kind = CLI_TEXT,                                                                     \
         .value = "FILE",                                                                      \
         .help = "answer with JSON that this JSON Schema allows",                              \
         .offset = offsetof(T, sampling.schema_file)},                                         \
        {.name = "grammar",                                                                    \
         .kind = CLI_TEXT,                                                                     \
         .value = "FILE",                                                                      \
         .help = "answer with text that this GBNF grammar allows",                             \
         .offset = offsetof(T, sampling.grammar_file)},                                        \
    {                                                                                          \
        .name = "ignore-end", .kind = CLI_FLAG, .help = "end tokens are ordinary tokens",      \
        .offset = offsetof(T, sampling.ignore_end)                                             \
    }

/* A grammar in force, kept from line to line while its text stays the same. */
typedef struct cli_contract {
    cn_vocab_trie *trie;
    cn_grammar *grammar;
    cn_buf text; /* of the schema or grammar that is compiled */
    bool is_schema;
} cli_contract;

void cli_contract_deinit(cli_contract *c);
/* Makes `text` the grammar in force. errors  CN_E_UNSUPPORTED with the JSON pointer */
cn_status cli_contract_set(cli_contract *c, const cn_tokenizer *t, cn_str text, bool is_schema,
                           cn_err *err);
/* Is the finished text what the schema allows? CN_OK without a schema. */
cn_status cli_contract_check(const cli_contract *c, cn_str text, cn_finish finish, cn_err *err);

typedef struct cli_request {
    cn_generate_options o;
    const char *stop[16];
    cn_logit_bias *bias;
} cli_request;

/* `line` may be NULL: the flags alone. Strings stay borrowed from both. */
cn_status cli_request_init(cli_request *r, const cli_sampling *s, const cn_json *line,
                           cli_contract *contract, const cn_tokenizer *t, cn_err *err);
void cli_request_deinit(cli_request *r);

#endif
