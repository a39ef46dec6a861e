/* Loading of rule files and expansion: chance picks alternatives, person marks stay for
 * rendering. */
#include "grammar.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "grammar_priv.h"
#include "mem.h"

enum { MAX_FIELDS = 12, MAX_DEPTH = 40 };

static uint64_t hash_of(cn_str s)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return h;
}

const co_rule *co_rule_find(const co_grammar *g, cn_str name)
{
    for (uint64_t h = hash_of(name);; h++) {
        const co_rule *r = g->table[h % CO_TABLE];
        if (!r) return NULL;
        if (cn_str_eq(r->name, name)) return r;
    }
}

static co_rule *rule_open(co_grammar *g, cn_str name)
{
    co_rule *r = (co_rule *)(uintptr_t)co_rule_find(g, name);
    if (r || g->n_rules * 2 > CO_TABLE) return r;
    r = cn_xcalloc(1, sizeof *r);
    r->name = name;
    uint64_t h = hash_of(name);
    while (g->table[h % CO_TABLE])
        h++;
    g->table[h % CO_TABLE] = r;
    g->n_rules++;
    return r;
}

static cn_str trim(cn_str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = cn_str_skip(s, 1);
    while (s.n && strchr(" \t\r", s.p[s.n - 1]))
        s.n--;
    return s;
}

static cn_str until(cn_str s, const char *mark, cn_str *rest)
{
    const char *at = s.n ? memmem(s.p, s.n, mark, strlen(mark)) : NULL;
    cn_str head = {s.p, at ? (size_t)(at - s.p) : s.n};
    *rest = at ? cn_str_skip(s, head.n + strlen(mark)) : (cn_str){s.p + s.n, 0};
    return trim(head);
}

static void read_header(co_grammar *g, cn_str line, co_rule **rule)
{
    cn_str rest, name = until(cn_str_skip(line, 1), "(", &rest);
    *rule = rule_open(g, name);
    if (!*rule || !rest.n) return;
    cn_str fields = until(rest, ")", &rest);
    (*rule)->n_fields = 0;
    while (fields.n && (*rule)->n_fields < MAX_FIELDS)
        (*rule)->fields[(*rule)->n_fields++] = until(fields, ",", &fields);
}

static void read_alternative(co_grammar *g, cn_str line, co_rule *rule)
{
    if (rule->n == rule->room) {
        rule->room = rule->room ? rule->room * 2 : 8;
        co_alt *grown = cn_realloc_array(rule->alts, rule->room, sizeof *grown);
        if (!grown) abort();
        rule->alts = grown;
    }
    co_alt a = {.weight = 1, .id = g->n_alts++};
    if (line.p[0] == '~') {
        a.heldout = true;
        line = trim(cn_str_skip(line, 1));
    }
    if (line.n > 2 && line.p[0] == '*' && line.p[1] >= '1' && line.p[1] <= '9') {
        a.weight = (unsigned)(line.p[1] - '0');
        line = trim(cn_str_skip(line, 2));
    }
    a.text = line;
    rule->alts[rule->n++] = a;
    *(a.heldout ? &rule->held_weight : &rule->weight) += a.weight;
}

static cn_status read_file(co_grammar *g, const char *path, cn_err *err)
{
    cn_buf b = {0};
    cn_status st = cn_file_read(&b, path, 16 << 20, err);
    cn_str text = cn_arena_str(&g->arena, cn_buf_view(&b));
    cn_buf_deinit(&b);
    co_rule *rule = NULL;
    for (unsigned number = 1; !st && text.n; number++) {
        cn_str line = until(text, "\n", &text);
        if (!line.n || line.p[0] == '#') continue;
        if (line.p[0] == '=')
            read_header(g, line, &rule);
        else if (rule)
            read_alternative(g, line, rule);
        if (!rule) st = cn_fail(err, CN_E_FORMAT, "%s:%u: text outside a rule", path, number);
    }
    return st;
}

/* Every {rule} of an alternative must exist: a misspelt name is found at once. */
static cn_status check_references(const co_grammar *g, cn_str text, cn_err *err)
{
    const char *open;
    while (text.n && (open = memchr(text.p, '{', text.n))) {
        cn_str rest, inner = until(cn_str_skip(text, (size_t)(open - text.p) + 1), "}", &rest);
        cn_str form, name = until(inner, ":", &form);
        if (name.n && name.p[0] != '$' && !co_rule_find(g, name))
            return cn_fail(err, CN_E_FORMAT, "no rule {%.*s} for \"%.*s\"", CN_STR_ARG(name),
                           CN_STR_ARG(text));
        text = rest;
    }
    return CN_OK;
}

