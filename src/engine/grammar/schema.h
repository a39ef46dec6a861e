/* A JSON Schema as a graph of nodes: keywords checked and sorted out, references resolved.
 * `enum` and `const` become nodes that describe their values, so that everything after this
 * knows one kind of thing. */
#ifndef GRAMMAR_SCHEMA_H
#define GRAMMAR_SCHEMA_H

#include "cdfa.h"
#include "json.h"
#include "numbers.h"

enum {
    S_NULL = 1,
    S_TRUE = 2,
    S_FALSE = 4,
    S_INT = 8,
    S_REAL = 16, /* numbers with a fraction */
    S_STRING = 32,
    S_ARRAY = 64,
    S_OBJECT = 128,
    S_ALL = 255
};

typedef struct snode snode;

typedef struct slist {
    snode **at;
    uint32_t n;
} slist;

typedef struct smember { /* a name or pattern and its schema */
    cn_str name;
    const cdfa *pattern; /* for patternProperties */
    snode *node;
} smember;

typedef struct smembers {
    smember *at;
    uint32_t n;
} smembers;

typedef struct sneeds { /* dependentRequired: the names that `name` brings along */
    cn_str name;
    cn_str *needs;
    uint32_t n_needs;
} sneeds;

enum { B_MIN, B_MAX, B_ABOVE, B_BELOW, B_MULTIPLE, N_BOUNDS };

struct snode {
    uint32_t id;
    const char *pointer;
    uint8_t types;
    bool parsed;
    uint8_t colour; /* of the search for endless references */
    bool has_enum, is_object_group, is_array_group;
    slist enums;
    const decimal *number; /* a constant */
    const cn_str *text;    /* a constant */
    const decimal *bound[N_BOUNDS];
    uint32_t min_length, max_length; /* UINT32_MAX: none */
    const cdfa *pattern, *format;
    slist prefix;
    snode *items, *contains;
    uint32_t min_items, max_items, min_contains, max_contains;
    bool unique;
    smembers properties, patterns;
    snode *additional, *names;
    cn_str *required;
    uint32_t n_required, min_properties, max_properties;
    sneeds *needs;
    uint32_t n_needs;
    smembers dependent;
    slist all_of, any_of, one_of;
    snode * not, *ref, *when, *then, *otherwise;
    const cn_json *json, *base; /* where it came from; the resource that #... refers to */
};

typedef struct schema {
    gctx *c;
    const cn_json *root_json;
    snode *root, *always, *never;
    snode **by_id;
    uint32_t n, cap;
    snode **slots; /* by JSON value */
    uint32_t n_slots;
} schema;

enum { SCHEMA_MAX_NODES = 100000 };

/* Everything lives in c->arena; `json` must outlive it. Failures are in c. */
bool schema_read(schema *s, gctx *c, const cn_json *json);
snode *schema_node(schema *s, const cn_json *json, const cn_json *base, const char *pointer);
/* A node of our own. NULL after a failure. */
snode *schema_new(schema *s, const char *pointer);
const char *schema_pointer(schema *s, const char *base, cn_str key);
bool schema_keywords(schema *s, snode *n); /* fills one node from its JSON */
snode *schema_resolve(schema *s, snode *n, cn_str ref, const char *pointer);
/* A node for exactly this value. */
snode *schema_value(schema *s, const cn_json *value, const char *pointer);

#endif
