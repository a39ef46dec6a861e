/* The JSON reader and writer: what was read and written again reads as the same text. */
#include <stdint.h>

#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cn_json *root, *again;
    cn_err err;
    if (cn_json_parse(&root, (cn_str){(const char *)data, size}, &err)) return 0;

    cn_buf one = {0}, two = {0};
    cn_json_write(&one, root);
    CN_BUG_ON(cn_json_parse(&again, cn_buf_view(&one), &err) != CN_OK);
    cn_json_write(&two, again);
    CN_BUG_ON(!cn_str_eq(cn_buf_view(&one), cn_buf_view(&two)));

    cn_buf_deinit(&one);
    cn_buf_deinit(&two);
    cn_json_free(root);
    cn_json_free(again);
    return 0;
}
