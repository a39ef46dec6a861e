/* French text as the measures see it: folded letters, words, runs of words. */
#ifndef MEASURE_TEXT_H
#define MEASURE_TEXT_H

#include <stdbool.h>

#include "buf.h"
#include "str.h"

/* Appends `s` in lower case, without accents, apostrophes straight, white space as one space.
 */
void ms_fold(cn_str s, cn_buf *out);
/* The next word of *rest in lower case, accents kept, into `word`; apostrophes, hyphens and
 * digits separate. Its length, 0 at the end. */
size_t ms_word(cn_str *rest, char word[96]);
/* Is `part` in `s`, both folded? An empty part is nowhere. */
bool ms_holds(cn_str s, cn_str part);
/* Appends `s` and spaces up to `width` characters; `right`: the spaces first. */
void ms_pad(cn_buf *out, cn_str s, size_t width, bool right);
/* `s` without white space around it. */
cn_str ms_trim(cn_str s);
/* Does `s` have `n` words in a row of `of`? */
bool ms_shares_run(cn_str s, cn_str of, size_t n);

#endif
