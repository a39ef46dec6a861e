/* Regular expressions as JSON Schema has them (ECMA-262 with the u flag, near enough): text in,
 * automaton over code points out. The language is that of texts in which a match is found.
 * Refused: lookaround, back references, \b. */
#ifndef GRAMMAR_REGEX_H
#define GRAMMAR_REGEX_H

#include "cdfa.h"

enum {
    REGEX_MAX_BYTES = 8192,
    REGEX_MAX_NODES = 40000, /* after repetitions are written out */
    REGEX_MAX_DEPTH = 64,
};

/* NULL after a failure, which is reported at `ptr`. */
const cdfa *regex_compile(gctx *c, cn_str pattern, const char *ptr);

/* A set of code points: sorted, apart, not touching. */
typedef struct charset {
    uint32_t (*r)[2];
    uint32_t n, cap;
} charset;
bool charset_add(gctx *c, charset *s, uint32_t lo, uint32_t hi);
bool charset_normalise(gctx *c, charset *s, bool negate);
/* \d \w \s and their capitals. */
bool charset_class(gctx *c, charset *s, char letter);
/* \p{name}; CN_E_UNSUPPORTED at `ptr` for a name that is not a general category. */
bool charset_property(gctx *c, charset *s, cn_str name, bool negate, const char *ptr);

#endif
