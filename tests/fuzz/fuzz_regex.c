/* A regular expression and a text, split at the first NUL: compiled, run, negated. */
#include <stdlib.h>
#include <string.h>

#include "regex.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    const char *cut = memchr(p, 0, size);
    size_t n = cut ? (size_t)(cut - p) : size, rest = cut ? size - n - 1 : 0;
    cn_str text = {cut ? cut + 1 : p, rest};
    cn_grammar_limits limits = {.max_compile_ms = 300};
    gctx c;
    if (size > 1024) return 0;
    gctx_init(&c, &limits, NULL, NULL);
    c.arena.cap = (size_t)64 << 20;
    const cdfa *d = regex_compile(&c, (cn_str){p, n}, ""), *not = cdfa_not(&c, d, "");
    if (d && not &&cn_utf8_valid(text.p, text.n) &&
        cdfa_accepts(d, text) == cdfa_accepts(not, text))
        abort();
    cn_arena_deinit(&c.arena);
    return 0;
}
