/* Every vector of the shared cases, from every source of the same vocabulary. */
#include "testing.h"

#include <conatus/tokenizer.h>

#include "json.h"
#include "utf8.h"

static cn_tokenizer *open_tokenizer(const char *path)
{
    cn_err err = {0};
    cn_tokenizer *t = NULL;
    if (cn_tokenizer_open(&t, path, &err)) fail_msg("%s: %s", err.what, err.why);
    return t;
}

/* True when `text` gives just these ids; prints the first differences. */
static bool same_ids(const cn_tokenizer *t, cn_str text, unsigned flags, const cn_json *ids)
{
    cn_tokens got = {0};
    cn_err err;
    assert_int_equal(cn_encode(t, text.p, text.n, flags, &got, &err), CN_OK);
    bool same = got.n == cn_json_size(ids);
    for (size_t i = 0; i < got.n && same; i++)
        same = got.ids[i] == cn_json_int(cn_json_at(ids, i), -1);
    if (!same) {
        cn_buf b = {0};
        cn_json_write(&b, ids);
        cn_buf_lit(&b, " got [");
        for (size_t i = 0; i < got.n; i++)
            cn_buf_printf(&b, "%s%d", i ? "," : "", (int)got.ids[i]);
        print_message("  \"%.*s\": want %.*s]\n", CN_STR_ARG(text),
                      (int)CN_MIN(b.n, (size_t)900), b.p);
        cn_buf_deinit(&b);
    }
    cn_tokens_free(&got);
    return same;
}

/* Streaming must show the same text as decoding at once. */
static void check_stream(const cn_tokenizer *t, const cn_tokens *ids, cn_str whole)
{
    cn_decoder *d = NULL;
    cn_buf b = {0};
    const char *text;
    size_t n;
    assert_int_equal(cn_decoder_new(&d, t, CN_DECODE_SPECIAL, NULL), CN_OK);
    for (size_t i = 0; i < ids->n; i++) {
        cn_alloc_forbid();
        cn_status st = cn_decoder_next(d, ids->ids[i], &text, &n, NULL);
        cn_alloc_permit();
        assert_int_equal(st, CN_OK);
        assert_true(cn_utf8_valid(text, n));
        cn_buf_append(&b, text, n);
    }
    cn_decoder_end(d, &text, &n);
    cn_buf_append(&b, text, n);
    assert_true(cn_str_eq(cn_buf_view(&b), whole));
    cn_buf_deinit(&b);
    cn_decoder_free(d);
}

/* Decoding the ids of `text` gives `want`; false when not. */
static bool decodes_to(const cn_tokenizer *t, cn_str text, unsigned flags, cn_str want)
{
    cn_tokens ids = {0};
    char *back = NULL;
    size_t n = 0;
    assert_int_equal(cn_encode(t, text.p, text.n, flags, &ids, NULL), CN_OK);
    assert_int_equal(cn_decode(t, ids.ids, ids.n, CN_DECODE_SPECIAL, &back, &n, NULL), CN_OK);
    bool same = cn_str_eq((cn_str){back, n}, want);
    if (!same)
        print_message("  decoded \"%.*s\": want \"%.*s\"\n", CN_STR_ARG(((cn_str){back, n})),
                      CN_STR_ARG(want));
    if (cn_utf8_valid(back, n)) check_stream(t, &ids, (cn_str){back, n});
    cn_text_free(back);
    cn_tokens_free(&ids);
    return same;
}

typedef struct counts {
    int passed, failed, disputed, texts, texts_failed;
} counts;

/* Peer cases' `decoded` follows clean-up rules of its own: informative, says the README. */
static void run_case(const cn_tokenizer *t, const cn_json *c, bool is_peer, counts *n)
{
    cn_str text = cn_json_str(cn_json_get(c, "text"));
    unsigned flags = 0;
    if (cn_json_bool(cn_json_get(c, "add_special"), false)) flags |= CN_ADD_SPECIAL;
    if (cn_json_bool(cn_json_get(c, "parse_special"), false)) flags |= CN_PARSE_SPECIAL;
    bool same = same_ids(t, text, flags, cn_json_get(c, "ids"));
    if (same)
        n->passed++;
    else if (cn_json_get(c, "disputed"))
        n->disputed++;
    else
        n->failed++;
    if (is_peer || flags & CN_PARSE_SPECIAL) return;
    const cn_json *decoded = cn_json_get(c, "decoded");
    n->texts++;
    n->texts_failed += !decodes_to(t, text, flags, decoded ? cn_json_str(decoded) : text);
}

