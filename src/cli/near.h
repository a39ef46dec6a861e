/* The nearest of a list of names to one that was mistyped. */
#ifndef CLI_NEAR_H
#define CLI_NEAR_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) from a to b, case ignored. Names over 63
 * bytes are compared by their first 63. */
size_t cli_distance(const char *a, const char *b);
/* The name nearest to `word` or that begins with it, NULL when none is near enough to be meant
 * (a third of its length, at least 1). Ask for one name at a time: start with best = NULL. */
const char *cli_nearer(const char *word, const char *best, const char *name);

#endif
