/* Rendering of chat templates: the state is set up, the tree is run, all memory goes at once.
 */
#include <conatus/template.h>

#include "jinja_run.h"
#include "mem.h"

#define DEFAULT_STEPS 10000000u
#define DEFAULT_OUTPUT ((size_t)64 << 20)
#define MOST_OUTPUT ((size_t)16 << 30)
#define DEFAULT_DEPTH 200u
#define MOST_DEPTH 1000u /* what a thread's stack of 8 MiB bears with ease */

static void set_limits(jrun *r, const cn_template_limits *l, size_t input)
{
    r->max_steps = l && l->max_steps ? l->max_steps : DEFAULT_STEPS;
    r->out.max = CN_MIN(l && l->max_output ? l->max_output : DEFAULT_OUTPUT, MOST_OUTPUT);
    r->max_depth = CN_MIN(l && l->max_depth ? l->max_depth : DEFAULT_DEPTH, MOST_DEPTH);
    r->arena.cap = ((size_t)32 << 20) + 2 * r->out.max + 16 * input;
}

static bool start(jrun *r, const char *variables, size_t n)
{
    r->empty = (jstr){.p = "", .trusted = true, .hash = j_hash_bytes("", 0)};
    r->scope = &r->base;
    r->root = j_alloc(r, r->t->n_names, sizeof *r->root);
    if (!r->root) return false;
    memcpy(r->root, r->t->initial, r->t->n_names * sizeof *r->root);
    return j_from_json(r, variables, n);
}

/* The output becomes the caller's, NUL-terminated. */
static void finish(jrun *r, cn_rendered *out)
{
    size_t n = r->out.n;
    r->out.max++; /* the NUL is no output */
    j_put(r, "", 1, true);
    if (r->status) return;
    *out = (cn_rendered){r->out.text, r->out.mark, n};
    r->out.text = NULL;
    r->out.mark = NULL;
}

cn_status cn_template_render(const cn_template *t, const char *variables, size_t n,
                             int64_t now_unix, const cn_template_limits *limits,
                             cn_rendered *out, cn_err *err)
{
    jrun r = {.t = t, .err = err, .now = now_unix};
    *out = (cn_rendered){0};
    set_limits(&r, limits, n);
    if (start(&r, variables, n)) j_exec(&r, t->body);
    finish(&r, out);
    cn_arena_deinit(&r.arena);
    cn_free(r.out.text);
    cn_free(r.out.mark);
    return r.status ? cn_ctx(err, r.status, "rendering the chat template") : CN_OK;
}

void cn_rendered_free(cn_rendered *r)
{
    if (!r) return;
    cn_free(r->text);
    cn_free(r->trusted);
    *r = (cn_rendered){0};
}
