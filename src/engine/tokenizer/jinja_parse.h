/* The parser's state, shared by its two halves: expressions and statements. */
#ifndef TOKENIZER_JINJA_PARSE_H
#define TOKENIZER_JINJA_PARSE_H

#include "jinja_lex.h"

#define JPARSE_MAX_DEPTH 200 /* brackets and blocks inside one another */

typedef struct jparse {
    jlex lex;
    jtok cur, ahead;
    bool has_ahead;
    cn_template *t;
    cn_err *err;
    cn_status status;
    unsigned depth, loops; /* loops: whether break and continue mean something */
    uint8_t says;          /* JM_SAYS_... of the macro at hand */
    size_t n_slots;
    uint32_t *slots; /* names by hash: id + 1 */
    jnode dummy;     /* what is filled in once memory has run out */
} jparse;

/* Appends to a list of nodes joined by `next`. */
typedef struct jchain {
    jnode *first, **end;
} jchain;

/* Remembers the first failure; from then on the current token is JT_EOF. */
void jp_fail(jparse *p, cn_status st, const char *fmt, ...) CN_PRINTF(3, 4);
void jp_unexpected(jparse *p, const char *wanted);
void jp_next(jparse *p);
const jtok *jp_look(jparse *p);
bool jp_accept(jparse *p, jtok_kind kind);
void jp_expect(jparse *p, jtok_kind kind, const char *what);
bool jp_is_name(const jtok *t, const char *word);
bool jp_at_name(const jparse *p, const char *word);
bool jp_accept_name(jparse *p, const char *word);
cn_str jp_name(jparse *p); /* any name; empty on failure */
bool jp_enter(jparse *p);

jnode *jp_node(jparse *p, jtype type); /* never NULL */
jstr *jp_str(jparse *p, cn_str s);     /* a copy, trusted; never changes */
uint32_t jp_intern(jparse *p, cn_str name);
void jp_add(jchain *c, jnode *n);

jnode *jp_expr(jparse *p);
/* One expression, or several with commas: a tuple. `ends` (may be NULL) ends it too. */
jnode *jp_tuple(jparse *p, bool with_cond, bool in_parens, const char *ends);
jnode *jp_target(jparse *p, bool of_set);     /* else of a loop: ends at `in`, no attributes */
jnode *jp_filters(jparse *p, jnode *subject); /* (|name(args))* */
jnode *jp_filter(jparse *p, jnode *subject);  /* name(args) */
jnode *jp_body(jparse *p, const char *const *ends);

#endif
