/* What filters and methods of strings share. Every function keeps the origin of each byte. */
#ifndef TOKENIZER_JINJA_STRING_H
#define TOKENIZER_JINJA_STRING_H

#include "jinja_run.h"

enum { JS_LEFT = 1, JS_RIGHT = 2, JS_BOTH = 3 };
/* chars: None or absent for white space. */
jv js_strip(jrun *r, jstr *s, jv chars, int sides);
jv js_replace(jrun *r, jstr *s, const jstr *from, const jstr *to, int64_t most);

typedef enum jcase {
    JC_UPPER,
    JC_LOWER,
    JC_CAPITALIZE,
    JC_TITLE,
    JC_TITLE_FILTER,
    JC_SWAP
} jcase;
jv js_case(jrun *r, const jstr *s, jcase how);
/* islower, isupper: some cased character, and all of them this way. */
bool js_is_case(jrun *r, const jstr *s, bool upper);

/* Position in bytes, -1: not there. */
ptrdiff_t js_find(jrun *r, const jstr *s, const jstr *needle, size_t from);
ptrdiff_t js_rfind(jrun *r, const jstr *s, const jstr *needle);
jlist *js_lines(jrun *r, const jstr *s, bool keep_ends);
jv js_center(jrun *r, jstr *s, int64_t width, int sides, jstr *fill);
jstr *js_arg(jrun *r, jv v, const char *what); /* a string or failure; never NULL */

#endif
