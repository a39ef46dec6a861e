/* The SentencePiece reader on messages built by hand and on a published vocabulary. */
#include "cases.h"

#include "gguf.h"
#include "sentencepiece.h"

static void put_varint(cn_buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        cn_buf_putc(b, (char)(v | 0x80));
    cn_buf_putc(b, (char)v);
}

static void put_number(cn_buf *b, unsigned id, uint64_t v)
{
    put_varint(b, id << 3);
    put_varint(b, v);
}

static void put_bytes(cn_buf *b, unsigned id, cn_str s)
{
    put_varint(b, id << 3 | 2);
    put_varint(b, s.n);
    cn_buf_str(b, s);
}

static void put_message(cn_buf *b, unsigned id, cn_buf *message)
{
    put_bytes(b, id, cn_buf_view(message));
    cn_buf_deinit(message);
}

static void put_piece(cn_buf *b, const char *text, float score, unsigned kind)
{
    cn_buf p = {0};
    put_bytes(&p, 1, cn_str_of(text));
    put_varint(&p, 2 << 3 | 5);
    cn_buf_append(&p, &score, sizeof score);
    if (kind != SPM_NORMAL) put_number(&p, 3, kind);
    put_message(b, 1, &p);
}

static cn_buf small_model(void)
{
    cn_buf b = {0}, trainer = {0}, normalizer = {0};
    put_piece(&b, "<unk>", 0, SPM_UNKNOWN);
    put_piece(&b, "<s>", 0, SPM_CONTROL);
    put_piece(&b, "</s>", 0, SPM_CONTROL);
    put_piece(&b, "<0x0A>", 0, SPM_BYTE);
    put_piece(&b, "\xe2\x96\x81the", -1.5f, SPM_NORMAL);
    put_number(&trainer, 3, 2);
    put_number(&trainer, 35, 1);
    put_number(&trainer, 99, 5); /* a field that nobody knows */
    put_message(&b, 2, &trainer);
    put_bytes(&normalizer, 1, CN_STR("identity"));
    put_number(&normalizer, 4, 0);
    put_message(&b, 3, &normalizer);
    return b;
}

static void reads_a_model(void **state)
{
    (void)state;
    cn_buf b = small_model();
    spm_model m;
    cn_err err = {0};
    if (spm_parse(&m, cn_buf_view(&b), &err)) fail_msg("%s: %s", err.what, err.why);
    assert_int_equal(m.n, 5);
    assert_false(m.is_unigram);
    assert_true(m.byte_fallback && m.add_dummy_prefix && m.escape_whitespaces);
    assert_false(m.remove_extra_whitespaces);
    assert_int_equal(m.unk_id, 0);
    assert_int_equal(m.bos_id, 1);
    assert_int_equal(m.eos_id, 2);
    assert_int_equal(m.pad_id, -1);
    assert_int_equal(m.precompiled_charsmap.n, 0);
    assert_true(cn_str_is(m.pieces[4].text, "\xe2\x96\x81the"));
    assert_true(m.pieces[4].score == -1.5f);
    assert_int_equal(m.pieces[4].kind, SPM_NORMAL);
    assert_int_equal(m.pieces[3].kind, SPM_BYTE);
    spm_deinit(&m);
    cn_buf_deinit(&b);
}

