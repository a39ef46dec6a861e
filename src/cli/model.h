/* A model as the command line names it: opened with its adapters, its tokenizer and its
 * template. */
#ifndef CLI_MODEL_H
#define CLI_MODEL_H

#include <conatus/session.h>
#include <conatus/template.h>

#include "json.h"
#include "options.h"

typedef struct cli_model_options {
    int32_t threads, ctx, keep;
    const char *kernels, *cache_type, *template_file;
    bool exact, force;
    cli_list adapters;
} cli_model_options;

/* Entries of an option table for the member `model` of the settings T. */
#define CLI_MODEL_OPTIONS(T)                                                                   \
    {.name = "threads",                                                                        \
     .letter = 't',                                                                            \
     .kind = CLI_INT,                                                                          \
     .value = "N",                                                                             \
     .help = "compute threads (0: all that this process may use)",                             \
     .offset = offsetof(T, model.threads),                                                     \
     .max = 256,                                                                               \
     .env = "CONATUS_THREADS"},                                                                \
        {.name = "kernels",                                                                    \
         .kind = CLI_TEXT,                                                                     \
         .value = "NAME",                                                                      \
         .help = "instructions to use: auto, ref, avx2, avx512, neon",                         \
         .offset = offsetof(T, model.kernels),                                                 \
         .env = "CONATUS_KERNELS"},                                                            \
        {.name = "exact",                                                                      \
         .kind = CLI_FLAG,                                                                     \
         .help = "do not round activations for quantised weights: slower, closer",             \
         .offset = offsetof(T, model.exact),                                                   \
         .env = "CONATUS_EXACT"},                                                              \
        {.name = "ctx",                                                                        \
         .letter = 'c',                                                                        \
         .kind = CLI_INT,                                                                      \
         .value = "N",                                                                         \
         .help = "context in tokens (0: the model's, at most 4096)",                           \
         .offset = offsetof(T, model.ctx),                                                     \
         .max = 1 << 24,                                                                       \
         .env = "CONATUS_CTX"},                                                                \
        {.name = "cache-type",                                                                 \
         .kind = CLI_TEXT,                                                                     \
         .value = "TYPE",                                                                      \
         .help = "keys and values as f16, q8_0 or f32",                                        \
         .offset = offsetof(T, model.cache_type),                                              \
         .env = "CONATUS_CACHE_TYPE"},                                                         \
        {.name = "force",                                                                      \
         .kind = CLI_FLAG,                                                                     \
         .help = "open the model even if the estimate says that it does not fit",              \
         .offset = offsetof(T, model.force)},                                                  \
    {                                                                                          \
        .name = "adapter", .letter = 'a', .kind = CLI_LIST, .value = "DIR[:SCALE]",            \
        .help = "LoRA adapter to apply; may be given again",                                   \
        .offset = offsetof(T, model.adapters)                                                  \
    }

/* For verbs that render messages. */
#define CLI_TEMPLATE_OPTION(T)                                                                 \
    {                                                                                          \
        .name = "template", .kind = CLI_TEXT, .value = "FILE",                                 \
        .help = "chat template to use in place of the model's",                                \
        .offset = offsetof(T, model.template_file)                                             \
    }
/* For verbs whose text may grow past the context. */
#define CLI_KEEP_OPTION(T)                                                                     \
    {                                                                                          \
        .name = "keep", .kind = CLI_INT, .value = "N",                                         \
        .help = "when the context is full keep the first N tokens and the newer half",         \
        .offset = offsetof(T, model.keep), .max = 1 << 24                                      \
    }

typedef struct cli_model {
    cn_model *model;
    const cn_tokenizer *tokenizer; /* of the model */
    cn_adapter *adapters[16];
    float scales[16];
    size_t n_adapters;
    cn_template *tmpl; /* NULL: neither the model nor the options have one */
    double load_seconds;
} cli_model;

/* errors  as cn_model_open; CN_E_UNSUPPORTED for a model without tokenizer */
cn_status cli_model_open(cli_model *out, const char *name, const cli_model_options *o,
                         cn_err *err);
void cli_model_close(cli_model *m);
/* A session with the adapters in force. */
cn_status cli_session_new(cn_session **out, const cli_model *m, const cli_model_options *o,
                          cn_err *err);

/* Only the tokenizer and the template of MODEL: nothing else is read. */
cn_status cli_tokenizer_open(cn_tokenizer **out, const char *name, cn_err *err);
cn_status cli_template_open(cn_template **out, const cn_tokenizer *t, const char *file,
                            cn_err *err);
/* Renders with the members of `variables`; the tokens that it lacks (bos_token, eos_token,
 * pad_token, unk_token) are added from `t`, which may be NULL. */
cn_status cli_render(const cn_template *tmpl, const cn_tokenizer *t, const cn_json *variables,
                     int64_t now_unix, cn_rendered *out, cn_err *err);
/* What the model gets of a rendered text: control tokens only where the template wrote them. */
cn_status cli_encode_rendered(const cn_tokenizer *t, const cn_rendered *r, cn_tokens *out,
                              cn_err *err);

/* The prompt as ids: text with the model's beginning, ids as they are, messages by the
 * template. */
cn_status cli_prompt_text(const cli_model *m, cn_str text, cn_tokens *out, cn_err *err);
cn_status cli_prompt_messages(const cli_model *m, const cn_json *variables, cn_tokens *out,
                              cn_err *err);

#endif
