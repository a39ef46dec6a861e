/* Adapter configurations: the first line is a module's name, the rest the JSON. */
#include <stdint.h>

#include "peft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = size ? memchr(text, '\n', size) : NULL;
    size_t n = end ? (size_t)(end - text) : 0;
    peft_config *c;
    cn_err err;
    if (peft_parse(&c, cn_str_skip((cn_str){text, size}, end ? n + 1 : 0), &err)) {
        CN_BUG_ON(c || !err.why[0]);
        return 0;
    }
    const cn_str modules[] = {{text, n}, CN_STR("model.layers.3.self_attn.q_proj"), CN_STR("")};
    for (size_t i = 0; i < CN_ARRAY_LEN(modules); i++) {
        uint32_t rank = 0;
        float scale;
        CN_BUG_ON(peft_targets(c, modules[i], &rank, &scale) && rank == 0);
    }
    (void)peft_base_name(c);
    peft_free(c);
    return 0;
}
