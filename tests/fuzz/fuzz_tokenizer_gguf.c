/* The tokenizer of GGUF files; what loads must encode and decode without harm. */
#include <stdint.h>

#include "gguf.h"
#include "tokenizer_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = " Hello a\u0301 ab  12345 <s></s>\xff\n\u4e2d\u2581x";
    gguf *g = NULL;
    cn_tokenizer *t = NULL;
    cn_tokens ids = {0};
    cn_err err;
    char *back = NULL;
    size_t n;
    cn_status st = gguf_parse(&g, data, size, &err);
    if (!st) st = tok_from_gguf(&t, g, &err);
    gguf_close(g); /* the tokenizer keeps nothing of the file */
    if (!st) st = cn_encode(t, text, sizeof text - 1, size & 3, &ids, &err);
    if (!st) st = cn_decode(t, ids.ids, ids.n, size >> 2 & 3, &back, &n, &err);
    cn_text_free(back);
    cn_tokens_free(&ids);
    cn_tokenizer_free(t);
    return 0;
}
