/* The `format` keyword: which names are enforced, as automata over characters. */
#ifndef GRAMMAR_FORMATS_H
#define GRAMMAR_FORMATS_H

#include "cdfa.h"

typedef enum format_class {
    FORMAT_ANNOTATION, /* not a format of the standard: says nothing */
    FORMAT_ENFORCED,
    FORMAT_REFUSED, /* of the standard, and out of reach of an automaton */
} format_class;

format_class format_class_of(cn_str name);
const cdfa *format_automaton(gctx *c, cn_str name, const char *ptr);

#endif
