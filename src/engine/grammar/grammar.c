/* Compiling: schemas to automata; what is kept of them. */
#include <stdio.h>
#include <string.h>

#include "compact.h"
#include "constraint.h"
#include "gbnf.h"
#include "mem.h"

enum { MAX_SOURCE = 16 << 20 };

void cn_grammar_free(cn_grammar *g)
{
    if (!g) return;
    aut_free(&g->a);
    mask_shelf_free(g->shelf);
    cn_arena_deinit(&g->ctx.arena);
    cn_json_free(g->json);
    cn_free(g);
}

typedef bool build_fn(cn_grammar *g, aut_builder *b, uint32_t *root);

static bool build_schema(cn_grammar *g, aut_builder *b, uint32_t *root)
{
    comp k;
    g->schema = gctx_alloc(&g->ctx, 1, sizeof *g->schema);
    return g->schema && schema_read(g->schema, &g->ctx, g->json) &&
           comp_schema(&k, g->schema, b, root);
}

/* Builds with what `fn` fills in; failures after it concern the grammar as a whole. */
static cn_status compile(cn_grammar *g, build_fn *fn)
{
    gctx *c = &g->ctx;
    uint32_t root = 0;
    aut_builder *b = aut_builder_new(c->limits.max_states);
    cn_err why = {0};
    fn(g, b, &root);
    if (!c->status) {
        cn_status st = aut_finish(&g->a, b, root, c->limits.max_depth, &why);
        if (st == CN_E_REFUSED)
            gctx_fail(c, CN_E_UNSUPPORTED, "", "nothing can satisfy this");
        else if (st)
            gctx_fail(c, st, "", "%s", why.why);
    }
    aut_builder_free(b);
    return c->status;
}

static cn_status done(cn_grammar **out, cn_grammar *g, cn_status st, const char *what)
{
    cn_err *err = g->ctx.err;
    g->ctx.report = NULL; /* the caller's, no longer ours */
    g->ctx.err = NULL;
    g->shelf = mask_shelf_new();
    *out = st ? NULL : g;
    if (st) cn_grammar_free(g);
    return st ? cn_ctx(err, st, "compiling %s", what) : CN_OK;
}

cn_status cn_grammar_from_schema(cn_grammar **out, const char *text, size_t n,
                                 const cn_grammar_limits *limits, cn_grammar_report *report,
                                 cn_err *err)
{
    cn_grammar *g = cn_xcalloc(1, sizeof *g);
    cn_err why = {0};
    cn_status st = CN_OK;
    gctx_init(&g->ctx, limits, report, err);
    if (n > MAX_SOURCE)
        gctx_fail(&g->ctx, st = CN_E_LIMIT, "", "schema of %zu bytes, at most %d", n,
                  MAX_SOURCE);
    else if ((st = cn_json_parse(&g->json, (cn_str){text, n}, &why)) != CN_OK)
        gctx_fail(&g->ctx, st, "", "%s", why.why);
    if (!st) st = compile(g, build_schema);
    return done(out, g, st, "a JSON Schema");
}

static bool build_gbnf(cn_grammar *g, aut_builder *b, uint32_t *root)
{
    return gbnf_build(&g->ctx, b, g->source, root);
}

cn_status cn_grammar_from_gbnf(cn_grammar **out, const char *text, size_t n,
                               const cn_grammar_limits *limits, cn_grammar_report *report,
                               cn_err *err)
{
    cn_grammar *g = cn_xcalloc(1, sizeof *g);
    cn_status st = CN_OK;
    gctx_init(&g->ctx, limits, report, err);
    g->source = (cn_str){text, n};
    if (n > MAX_SOURCE)
        gctx_fail(&g->ctx, st = CN_E_LIMIT, "", "grammar of %zu bytes, at most %d", n,
                  MAX_SOURCE);
    if (!st) st = compile(g, build_gbnf);
    g->source = (cn_str){0};
    return done(out, g, st, "a grammar");
}

cn_status grammar_compact_in_order(cn_buf *out, const cn_grammar *g, const cn_json *value,
                                   cn_err *err)
{
    if (!g->schema) return cn_fail(err, CN_E_ARG, "this grammar is not of a schema");
    schema s = *g->schema;
    gctx c;
    gctx_init(&c, NULL, NULL, err);
    s.c = &c;
    nodes root = {&s.root, 1};
    bool ok = order_write(out, &s, &root, value) && !out->failed;
    cn_status st = c.status ? c.status : CN_E_LIMIT;
    cn_arena_deinit(&c.arena);
    return ok ? CN_OK : cn_fail(err, st, "writing a value of %zu bytes", out->n);
}
