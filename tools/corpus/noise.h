/* How pupils really write: a clean French sentence becomes one without accents, in SMS style,
 * with typing errors, with the spelling faults of French pupils. One hand is drawn for each
 * pupil and kept for the whole dialogue; the sentence keeps its meaning, and the word to be
 * quoted stays recognisable. */
#ifndef CORPUS_NOISE_H
#define CORPUS_NOISE_H

#include <stdbool.h>

#include "buf.h"
#include "rng.h"
#include "str.h"

enum { NOISE_CLEAN, NOISE_LIGHT, NOISE_HASTY, NOISE_SMS, NOISE_LEVELS };

/* Probabilities in percent, of a word or of a sentence as fits. */
typedef struct noise_hand {
    bool lower;          /* no capital at all */
    bool no_accent;      /* "etre", "ca" */
    bool no_apostrophe;  /* "jaime" */
    bool curly;          /* typographic apostrophes */
    bool no_stop;        /* no full stop at the end */
    unsigned short_form; /* "pk", "jsp", "bcp" */
    unsigned no_ne;      /* "je sais pas" */
    unsigned fault;      /* "sa" for "ça", "é" for "er" */
    unsigned typo;       /* letters swapped, doubled, dropped, next on the keyboard */
    unsigned stretch;    /* "nooon", "???" */
    unsigned filler;     /* "mdr", "bah", "frr" */
} noise_hand;

/* A hand of the level; two pupils of the same level differ. */
noise_hand noise_draw(cn_rng *rng, unsigned level);
/* Appends `clean` as this hand writes it. `keep` (may be empty) is left without typing errors
 * and short forms wherever it occurs; accents, apostrophes and capitals may go there as well.
 */
void noise_write(cn_buf *out, cn_str clean, cn_str keep, const noise_hand *hand, cn_rng *rng);
/* Appends `text` with every apostrophe typographic, or every one straight. */
void noise_apostrophes(cn_buf *out, cn_str text, bool curly);
/* Whether the writer of `text` uses typographic apostrophes. */
bool noise_is_curly(cn_str text);

#endif
