/* Games as JSON lines (co_json_game is in sim.h) and as text to read. */
#ifndef CORPUS_OUTPUT_H
#define CORPUS_OUTPUT_H

#include "sim.h"

void co_json_intent(const co_game *g, int turn, cn_buf *line);
void co_text_game(const co_game *g, cn_buf *out);

#endif
