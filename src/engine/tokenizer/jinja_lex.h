/* Tokens of a template: text outside of tags, and what is inside them. */
#ifndef TOKENIZER_JINJA_LEX_H
#define TOKENIZER_JINJA_LEX_H

#include "err.h"
#include "jinja_ast.h"
#include "str.h"

typedef enum jtok_kind {
    JT_EOF,
    JT_DATA,
    JT_VAR_BEGIN,
    JT_VAR_END,
    JT_BLOCK_BEGIN,
    JT_BLOCK_END,
    JT_NAME,
    JT_STRING, /* text is what stands between the quotes, escapes and all */
    JT_INT,
    JT_FLOAT,
    JT_POW,
    JT_FLOORDIV,
    JT_EQ,
    JT_NE,
    JT_GE,
    JT_LE,
    JT_ADD,
    JT_SUB,
    JT_MUL,
    JT_DIV,
    JT_MOD,
    JT_TILDE,
    JT_LBRACKET,
    JT_RBRACKET,
    JT_LPAREN,
    JT_RPAREN,
    JT_LBRACE,
    JT_RBRACE,
    JT_GT,
    JT_LT,
    JT_ASSIGN,
    JT_DOT,
    JT_COLON,
    JT_PIPE,
    JT_COMMA,
    JT_SEMICOLON,
} jtok_kind;

typedef struct jtok {
    jtok_kind kind;
    uint32_t line;
    cn_str text;
    int64_t i;
    double f;
} jtok;

#define JLEX_MAX_BRACES 256

typedef struct jlex {
    const char *p, *end, *begin;
    jsyntax syntax;
    uint32_t line;
    jtok_kind inside; /* JT_EOF outside of tags, else the kind that began the tag */
    jtok_kind pending;
    bool line_start; /* the last tag ended a line */
    char braces[JLEX_MAX_BRACES];
    unsigned n_braces;
    cn_err *err;
    cn_status status;
} jlex;

/* `source` has \n as its only line ends. */
void jlex_init(jlex *l, cn_str source, jsyntax syntax, cn_err *err);
/* JT_EOF at the end and after the first failure. */
jtok jlex_next(jlex *l);

/* Length of the white space character at p (as Python's str.isspace), 0 if there is none. */
size_t jspace(const char *p, size_t n);
/* Bytes of white space at the end of p. */
size_t jspace_tail(const char *p, size_t n);

#endif
