#include "search.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "mem.h"

enum { MAX_STEPS = 1000000, MAX_DEPTH = 10000, MAX_HEAP_KIB = 65536, MAX_NESTING = 50 };

struct eval_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *match;
};

static cn_status compile(pcre2_code **out, cn_str pattern, cn_err *err)
{
    const uint32_t options =
        PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    int error;
    PCRE2_SIZE at;
    PCRE2_UCHAR why[120];
    pcre2_compile_context *c = pcre2_compile_context_create(NULL);
    if (!c) return cn_fail(err, CN_E_NOMEM, "a regular expression");
    pcre2_set_parens_nest_limit(c, MAX_NESTING);
    *out = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &error, &at, c);
    pcre2_compile_context_free(c);
    if (*out) return CN_OK;
    pcre2_get_error_message(error, why, sizeof why);
    return cn_fail(err, CN_E_FORMAT, "the regular expression %.*s, at byte %zu: %s",
                   CN_STR_ARG(pattern), (size_t)at, (const char *)why);
}

cn_status eval_regex_new(eval_regex **out, cn_str pattern, cn_err *err)
{
    *out = NULL;
    if (pattern.n > EVAL_REGEX_MAX)
        return cn_fail(err, CN_E_LIMIT, "a regular expression of %zu bytes, at most %d",
                       pattern.n, EVAL_REGEX_MAX);
    eval_regex *r = cn_xcalloc(1, sizeof *r);
    cn_status st = compile(&r->code, pattern, err);
    if (!st) {
        r->limits = pcre2_match_context_create(NULL);
        r->match = pcre2_match_data_create(1, NULL);
        if (!r->limits || !r->match) st = cn_fail(err, CN_E_NOMEM, "a regular expression");
    }
    if (st) {
        eval_regex_free(r);
        return st;
    }
    pcre2_set_match_limit(r->limits, MAX_STEPS);
    pcre2_set_depth_limit(r->limits, MAX_DEPTH);
    pcre2_set_heap_limit(r->limits, MAX_HEAP_KIB);
    *out = r;
    return CN_OK;
}

void eval_regex_free(eval_regex *r)
{
    if (!r) return;
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->limits);
    pcre2_code_free(r->code);
    cn_free(r);
}

cn_status eval_regex_find(const eval_regex *r, cn_str text, bool *found, cn_err *err)
{
    int n = pcre2_match(r->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0, 0, r->match,
                        r->limits);
    *found = n >= 0;
    if (n >= 0 || n == PCRE2_ERROR_NOMATCH) return CN_OK;
    return cn_fail(err, CN_E_LIMIT, "the regular expression needs over %d steps (PCRE2 %d)",
                   MAX_STEPS, n);
}
