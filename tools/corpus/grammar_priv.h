/* What grammar.c and french.c share. */
#ifndef CORPUS_GRAMMAR_PRIV_H
#define CORPUS_GRAMMAR_PRIV_H

#include "grammar.h"

enum {
    CO_TABLE = 8192,
    CO_PUSH = 1, /* in raw text: a form begins, its letter follows */
    CO_POP = 2,
};

typedef struct co_alt {
    cn_str text;
    unsigned weight, id;
    bool heldout;
} co_alt;

typedef struct co_rule {
    cn_str name, fields[12];
    unsigned n_fields, n, room, weight, held_weight;
    co_alt *alts;
} co_rule;

struct co_grammar {
    cn_arena arena; /* the files' text */
    co_rule *table[CO_TABLE];
    unsigned n_rules, n_alts;
};

const co_rule *co_rule_find(const co_grammar *g, cn_str name);

#endif
