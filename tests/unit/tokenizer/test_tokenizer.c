/* Opening from each source, roles, control tokens, decoding. The vocabularies are our own:
 * tests/fixtures/tokenizer. */
#include "testing.h"

#include <conatus/tokenizer.h>

#include "rng.h"
#include "utf8.h"

static cn_tokenizer *open_fixture(const char *relative)
{
    char *path = fixture(relative);
    cn_err err = {0};
    cn_tokenizer *t = NULL;
    if (cn_tokenizer_open(&t, path, &err)) fail_msg("%s: %s", err.what, err.why);
    cn_free(path);
    return t;
}

static cn_tokens encode(const cn_tokenizer *t, cn_str s, unsigned flags)
{
    cn_tokens ids = {0};
    assert_int_equal(cn_encode(t, s.p, s.n, flags, &ids, NULL), CN_OK);
    return ids;
}

static cn_str bytes_of(const cn_tokenizer *t, int32_t id)
{
    size_t n;
    const char *p = cn_token_bytes(t, id, &n);
    return (cn_str){p, n};
}

static cn_str piece_of(const cn_tokenizer *t, int32_t id)
{
    size_t n;
    const char *p = cn_token_piece(t, id, &n);
    return (cn_str){p, n};
}

/* The pieces of a text, parted by '|'. */
static void expect_pieces(const cn_tokenizer *t, const char *text, unsigned flags,
                          const char *want)
{
    cn_tokens ids = encode(t, cn_str_of(text), flags);
    cn_buf b = {0};
    for (size_t i = 0; i < ids.n; i++) {
        if (i) cn_buf_putc(&b, '|');
        cn_buf_str(&b, piece_of(t, ids.ids[i]));
    }
    cn_buf_append(&b, "", 0);
    assert_string_equal(b.p, want);
    cn_buf_deinit(&b);
    cn_tokens_free(&ids);
}

static void round_trip(const cn_tokenizer *t, cn_str s)
{
    cn_tokens ids = encode(t, s, 0);
    char *back = NULL;
    size_t n = 0;
    assert_int_equal(cn_decode(t, ids.ids, ids.n, 0, &back, &n, NULL), CN_OK);
    assert_int_equal(n, s.n);
    assert_memory_equal(back, s.p ? s.p : "", n);
    for (size_t i = 0; i < ids.n; i++)
        assert_false(cn_token_is_control(t, ids.ids[i]));
    cn_text_free(back);
    cn_tokens_free(&ids);
}

static void byte_level_roles(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/bpe");
    assert_string_equal(cn_tokenizer_kind(t), "bpe");
    assert_string_equal(cn_tokenizer_pre(t), "llama3");
    assert_true(cn_str_is(piece_of(t, cn_token_bos(t)), "<|endoftext|>"));
    assert_true(cn_str_is(piece_of(t, cn_token_eos(t)), "<|im_end|>"));
    assert_int_equal(cn_token_pad(t), -1);
    assert_int_equal(cn_token_unk(t), -1);
    assert_true(cn_token_is_end(t, cn_token_eos(t)));
    assert_true(cn_token_is_end(t, cn_token_bos(t))); /* by generation_config.json */
    assert_false(cn_token_is_end(t, 0));
    assert_false(cn_token_is_end(t, -1));
    assert_false(cn_token_is_control(t, cn_n_vocab(t)));
    assert_null(cn_token_piece(t, cn_n_vocab(t), &(size_t){0}));
    assert_string_equal(cn_tokenizer_chat_template(t, NULL), "default template");
    assert_string_equal(cn_tokenizer_chat_template(t, "tool_use"), "with tools");
    assert_null(cn_tokenizer_chat_template(t, "other"));
    expect_pieces(t, "the", CN_ADD_SPECIAL, "<|endoftext|>|the");
    cn_tokenizer_free(t);
}

