/* The tree between the parser of regular expressions and the automaton. */
#ifndef GRAMMAR_REGEX_PRIV_H
#define GRAMMAR_REGEX_PRIV_H

#include "regex.h"

typedef enum rx_kind { RX_EMPTY, RX_SET, RX_CAT, RX_ALT, RX_REPEAT, RX_BEGIN, RX_END } rx_kind;

typedef struct rx {
    rx_kind kind;
    charset set;       /* RX_SET */
    struct rx *a, *b;  /* RX_CAT, RX_ALT; RX_REPEAT of a */
    uint32_t min, max; /* RX_REPEAT; max UINT32_MAX without bound */
} rx;

rx *regex_parse(gctx *c, cn_str pattern, const char *ptr);

#endif
