/* Every file of the shared cases is classed as its description says. */
#include "cases.h"

#include "gguf.h"
#include "safetensors.h"

static cn_status parse_gguf(const void *bytes, size_t n, cn_err *err)
{
    gguf *g;
    cn_status st = gguf_parse(&g, bytes, n, err);
    gguf_close(g);
    return st;
}

static cn_status parse_safetensors(const void *bytes, size_t n, cn_err *err)
{
    safetensors *s;
    cn_status st = safetensors_parse(&s, bytes, n, err);
    safetensors_close(s);
    return st;
}

static void class_all(const char *path, cn_status parse(const void *, size_t, cn_err *))
{
    cn_json *root = read_json(path);
    const cn_json *cases = cn_json_get(root, "cases");
    size_t loaded = 0, refused = 0, wrong = 0;
    for (size_t i = 0; i < cn_json_size(cases); i++) {
        const cn_json *c = cn_json_at(cases, i);
        cn_buf bytes = base64_bytes(cn_json_str(cn_json_get(c, "base64")));
        char *copy = exact_copy(cn_buf_view(&bytes));
        cn_err err = {0};
        assert_int_equal(bytes.n, cn_json_int(cn_json_get(c, "bytes"), -1));
        cn_status st = parse(copy, bytes.n, &err);
        bool want = cn_json_is(cn_json_get(c, "expect"), "load");
        cn_str name = cn_json_str(cn_json_get(c, "name"));
        if (st && !err.why[0]) fail_msg("refused without a reason");
        if (want == (st == CN_OK)) {
            *(st ? &refused : &loaded) += 1;
        } else {
            print_error("WRONG %.*s: %s\n", CN_STR_ARG(name), st ? "refused" : "loaded");
            wrong++;
        }
        free(copy);
        cn_buf_deinit(&bytes);
    }
    cn_json_free(root);
    print_message("loaded %zu, refused %zu, wrong %zu\n", loaded, refused, wrong);
    assert_true(loaded && refused);
    assert_int_equal(wrong, 0);
}

static void malformed_gguf(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/loader/gguf_malformed.json");
    class_all(path, parse_gguf);
    cn_free(path);
}

static void malformed_safetensors(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/loader/safetensors_malformed.json");
    class_all(path, parse_safetensors);
    cn_free(path);
}

/* A header that promises data which is not there. */
static bool is_header_only(const char *path)
{
    return cn_str_is(cn_str_of(cn_path_base(path)), "weight-inspect_tiny.gguf");
}

static void open_gguf(const char *path)
{
    gguf *g;
    cn_err err = {0};
    if (is_header_only(path)) {
        assert_int_equal(gguf_open(&g, path, &err), CN_E_FORMAT);
        assert_non_null(strstr(err.why, "32768, the file has 122"));
        return;
    }
    if (gguf_open(&g, path, &err)) fail_msg("%s: %s", err.what, err.why);
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const file_tensor *t = gguf_tensor_at(g, i);
        char *name = cn_xstrndup(t->name.p, t->name.n);
        assert_ptr_equal(gguf_tensor(g, name), t);
        cn_free(name);
    }
    assert_true(gguf_n_values(g) > 0);
    gguf_close(g);
}

static void open_safetensors(const char *path)
{
    safetensors *s;
    cn_err err = {0};
    if (safetensors_open(&s, path, &err)) fail_msg("%s: %s", err.what, err.why);
    assert_true(safetensors_n(s) > 0);
    for (size_t i = 0; i < safetensors_n(s); i++) {
        const file_tensor *t = safetensors_at(s, i);
        char *name = cn_xstrndup(t->name.p, t->name.n);
        assert_ptr_equal(safetensors_find(s, name), t);
        cn_free(name);
    }
    safetensors_close(s);
}

static void every_file_opens(void **state)
{
    (void)state;
    NEED_CASE(root, "cases");
    char *all = cn_path_join(root, "..");
    size_t n_gguf = each_file(all, ".gguf", open_gguf);
    size_t n_safetensors = each_file(all, ".safetensors", open_safetensors);
    print_message("opened %zu GGUF and %zu safetensors files\n", n_gguf, n_safetensors);
    assert_true(n_gguf >= 21 && n_safetensors >= 5);
    cn_free(all);
    cn_free(root);
}

/* The same weights in both formats: bit-equal where no rotation has re-ordered rows. */
static void same_weights_in_both_formats(void **state)
{
    (void)state;
    NEED_CASE(path, "cases/weights/stories260K");
    char *file = cn_path_join(path, "stories260K.gguf"), *folder = cn_path_join(path, "hf");
    gguf *g;
    safetensors *s;
    cn_err err = {0};
    if (gguf_open(&g, file, &err)) fail_msg("%s: %s", err.what, err.why);
    if (safetensors_open(&s, folder, &err)) fail_msg("%s: %s", err.what, err.why);
    const file_tensor *a = gguf_tensor(g, "blk.1.ffn_down.weight");
    const file_tensor *b = safetensors_find(s, "model.layers.1.mlp.down_proj.weight");
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->dims, b->dims, sizeof a->dims);
    assert_int_equal(a->type, b->type);
    assert_memory_equal(a->data, b->data, a->size);
    gguf_close(g);
    safetensors_close(s);
    cn_free(file);
    cn_free(folder);
    cn_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_gguf),
        cmocka_unit_test(malformed_safetensors),
        cmocka_unit_test(every_file_opens),
        cmocka_unit_test(same_weights_in_both_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