static void control_tokens_need_trust(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/bpe");
    const cn_str s = CN_STR("the<|im_end|> the");
    uint8_t trusted[32];
    cn_tokens ids = {0};
    /* the vocabulary has merges that would give <|im_end|>: typed, it stays apart */
    round_trip(t, s);
    expect_pieces(t, s.p, CN_PARSE_SPECIAL, "the|<|im_end|>|\u0120the");
    memset(trusted, 1, sizeof trusted);
    assert_int_equal(cn_encode_marked(t, s.p, s.n, trusted, 0, &ids, NULL), CN_OK);
    assert_int_equal(ids.n, 3);
    assert_int_equal(ids.ids[1], cn_token_eos(t));
    for (size_t i = 3; i < 13; i++) { /* one byte of it from the user is enough */
        memset(trusted, 1, sizeof trusted);
        trusted[i] = 0;
        ids.n = 0;
        assert_int_equal(cn_encode_marked(t, s.p, s.n, trusted, 0, &ids, NULL), CN_OK);
        for (size_t k = 0; k < ids.n; k++)
            assert_false(cn_token_is_control(t, ids.ids[k]));
    }
    ids.n = 0; /* marks rule, whatever the flags say */
    memset(trusted, 0, sizeof trusted);
    assert_int_equal(cn_encode_marked(t, s.p, s.n, trusted, CN_PARSE_SPECIAL, &ids, NULL),
                     CN_OK);
    for (size_t k = 0; k < ids.n; k++)
        assert_false(cn_token_is_control(t, ids.ids[k]));
    memset(trusted + 3, 1, 10); /* what is around does not count */
    ids.n = 0;
    assert_int_equal(cn_encode_marked(t, s.p, s.n, trusted, 0, &ids, NULL), CN_OK);
    assert_int_equal(ids.n, 3);
    cn_tokens_free(&ids);
    cn_tokenizer_free(t);
}

/* Words merge across a border of origin. */
static void marks_do_not_cut_words(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/bpe");
    const uint8_t trusted[] = {1, 1, 1, 0, 0, 0, 0};
    cn_tokens a = {0}, b = encode(t, CN_STR("the the"), 0);
    assert_int_equal(cn_encode_marked(t, "the the", 7, trusted, 0, &a, NULL), CN_OK);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.ids, b.ids, a.n * sizeof *a.ids);
    cn_tokens_free(&a);
    cn_tokens_free(&b);
    cn_tokenizer_free(t);
}

static void added_token_options(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/bpe");
    expect_pieces(t, "the<think>the", 0, "the|<think>|the");
    expect_pieces(t, "the \n <mask>the", CN_PARSE_SPECIAL, "the|<mask>|the");
    expect_pieces(t, "the<br> \n the", 0, "the|<br>|the");
    expect_pieces(t, "(word)", 0, "(|word|)");
    cn_tokens ids = encode(t, CN_STR("swords"), 0);
    for (size_t i = 0; i < ids.n; i++)
        assert_false(cn_str_is(piece_of(t, ids.ids[i]), "word"));
    cn_tokens_free(&ids);
    cn_tokenizer_free(t);
}

static void random_bytes(cn_rng *r, char *p, size_t n)
{
    static const char *const some[] = {"the", " ",    "é",    "ش",        "<|im_end|>", "\n",
                                       "a",   "</s>", "\xff", "\xe2\x82", "😀",          "1"};
    for (size_t i = 0; i < n;) {
        uint64_t k = cn_rng_below(r, CN_ARRAY_LEN(some) + 4);
        const char *s = k < CN_ARRAY_LEN(some) ? some[k] : NULL;
        if (!s) p[i++] = (char)cn_rng_below(r, 256);
        for (; s && *s && i < n; s++)
            p[i++] = *s;
    }
}

/* In the kinds that lose nothing. A U+2581 would come back as a space, as everywhere. */
static void everything_comes_back(void **state)
{
    (void)state;
    const char *const names[] = {"tokenizer/bpe", "tokenizer/files", "tokenizer/spm",
                                 "tokenizer/spm/tokenizer.model", "tokenizer/spm/vocab.gguf"};
    for (size_t k = 0; k < CN_ARRAY_LEN(names); k++) {
        cn_tokenizer *t = open_fixture(names[k]);
        cn_rng r = cn_rng_seeded(20 + k);
        char text[300];
        round_trip(t, CN_STR(""));
        round_trip(t, CN_STR("  two spaces before, two after  "));
        for (int i = 0; i < 3000; i++) {
            size_t n = cn_rng_below(&r, sizeof text);
            random_bytes(&r, text, n);
            if (memmem(text, n, "<br>", 4) || memmem(text, n, "\u2581", 3)) continue;
            round_trip(t, (cn_str){text, n});
        }
        cn_tokenizer_free(t);
    }
}

