/* The two sides of the optimiser: the update of a range of values, and moments in 8 bits. */
#ifndef TRAIN_ADAMW_PRIV_H
#define TRAIN_ADAMW_PRIV_H

#include "adamw.h"

/* ---- moments in 8 bits: a code of magnitudes in (0, 1] times the block's largest ---- */

#define STATE8_BLOCK 256
#define STATE8_DECADES 8

/* Within a decade, up to `top`, codes lie on a line. */
typedef struct state8_lines {
    float top[STATE8_DECADES], slope[STATE8_DECADES], start[STATE8_DECADES];
} state8_lines;

/* For m: sign and 7 bits; for v: 8 bits. */
typedef struct state8_code {
    float value[256];
    state8_lines lines;
} state8_code;

void state8_code_init(state8_code *c, bool is_signed);
/* `n` values of a block, at most STATE8_BLOCK. */
void state8_decode(float *restrict x, const uint8_t *restrict q, float scale, size_t n,
                   const state8_code *c);
/* Rounds to the nearest code and returns the scale. Signed `x`. */
float state8_encode_m(uint8_t *restrict q, const float *restrict x, size_t n,
                      const state8_code *c);
/* `x` >= 0. What is above 0 stays above 0, as the update divides by its root. */
float state8_encode_v(uint8_t *restrict q, const float *restrict x, size_t n,
                      const state8_code *c);

#endif
