/* The models against slow definitions of themselves: merging, Viterbi, longest pieces. */
#include "testing.h"

#include "json.h"
#include "rng.h"
#include "tokenizer_priv.h"

static cn_tokenizer *open_fixture(const char *relative)
{
    char *path = fixture(relative);
    cn_err err = {0};
    cn_tokenizer *t = NULL;
    if (cn_tokenizer_open(&t, path, &err)) fail_msg("%s: %s", err.what, err.why);
    cn_free(path);
    return t;
}

/* Merges by the book: of all neighbours the pair that was listed first, leftmost, one at a
 * time. */
static size_t merge_slowly(const cn_tokenizer *t, int32_t *ids, size_t n)
{
    for (;;) {
        const tok_pair *best = NULL;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++)
            for (size_t k = 0; k <= t->pairs_mask; k++) {
                const tok_pair *p = &t->pairs[k];
                if (p->left != (uint32_t)ids[i] || p->right != (uint32_t)ids[i + 1]) continue;
                if (best && p->rank >= best->rank) continue;
                best = p;
                at = i;
            }
        if (!best) return n;
        ids[at] = (int32_t)best->id;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
}

/* Words around the length where the heap takes over. */
static void merging_is_exact(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/bpe");
    cn_rng r = cn_rng_seeded(11);
    t->pre.n = 0; /* the text is one word */
    t->ignore_merges = false;
    for (int round = 0; round < 300; round++) {
        static const char letters[] = "aaehlinotr sd";
        char text[120];
        int32_t want[120];
        size_t n = 1 + cn_rng_below(&r, sizeof text - 1);
        for (size_t i = 0; i < n; i++) {
            text[i] = letters[cn_rng_below(&r, sizeof letters - 1)];
            want[i] = t->byte_id[(uint8_t)text[i]];
        }
        cn_tokens got = {0};
        assert_int_equal(cn_encode(t, text, n, 0, &got, NULL), CN_OK);
        n = merge_slowly(t, want, n);
        assert_int_equal(got.n, n);
        assert_memory_equal(got.ids, want, n * sizeof *want);
        cn_tokens_free(&got);
    }
    cn_tokenizer_free(t);
}

/* One letter over and over: every model ends, and quickly. */
static void long_runs_end(void **state)
{
    (void)state;
    const char *const names[] = {"tokenizer/bpe", "tokenizer/spm", "tokenizer/spm/vocab.gguf",
                                 "tokenizer/unigram", "tokenizer/wordpiece"};
    static const char letters[] = "a \n<";
    enum { N = 250000 };
    char *text = cn_alloc_array(N, 1);
    for (size_t k = 0; k < CN_ARRAY_LEN(names); k++) {
        cn_tokenizer *t = open_fixture(names[k]);
        for (const char *c = letters; *c; c++) {
            memset(text, *c, N);
            cn_tokens got = {0};
            assert_int_equal(cn_encode(t, text, N, 0, &got, NULL), CN_OK);
            cn_tokens_free(&got);
        }
        cn_tokenizer_free(t);
    }
    cn_free(text);
}

/* The best score over all ways to cut s, by trying them all. */
static double best_score(const cn_tokenizer *t, cn_str s)
{
    if (s.n == 0) return 0;
    double best = -1e30;
    size_t len;
    uc_next(s.p, s.n, &len);
    for (size_t n = 1; n <= s.n; n++) {
        int32_t id = vocab_find(&t->v, (cn_str){s.p, n});
        if (id < 0 && n != len) continue;
        double score = id < 0 ? (double)t->unk_score : (double)t->v.tokens[id].score;
        best = CN_MAX(best, score + best_score(t, cn_str_skip(s, n)));
    }
    return best;
}

static void viterbi_finds_the_best(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/unigram/spiece.model");
    cn_rng r = cn_rng_seeded(5);
    t->norm.n = t->pre.n = 0;
    assert_string_equal(cn_tokenizer_kind(t), "spm-unigram");
    for (int round = 0; round < 2000; round++) {
        static const char *const parts[] = {"th", "e", " ", "l", "é", "ff", "ess", "o", "Q"};
        cn_buf b = {0};
        for (uint64_t k = 1 + cn_rng_below(&r, 8); k > 0; k--) {
            const char *p = parts[cn_rng_below(&r, CN_ARRAY_LEN(parts))];
            cn_buf_append(&b, p, strlen(p));
        }
        cn_tokens got = {0};
        double score = 0;
        size_t covered = 0;
        assert_int_equal(cn_encode(t, b.p, b.n, 0, &got, NULL), CN_OK);
        bool unknown = false; /* runs of those are one token: count them by what is left */
        for (size_t i = 0; i < got.n; i++) {
            unknown |= got.ids[i] == t->unk;
            score += (double)t->v.tokens[got.ids[i]].score;
            covered += t->v.tokens[got.ids[i]].bytes_n;
        }
        if (!unknown) {
            assert_int_equal(covered, b.n);
            assert_true(score >= best_score(t, cn_buf_view(&b)) - 1e-4);
        }
        cn_tokens_free(&got);
        cn_buf_deinit(&b);
    }
    cn_tokenizer_free(t);
}