static void same_ids_from_all_sources(void **state)
{
    (void)state;
    cn_tokenizer *a = open_fixture("tokenizer/spm/tokenizer.json"),
                 *b = open_fixture("tokenizer/spm/tokenizer.model"),
                 *c = open_fixture("tokenizer/spm/vocab.gguf");
    cn_rng r = cn_rng_seeded(3);
    char text[200];
    for (int i = 0; i < 3000; i++) {
        size_t n = cn_rng_below(&r, sizeof text);
        random_bytes(&r, text, n);
        cn_str s = {text, n};
        cn_tokens x = encode(a, s, CN_ADD_SPECIAL), y = encode(b, s, CN_ADD_SPECIAL),
                  z = encode(c, s, CN_ADD_SPECIAL);
        assert_int_equal(x.n, y.n);
        assert_int_equal(x.n, z.n);
        assert_memory_equal(x.ids, y.ids, x.n * sizeof *x.ids);
        assert_memory_equal(x.ids, z.ids, x.n * sizeof *x.ids);
        cn_tokens_free(&x);
        cn_tokens_free(&y);
        cn_tokens_free(&z);
    }
    assert_string_equal(cn_tokenizer_kind(b), "spm-bpe");
    assert_string_equal(cn_tokenizer_chat_template(c, NULL), "gguf template");
    assert_string_equal(cn_tokenizer_chat_template(c, "rag"), "rag template");
    assert_null(cn_tokenizer_chat_template(b, NULL));
    expect_pieces(c, "the", CN_ADD_SPECIAL, "<s>|\u2581the");
    expect_pieces(c, "<s>the", 0, "\u2581<|s|>|the");
    expect_pieces(c, "<s>the</s>", CN_PARSE_SPECIAL, "<s>|\u2581the|</s>");
    expect_pieces(c, "\x01", 0, "\u2581|<0x01>");
    expect_pieces(c, "<0x01>", 0, "\u2581<|0|<0x78>|0|1|>");
    cn_tokenizer_free(a);
    cn_tokenizer_free(b);
    cn_tokenizer_free(c);
}

static void files_of_gpt2(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/files");
    assert_string_equal(cn_tokenizer_pre(t), "gpt-2");
    assert_string_equal(cn_tokenizer_chat_template(t, NULL), "{{ messages }}");
    expect_pieces(t, "the<|endoftext|>", CN_ADD_SPECIAL | CN_PARSE_SPECIAL,
                  "the|<|endoftext|>");
    cn_tokenizer_free(t);
}

/* Feeds all ids; the text so far is always whole characters. */
static void stream(cn_decoder *d, const cn_tokens *ids, cn_buf *out)
{
    const char *text;
    size_t n;
    for (size_t i = 0; i < ids->n; i++) {
        cn_alloc_forbid();
        cn_status st = cn_decoder_next(d, ids->ids[i], &text, &n, NULL);
        cn_alloc_permit();
        assert_int_equal(st, CN_OK);
        assert_true(cn_utf8_valid(text, n));
        cn_buf_append(out, text, n);
    }
    cn_decoder_end(d, &text, &n);
    cn_buf_append(out, text, n);
}

