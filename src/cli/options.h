/* Options of a verb as one table: what parsing, --help, completion and the manual's test read.
 * Precedence: the default already in the verb's settings < environment < command line. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef enum cli_kind {
    CLI_FLAG, /* bool */
    CLI_TEXT, /* const char *, borrowed from the command line or the environment */
    CLI_LIST, /* cli_list; may be given several times */
    CLI_INT,  /* int32_t between min and max */
    CLI_NUM,  /* float between min and max */
    CLI_SEED, /* uint64_t */
} cli_kind;

#define CLI_LIST_MAX 64
typedef struct cli_list {
    const char *items[CLI_LIST_MAX];
    size_t n;
} cli_list;

typedef struct cli_option {
    const char *name; /* without the dashes */
    char letter;      /* of the short form; 0: none */
    cli_kind kind;
    const char *value; /* what --help calls the value: "N"; NULL for a flag */
    const char *help;
    size_t offset;   /* of the field in the verb's settings */
    double min, max; /* CLI_INT, CLI_NUM */
    const char *env; /* its variable, NULL: none */
} cli_option;

/* Fills the fields of `settings`; what is no option moves to the front of argv, *n_words of
 * them.
 * "--" ends the options, "-" is a word. errors  CN_E_ARG, with the nearest option named */
cn_status cli_parse(const cli_option *options, size_t n, int argc, char **argv, void *settings,
                    size_t *n_words, cn_err *err);

#endif
