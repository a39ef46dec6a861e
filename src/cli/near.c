#include "near.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "compiler.h"

enum { LONGEST = 63 };

static int low(char c)
{
    return tolower((unsigned char)c);
}

/* Damerau-Levenshtein over three rows (optimal string alignment). */
size_t cli_distance(const char *a, const char *b)
{
    size_t na = CN_MIN(strlen(a), (size_t)LONGEST), nb = CN_MIN(strlen(b), (size_t)LONGEST);
    size_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t replace = above[j - 1] + (low(a[i - 1]) != low(b[j - 1]));
            row[j] = CN_MIN(replace, CN_MIN(above[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && low(a[i - 1]) == low(b[j - 2]) &&
                           low(a[i - 2]) == low(b[j - 1]);
            if (swapped) row[j] = CN_MIN(row[j], before[j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

/* A beginning of at least three letters counts as one slip. */
static size_t slips(const char *word, const char *name)
{
    size_t n = strlen(word);
    return n >= 3 && strncmp(word, name, n) == 0 ? n < strlen(name) : cli_distance(word, name);
}

const char *cli_nearer(const char *word, const char *best, const char *name)
{
    size_t allowed = CN_MAX(strlen(word) / 3, 1), d = slips(word, name);
    if (d > allowed) return best;
    return !best || d < slips(word, best) ? name : best;
}