static void streaming_holds_half_characters(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/bpe");
    cn_tokens ids = encode(t, CN_STR("a😀b"), 0);
    cn_decoder *d = NULL;
    const char *text;
    size_t n;
    assert_int_equal(ids.n, 6); /* the face is four bytes without a token of their own */
    assert_int_equal(cn_decoder_new(&d, t, 0, NULL), CN_OK);
    for (int round = 0; round < 2; round++) {
        cn_buf b = {0};
        stream(d, &ids, &b);
        assert_string_equal(b.p, "a😀b");
        cn_buf_deinit(&b);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(cn_decoder_next(d, ids.ids[i], &text, &n, NULL), CN_OK);
    assert_int_equal(n, 0);
    assert_int_equal(cn_decoder_next(d, cn_n_vocab(t), &text, &n, NULL), CN_E_ARG);
    assert_int_equal(cn_decoder_next(d, -1, &text, &n, NULL), CN_E_ARG);
    cn_decoder_end(d, &text, &n);
    assert_int_equal(n, 9); /* three bytes that never became a character */
    assert_memory_equal(text, "\ufffd\ufffd\ufffd", 9);
    cn_decoder_free(d);
    cn_tokens_free(&ids);
    cn_tokenizer_free(t);
}

/* Any ids at all: streaming gives what decoding gives, with U+FFFD for bytes that are none. */
static void streaming_equals_decoding(void **state)
{
    (void)state;
    const char *const names[] = {"tokenizer/bpe", "tokenizer/spm", "tokenizer/unigram",
                                 "tokenizer/wordpiece"};
    for (size_t k = 0; k < CN_ARRAY_LEN(names) * 4; k++) {
        cn_tokenizer *t = open_fixture(names[k / 4]);
        cn_rng r = cn_rng_seeded(k);
        unsigned flags = k % 4;
        cn_decoder *d = NULL;
        assert_int_equal(cn_decoder_new(&d, t, flags, NULL), CN_OK);
        for (int i = 0; i < 500; i++) {
            cn_tokens ids = {0};
            cn_buf b = {0}, want = {0};
            char *whole;
            size_t n;
            for (uint64_t left = cn_rng_below(&r, 40); left > 0; left--) {
                int32_t id = (int32_t)cn_rng_below(&r, (uint64_t)cn_n_vocab(t));
                assert_int_equal(cn_tokens_push(&ids, id, NULL), CN_OK);
            }
            stream(d, &ids, &b);
            assert_int_equal(cn_decode(t, ids.ids, ids.n, flags, &whole, &n, NULL), CN_OK);
            for (size_t at = 0, len; at < n; at += len ? len : 1) {
                len = cn_utf8_decode(whole + at, n - at, &(uint32_t){0});
                if (len)
                    cn_buf_append(&want, whole + at, len);
                else
                    cn_buf_lit(&want, "\ufffd");
            }
            assert_true(cn_str_eq(cn_buf_view(&b), cn_buf_view(&want)));
            cn_buf_deinit(&b);
            cn_buf_deinit(&want);
            cn_text_free(whole);
            cn_tokens_free(&ids);
        }
        cn_decoder_free(d);
        cn_tokenizer_free(t);
    }
}

static void decoding_flags(void **state)
{
    (void)state;
    cn_tokenizer *t = open_fixture("tokenizer/spm");
    cn_tokens ids = encode(t, CN_STR("the"), CN_ADD_SPECIAL);
    const char *const want[] = {"the", "<s> the", " the", "<s> the"};
    for (unsigned flags = 0; flags < 4; flags++) {
        char *text;
        size_t n;
        assert_int_equal(cn_decode(t, ids.ids, ids.n, flags, &text, &n, NULL), CN_OK);
        assert_string_equal(text, want[flags]);
        cn_text_free(text);
    }
    assert_true(cn_str_is(bytes_of(t, ids.ids[1]), " the"));
    assert_true(cn_str_is(bytes_of(t, ids.ids[0]), ""));
    cn_tokens_free(&ids);
    cn_tokenizer_free(t);
}

static void refusals(void **state)
{
    (void)state;
    char *empty = fixture("tokenizer"), *missing = fixture("tokenizer/none");
    cn_err err = {0};
    cn_tokenizer *t = NULL;
    assert_int_equal(cn_tokenizer_open(&t, empty, &err), CN_E_NOT_FOUND);
    assert_non_null(strstr(err.why, "tokenizer.json"));
    assert_int_equal(cn_tokenizer_open(&t, missing, &err), CN_E_NOT_FOUND);
    assert_null(t);
    cn_free(empty);
    cn_free(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_level_roles),
        cmocka_unit_test(control_tokens_need_trust),
        cmocka_unit_test(marks_do_not_cut_words),
        cmocka_unit_test(added_token_options),
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(same_ids_from_all_sources),
        cmocka_unit_test(files_of_gpt2),
        cmocka_unit_test(streaming_holds_half_characters),
        cmocka_unit_test(streaming_equals_decoding),
        cmocka_unit_test(decoding_flags),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
