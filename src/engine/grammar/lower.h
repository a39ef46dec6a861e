/* From automata over characters to states over bytes: UTF-8, and the escapes of JSON strings.
 */
#ifndef GRAMMAR_LOWER_H
#define GRAMMAR_LOWER_H

#include "automaton.h"
#include "cdfa.h"

enum {
    LOWER_RAW,    /* the text itself */
    LOWER_STRING, /* inside the quotes of a JSON string, in its usual spelling */
    LOWER_KEY,    /* the same with one spelling for each text, hashed on the way */
};

/* The state from which the words of `d` lead to `end` (after the closing quote for strings).
 * AUT_NONE after a failure. */
uint32_t lower_cdfa(gctx *c, aut_builder *b, const cdfa *d, int how, uint32_t end);
/* Any character of a JSON string, every escape included, from one state to another. */
void lower_any_char(aut_builder *b, uint32_t from, uint32_t to);

#endif
