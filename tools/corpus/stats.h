/* Figures about what was generated, and the words that appeared. */
#ifndef CORPUS_STATS_H
#define CORPUS_STATS_H

#include "sim.h"

typedef struct co_stats co_stats;

co_stats *co_stats_new(void);
void co_stats_free(co_stats *s);
void co_stats_game(co_stats *s, const co_game *g);
/* Every word of `text`, lower case, apostrophes and hyphens separate. */
void co_stats_words(co_stats *s, cn_str text);
void co_stats_print(const co_stats *s, cn_buf *out);
void co_stats_lexicon(const co_stats *s, cn_buf *out);

/* Sentences end by . ? ! (an ellipsis is one end). */
int co_sentences(cn_str text);

#endif
