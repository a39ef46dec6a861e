/* Decimal numbers, and the texts of numbers as automata over characters. Every language here is
 * of canonical texts: no leading zeros, no minus before zero. */
#ifndef GRAMMAR_NUMBERS_H
#define GRAMMAR_NUMBERS_H

#include "cdfa.h"
#include "json.h"

/* A number written out: digits before and after the point, no trailing zeros after it. */
typedef struct decimal {
    bool negative;
    cn_str whole; /* at least one digit */
    cn_str part;  /* may be empty */
} decimal;

/* The shortest text that reads back as this JSON number; whole reals as integers. */
void number_text(cn_buf *out, const cn_json *number);
/* NULL for numbers that would take more than 60 digits. */
const decimal *decimal_of(gctx *c, const cn_json *number);

/* All texts `-?whole(.part)?` of at most `digits` digits; integers are within 64 bits. */
const cdfa *number_plain(gctx *c, uint32_t digits);
const cdfa *number_integers(gctx *c, uint32_t digits);
/* The same as number_plain and texts with an exponent, when nothing but the type is asked. */
const cdfa *number_any(gctx *c, uint32_t digits);
/* Texts whose value compares as `keep` says: bits 1 less, 2 equal, 4 greater. Not limited in
 * digits: intersect it. */
const cdfa *number_compare(gctx *c, const decimal *to, unsigned keep);
const cdfa *number_multiple(gctx *c, const decimal *of, const char *ptr);

#endif