static void defaults_and_other_names(void **state)
{
    (void)state;
    cn_buf b = {0}, trainer = {0}, normalizer = {0};
    spm_model m;
    cn_err err = {0};
    put_piece(&b, "[PAD]", 0, SPM_CONTROL);
    put_piece(&b, "??", 0, SPM_UNKNOWN);
    put_piece(&b, "</s>", 0, SPM_NORMAL); /* of the wrong kind to be the end */
    put_bytes(&trainer, 45, CN_STR("??"));
    put_bytes(&trainer, 48, CN_STR("[PAD]"));
    put_message(&b, 2, &trainer);
    put_bytes(&normalizer, 2, CN_STR("\1\2\3"));
    put_message(&b, 3, &normalizer);
    if (spm_parse(&m, cn_buf_view(&b), &err)) fail_msg("%s: %s", err.what, err.why);
    assert_true(m.is_unigram && m.remove_extra_whitespaces);
    assert_int_equal(m.unk_id, 1);
    assert_int_equal(m.pad_id, 0);
    assert_int_equal(m.bos_id, -1);
    assert_int_equal(m.eos_id, -1);
    assert_int_equal(m.precompiled_charsmap.n, 3);
    spm_deinit(&m);
    cn_buf_deinit(&b);
}

static void must_refuse(cn_buf *b, cn_status want, const char *why)
{
    spm_model m;
    cn_err err = {0};
    cn_status st = spm_parse(&m, cn_buf_view(b), &err);
    if (st != want || !strstr(err.why, why))
        fail_msg("want \"%s\", got %s: %s", why, cn_status_code(st), err.why);
    assert_null(m.pieces);
    cn_buf_deinit(b);
}

/* A model with one more field in the trainer's or normalizer's settings. */
static cn_buf with_number(unsigned message, unsigned field, uint64_t v)
{
    cn_buf b = small_model(), part = {0};
    put_number(&part, field, v);
    put_message(&b, message, &part);
    return b;
}

static void refusals(void **state)
{
    (void)state;
    cn_buf b = {0}, part = {0};
    must_refuse(&b, CN_E_FORMAT, "no pieces");
    cn_buf_lit(&b, "This is a text and no model at all.");
    must_refuse(&b, CN_E_FORMAT, "not a SentencePiece model");
    b = with_number(2, 3, 3);
    must_refuse(&b, CN_E_UNSUPPORTED, "model type 3");
    b = with_number(2, 24, 1);
    must_refuse(&b, CN_E_UNSUPPORTED, "treat_whitespace_as_suffix");
    b = small_model();
    put_bytes(&part, 2, CN_STR("x"));
    put_message(&b, 5, &part);
    must_refuse(&b, CN_E_UNSUPPORTED, "denormalizer");
    b = small_model();
    put_piece(&b, "", 0, SPM_NORMAL);
    must_refuse(&b, CN_E_FORMAT, "text of 0 bytes");
    b = small_model();
    put_piece(&b, "\xff", 0, SPM_NORMAL);
    must_refuse(&b, CN_E_FORMAT, "of UTF-8");
    b = small_model();
    put_piece(&b, "x", (float)(1e38 * 10), SPM_NORMAL);
    must_refuse(&b, CN_E_FORMAT, "not finite");
    b = small_model();
    put_piece(&b, "x", 0, 7);
    must_refuse(&b, CN_E_FORMAT, "piece kind 7");
    b = small_model();
    put_piece(&b, "x", 0, SPM_UNKNOWN);
    must_refuse(&b, CN_E_FORMAT, "2 pieces of the kind unknown");
}

