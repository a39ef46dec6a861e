/* A vocabulary for these tests: every byte, pieces of JSON that cross the borders of values,
 * words, and an end. */
#ifndef TEST_GRAMMAR_VOCABULARY_H
#define TEST_GRAMMAR_VOCABULARY_H

#include <string.h>

#include "vocab_trie.h"

enum { TEST_PIECES = 64, TEST_VOCAB = 256 + TEST_PIECES + 1, TEST_END = TEST_VOCAB - 1 };

static inline cn_str test_token(int32_t id)
{
    static const char *const pieces[TEST_PIECES] = {
        "{\"",  "\":",   "\":\"", "\",\"", "\"}",      "\"}}",         "},{\"", "\"],\"",
        "[{\"", "]}",    "}]",    "\"]",   "[\"",      ",\"",          "true",  "false",
        "null", "true}", "12",    "00",    "1,",       "3}",           ".5",    "-1",
        "e1",   "name",  "type",  "id",    "the ",     " of",          "ing",   "a",
        "aa",   "aaa",   "foo",   "bar",   "\"foo\"",  "\"bar",        "ab",    "2024",
        "-01",  "T12:",  ":00",   "Z\"",   "@ex",      ".com",         "http:", "//",
        "\\n",  "\\\"",  "\\u00", "\xc3",  "\xc3\xa9", "\xf0\x9f\x90", "\xb2",  "xyz",
        "0",    "[]",    "{}",    "],[",   "[[",       "]]",           "\"\"",  "\":[{\"",
    };
    static char bytes[256];
    if (id < 256) {
        bytes[id] = (char)id;
        return (cn_str){&bytes[id], 1};
    }
    return id < TEST_END ? cn_str_of(pieces[id - 256]) : (cn_str){"", 0};
}

static inline cn_vocab_trie *test_vocabulary(void)
{
    cn_str text[TEST_VOCAB];
    int32_t end = TEST_END;
    cn_vocab_trie *v = NULL;
    for (int32_t i = 0; i < TEST_VOCAB; i++)
        text[i] = test_token(i);
    if (vocab_trie_new(&v, text, TEST_VOCAB, &end, 1, NULL)) return NULL;
    return v;
}

static inline bool mask_has(const uint32_t *mask, int32_t id)
{
    return mask[id >> 5] >> (id & 31) & 1;
}

#endif
