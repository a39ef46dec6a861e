/* Turns that leave the path of the game: insults, contempt, one word, heaps of "oui", Spinoza's
 * own sentence, other languages, questions about the machine, small talk. Each has the rules
 * rogue.KIND.user and rogue.KIND.reply, or talk.TOPIC.user and talk.TOPIC.reply. */
#ifndef CORPUS_ROGUE_H
#define CORPUS_ROGUE_H

#include "sim.h"

/* co_hooks.rogue_turn */
bool rogue_turn(co_game *g, co_turn *t);
/* co_hooks.noise: the hand is drawn once a game. */
void rogue_noise(co_game *g, cn_buf *text, cn_str key);
/* co_hooks.talk: a dialogue of one to three turns beside the question. */
void rogue_talk(co_gen *gen, cn_buf *line);

#endif
