/* What a set of schemas, some of them negated, says about values of one type: a disjunction of
 * lists of plain facts. Everything that combines schemas (allOf, anyOf, oneOf, not, if, $ref,
 * enum, dependent...) is resolved here. */
#ifndef GRAMMAR_EXPAND_H
#define GRAMMAR_EXPAND_H

#include "schema.h"

typedef struct lit { /* the value satisfies `n`, or with `no` does not */
    snode *n;
    bool no;
} lit;

typedef enum value_type {
    V_NULL,
    V_TRUE,
    V_FALSE,
    V_NUMBER,
    V_STRING,
    V_ARRAY,
    V_OBJECT
} value_type;
enum { N_VALUE_TYPES = 7 };

typedef enum fact_kind {
    F_SEEN,      /* l was looked at */
    F_INT,       /* whole, or with `no` not whole */
    F_BOUND,     /* keyword a of node, or its opposite */
    F_NUMBER,    /* equals node's constant, or not */
    F_TEXT,      /* equals node's constant, or not */
    F_PATTERN,   /* and the opposite */
    F_FORMAT,    /* and the opposite */
    F_MIN_LEN,   /* a */
    F_MAX_LEN,   /* a */
    F_ITEMS,     /* items and prefixItems of node */
    F_ITEM,      /* l holds at index a, if there is one */
    F_MIN_ITEMS, /* a */
    F_MAX_ITEMS, /* a */
    F_COUNT,     /* of the items from index c on, a to b satisfy l */
    F_UNIQUE,    /* of node */
    F_GROUP,     /* properties, patternProperties, additionalProperties of node */
    F_HAS,       /* member `name` is there */
    F_LACKS,     /* it is not */
    F_MEMBER,    /* if it is there its value satisfies l */
    F_NAMES,     /* every name satisfies l */
    F_SOME, /* a member whose name is matched by pattern a of node (a == UINT32_MAX: by none
               of its properties and patterns) has a value that satisfies l */
    F_SOME_NAME, /* some name satisfies l */
    F_MIN_PROPS, /* a */
    F_MAX_PROPS, /* a */
} fact_kind;

typedef struct fact {
    fact_kind kind;
    bool no;
    uint32_t a, b, c;
    snode *node;
    cn_str name;
    lit l;
    const struct fact *next;
} fact;

typedef struct facts {
    const fact **at; /* one list a branch; an empty list is NULL */
    uint32_t n, cap;
} facts;

enum { EXPAND_MAX_BRANCHES = 4000 };

/* All that `lits` allow for values of type `t`; branches that contradict themselves at first
 * sight are left out. False after a failure. */
bool expand_type(schema *s, const lit *lits, uint32_t n, value_type t, facts *out);
/* True when no value can satisfy them, as far as a look of limited depth can tell. */
bool unsatisfiable(schema *s, const lit *lits, uint32_t n, unsigned depth);
/* What branch `f` asks of the value of member `name`. NULL after a failure. */
lit *member_lits(schema *s, const fact *f, cn_str name, uint32_t *n);
lit *item_lits(schema *s, const fact *f, uint32_t index, uint32_t *n);
/* The texts that the string facts of one branch allow; NULL after a failure. */
const cdfa *string_facts(schema *s, const fact *f);
const cdfa *number_facts(schema *s, const fact *f);
/* The union over the branches. */
const cdfa *strings_of(schema *s, const lit *lits, uint32_t n);

#endif
