/* Pieces of shown text. */
#ifndef CORPUS_ROGUE_TEXT_H
#define CORPUS_ROGUE_TEXT_H

#include "sim.h"

/* "La liberté" -> "la liberté"; in the game's arena. */
cn_str rogue_lower_first(co_game *g, cn_str s);
/* The sentence that begins at s.p[from], with its mark; .n 0 at the end. */
cn_str rogue_sentence(cn_str s, size_t from);
/* The longest sentence of a reply that is no question, .n 0 when there is none. */
cn_str rogue_statement(cn_str reply);

#endif