static void run_vectors(const char *vectors, const char *vocabulary, const char *skip_group)
{
    NEED_CASE(path, vectors);
    NEED_CASE(vocab_path, vocabulary);
    cn_tokenizer *t = open_tokenizer(vocab_path);
    cn_json *root = NULL;
    counts n = {0};
    assert_int_equal(cn_json_read_file(&root, path, 64 << 20, NULL), CN_OK);
    const cn_json *groups = cn_json_get(root, "groups");
    cn_json_member g;
    for (g = cn_json_first(groups); g.value; g = cn_json_next(groups, g)) {
        if (skip_group && cn_str_is(g.key, skip_group)) {
            print_message("%s: group %s is about another source\n", vectors, skip_group);
            continue;
        }
        for (size_t i = 0; i < cn_json_size(g.value); i++)
            run_case(t, cn_json_at(g.value, i), cn_str_is(g.key, "peer_expectations"), &n);
    }
    print_message("%s with %s: ids %d passed, %d failed, %d disputed; texts %d of %d\n",
                  vectors, vocabulary, n.passed, n.failed, n.disputed, n.texts - n.texts_failed,
                  n.texts);
    cn_json_free(root);
    cn_tokenizer_free(t);
    cn_free(path);
    cn_free(vocab_path);
    assert_true(n.passed > 0);
    assert_int_equal(n.failed, 0);
    assert_int_equal(n.texts_failed, 0);
}

static void gpt2_vectors(void **state)
{
    (void)state;
    run_vectors("cases/tokenizer/gpt-2.vectors.json", "vocab/ggml-vocab-gpt-2.gguf", NULL);
}

static void phi2_vectors(void **state)
{
    (void)state;
    run_vectors("cases/tokenizer/phi-2.vectors.json", "cases/tokenizer/hf/phi-2", NULL);
}

/* Its group special_tokens_in_text follows "normalized" added tokens, which only the
 * tokenizer.json has. */
static void llama2_vectors(void **state)
{
    (void)state;
    const char *vectors = "cases/tokenizer/llama2.vectors.json";
    run_vectors(vectors, "cases/tokenizer/hf/llama2", NULL);
    run_vectors(vectors, "cases/tokenizer/hf/llama2/tokenizer.json", NULL);
    run_vectors(vectors, "vocab/ggml-vocab-llama-spm.gguf", "special_tokens_in_text");
    run_vectors(vectors, "cases/tokenizer/spm/llama2.tokenizer.model",
                "special_tokens_in_text");
}

static void bert_vectors(void **state)
{
    (void)state;
    const char *vectors = "cases/tokenizer/bert-uncased.vectors.json";
    run_vectors(vectors, "cases/tokenizer/hf/all-MiniLM-L6-v2", NULL);
    run_vectors(vectors, "vocab/ggml-vocab-bert-bge.gguf", NULL);
}