static void expect(const cn_tokenizer *t, const char *text, unsigned flags, const char *want)
{
    cn_tokens ids = {0};
    cn_buf b = {0};
    assert_int_equal(cn_encode(t, text, strlen(text), flags, &ids, NULL), CN_OK);
    for (size_t i = 0; i < ids.n; i++) {
        if (i) cn_buf_putc(&b, '|');
        cn_buf_str(&b, vocab_piece(&t->v, (size_t)ids.ids[i]));
    }
    cn_buf_append(&b, "", 0);
    if (strcmp(b.p, want)) fail_msg("\"%s\" gives %s, want %s", text, b.p, want);
    cn_buf_deinit(&b);
    cn_tokens_free(&ids);
}

static void unigram_sources_agree(void **state)
{
    (void)state;
    cn_tokenizer *a = open_fixture("tokenizer/unigram/spiece.model"),
                 *b = open_fixture("tokenizer/unigram/tokenizer.json");
    static const char *const texts[] = {
        "the effort", "  Hello   world  ", "être là QQ", "الجهد الذي", "xyz", "", " "};
    for (size_t i = 0; i < CN_ARRAY_LEN(texts); i++) {
        cn_tokens x = {0}, y = {0};
        assert_int_equal(cn_encode(a, texts[i], strlen(texts[i]), 0, &x, NULL), CN_OK);
        assert_int_equal(cn_encode(b, texts[i], strlen(texts[i]), 0, &y, NULL), CN_OK);
        assert_int_equal(x.n, y.n);
        if (x.n) assert_memory_equal(x.ids, y.ids, x.n * sizeof *x.ids);
        cn_tokens_free(&x);
        cn_tokens_free(&y);
    }
    expect(b, "\u732b\u732b", 0, "\u2581|<unk>"); /* two unknown characters are one token */
    cn_tokenizer_free(a);
    cn_tokenizer_free(b);
}

static void wordpiece_words(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/wordpiece");
    assert_string_equal(cn_tokenizer_kind(t), "wordpiece");
    expect(t, "The Effort", CN_ADD_SPECIAL, "[CLS]|the|effort|[SEP]");
    expect(t, "UNwant\u00e9d,running", 0, "un|##want|##ed|,|runn|##ing");
    expect(t, "hello hellox world!", 0, "hello|[UNK]|world|!");
    expect(t, "\u5b66\u4e60", 0, "\u5b66|\u4e60");
    expect(t,
           "th\x01"
           "e\te\u0301",
           0, "the|e");
    expect(t, "[SEP]", 0, "[UNK]|[UNK]|[UNK]");
    expect(t, "[SEP]", CN_PARSE_SPECIAL, "[SEP]");
    char *text;
    size_t n;
    cn_tokens ids = {0};
    const char *s = "hello, wanted world! 123";
    assert_int_equal(cn_encode(t, s, strlen(s), 0, &ids, NULL), CN_OK);
    assert_int_equal(cn_decode(t, ids.ids, ids.n, 0, &text, &n, NULL), CN_OK);
    assert_string_equal(text, s);
    cn_text_free(text);
    cn_tokens_free(&ids);
    cn_tokenizer_free(t);
}

/* A tokenizer.json from text. */
static cn_status parse(const char *json, cn_err *err)
{
    cn_tokenizer *t = tok_new();
    cn_status st = tok_from_json(t, cn_str_of(json), err);
    if (!st) st = tok_finish(t, err);
    cn_tokenizer_free(t);
    return st;
}

#define MODEL(m) "{\"model\":" m "}"
#define BPE "{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"

