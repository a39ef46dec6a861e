/* Deterministic automata over code points: sets of strings with union, intersection and
 * complement. Surrogates never occur. State 0 is the start; a language without words may have
 * n == 0. */
#ifndef GRAMMAR_CDFA_H
#define GRAMMAR_CDFA_H

#include "context.h"
#include "str.h"

#define CDFA_DEAD UINT32_MAX
enum { CDFA_MAX_STATES = 60000 };

typedef struct cdfa {
    uint32_t n, k;  /* states, classes */
    uint32_t *lo;   /* k first code points, lo[0] == 0; class i ends before lo[i+1] */
    uint32_t *next; /* n * k */
    uint8_t *final; /* n */
} cdfa;

static inline uint32_t cdfa_hi(const cdfa *d, uint32_t cls)
{
    return cls + 1 < d->k ? d->lo[cls + 1] - 1 : 0x10ffff;
}

/* Bits of the combinations of (in a, in b) that are in the result: 1 << (2*a + b). */
typedef enum cdfa_op { CDFA_AND = 8, CDFA_OR = 14, CDFA_MINUS = 4 } cdfa_op;
/* NULL after a failure, always; so is every operation on NULL. */
const cdfa *cdfa_combine(gctx *c, const cdfa *a, const cdfa *b, cdfa_op op, const char *ptr);
const cdfa *cdfa_not(gctx *c, const cdfa *a, const char *ptr);
const cdfa *cdfa_all(gctx *c);
const cdfa *cdfa_none(gctx *c);
/* Exactly this text (UTF-8). */
const cdfa *cdfa_text(gctx *c, cn_str s);
/* Exactly these texts. */
const cdfa *cdfa_texts(gctx *c, const cn_str *at, uint32_t n);
/* Texts of min to max characters; max UINT32_MAX is none. */
const cdfa *cdfa_length(gctx *c, uint32_t min, uint32_t max, const char *ptr);
/* a then b, where every end of `a` has no way on. */
const cdfa *cdfa_then(gctx *c, const cdfa *a, const cdfa *b);
/* Drops what cannot end and merges what is the same. */
const cdfa *cdfa_small(gctx *c, const cdfa *a);

bool cdfa_empty(const cdfa *d);
bool cdfa_accepts(const cdfa *d, cn_str s);
/* All words, if at most `max`: their number, each appended to words (arena) in order; SIZE_MAX
 * when there are more. */
size_t cdfa_words(gctx *c, const cdfa *d, cn_str *words, size_t max);
/* Shortest and longest word; *longest UINT32_MAX without bound. False when empty. */
bool cdfa_lengths(gctx *c, const cdfa *d, uint32_t *shortest, uint32_t *longest);

#endif
