/* From a Hugging Face folder to GGUF: the same tokenizer, numbers and tensors. */
#include "testing.h"

#include <conatus/quantize.h>
#include <conatus/tokenizer.h>

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "quantize_meta.h"
#include "quants.h"
#include "tiny_model.h"

static char *temporary_file(void)
{
    char *path = cn_xstrndup("/tmp/conatus-folder-XXXXXX", 26);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return path;
}

static void drop(char *path)
{
    unlink(path);
    cn_free(path);
}

/* The folder's tokenizer as a GGUF file without tensors, opened again. */
static cn_tokenizer *through_gguf(const char *folder, uint32_t n_vocab)
{
    gguf_writer *w;
    cn_err err = {0};
    cn_tokenizer *t = NULL;
    char *path = temporary_file();
    assert_int_equal(gguf_writer_new(&w, path, &err), CN_OK);
    if (quantize_put_vocab(w, folder, n_vocab, &err)) fail_msg("%s: %s", folder, err.why);
    assert_int_equal(gguf_writer_finish(w, &err), CN_OK);
    gguf_writer_free(w);
    if (cn_tokenizer_open(&t, path, &err)) fail_msg("%s: %s", folder, err.why);
    drop(path);
    return t;
}

static const char *const texts[] = {
    "",
    " ",
    "a",
    "Hello, world!",
    "  two  spaces   here ",
    "It's 1234567 o'clock, isn't it?\n\n\tYES",
    "na\u00efve caf\u00e9 \u4f60\u597d \U0001f600 \u00ad",
    "<s>[INST] not special [/INST]</s> <|endoftext|> [CLS] [SEP]",
    "for (int i = 0; i < n; i++) { x[i] += 0.5f; } // done",
    "\x01\xff\xfe broken \xc3",
    "Once upon a time, there was a little girl named Lily.",
};

/* Control tokens within a text are left out for SentencePiece: whether the words after one get
 * the blank of a text's beginning differs between tokenizer.json and GGUF, by their references.
 */
static void same_ids(const cn_tokenizer *a, const cn_tokenizer *b, const char *what)
{
    bool is_spm = strcmp(cn_tokenizer_kind(a), "spm-bpe") == 0;
    unsigned n_flags = is_spm ? CN_PARSE_SPECIAL : 2 * CN_PARSE_SPECIAL;
    for (size_t i = 0; i < CN_ARRAY_LEN(texts); i++)
        for (unsigned flags = 0; flags < n_flags; flags++) {
            cn_tokens x = {0}, y = {0};
            cn_err err = {0};
            size_t n = strlen(texts[i]);
            assert_int_equal(cn_encode(a, texts[i], n, flags, &x, &err), CN_OK);
            assert_int_equal(cn_encode(b, texts[i], n, flags, &y, &err), CN_OK);
            if (x.n != y.n || (x.n && memcmp(x.ids, y.ids, x.n * sizeof *x.ids) != 0))
                fail_msg("%s: \"%s\" with flags %u: %zu and %zu tokens", what, texts[i], flags,
                         x.n, y.n);
            cn_tokens_free(&x);
            cn_tokens_free(&y);
        }
}

static void check_vocab(const char *folder)
{
    cn_tokenizer *a;
    cn_err err = {0};
    if (cn_tokenizer_open(&a, folder, &err)) fail_msg("%s", err.why);
    uint32_t n = (uint32_t)cn_n_vocab(a);
    cn_tokenizer *b = through_gguf(folder, n + 3); /* embeddings have three rows more */
    assert_int_equal(cn_n_vocab(b), n + 3);
    assert_int_equal(cn_token_bos(a), cn_token_bos(b));
    assert_int_equal(cn_token_eos(a), cn_token_eos(b));
    assert_int_equal(cn_token_unk(a), cn_token_unk(b));
    for (int32_t id = 0; id < (int32_t)n; id++) {
        size_t na, nb;
        const char *x = cn_token_bytes(a, id, &na), *y = cn_token_bytes(b, id, &nb);
        assert_int_equal(cn_token_is_control(a, id), cn_token_is_control(b, id));
        assert_int_equal(cn_token_is_end(a, id), cn_token_is_end(b, id));
        assert_int_equal(na, nb);
        if (na) assert_memory_equal(x, y, na);
    }
    same_ids(a, b, folder);
    const char *x = cn_tokenizer_chat_template(a, NULL),
               *y = cn_tokenizer_chat_template(b, NULL);
    assert_true(x ? y && strcmp(x, y) == 0 : !y);
    cn_tokenizer_free(a);
    cn_tokenizer_free(b);
}

static void vocabularies(void **state)
{
    (void)state;
    static const char *const own[] = {"tokenizer/bpe", "tokenizer/files", "tokenizer/spm",
                                      "tokenizer/wordpiece"};
    static const char *const shared[] = {
        "cases/tokenizer/hf/llama2", "cases/tokenizer/hf/phi-2",
        "cases/tokenizer/hf/all-MiniLM-L6-v2", "cases/weights/stories260K/hf"};
    for (size_t i = 0; i < CN_ARRAY_LEN(own); i++) {
        char *folder = fixture(own[i]);
        check_vocab(folder);
        cn_free(folder);
    }
    for (size_t i = 0; i < CN_ARRAY_LEN(shared); i++) {
        char *folder = shared_case(shared[i]);
        if (folder)
            check_vocab(folder);
        else
            print_message("skipped: no %s beside the project\n", shared[i]);
        cn_free(folder);
    }
}

