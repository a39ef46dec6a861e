/* Following the automaton: a set of places, each with its stack of calls. Frames of stacks are
 * shared and kept in one pool that only grows between two marks; nothing is allocated after
 * matcher_init. */
#ifndef GRAMMAR_MATCH_H
#define GRAMMAR_MATCH_H

#include "automaton.h"

enum {
    MATCH_ROOT = 0,    /* the frame below the root rule */
    MATCH_UNKNOWN = 1, /* a frame of which nothing is known: see matcher.leaves */
    MATCH_MAX_SET = 2048,
};

typedef struct place {
    uint32_t state, frame;
    uint32_t keys; /* list of the names of this object so far, as hashes */
    uint64_t reg;  /* turns of the loop, or hash of the name */
} place;

typedef struct frame { /* where to go on after a call; or a name in a list */
    uint32_t ret, parent, keys, depth, dist, chain;
    uint64_t reg;
} frame;

typedef struct pset { /* a stretch of the matcher's places */
    uint32_t from, n;
    bool complete; /* the root rule may end here */
    bool leaves;   /* the unknown frame is returned to */
} pset;

typedef struct matcher {
    const aut *a;
    const uint32_t *dist; /* per state, in the caller's measure */
    frame *frames;
    uint32_t n_frames, cap_frames, *buckets, mask;
    uint32_t *renumber; /* scratch of matcher_keep */
    place *places;
    uint32_t n_places, cap_places;
    uint64_t key_reg; /* hash of the name that the unknown frame is returned to with */
} matcher;

/* The hash of a name with one more byte. */
static inline uint64_t match_hash(uint64_t hash, uint8_t byte)
{
    return hash * 0x9e3779b97f4a7c15u + byte + 1;
}

bool matcher_init(matcher *m, const aut *a, uint32_t cap_frames, uint32_t cap_places);
void matcher_deinit(matcher *m);
/* Back to the start of a text; the set is the only one. */
pset matcher_start(matcher *m);
/* The set after one more byte, put behind all others. */
pset matcher_step(matcher *m, pset s, uint8_t byte);
/* A loop's limits forbid this byte after `reg` turns. */
bool matcher_guarded(const matcher *m, uint32_t state, uint64_t reg, uint8_t byte);
/* Returns from a call to the frame of `p`, as the only place of a new set. */
pset matcher_return(matcher *m, place p);
/* A set of just this place. */
pset matcher_put(matcher *m, place p);
/* What the shortest way to the end of the text costs from here, in units of dist. */
uint32_t matcher_dist(const matcher *m, const place *p);
uint32_t matcher_set_dist(const matcher *m, pset s);

/* How many names the object has in whose name frame `f` stands; on a frame of the list, their
 * depth is their number. */
uint32_t matcher_names(const matcher *m, uint32_t f);

typedef struct match_mark {
    uint32_t frames, places;
} match_mark;
match_mark matcher_mark(const matcher *m);
void matcher_back(matcher *m, match_mark mark);
/* Keeps `s` only: it becomes the first set, and its frames the only ones. */
pset matcher_keep(matcher *m, pset s);

#endif
