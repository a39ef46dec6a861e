/* Patterns of adapter configurations, over PCRE2. */
#include "pattern_priv.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <math.h>
#include <pcre2.h>

#include "buf.h"
#include "mem.h"

#define MAX_NAMES 65536u
#define MAX_RULES 4096u
#define MAX_REGEXES 128u
#define MAX_DEPTH 10000u
#define MAX_HEAP_KB 4096u
#define MAX_NESTING 50u

struct regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *match;
};

static cn_status compile(pcre2_code **out, cn_str pattern, cn_err *err)
{
    const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED;
    int error;
    PCRE2_SIZE at;
    PCRE2_UCHAR why[120];
    pcre2_compile_context *c = pcre2_compile_context_create(NULL);
    if (!c) return cn_fail(err, CN_E_NOMEM, "regular expression");
    pcre2_set_parens_nest_limit(c, MAX_NESTING);
    *out = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &error, &at, c);
    pcre2_compile_context_free(c);
    if (*out) return CN_OK;
    pcre2_get_error_message(error, why, sizeof why);
    return cn_fail(err, CN_E_FORMAT, "regular expression %.*s, at %zu: %s", CN_STR_ARG(pattern),
                   (size_t)at, (const char *)why);
}

cn_status regex_new(regex **out, cn_str pattern, uint32_t max_steps, cn_err *err)
{
    *out = NULL;
    if (pattern.n > PATTERN_MAX_BYTES)
        return cn_fail(err, CN_E_LIMIT, "a regular expression of %zu bytes, at most %u",
                       pattern.n, PATTERN_MAX_BYTES);
    regex *r = cn_xcalloc(1, sizeof *r);
    cn_status st = compile(&r->code, pattern, err);
    if (!st) {
        r->limits = pcre2_match_context_create(NULL);
        r->match = pcre2_match_data_create(2, NULL);
        if (!r->limits || !r->match) st = cn_fail(err, CN_E_NOMEM, "regular expression");
    }
    if (st) {
        regex_free(r);
        return st;
    }
    pcre2_set_match_limit(r->limits, max_steps);
    pcre2_set_depth_limit(r->limits, MAX_DEPTH);
    pcre2_set_heap_limit(r->limits, MAX_HEAP_KB);
    *out = r;
    return CN_OK;
}

void regex_free(regex *r)
{
    if (!r) return;
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->limits);
    pcre2_code_free(r->code);
    cn_free(r);
}

bool regex_match(const regex *r, cn_str s, bool whole, cn_str *group)
{
    int n = pcre2_match(r->code, (PCRE2_SPTR)s.p, s.n, 0, whole ? PCRE2_ENDANCHORED : 0,
                        r->match, r->limits);
    if (n < 0) return false;
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(r->match);
    bool has_group = n != 1 && at[2] != PCRE2_UNSET; /* 0: more groups than room */
    if (group) *group = has_group ? (cn_str){s.p + at[2], at[3] - at[2]} : (cn_str){0};
    return true;
}

cn_status module_set_read(module_set *out, const cn_json *j, const char *key, cn_err *err)
{
    *out = (module_set){0};
    size_t n = cn_json_size(j);
    if (cn_json_is_null(j)) return CN_OK;
    if (cn_json_kind_of(j) == CN_JSON_STRING) {
        cn_status st = regex_new(&out->whole, cn_json_str(j), REGEX_STEPS, err);
        return st ? cn_ctx(err, st, "%s", key) : CN_OK;
    }
    if (cn_json_kind_of(j) != CN_JSON_ARRAY)
        return cn_fail(err, CN_E_FORMAT, "%s is neither a list nor an expression", key);
    if (n > MAX_NAMES)
        return cn_fail(err, CN_E_LIMIT, "%s lists %zu modules, at most %u", key, n, MAX_NAMES);
    out->names = cn_alloc_array(n, sizeof *out->names);
    if (!out->names) return cn_fail(err, CN_E_NOMEM, "%s: %zu modules", key, n);
    for (size_t i = 0; i < n; i++) {
        out->names[i] = cn_json_str(cn_json_at(j, i));
        if (out->names[i].n == 0)
            return cn_fail(err, CN_E_FORMAT, "%s: entry %zu of %zu is no name", key, i + 1, n);
    }
    out->n_names = n;
    return CN_OK;
}

