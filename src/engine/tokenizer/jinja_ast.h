/* The syntax tree of a template, built once, constant afterwards. */
#ifndef TOKENIZER_JINJA_AST_H
#define TOKENIZER_JINJA_AST_H

#include <conatus/template.h>

#include "arena.h"
#include "jinja_value.h"

typedef enum jop {
    JO_ADD,
    JO_SUB,
    JO_MUL,
    JO_DIV,
    JO_FLOORDIV,
    JO_MOD,
    JO_POW,
    JO_EQ,
    JO_NE,
    JO_LT,
    JO_LE,
    JO_GT,
    JO_GE,
    JO_IN,
    JO_NOT_IN,
} jop;

typedef enum jarg { JA_POSITIONAL, JA_KEYWORD, JA_STAR, JA_DOUBLE_STAR } jarg;

typedef enum jtype {
    /* expressions */
    JN_CONST,   /* value */
    JN_NAME,    /* name */
    JN_ATTR,    /* a.key */
    JN_ITEM,    /* a[b] */
    JN_SLICE,   /* a:b:c, each may be missing */
    JN_CALL,    /* a(kids) */
    JN_FILTER,  /* a|func(kids), a NULL: of what a block gave */
    JN_TEST,    /* a is func(kids) */
    JN_NOT,     /* a */
    JN_NEG,     /* a */
    JN_POS,     /* a */
    JN_ARITH,   /* a, then kids, each with the operator before it in `role` */
    JN_COMPARE, /* the same */
    JN_AND,     /* kids */
    JN_OR,      /* kids */
    JN_CONCAT,  /* kids */
    JN_COND,    /* a if b else c, c may be missing */
    JN_LIST,    /* kids */
    JN_TUPLE,   /* kids */
    JN_DICT,    /* kids: key, value, key, value */
    JN_NSREF,   /* name.key, only as a target */
    /* statements */
    JN_TEXT,         /* value */
    JN_OUTPUT,       /* a */
    JN_IF,           /* kids: JN_BRANCH */
    JN_BRANCH,       /* a (NULL: else), body */
    JN_FOR,          /* a in b if c, body, kids (else), flag: recursive */
    JN_SET,          /* a = b */
    JN_SET_BLOCK,    /* a = body|b, b may be missing */
    JN_MACRO,        /* name, kids: parameters (JN_NAME, default in a), body */
    JN_CALL_BLOCK,   /* a is the call, kids: parameters, body */
    JN_FILTER_BLOCK, /* a, body */
    JN_WITH,         /* kids: names, value in a; body */
    JN_SCOPE,        /* body (generation) */
    JN_BREAK,
    JN_CONTINUE,
} jtype;

typedef struct jnode {
    uint8_t type; /* jtype */
    uint8_t role; /* as an argument: jarg; as an operand: jop */
    bool flag;
    uint32_t line;
    uint32_t name;
    struct jnode *a, *b, *c, *kids, *body, *next;
    jstr *key;                          /* attribute, or the name of a filter or test */
    jstr *keyword;                      /* of an argument f(keyword=...) */
    const struct jfunc *func;           /* NULL: no such filter or test */
    const struct jfunc *const *methods; /* JN_ATTR: by jmethods; NULL: no kind has one */
    jv value;
} jnode;

/* A built-in: filter, test, method or global. Arguments are bound to at most six names. */
#define JFUNC_ARGS 6
typedef jv jfn(struct jrun *r, jv self, const jv *a, const struct jargs *all);
typedef struct jfunc {
    const char *name;
    jfn *fn;
    int8_t need, most; /* most -1: takes all, reads them from `all` */
    const char *params[JFUNC_ARGS];
} jfunc;

/* The head of a built-in; few use all of it. */
#define J_UNUSED __attribute__((unused))
#define JFUNC(name)                                                                            \
    static jv name(struct jrun *r J_UNUSED, jv self J_UNUSED, const jv *a J_UNUSED,            \
                   const struct jargs *all J_UNUSED)

const jfunc *jfunc_find(const jfunc *table, cn_str name); /* tables end with .name NULL */
extern const jfunc j_filters[], j_list_filters[], j_tests[], j_globals[];
const jfunc *jfilter_find(cn_str name);

/* In the role of a macro: whether its body speaks of them. */
enum { JM_SAYS_VARARGS = 1, JM_SAYS_KWARGS = 2 };

/* Kinds that have methods. */
typedef enum jmethods {
    JM_STR,
    JM_LIST,
    JM_TUPLE,
    JM_DICT,
    JM_CYCLER,
    JM_LOOP,
    JM_KINDS
} jmethods;
extern const jfunc *const j_methods[JM_KINDS];
int jmethods_of(jv v); /* -1: no methods */
extern const jfunc j_str_methods[], j_list_methods[], j_tuple_methods[], j_dict_methods[],
    j_cycler_methods[], j_loop_methods[];

struct cn_template {
    cn_arena arena;
    jnode *body;
    jstr **names; /* interned: variables and parameters */
    jv *initial;  /* what each name stands for before anything is set */
    uint32_t n_names;
    uint32_t caller, varargs, kwargs, loop, messages; /* their ids */
};

typedef struct jsyntax {
    bool trim_blocks, lstrip_blocks;
} jsyntax;

/* cn_template_parse with the white space rules of the caller's choice. */
cn_status jinja_parse(cn_template **out, cn_str source, jsyntax syntax, cn_err *err);

#endif
