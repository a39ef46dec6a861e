/* What tokenizers ask of Unicode: categories, lower case, the four normalisation forms. */
#ifndef TOKENIZER_UNICODE_H
#define TOKENIZER_UNICODE_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"
#include "unicode_priv.h"
#include "utf8.h"

enum uc_category {
    UC_LU,
    UC_LL,
    UC_LT,
    UC_LM,
    UC_LO,
    UC_MN,
    UC_MC,
    UC_ME,
    UC_ND,
    UC_NL,
    UC_NO,
    UC_PC,
    UC_PD,
    UC_PS,
    UC_PE,
    UC_PI,
    UC_PF,
    UC_PO,
    UC_SM,
    UC_SC,
    UC_SK,
    UC_SO,
    UC_ZS,
    UC_ZL,
    UC_ZP,
    UC_CC,
    UC_CF,
    UC_CS,
    UC_CO,
    UC_CN,
    UC_CC_SPACE, /* the control characters that are white space: U+0009 to U+000D, U+0085 */
};

enum {
    UC_CATEGORY = 0x1f,
    UC_NFC_MAYBE = 0x20,      /* may change under NFC */
    UC_NORM = 0x40,           /* may change under one of the four forms */
    UC_LOWER = 0x80,          /* has a lower-case form */
    UC_INVALID = 0xffffffffU, /* stands for a byte that is not UTF-8: in no class */
};

static inline unsigned uc_flags(uint32_t c)
{
    return c < 0x110000 ? unicode_block[unicode_index[c / 128]][c % 128] : UC_CN;
}
static inline unsigned uc_category(uint32_t c)
{
    return uc_flags(c) & UC_CATEGORY;
}
#define UC_BIT(category) (1U << (category))
#define UC_RANGE(from, to) ((2U << (to)) - (1U << (from)))
enum {
    UC_LETTERS = UC_RANGE(UC_LU, UC_LO),
    UC_MARKS = UC_RANGE(UC_MN, UC_ME),
    UC_NUMBERS = UC_RANGE(UC_ND, UC_NO),
    UC_PUNCT = UC_RANGE(UC_PC, UC_PO),
    UC_SYMBOLS = UC_RANGE(UC_SM, UC_SO),
    UC_SPACES = (int)(UC_RANGE(UC_ZS, UC_ZP) | UC_BIT(UC_CC_SPACE)),
};
/* Is the category of c one of the set? */
static inline bool uc_in(uint32_t c, unsigned set)
{
    return UC_BIT(uc_category(c)) & set;
}

/* The character at p (n > 0) and its length; a byte that is not UTF-8 is UC_INVALID, length 1.
 */
static inline uint32_t uc_next(const char *p, size_t n, size_t *len)
{
    unsigned char c = (unsigned char)*p;
    if (c < 0x80) {
        *len = 1;
        return c;
    }
    uint32_t rune = 0;
    *len = cn_utf8_decode(p, n, &rune);
    if (*len) return rune;
    *len = 1;
    return UC_INVALID;
}

uint32_t uc_lower(uint32_t c);
/* Appends the lower case of `s`; bytes that are not UTF-8 pass through. */
void uc_lower_text(cn_buf *out, cn_str s);

typedef enum uc_form { UC_NFC, UC_NFD, UC_NFKC, UC_NFKD } uc_form;
/* Appends `s` in that form; bytes that are not UTF-8 pass through. */
void uc_normalize(cn_buf *out, cn_str s, uc_form form);
/* True when `s` surely is in that form already. */
bool uc_is_normalized(cn_str s, uc_form form);

#endif
