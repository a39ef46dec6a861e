/* Characters and numbers as Python spells them, free of locale. */
#ifndef TOKENIZER_JINJA_TEXT_H
#define TOKENIZER_JINJA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

/* A float literal with optional '_' between digits; false when the text is none. */
bool jtext_float(cn_str s, double *out);
/* printf("%.*<conv>") with '.' as the point; conv is one of e f g E F G. Gives the length. */
size_t jtext_printf_float(char *out, size_t room, double f, int precision, char conv);
/* Python's repr of a float; `out` holds 32. */
size_t jtext_repr_float(char *out, double f);

uint32_t jtext_upper(uint32_t c);
uint32_t jtext_lower(uint32_t c);
bool jtext_printable(uint32_t c);
bool jtext_alpha(uint32_t c);
bool jtext_cased(uint32_t c);
bool jtext_digit(uint32_t c);

#endif