/* GGUF has no word for a SentencePiece unigram model of a decoder. */
static void unknown_vocabulary(void **state)
{
    (void)state;
    gguf_writer *w;
    cn_err err = {0};
    char *path = temporary_file(), *folder = fixture("tokenizer/unigram");
    assert_int_equal(gguf_writer_new(&w, path, &err), CN_OK);
    assert_int_equal(quantize_put_vocab(w, folder, 100, &err), CN_E_UNSUPPORTED);
    gguf_writer_free(w);
    cn_free(folder);
    drop(path);
}

static float *read_tensor(const file_tensor *t)
{
    size_t rows = file_tensor_rows(t), cols = t->dims[0];
    float *x = malloc(rows * cols * sizeof *x);
    kern_mat m = {.type = t->type,
                  .n_cols = (uint32_t)cols,
                  .row_bytes = cn_dtype_row_bytes(t->type, cols),
                  .data = t->data};
    for (size_t r = 0; r < rows; r++)
        quant_row_to_f32(&m, r, x + r * cols);
    return x;
}

static void same_hparams(const gguf *a, const gguf *b, uint32_t n_ctx)
{
    hparams x, y;
    cn_err err = {0};
    assert_int_equal(hparams_from_gguf(&x, a, &err), CN_OK);
    assert_int_equal(hparams_from_gguf(&y, b, &err), CN_OK);
    assert_string_equal(x.arch, y.arch);
    assert_int_equal(x.n_layers, y.n_layers);
    assert_int_equal(x.n_embd, y.n_embd);
    assert_int_equal(x.n_ff, y.n_ff);
    assert_int_equal(x.n_heads, y.n_heads);
    assert_int_equal(x.n_kv_heads, y.n_kv_heads);
    assert_int_equal(x.head_dim, y.head_dim);
    assert_int_equal(y.n_ctx_train, n_ctx);
    assert_int_equal(x.n_rot, y.n_rot);
    assert_int_equal(x.window, y.window);
    assert_int_equal(x.pool, y.pool);
    assert_int_equal(x.rope_neox, y.rope_neox);
    assert_int_equal(x.gelu_erf, y.gelu_erf);
    assert_true(x.norm_eps == y.norm_eps);
    assert_true(!x.n_rot || (float)x.rope_base == (float)y.rope_base);
    assert_true((float)x.rope_linear == (float)y.rope_linear);
}

/* Every tensor of either file is in the other, with the same numbers. */
static void same_tensors(const gguf *a, const gguf *b, double tolerance)
{
    /* an output matrix that is the embeddings again may be written out or not */
    bool doubled = gguf_tensor(a, "output.weight") && !gguf_tensor(b, "output.weight");
    assert_int_equal(gguf_n_tensors(a), gguf_n_tensors(b) + doubled);
    for (size_t i = 0; i < gguf_n_tensors(b); i++) {
        const file_tensor *mine = gguf_tensor_at(b, i);
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)mine->name.n, mine->name.p);
        const file_tensor *theirs = gguf_tensor(a, name);
        if (!theirs) fail_msg("%s is not in the other file", name);
        assert_memory_equal(mine->dims, theirs->dims, sizeof mine->dims);
        float *p = read_tensor(mine), *q = read_tensor(theirs);
        size_t n = file_tensor_rows(mine) * mine->dims[0];
        for (size_t k = 0; k < n; k++)
            if (!(fabs((double)p[k] - (double)q[k]) <= tolerance * fabs((double)q[k])))
                fail_msg("%s differs at %zu: %g, %g", name, k, (double)p[k], (double)q[k]);
        free(p);
        free(q);
    }
}

static void compare_files(const char *gguf_path, const char *folder, uint32_t n_ctx,
                          const char *out)
{
    gguf *a, *b;
    cn_err err = {0};
    if (cn_quantize(folder, out, "F32", NULL, &err)) fail_msg("%s: %s", folder, err.why);
    assert_int_equal(gguf_open(&a, gguf_path, &err), CN_OK);
    assert_int_equal(gguf_open(&b, out, &err), CN_OK);
    same_hparams(a, b, n_ctx);
    same_tensors(a, b, 1e-6); /* Llama 3's table of angles is computed in two places */
    gguf_close(a);
    gguf_close(b);
}

static void every_family(void **state)
{
    (void)state;
    static const char *const archs[] = {"llama", "llama3", "mistral", "qwen2",
                                        "qwen3", "phi2",   "gpt2",    "bert"};
    char *out = temporary_file();
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++) {
        tiny_model t;
        print_message("%s\n", archs[i]);
        tiny_model_write(&t, archs[i]);
        compare_files(t.gguf, t.folder, 64, out);
        tiny_model_remove(&t);
    }
    drop(out);
}

/* The same model was published as GGUF: rows of q and k stand in GGUF's order there. */
static void stories(void **state)
{
    (void)state;
    NEED_CASE(folder, "cases/weights/stories260K/hf");
    NEED_CASE(published, "cases/weights/stories260K/stories260K.gguf");
    char *out = temporary_file();
    cn_err err = {0};
    compare_files(published, folder, 512, out); /* the published file says 2048 */
    ;
    cn_tokenizer *t, *u;
    assert_int_equal(cn_tokenizer_open(&t, published, &err), CN_OK);
    assert_int_equal(cn_tokenizer_open(&u, out, &err), CN_OK);
    same_ids(t, u, "stories260K");
    cn_tokenizer_free(t);
    cn_tokenizer_free(u);
    drop(out);
    cn_free(folder);
    cn_free(published);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vocabularies),
        cmocka_unit_test(unknown_vocabulary),
        cmocka_unit_test(every_family),
        cmocka_unit_test(stories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
