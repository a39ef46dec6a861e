/* A grammar and a text, split at the first NUL. */
#include <string.h>

#include <conatus/grammar.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    const char *cut = memchr(p, 0, size);
    size_t n = cut ? (size_t)(cut - p) : size, rest = cut ? size - n - 1 : 0;
    cn_grammar_limits limits = {.max_states = 50000, .max_compile_ms = 300};
    cn_grammar_report report;
    cn_grammar *g = NULL;
    cn_err err;
    if (size > 4096 || cn_grammar_from_gbnf(&g, p, n, &limits, &report, &err)) return 0;
    cn_grammar_accepts(g, cut ? cut + 1 : p, rest);
    cn_grammar_free(g);
    return 0;
}