static cn_status check(const co_grammar *g, cn_err *err)
{
    for (size_t i = 0; i < CO_TABLE; i++) {
        const co_rule *r = g->table[i];
        for (unsigned k = 0; r && k < r->n; k++) {
            cn_status st = check_references(g, r->alts[k].text, err);
            if (st) return cn_ctx(err, st, "rule %.*s", CN_STR_ARG(r->name));
        }
    }
    return CN_OK;
}

static int is_text(const struct dirent *d)
{
    return cn_str_ends(cn_str_of(d->d_name), CN_STR(".txt"));
}

cn_status co_grammar_open(co_grammar **out, const char *dir, cn_err *err)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, is_text, alphasort);
    co_grammar *g = cn_xcalloc(1, sizeof *g);
    cn_status st = n > 0 ? CN_OK : cn_fail(err, CN_E_NOT_FOUND, "no grammar files in %s", dir);
    for (int i = 0; i < n; i++) {
        char *path = cn_path_join(dir, names[i]->d_name);
        if (!st) st = read_file(g, path, err);
        cn_free(path);
        free(names[i]);
    }
    free(names);
    if (!st) st = check(g, err);
    if (st) {
        co_grammar_free(g);
        g = NULL;
    }
    *out = g;
    return st;
}

void co_grammar_free(co_grammar *g)
{
    for (size_t i = 0; g && i < CO_TABLE; i++) {
        if (g->table[i]) cn_free(g->table[i]->alts);
        cn_free(g->table[i]);
    }
    if (g) cn_arena_deinit(&g->arena);
    cn_free(g);
}

/* ---- drawing ---- */

cn_status co_gen_init(co_gen *gen, const co_grammar *g, uint64_t seed, bool heldout,
                      cn_err *err)
{
    *gen = (co_gen){.g = g, .heldout = heldout, .arena = {.cap = 64 << 20}};
    gen->used = cn_alloc_array(g->n_alts, sizeof *gen->used);
    if (!gen->used) return cn_fail(err, CN_E_NOMEM, "%u marks", g->n_alts);
    co_gen_reset(gen, seed);
    return CN_OK;
}

void co_gen_deinit(co_gen *gen)
{
    cn_arena_deinit(&gen->arena);
    cn_free(gen->used);
}

void co_gen_reset(co_gen *gen, uint64_t seed)
{
    gen->rng = cn_rng_seeded(seed);
    gen->n_vars = gen->heldout_used = 0;
    gen->epoch++;
    cn_arena_reset(&gen->arena);
}

bool co_chance(co_gen *gen, double p)
{
    return cn_rng_unit(&gen->rng) < p;
}

unsigned co_below(co_gen *gen, unsigned n)
{
    return (unsigned)cn_rng_below(&gen->rng, n);
}

void co_set(co_gen *gen, const char *var, cn_str raw)
{
    unsigned i = 0;
    while (i < gen->n_vars && strcmp(gen->vars[i].name, var) != 0)
        i++;
    if (i == sizeof gen->vars / sizeof *gen->vars) abort();
    if (i == gen->n_vars) gen->n_vars++;
    snprintf(gen->vars[i].name, sizeof gen->vars[i].name, "%s", var);
    gen->vars[i].raw = raw;
}

static cn_str variable(const co_gen *gen, cn_str name)
{
    for (unsigned i = 0; i < gen->n_vars; i++)
        if (cn_str_is(name, gen->vars[i].name)) return gen->vars[i].raw;
    return (cn_str){0};
}

cn_str co_get(const co_gen *gen, const char *var)
{
    return variable(gen, cn_str_of(var));
}

bool co_has(const co_gen *gen, const char *rule)
{
    return co_rule_find(gen->g, cn_str_of(rule)) != NULL;
}

/* Held-out alternatives get half of the draws where a rule has some. */
static const co_alt *pick_once(co_gen *gen, const co_rule *r)
{
    bool held = r->weight == 0 || (gen->heldout && r->held_weight && co_chance(gen, 0.5));
    unsigned at = co_below(gen, held ? r->held_weight : r->weight);
    for (unsigned i = 0; i < r->n; i++) {
        if (r->alts[i].heldout != held) continue;
        if (at < r->alts[i].weight) return &r->alts[i];
        at -= r->alts[i].weight;
    }
    return &r->alts[0];
}

