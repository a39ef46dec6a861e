/* A verb of the command line: one table entry and one function. */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "options.h"

/* First member of every verb's settings. */
typedef struct cli_common {
    bool help, json;
    char **words; /* what is no option */
    size_t n_words;
    int *exit_status; /* after CN_OK; 0 unless the verb says otherwise */
} cli_common;

#define CLI_COMMON_OPTIONS(T)                                                                  \
    {.name = "json",                                                                           \
     .kind = CLI_FLAG,                                                                         \
     .help = "print the result as JSON",                                                       \
     .offset = offsetof(T, common.json)},                                                      \
    {                                                                                          \
        .name = "help", .letter = 'h', .kind = CLI_FLAG, .help = "explain this verb",          \
        .offset = offsetof(T, common.help)                                                     \
    }

#define CLI_ANY_WORDS ((size_t)-1)

typedef struct cli_verb {
    const char *name, *words, *summary;
    const char *details; /* paragraphs after the options in --help; NULL: none */
    const cli_option *options;
    size_t n_options, min_words, max_words;
    size_t settings_size;             /* zeroed, then: */
    void (*defaults)(void *settings); /* NULL: zeros are right */
    cn_status (*run)(const void *settings, cn_err *err);
} cli_verb;

/* All verbs in the order of the help. */
const cli_verb *const *cli_verbs(size_t *n);
const cli_verb *cli_verb_find(const char *name); /* NULL when absent */
/* The help of one verb on stdout. */
void cli_verb_help(const cli_verb *v);

#endif
