/* How a played game is shown to the grader. */
#ifndef CORPUS_RUBRIC_DIALOGUE_H
#define CORPUS_RUBRIC_DIALOGUE_H

#include "rubric.h"

typedef enum rubric_opening {
    OPENING_QUESTION, /* Spinoza's line is the question alone */
    OPENING_GREETING,
    OPENING_PUPIL, /* the pupil puts the question */
    OPENING_NONE,
} rubric_opening;

typedef struct rubric_dialogue {
    int n; /* turns of the game that are shown */
    rubric_opening opening;
    bool blank;      /* an empty line between two lines */
    bool terse;      /* Spinoza only states, one sentence at a time */
    bool unanswered; /* the pupil has the last word */
} rubric_dialogue;

/* How `g` is shown, and its marks. May play the game again, so that every mark is frequent. */
rubric_dialogue rubric_dialogue_draw(co_game *g, rubric_marks *marks);
void rubric_dialogue_text(co_game *g, const rubric_dialogue *d, cn_buf *out);

#endif
