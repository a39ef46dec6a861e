/* The generic pre-tokenizer: regular expressions of tokenizer.json through PCRE2. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "mem.h"
#include "pretok.h"

enum { MAX_PATTERN = 16384, MATCH_LIMIT = 10 * 1000 * 1000, HEAP_LIMIT_KIB = 512 * 1024 };

typedef struct pre_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
} pre_regex;

void pre_regex_free(void *regex)
{
    pre_regex *r = regex;
    if (!r) return;
    pcre2_match_context_free(r->limits);
    pcre2_code_free(r->code);
    cn_free(r);
}

cn_status pre_regex_compile(void **out, cn_str pattern, cn_err *err)
{
    *out = NULL;
    if (pattern.n > MAX_PATTERN)
        return cn_fail(err, CN_E_LIMIT, "pre-tokenizer expression of %zu bytes, at most %d",
                       pattern.n, MAX_PATTERN);
    int code = 0;
    PCRE2_SIZE at = 0;
    /* MULTILINE: in the reference's engine ^ and $ always mean lines */
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_MATCH_INVALID_UTF |
                       PCRE2_NEVER_BACKSLASH_C;
    pre_regex *r = cn_xcalloc(1, sizeof *r);
    r->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &code, &at, NULL);
    r->limits = pcre2_match_context_create(NULL);
    if (!r->code || !r->limits) {
        char why[120] = "no memory";
        if (!r->code) pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        pre_regex_free(r);
        return cn_fail(err, CN_E_UNSUPPORTED,
                       "pre-tokenizer expression \"%.*s\", at byte %zu: %s",
                       CN_STR_ARG(pattern), (size_t)at, why);
    }
    pcre2_set_match_limit(r->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(r->limits, HEAP_LIMIT_KIB);
    (void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* slower without, not wrong */
    *out = r;
    return CN_OK;
}

cn_status pre_regex_find(void *regex, cn_str text, size_t at, size_t *start, size_t *end,
                         bool *found, cn_err *err)
{
    const pre_regex *r = regex;
    pcre2_match_data *m = pcre2_match_data_create(1, NULL);
    if (!m) return cn_fail(err, CN_E_NOMEM, "pre-tokenizer");
    uint32_t options = PCRE2_NOTEMPTY;
    int rc = pcre2_match(r->code, (PCRE2_SPTR)text.p, text.n, at, options, m, r->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(r->code, (PCRE2_SPTR)text.p, text.n, at, options | PCRE2_NO_JIT, m,
                         r->limits);
    *found = rc >= 0;
    if (*found) {
        *start = pcre2_get_ovector_pointer(m)[0];
        *end = pcre2_get_ovector_pointer(m)[1];
    }
    pcre2_match_data_free(m);
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH) return CN_OK;
    return cn_fail(err, CN_E_LIMIT, "pre-tokenizer expression: PCRE2 error %d after byte %zu",
                   rc, at);
}
