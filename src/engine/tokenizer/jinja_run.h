/* The state of one render: arena, limits, scopes, the output. Failure is remembered: work goes
 * on harmlessly and is given up at the next check. */
#ifndef TOKENIZER_JINJA_RUN_H
#define TOKENIZER_JINJA_RUN_H

#include "arena.h"
#include "compiler.h"
#include "err.h"
#include "jinja_ast.h"

typedef struct jbind {
    uint32_t name;
    jv value;
} jbind;

/* Names set inside a loop, macro, call or with; the root keeps its names in an array. */
typedef struct jscope {
    struct jscope *up;
    jbind *v;
    uint32_t n, cap;
    bool kept; /* a macro looks into it: not to be used again */
    jbind first[4];
} jscope;

typedef struct jmacro {
    const jnode *node; /* macro or call block */
    jscope *scope;     /* where it was written */
} jmacro;

typedef struct jkw {
    jstr *name;
    jv value;
} jkw;

typedef struct jargs {
    jv *pos;
    size_t n;
    jkw *kw;
    size_t n_kw;
} jargs;

typedef enum jflow { JF_NEXT, JF_BREAK, JF_CONTINUE } jflow;

typedef struct jrun {
    const cn_template *t;
    cn_arena arena;
    cn_err *err;
    cn_status status;
    uint64_t steps, max_steps;
    unsigned depth, max_depth;
    jscope *scope;
    jscope base; /* .up NULL: names in `root` */
    jv *root;    /* by interned name */
    jv piped;    /* what a filter without subject (filter block) works on */
    jstr empty;  /* stands in where a string could not be made */
    jflow flow;
    uint32_t line;
    int64_t now;
    struct {
        char *text;
        uint8_t *mark;
        size_t n, cap, max;
    } out;
} jrun;

/* The first failure counts; CN_E_FORMAT and limits name the line. */
void j_fail(jrun *r, cn_status st, const char *fmt, ...) CN_PRINTF(3, 4);
void *j_alloc(jrun *r, size_t n, size_t size); /* NULL on failure, already reported */
bool j_charge(jrun *r, size_t work);           /* counts as `work` steps */
bool j_enter(jrun *r);                         /* one level deeper; leave only if true */
static inline void j_leave(jrun *r)
{
    r->depth--;
}

/* The output grows at its end; a piece of it can be taken back as a string: so are all new
 * strings built. */
void j_put(jrun *r, const char *p, size_t n, bool trusted);
void j_put_str(jrun *r, const jstr *s);
void j_put_part(jrun *r, const jstr *s, size_t from, size_t n);
void j_put_as(jrun *r, const jstr *like, size_t at, const char *p, size_t n); /* mark of [at] */
void j_fill(jrun *r, const char *p, size_t n, bool trusted, size_t times);    /* n at most 64 */
void j_put_value(jrun *r, jv v);                                              /* str(v) */
void j_put_repr(jrun *r, jv v);
void j_printf(jrun *r, const char *fmt, ...) CN_PRINTF(2, 3); /* trusted */
jv j_take(jrun *r, size_t start);
void j_put_markup(jrun *r, const jstr *s, bool escape); /* & < > ' " as entities */
jv j_take_markup(jrun *r, size_t start, bool markup);

jv j_eval(jrun *r, const jnode *n);
void j_exec(jrun *r, const jnode *first);
jv j_call(jrun *r, jv callee, const jargs *args);
jv j_call_func(jrun *r, const jfunc *f, jv self, const jargs *args);
jv j_call_macro(jrun *r, jmacro *m, const jargs *args);
bool j_bind(jrun *r, uint32_t name, jv v); /* in the innermost scope */
jv j_lookup(jrun *r, uint32_t name);
bool j_assign(jrun *r, const jnode *target, jv v);

void j_loop(jrun *r, const jnode *n, jv over, int64_t depth);
jv j_loop_attr(jrun *r, struct jloop *l, jstr *name);
jv j_loop_recurse(jrun *r, struct jloop *l, const jargs *args);

jv j_arith(jrun *r, jop op, jv a, jv b);
jv j_negate(jrun *r, jv v);

/* Conversions shared by filters, methods and operators. */
jstr *j_to_str(jrun *r, jv v); /* str(v); never NULL */
jv j_slice_of(jrun *r, jv v, const jslice *s);
jv j_percent(jrun *r, jstr *format, jv args);                 /* "..." % args */
jv j_format(jrun *r, jstr *format, const jargs *args);        /* "...".format() */
jv j_tojson(jrun *r, jv self, const jv *a, const jargs *all); /* the filter */
#define J_FLOAT_COST 64              /* steps: digits of a double are slow */
void j_put_float(jrun *r, double f); /* repr(f) */
jv j_strftime(jrun *r, jstr *format);
jv j_parse_int(jrun *r, const jstr *s, int base); /* J_ABSENT: no number */
bool j_parse_float(const jstr *s, double *f);

void j_sort(jrun *r, jlist *keys, jlist *items, bool reverse); /* stable; NULL: no-op */
int64_t j_arg_int(jrun *r, jv v, int64_t fallback); /* absent and None: the fallback */
bool j_arg_bool(jv v, bool fallback);
bool j_from_json(jrun *r, const char *text, size_t n);

#endif
