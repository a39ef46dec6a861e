/* From facts to states. A rule is a set of literals on one value; the same set is compiled
 * once, so that recursive schemas come to an end. */
#ifndef GRAMMAR_COMPILE_H
#define GRAMMAR_COMPILE_H

#include "automaton.h"
#include "expand.h"
#include "order.h"

typedef struct rule {
    lit *lits;
    uint32_t n;
    nodes loose; /* what may apply to the value on any branch: its order */
    uint32_t start;
    struct rule *next; /* in the queue */
} rule;

typedef struct comp {
    schema *s;
    gctx *c;
    aut_builder *b;
    rule **slots, *first, *last;
    uint32_t n_rules, n_slots;
    uint32_t end;                            /* where every rule ends */
    uint32_t text, free_string, literals[3]; /* shared fragments, AUT_NONE until needed */
    struct {
        const cdfa *d;
        uint32_t start;
    } lowered[64]; /* fragments for numbers and strings that may be shared */
} comp;

/* The first state of the rule, which is compiled now or later. */
uint32_t comp_rule(comp *k, const lit *lits, uint32_t n, const nodes *loose);
/* `state` may also read white space before what it reads. */
void comp_space(comp *k, uint32_t state);
void comp_object(comp *k, const rule *r, const nodes *reached, const fact *f, uint32_t from);
void comp_array(comp *k, const rule *r, const nodes *reached, const fact *f, uint32_t from);
bool comp_schema(comp *k, schema *s, aut_builder *b, uint32_t *root);

#endif
