/* A set of texts: words that exist, replies that were given. */
#ifndef MEASURE_WORDS_H
#define MEASURE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "str.h"

/* Texts count by a 64-bit hash: at a million of them two that differ pass for equal once in ten
 * million runs. */
typedef struct ms_words {
    uint64_t *slots;
    size_t n, room;
} ms_words;

void ms_words_deinit(ms_words *w);
bool ms_words_has(const ms_words *w, cn_str text);
/* False when it was there. */
bool ms_words_add(ms_words *w, cn_str text);
/* Every word of a text (text.h). */
void ms_words_learn(ms_words *w, cn_str text);
/* Every word of a file. errors  those of cn_file_read */
CN_MUST_USE cn_status ms_words_read(ms_words *w, const char *path, cn_err *err);
/* The first word of `text` that is in none of the two, into `word`; false when there is none.
 */
bool ms_words_unknown(const ms_words *a, const ms_words *b, cn_str text, char word[96]);

#endif