static void refusals_of_json(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        cn_status want;
    } cases[] = {
        {MODEL(BPE), CN_OK},
        {"{ \"model\" : " BPE " } \n", CN_OK},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"\\u00e9\\ud83d\\ude00\\n\":0},\"merges\":[]}"),
         CN_OK},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"\\ud83d\":0},\"merges\":[]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"\xff\":0},\"merges\":[]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0,},\"merges\":[]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0.5},\"merges\":[]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}"), CN_E_FORMAT},
        {MODEL(BPE) "x", CN_E_FORMAT},
        {"", CN_E_FORMAT},
        {"{}", CN_E_FORMAT},
        {"[1]", CN_E_FORMAT},
        {MODEL("{\"type\":\"WordLevel\",\"vocab\":{\"a\":0}}"), CN_E_UNSUPPORTED},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":4000000000},\"merges\":[]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":0},"
               "\"merges\":[]}"),
         CN_E_UNSUPPORTED},
        {MODEL("{\"type\":\"Unigram\",\"vocab\":[[\"a\",0],[1,2]]}"), CN_E_FORMAT},
        {MODEL("{\"type\":\"Unigram\",\"vocab\":[]}"), CN_E_FORMAT},
        {"{\"normalizer\":{\"type\":\"Nmt\"},\"model\":" BPE "}", CN_E_UNSUPPORTED},
        {"{\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"},\"model\":" BPE "}",
         CN_E_UNSUPPORTED},
        {"{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"},\"behavior\":"
         "\"Isolated\"},\"model\":" BPE "}",
         CN_E_UNSUPPORTED},
        {"{\"decoder\":{\"type\":\"CTC\"},\"model\":" BPE "}", CN_E_UNSUPPORTED},
        {"{\"post_processor\":{\"type\":\"Other\"},\"model\":" BPE "}", CN_E_UNSUPPORTED},
        {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"},"
         "\"model\":" BPE "}",
         CN_E_FORMAT},
        {"{\"added_tokens\":[{\"id\":900000000,\"content\":\"x\"}],\"model\":" BPE "}",
         CN_E_FORMAT},
        {"{\"added_tokens\":[{\"id\":3}],\"model\":" BPE "}", CN_E_FORMAT},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
        cn_err err = {0};
        cn_status st = parse(cases[i].json, &err);
        if (st != cases[i].want)
            fail_msg("%s: %s (%s)", cases[i].json, cn_status_code(st), err.why);
        if (st) assert_true(err.why[0]);
    }
}

static cn_tokenizer *load(const char *json)
{
    cn_tokenizer *t = tok_new();
    cn_err err = {0};
    cn_status st = tok_from_json(t, cn_str_of(json), &err);
    if (!st) st = tok_finish(t, &err);
    if (st) fail_msg("%s", err.why);
    return t;
}

/* Gemma: a Split at blanks after the normaliser has left none. */
static void blanks_that_are_marked(void **state)
{
    (void)state;
    cn_tokenizer *t = load(
        "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":"
        "\"\u2581\"},\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},"
        "\"behavior\":\"MergedWithPrevious\"},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,"
        "\"\u2581\":1,\"b\":2,\"\u2581b\":3,\"a\u2581b\":4},\"merges\":[[\"\u2581\",\"b\"],"
        "[\"a\",\"\u2581b\"]]}}");
    expect(t, "a ba", 0, "a\u2581b|a");
    cn_tokenizer_free(t);
}

/* Metaspace as newer Llama files have it: a space before the text, none after added tokens. */
static void metaspace_first(void **state)
{
    (void)state;
    cn_tokenizer *t = load(
        "{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true}],\"pre_tokenizer\":"
        "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"first\","
        "\"split\":false},\"model\":{\"type\":\"BPE\",\"vocab\":{\"<s>\":0,\"a\":1,"
        "\"\u2581\":2,\"\u2581a\":3},\"merges\":[\"\u2581 a\"]}}");
    expect(t, "a a", 0, "\u2581a|\u2581a");
    expect(t, " a", 0, "\u2581a");
    expect(t, "<s>a", CN_PARSE_SPECIAL, "<s>|a");
    expect(t, "a<s>a", CN_PARSE_SPECIAL, "\u2581a|<s>|a");
    cn_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merging_is_exact),       cmocka_unit_test(long_runs_end),
        cmocka_unit_test(viterbi_finds_the_best), cmocka_unit_test(unigram_sources_agree),
        cmocka_unit_test(wordpiece_words),        cmocka_unit_test(refusals_of_json),
        cmocka_unit_test(blanks_that_are_marked), cmocka_unit_test(metaspace_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
