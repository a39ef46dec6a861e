/* Texts and marks of trust through small vocabularies of each kind. First byte: the vocabulary
 * and the flags; the rest is text, whose odd bytes also say what is trusted. */
#include <stdint.h>
#include <stdlib.h>

#include "mem.h"
#include "tokenizer_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ADDED                                                                                  \
    "\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true},"                       \
    "{\"id\":1,\"content\":\"<b>\",\"lstrip\":true,\"rstrip\":true},"                          \
    "{\"id\":2,\"content\":\"w\",\"single_word\":true,\"normalized\":true}],"
#define SPACES                                                                                 \
    "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" "                         \
    "\"},\"content\":\"\u2581\"},"

static const char *const vocabularies[] = {
    "{" ADDED "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"<s>\":0,\"<b>\":1,\"w\":2,\"a\":3,\"b\":4,"
    "\"ab\":5,\"\u0120\":6,\"\u0120a\":7,\"<\":8,\"s\":9,\">\":10,\"<s\":11,\"aa\":12,"
    "\"aaaa\":13},\"merges\":[\"a b\",\"\u0120 a\",\"< s\",\"<s >\",\"a a\",\"aa aa\"]}}",
    "{" ADDED SPACES "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"fuse_unk\":true,"
    "\"unk_token\":\"<unk>\",\"vocab\":{\"<s>\":0,\"<b>\":1,\"w\":2,\"<unk>\":3,\"a\":4,"
    "\"b\":5,\"ab\":6,\"\u2581\":7,\"\u2581\u2581\":8,\"\u2581a\":9,\"<0x41>\":10},"
    "\"merges\":[\"a b\",\"\u2581 \u2581\",\"\u2581 a\"]}}",
    "{" ADDED SPACES "\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":[[\"<s>\",0],"
    "[\"<b>\",0],[\"w\",-2],[\"<unk>\",0],[\"a\",-1],[\"ab\",-1.5],[\"\u2581a\",-2],"
    "[\"aaa\",-2.5],[\"\u4e2d\",-3]]}}",
    "{" ADDED "\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":"
    "\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"vocab\":"
    "{\"<s>\":0,\"<b>\":1,\"w\":2,\"u\":3,\"a\":4,\"##a\":5,\"##ab\":6,\"e\":7,\",\":8}}}",
};

static cn_tokenizer *load(const char *json)
{
    cn_tokenizer *t = tok_new();
    cn_err err;
    if (tok_from_json(t, cn_str_of(json), &err) || tok_finish(t, &err)) abort();
    return t;
}

/* Streaming gives as many characters as decoding, and never half of one. */
static void check_stream(const cn_tokenizer *t, const cn_tokens *ids)
{
    cn_decoder *d = NULL;
    const char *text;
    size_t n;
    if (cn_decoder_new(&d, t, 0, NULL)) return;
    for (size_t i = 0; i < ids->n; i++)
        if (cn_decoder_next(d, ids->ids[i], &text, &n, NULL) || !cn_utf8_valid(text, n))
            abort();
    cn_decoder_end(d, &text, &n);
    if (!cn_utf8_valid(text, n)) abort();
    cn_decoder_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cn_tokenizer *loaded[CN_ARRAY_LEN(vocabularies)];
    if (size == 0) return 0;
    size_t k = data[0] % CN_ARRAY_LEN(vocabularies), n = size - 1;
    unsigned flags = data[0] >> 4 & 3;
    bool marked = data[0] >> 6 & 1;
    if (!loaded[k]) loaded[k] = load(vocabularies[k]);
    cn_tokens ids = {0};
    uint8_t *trusted = cn_xmalloc(n);
    for (size_t i = 0; i < n; i++)
        trusted[i] = data[1 + i] & 1;
    if (cn_encode_marked(loaded[k], (const char *)data + 1, n, marked ? trusted : NULL, flags,
                         &ids, NULL) == CN_OK) {
        for (size_t i = 0; i < ids.n && !marked && !(flags & CN_PARSE_SPECIAL); i++)
            if (cn_token_is_control(loaded[k], ids.ids[i]) && ids.ids[i] != loaded[k]->unk)
                abort();
        check_stream(loaded[k], &ids);
    }
    cn_free(trusted);
    cn_tokens_free(&ids);
    return 0;
}
