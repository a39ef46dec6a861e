/* A chat template and its variables, both hostile: the input is TEMPLATE NUL JSON. Whatever it
 * is, rendering ends under small limits, and the same input renders the same. */
#include <conatus/template.h>

#include <stdint.h>

#include "compiler.h"
#include "str.h"

static const char usual[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"h\xc3\xa9 "
                            "<b>\"}, {\"role\": \"tool\", "
                            "\"content\": [1, 2.5, null, true, {\"a\": \"b\"}]}], \"x\": \"a "
                            "b\", \"bos_token\": \"<s>\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const cn_template_limits limits = {50000, 1 << 18, 100};
    const char *text = (const char *)data;
    size_t n = size ? strnlen(text, size) : 0;
    cn_str vars = n + 1 < size ? (cn_str){text + n + 1, size - n - 1} : CN_STR(usual);
    cn_template *t = NULL;
    cn_rendered one, two;
    cn_err err = {0};
    if (cn_template_parse(&t, text, n, &err)) return 0;

    cn_status first = cn_template_render(t, vars.p, vars.n, 0, &limits, &one, &err);
    cn_status second = cn_template_render(t, vars.p, vars.n, 0, &limits, &two, &err);
    CN_BUG_ON(first != second || one.n != two.n || one.n > limits.max_output);
    CN_BUG_ON(first && (one.text || one.trusted));
    CN_BUG_ON(one.n && memcmp(one.text, two.text, one.n) != 0);
    CN_BUG_ON(one.n && memcmp(one.trusted, two.trusted, one.n) != 0);
    for (size_t i = 0; i < one.n; i++)
        CN_BUG_ON(one.trusted[i] > 1);

    cn_rendered_free(&one);
    cn_rendered_free(&two);
    cn_template_free(t);
    return 0;
}