static void more_refusals(void **state)
{
    (void)state;
    cn_buf b = small_model();
    put_varint(&b, 9 << 3); /* a number of eleven bytes */
    cn_buf_lit(&b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    must_refuse(&b, CN_E_FORMAT, "the file is no protobuf");
    b = small_model();
    put_varint(&b, 9 << 3 | 3); /* a group */
    must_refuse(&b, CN_E_FORMAT, "the file is no protobuf");
    b = small_model();
    put_varint(&b, 0); /* field 0 */
    put_varint(&b, 1);
    must_refuse(&b, CN_E_FORMAT, "the file is no protobuf");
    b = small_model();
    put_bytes(&b, 2, CN_STR("\x18")); /* a trainer_spec that is cut */
    must_refuse(&b, CN_E_FORMAT, "trainer_spec is no protobuf");
    b = small_model();
    put_bytes(&b, 3, CN_STR("\x12\x05"));
    must_refuse(&b, CN_E_FORMAT, "normalizer_spec is no protobuf");
    b = (cn_buf){0};
    for (int i = 0; i < (1 << 20) + 1; i++)
        cn_buf_append(&b, "\x0a\x00", 2); /* an empty piece */
    must_refuse(&b, CN_E_LIMIT, "1048577 pieces, at most 1048576");
}

/* Fields that the schema has not, or not here, are passed over. */
static void unknown_fields(void **state)
{
    (void)state;
    cn_buf b = small_model();
    spm_model m;
    cn_err err = {0};
    put_varint(&b, 200 << 3 | 1);
    cn_buf_append(&b, "12345678", 8);
    put_varint(&b, 201 << 3 | 5);
    cn_buf_append(&b, "1234", 4);
    put_bytes(&b, 4, CN_STR("self test"));
    put_bytes(&b, 5, CN_STR(""));
    assert_int_equal(spm_parse(&m, cn_buf_view(&b), &err), CN_OK);
    assert_int_equal(m.n, 5);
    spm_deinit(&m);
    cn_buf_deinit(&b);
}

static void every_prefix_stays_inside(void **state)
{
    (void)state;
    cn_buf b = small_model();
    size_t refused = 0;
    for (size_t n = 0; n < b.n; n++) {
        spm_model m;
        cn_err err = {0};
        char *copy = exact_copy((cn_str){b.p, n});
        cn_status st = spm_parse(&m, (cn_str){copy, n}, &err);
        refused += st != CN_OK;
        if (!st) spm_deinit(&m);
        free(copy);
    }
    assert_true(refused > b.n / 2);
    cn_buf_deinit(&b);
}

/* The published file holds what the GGUF made of it holds: texts, scores and kinds. */
static void same_as_gguf(void **state)
{
    (void)state;
    NEED_CASE(spm_path, "cases/tokenizer/spm/llama2.tokenizer.model");
    NEED_CASE(gguf_path, "vocab/ggml-vocab-llama-spm.gguf");
    cn_buf bytes = {0};
    spm_model m;
    gguf *g;
    cn_err err = {0};
    if (cn_file_read(&bytes, spm_path, (size_t)64 << 20, &err) ||
        spm_parse(&m, cn_buf_view(&bytes), &err) || gguf_open(&g, gguf_path, &err))
        fail_msg("%s: %s", err.what, err.why);
    const gguf_value *texts = gguf_find(g, "tokenizer.ggml.tokens"),
                     *scores = gguf_find(g, "tokenizer.ggml.scores"),
                     *kinds = gguf_find(g, "tokenizer.ggml.token_type");
    assert_int_equal(m.n, 32000);
    assert_int_equal(texts->n, m.n);
    for (size_t i = 0; i < m.n; i++) {
        assert_true(cn_str_eq(texts->strings[i], m.pieces[i].text));
        assert_true(gguf_item_float(scores, i) == (double)m.pieces[i].score);
        assert_int_equal(gguf_item_int(kinds, i), m.pieces[i].kind);
    }
    assert_false(m.is_unigram);
    assert_true(m.byte_fallback && m.add_dummy_prefix && !m.remove_extra_whitespaces);
    assert_int_equal(m.unk_id, 0);
    assert_int_equal(m.bos_id, 1);
    assert_int_equal(m.eos_id, 2);
    assert_int_equal(m.pad_id, -1);
    gguf_close(g);
    spm_deinit(&m);
    cn_buf_deinit(&bytes);
    cn_free(spm_path);
    cn_free(gguf_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_model),  cmocka_unit_test(defaults_and_other_names),
        cmocka_unit_test(refusals),       cmocka_unit_test(more_refusals),
        cmocka_unit_test(unknown_fields), cmocka_unit_test(every_prefix_stays_inside),
        cmocka_unit_test(same_as_gguf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