static const co_alt *pick(co_gen *gen, const co_rule *r)
{
    const co_alt *a = pick_once(gen, r);
    for (int tries = 0; tries < 5 && gen->used[a->id] == gen->epoch; tries++)
        a = pick_once(gen, r);
    gen->used[a->id] = gen->epoch;
    gen->heldout_used += a->heldout;
    return a;
}

static void expand(co_gen *gen, cn_str text, cn_buf *out, int depth);

static const struct {
    const char *name;
    char code;
} forms[] = {{"je", 'j'}, {"tu", 't'}, {"on", 'o'}, {"inf", 'i'}, {"ger", 'g'}, {"fin", 'f'}};

static void expand_reference(co_gen *gen, cn_str inner, cn_buf *out, int depth)
{
    cn_str form, name = until(inner, ":", &form);
    char code = 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (cn_str_is(form, forms[i].name)) code = forms[i].code;
    if (code) {
        cn_buf_putc(out, CO_PUSH);
        cn_buf_putc(out, code);
    }
    if (name.n && name.p[0] == '$') {
        cn_buf_str(out, variable(gen, cn_str_skip(name, 1)));
    } else {
        const co_rule *r = co_rule_find(gen->g, name);
        cn_str rest, chosen = r && r->n ? pick(gen, r)->text : (cn_str){0};
        if (r && r->n_fields) chosen = until(chosen, "||", &rest);
        expand(gen, chosen, out, depth + 1);
    }
    if (code) cn_buf_putc(out, CO_POP);
}

/* The '|' or ')' that ends the choice's first branch, at this nesting. */
static size_t branch_end(cn_str s, char *what)
{
    int level = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '(') level++;
        if ((s.p[i] == '|' || s.p[i] == ')') && level == 0) {
            *what = s.p[i];
            return i;
        }
        if (s.p[i] == ')') level--;
    }
    *what = 0;
    return s.n;
}

/* `s` follows '('; draws one branch and returns what follows ')'. */
static cn_str expand_choice(co_gen *gen, cn_str s, cn_buf *out, int depth)
{
    cn_str branches[24];
    unsigned n = 0;
    char what;
    do {
        size_t end = branch_end(s, &what);
        if (n < 24) branches[n++] = (cn_str){s.p, end};
        s = cn_str_skip(s, end + 1);
    } while (what == '|');
    expand(gen, branches[co_below(gen, n)], out, depth + 1);
    return s;
}

static void expand(co_gen *gen, cn_str text, cn_buf *out, int depth)
{
    if (depth > MAX_DEPTH) return;
    while (text.n) {
        char c = text.p[0];
        if (c == '{') {
            cn_str rest, inner = until(cn_str_skip(text, 1), "}", &rest);
            expand_reference(gen, inner, out, depth);
            text = rest;
        } else if (c == '@' && text.n > 1 && text.p[1] == '(') {
            cn_str rest; /* agreement: left for rendering */
            until(text, ")", &rest);
            cn_buf_append(out, text.p, text.n - rest.n);
            text = rest;
        } else if (c == '(') {
            text = expand_choice(gen, cn_str_skip(text, 1), out, depth);
        } else {
            cn_buf_putc(out, c);
            text = cn_str_skip(text, 1);
        }
    }
}

static cn_str keep(co_gen *gen, cn_buf *b)
{
    cn_str s = b->n ? cn_arena_str(&gen->arena, cn_buf_view(b)) : (cn_str){0};
    cn_buf_deinit(b);
    return s;
}

cn_str co_expand(co_gen *gen, cn_str alternative)
{
    cn_buf b = {0};
    expand(gen, alternative, &b, 0);
    return keep(gen, &b);
}

cn_str co_draw(co_gen *gen, const char *rule)
{
    cn_buf b = {0};
    expand_reference(gen, cn_str_of(rule), &b, 0);
    return keep(gen, &b);
}

void co_bind(co_gen *gen, const char *rule)
{
    const co_rule *r = co_rule_find(gen->g, cn_str_of(rule));
    if (!r || !r->n) return;
    cn_str rest = pick(gen, r)->text;
    for (unsigned i = 0; i < r->n_fields; i++) {
        char name[24];
        cn_str field = until(rest, "||", &rest);
        snprintf(name, sizeof name, "%.*s", CN_STR_ARG(r->fields[i]));
        co_set(gen, name, co_expand(gen, field));
    }
}

cn_str co_say(co_gen *gen, const char *rule, co_person person, cn_buf *out)
{
    cn_str raw = co_draw(gen, rule);
    co_render(gen, raw, person, out);
    return raw;
}
