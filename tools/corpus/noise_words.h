/* The short forms and the spelling faults of pupils: what is written for what. */
#ifndef CORPUS_NOISE_WORDS_H
#define CORPUS_NOISE_WORDS_H

#include <stddef.h>

#include "str.h"

typedef struct noise_pair {
    const char *clean; /* lower case, with accents and straight apostrophes; words, or several
                          words separated by one space */
    const char *forms[4]; /* one of these instead */
} noise_pair;

/* The longest entry of the table that begins `text` (already lower case) and ends at a word
 * border; NULL when there is none. */
const noise_pair *noise_short_form(cn_str text);
const noise_pair *noise_no_ne(cn_str text);
const noise_pair *noise_fault(cn_str text);

#endif
