/* GBNF, the grammar notation of llama.cpp. */
#ifndef GRAMMAR_GBNF_H
#define GRAMMAR_GBNF_H

#include "automaton.h"
#include "context.h"
#include "str.h"

enum { GBNF_MAX_RULES = 20000, GBNF_MAX_DEPTH = 64, GBNF_MAX_REPEAT = 20000 };

bool gbnf_build(gctx *c, aut_builder *b, cn_str source, uint32_t *root);

#endif