void module_set_deinit(module_set *s)
{
    regex_free(s->whole);
    cn_free(s->names);
    *s = (module_set){0};
}

static bool ends_module(cn_str module, cn_str name)
{
    return cn_str_ends(module, name) &&
           (module.n == name.n || module.p[module.n - name.n - 1] == '.');
}

bool module_set_has(const module_set *s, cn_str module, bool *exact)
{
    bool found = false;
    *exact = false;
    if (s->whole) return regex_match(s->whole, module, true, NULL);
    for (size_t i = 0; i < s->n_names && !*exact; i++)
        if (ends_module(module, s->names[i])) {
            found = true;
            *exact = module.n == s->names[i].n;
        }
    return found;
}

static bool is_plain(cn_str key)
{
    for (size_t i = key.n && key.p[0] == '^'; i < key.n; i++)
        if (!isalnum((unsigned char)key.p[i]) && !strchr("_-.", key.p[i])) return false;
    return true;
}

/* The same answer as the expression "(.*\.)?(key)$" where the key's only operators are the dot
 * and a '^' at its start. */
static bool plain_key_ends(cn_str module, cn_str key)
{
    bool from_start = key.p[0] == '^';
    key = cn_str_skip(key, from_start);
    if (key.n > module.n) return false;
    size_t skip = module.n - key.n;
    if (skip && (from_start || module.p[skip - 1] != '.')) return false;
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] != '.' && key.p[i] != module.p[skip + i]) return false;
    return true;
}

static cn_status read_rule(number_rule *r, cn_json_member m, const char *table,
                           size_t *n_regexes, cn_err *err)
{
    *r = (number_rule){.key = m.key, .value = cn_json_num(m.value, (double)NAN)};
    if (m.key.n == 0 || !isfinite(r->value))
        return cn_fail(err, CN_E_FORMAT, "%s: %.*s has no number", table, CN_STR_ARG(m.key));
    if (is_plain(m.key)) return CN_OK;
    if (++*n_regexes > MAX_REGEXES)
        return cn_fail(err, CN_E_LIMIT, "%s holds over %u regular expressions", table,
                       MAX_REGEXES);
    cn_buf text = {0};
    cn_buf_printf(&text, "(.*\\.)?(%.*s)", (int)CN_MIN(m.key.n, PATTERN_MAX_BYTES), m.key.p);
    cn_status st = regex_new(&r->rule, cn_buf_view(&text), REGEX_STEPS_OF_MANY, err);
    cn_buf_deinit(&text);
    return st ? cn_ctx(err, st, "%s", table) : CN_OK;
}

cn_status number_table_read(number_table *out, const cn_json *j, const char *key, cn_err *err)
{
    size_t n = cn_json_size(j), n_regexes = 0;
    *out = (number_table){0};
    if (cn_json_is_null(j)) return CN_OK;
    if (cn_json_kind_of(j) != CN_JSON_OBJECT)
        return cn_fail(err, CN_E_FORMAT, "%s is no object", key);
    if (n > MAX_RULES)
        return cn_fail(err, CN_E_LIMIT, "%s has %zu entries, at most %u", key, n, MAX_RULES);
    out->rules = cn_alloc_array(n, sizeof *out->rules);
    if (!out->rules) return cn_fail(err, CN_E_NOMEM, "%s: %zu entries", key, n);
    cn_status st = CN_OK;
    for (cn_json_member m = cn_json_first(j); m.value && !st; m = cn_json_next(j, m))
        st = read_rule(&out->rules[out->n++], m, key, &n_regexes, err);
    return st;
}

void number_table_deinit(number_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        regex_free(t->rules[i].rule);
    cn_free(t->rules);
    *t = (number_table){0};
}

double number_table_find(const number_table *t, cn_str module, double fallback)
{
    for (size_t i = 0; i < t->n; i++) {
        const number_rule *r = &t->rules[i];
        if (r->rule ? regex_match(r->rule, module, true, NULL) : plain_key_ends(module, r->key))
            return r->value;
    }
    return fallback;
}