/* Texts between separators in .inp, a line of ids for each in .out. */
static void run_inp(const char *name)
{
    const cn_str separator = CN_STR("\n__ggml_vocab_test__\n");
    char file[256];
    snprintf(file, sizeof file, "vocab/ggml-vocab-%s.gguf", name);
    NEED_CASE(path, file);
    cn_tokenizer *t = open_tokenizer(path);
    cn_buf in = {0}, out = {0};
    snprintf(file, sizeof file, "vocab/ggml-vocab-%s.gguf.inp", name);
    NEED_CASE(in_path, file);
    snprintf(file, sizeof file, "vocab/ggml-vocab-%s.gguf.out", name);
    NEED_CASE(out_path, file);
    assert_int_equal(cn_file_read(&in, in_path, 1 << 20, NULL), CN_OK);
    assert_int_equal(cn_file_read(&out, out_path, 1 << 20, NULL), CN_OK);
    const char *line = out.p, *at = in.p;
    int passed = 0, failed = 0;
    for (const char *end; (end = strstr(at, separator.p)); at = end + separator.n) {
        cn_buf ids = {0};
        cn_json *want = NULL;
        cn_buf_putc(&ids, '[');
        for (bool first = true; *line && *line != '\n'; first = false) {
            char *stop;
            long id = strtol(line, &stop, 10);
            cn_buf_printf(&ids, "%s%ld", first ? "" : ",", id);
            for (line = stop; *line == ' ';)
                line++;
        }
        line += *line == '\n';
        cn_buf_putc(&ids, ']');
        assert_int_equal(cn_json_parse(&want, cn_buf_view(&ids), NULL), CN_OK);
        bool same = same_ids(t, (cn_str){at, (size_t)(end - at)}, 0, want);
        passed += same;
        failed += !same;
        cn_json_free(want);
        cn_buf_deinit(&ids);
    }
    print_message("%s.inp: %d passed, %d failed\n", name, passed, failed);
    cn_buf_deinit(&in);
    cn_buf_deinit(&out);
    cn_free(in_path);
    cn_free(out_path);
    cn_free(path);
    cn_tokenizer_free(t);
    assert_int_equal(failed, 0);
    assert_int_equal(passed, 46);
}

static void inp_llama(void **state)
{
    (void)state;
    run_inp("llama-spm");
}

static void inp_phi3(void **state)
{
    (void)state;
    run_inp("phi-3");
}

static void inp_gpt2(void **state)
{
    (void)state;
    run_inp("gpt-2");
}

static void inp_bert(void **state)
{
    (void)state;
    run_inp("bert-bge");
}

/* No control token comes out of what a user types, every one out of what a template writes. */
static void check_control(const char *relative)
{
    NEED_CASE(path, relative);
    cn_tokenizer *t = open_tokenizer(path);
    int n_control = 0, n_missing = 0;
    for (int32_t id = 0; id < cn_n_vocab(t); id++) {
        cn_tokens ids = {0}, marked = {0};
        uint8_t trusted[64];
        size_t n;
        const char *piece = cn_token_piece(t, id, &n);
        if (!cn_token_is_control(t, id) || n == 0 || n > sizeof trusted) continue;
        memset(trusted, 1, n);
        assert_int_equal(cn_encode(t, piece, n, 0, &ids, NULL), CN_OK);
        for (size_t i = 0; i < ids.n; i++)
            assert_true(!cn_token_is_control(t, ids.ids[i]) || ids.ids[i] == cn_token_unk(t));
        assert_int_equal(cn_encode_marked(t, piece, n, trusted, 0, &marked, NULL), CN_OK);
        n_control++;
        n_missing += marked.n != 1 || marked.ids[0] != id;
        cn_tokens_free(&ids);
        cn_tokens_free(&marked);
    }
    print_message("%s: %d control tokens\n", relative, n_control);
    assert_true(n_control > 0);
    assert_int_equal(n_missing, 0);
    cn_tokenizer_free(t);
    cn_free(path);
}

static void control_tokens(void **state)
{
    (void)state;
    check_control("cases/tokenizer/hf/llama2");
    check_control("cases/tokenizer/hf/phi-2");
    check_control("cases/tokenizer/hf/all-MiniLM-L6-v2");
    check_control("cases/tokenizer/spm/llama2.tokenizer.model");
    check_control("vocab/ggml-vocab-llama-spm.gguf");
    check_control("vocab/ggml-vocab-phi-3.gguf");
    check_control("vocab/ggml-vocab-gpt-2.gguf");
    check_control("vocab/ggml-vocab-bert-bge.gguf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_vectors),   cmocka_unit_test(phi2_vectors),
        cmocka_unit_test(llama2_vectors), cmocka_unit_test(bert_vectors),
        cmocka_unit_test(control_tokens), cmocka_unit_test(inp_llama),
        cmocka_unit_test(inp_phi3),       cmocka_unit_test(inp_gpt2),
        cmocka_unit_test(inp_bert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
