/* Contract JSON: a JSON Schema or a GBNF grammar becomes an automaton over bytes that says
 * which tokens may come next. What cannot be enforced is refused with the JSON pointer of the
 * keyword. */
#ifndef CONATUS_GRAMMAR_H
#define CONATUS_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <conatus/status.h>
#include <conatus/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Compiled; threads share it. Masks that took long to work out are kept in it for all its
 * generations: at most 8 MB for each of four vocabularies, further ones are not kept. */
typedef struct cn_grammar cn_grammar;
/* A vocabulary prepared for masks; constant, shared. */
typedef struct cn_vocab_trie cn_vocab_trie;
typedef struct cn_constraint cn_constraint; /* the state of one generation */

typedef struct cn_grammar_limits {
    uint32_t max_states;     /* 0: 1,000,000 */
    uint32_t max_depth;      /* of schema and of recursion while matching; 0: 64 */
    uint32_t max_compile_ms; /* 0: 2,000 */
    uint32_t max_whitespace; /* bytes of white space between two JSON tokens; 0: none at all */
    uint32_t max_digits;     /* digits of one number; 0: 20. Integers also fit 64 bits */
} cn_grammar_limits;

/** What was refused, and where. */
typedef struct cn_grammar_report {
    char pointer[256]; /* JSON pointer of the keyword, "" for the document; GBNF: "line:column"
                        */
    char reason[256];
} cn_grammar_report;

/** Schemas for "any JSON object" and "any JSON value". */
#define CN_SCHEMA_OBJECT "{\"type\":\"object\"}"
#define CN_SCHEMA_ANY "true"

/** Compiles a JSON Schema (draft 2020-12 subset; docs/schema.md lists the keywords and limits).
 *  errors  CN_E_UNSUPPORTED with *report; CN_E_FORMAT no JSON or no schema; CN_E_LIMIT;
 * CN_E_NOMEM */
CN_MUST_USE CN_API cn_status cn_grammar_from_schema(cn_grammar **out, const char *schema,
                                                    size_t n, const cn_grammar_limits *limits,
                                                    cn_grammar_report *report, cn_err *err);
/** Compiles a GBNF grammar; its start rule is `root`. Errors as above. */
CN_MUST_USE CN_API cn_status cn_grammar_from_gbnf(cn_grammar **out, const char *gbnf, size_t n,
                                                  const cn_grammar_limits *limits,
                                                  cn_grammar_report *report, cn_err *err);
CN_API void cn_grammar_free(cn_grammar *g);

/** Does the automaton accept exactly this text? */
CN_API bool cn_grammar_accepts(const cn_grammar *g, const char *text, size_t n);

/** The independent validator: is `text` JSON that the schema allows? Shares no code with the
 * automaton. CN_OK when valid; CN_E_REFUSED with the pointer into the document and the keyword
 * in err->why. */
CN_MUST_USE CN_API cn_status cn_schema_validate(const char *schema, size_t schema_n,
                                                const char *text, size_t n, cn_err *err);

/** A vocabulary as a trie of its tokens' bytes; `t` must outlive it. CN_E_NOMEM. */
CN_MUST_USE CN_API cn_status cn_vocab_trie_new(cn_vocab_trie **out, const cn_tokenizer *t,
                                               cn_err *err);
CN_API void cn_vocab_trie_free(cn_vocab_trie *v);

/** Starts a generation under `g`; both must outlive it. All memory is taken here.
 *
 * errors  CN_E_NOMEM
 * thread  a generation is one thread's; many may run under the same `g` and `v` at once */
CN_MUST_USE CN_API cn_status cn_constraint_new(cn_constraint **out, const cn_grammar *g,
                                               const cn_vocab_trie *v, cn_err *err);
CN_API void cn_constraint_free(cn_constraint *c);

/** Bit i of mask[i/32] says whether token i may come next; (n_vocab+31)/32 words. End tokens
 * are set exactly when the text is complete. `tokens_left`: how many tokens may still be
 * generated, this one included; only tokens from which the document can still be closed in time
 * are set (SIZE_MAX: no limit). When even that is impossible the shortest way to the end is
 * taken. Allocates nothing. */
CN_API void cn_constraint_mask(cn_constraint *c, size_t tokens_left, uint32_t *mask);
/** Takes the chosen token. CN_E_ARG when the mask would not have allowed it. */
CN_MUST_USE CN_API cn_status cn_constraint_accept(cn_constraint *c, int32_t id, cn_err *err);
/** The text so far is complete (it may still be allowed to grow). */
CN_API bool cn_constraint_complete(const cn_constraint *c);
/** Nothing but the end can follow. */
CN_API bool cn_constraint_finished(const cn_constraint *c);

#ifdef __cplusplus
}
#endif
#endif
