/* What plays beside the normal game. */
#include "rogue.h"
#include "rubric.h"
#include "sim.h"

const co_hooks co_hooks_table = {
    .rogue_turn = rogue_turn,
    .noise = rogue_noise,
    .evaluate = rubric_evaluate,
    .message = rubric_message,
    .talk = rogue_talk,
    .slip = 0.04,
};
