/* What the GGUF writer writes, the reader reads. */
#include "gguf_bytes.h"

#include "gguf_write.h"

static gguf_writer *writer_at(const char *path)
{
    gguf_writer *w;
    cn_err err = {0};
    if (gguf_writer_new(&w, path, &err)) fail_msg("%s: %s", err.what, err.why);
    return w;
}

static gguf *read_back(const char *path)
{
    gguf *g;
    cn_err err = {0};
    if (gguf_open(&g, path, &err)) fail_msg("%s: %s", err.what, err.why);
    return g;
}

static void announce(gguf_writer *w, const char *name, cn_dtype type, uint32_t n_dims,
                     const uint64_t *dims)
{
    cn_err err = {0};
    if (gguf_put_tensor(w, name, type, n_dims, dims, &err)) fail_msg("%s", err.why);
}

static void round_trip(void **state)
{
    (void)state;
    char *folder = scratch_folder(), *path = cn_path_join(folder, "x.gguf");
    gguf_writer *w = writer_at(path);
    cn_err err = {0};
    const cn_str texts[] = {CN_STR("one"), CN_STR(""), CN_STR("\xff three")};
    gguf_put_string(w, "general.name", CN_STR("first"));
    gguf_put_uint(w, "u", 7);
    gguf_put_float(w, "f", 0.1f);
    gguf_put_bool(w, "b", true);
    gguf_put_strings(w, "texts", texts, 3);
    gguf_put_ints(w, "ints", (int32_t[]){-1, 2}, 2);
    gguf_put_floats(w, "floats", (float[]){0.5f}, 1);
    gguf_put_string(w, "general.name", CN_STR("second"));
    gguf_put_uint(w, "general.alignment", 64); /* the writer's own business */
    announce(w, "m", CN_F32, 2, (uint64_t[]){3, 2});
    announce(w, "q", CN_Q8_0, 1, (uint64_t[]){32});
    announce(w, "nf4", CN_NF4_DQ, 2, (uint64_t[]){64, 3});

    char bytes[24 + 34 + 3 * 33 + 8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    assert_int_equal(gguf_write_data(w, bytes, 10, &err), CN_OK); /* in pieces of any size */
    assert_int_equal(gguf_write_data(w, bytes + 10, sizeof bytes - 10, &err), CN_OK);
    assert_int_equal(gguf_write_data(w, bytes, 1, &err), CN_E_ARG); /* one too many */
    assert_int_equal(files_in(folder), 1);
    assert_false(cn_is_file(path));
    if (gguf_writer_finish(w, &err)) fail_msg("%s", err.why);
    gguf_writer_free(w);
    assert_int_equal(files_in(folder), 1);

    gguf *g = read_back(path);
    assert_int_equal(gguf_version(g), 3);
    assert_int_equal(gguf_n_values(g), 7);
    assert_true(cn_str_is(gguf_string(g, "general.name"), "second"));
    assert_int_equal(gguf_uint(g, "u", 0), 7);
    assert_true(gguf_float(g, "f", 0) == (double)0.1f);
    assert_true(gguf_bool(g, "b", false));
    assert_true(cn_str_is(gguf_find(g, "texts")->strings[2], "\xff three"));
    assert_int_equal(gguf_item_int(gguf_find(g, "ints"), 0), -1);
    assert_true(gguf_item_float(gguf_find(g, "floats"), 0) == 0.5);
    assert_memory_equal(gguf_tensor(g, "m")->data, bytes, 24);
    assert_memory_equal(gguf_tensor(g, "q")->data, bytes + 24, 34);
    assert_memory_equal(gguf_tensor(g, "nf4")->data, bytes + 58, 3 * 33 + 8);
    assert_int_equal(gguf_tensor(g, "nf4")->type, CN_NF4_DQ);
    assert_int_equal((uintptr_t)gguf_tensor(g, "q")->data % 32, 0);
    assert_int_equal(gguf_file_bytes(g) % 32, 0);
    gguf_close(g);
    cn_free(path);
    remove_folder(folder);
}

static void assert_same_value(const gguf_value *a, const gguf_value *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->n, b->n);
    if (a->kind == GGUF_STRING) {
        assert_true(cn_str_eq(a->s, b->s));
    } else if (a->kind != GGUF_ARRAY) {
        assert_true(a->u == b->u);
    } else if (a->item == GGUF_STRING) {
        for (uint64_t i = 0; i < a->n; i++)
            assert_true(cn_str_eq(a->strings[i], b->strings[i]));
    } else {
        assert_int_equal(a->item, b->item);
        for (uint64_t i = 0; i < a->n; i++)
            assert_true(gguf_item_float(a, i) == gguf_item_float(b, i));
    }
}

static void write_copy(const char *source, const char *path)
{
    gguf *g = read_back(source);
    gguf_writer *w = writer_at(path);
    cn_err err = {0};
    for (size_t i = 0; i < gguf_n_values(g); i++)
        gguf_put_value(w, gguf_value_at(g, i));
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const file_tensor *t = gguf_tensor_at(g, i);
        char *name = cn_xstrndup(t->name.p, t->name.n);
        announce(w, name, t->type, t->n_dims, t->dims);
        cn_free(name);
    }
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const file_tensor *t = gguf_tensor_at(g, i);
        if (gguf_write_data(w, t->data, t->size, &err)) fail_msg("%s", err.why);
    }
    if (gguf_writer_finish(w, &err)) fail_msg("%s", err.why);
    gguf_writer_free(w);
    gguf_close(g);
}

/* A copy has the same values and tensors. */
static void copy_of(const char *source)
{
    char *folder = scratch_folder(), *path = cn_path_join(folder, "copy.gguf");
    write_copy(source, path);
    gguf *a = read_back(source);
    gguf *b = read_back(path);
    assert_int_equal(gguf_n_tensors(a), gguf_n_tensors(b));
    size_t n_dropped = gguf_find(a, "general.alignment") != NULL;
    assert_int_equal(gguf_n_values(a) - n_dropped, gguf_n_values(b));
    for (size_t i = 0; i < gguf_n_values(b); i++) {
        char *key = cn_xstrndup(gguf_value_at(b, i)->key.p, gguf_value_at(b, i)->key.n);
        assert_non_null(gguf_find(a, key));
        assert_same_value(gguf_find(a, key), gguf_value_at(b, i));
        cn_free(key);
    }
    for (size_t i = 0; i < gguf_n_tensors(a); i++) {
        const file_tensor *x = gguf_tensor_at(a, i), *y = gguf_tensor_at(b, i);
        assert_true(cn_str_eq(x->name, y->name));
        assert_int_equal(x->type, y->type);
        assert_memory_equal(x->dims, y->dims, sizeof x->dims);
        assert_memory_equal(x->data, y->data, x->size);
    }
    gguf_close(a);
    gguf_close(b);
    cn_free(path);
    remove_folder(folder);
}

static void copies_of_fixtures(void **state)
{
    (void)state;
    char *v2 = fixture("formats/kinds-v2.gguf"), *v3 = fixture("formats/kinds-v3.gguf");
    copy_of(v2);
    copy_of(v3);
    cn_free(v2);
    cn_free(v3);
}

static void copies_of_shared_models(void **state)
{
    (void)state;
    NEED_CASE(a, "logits/llama-q4_k.gguf");
    copy_of(a);
    cn_free(a);
    NEED_CASE(b, "vocab/ggml-vocab-gpt-2.gguf");
    copy_of(b);
    cn_free(b);
}

/* The copy of a file that another program wrote with 32-byte alignment is that file. */
static void copy_to_the_byte(void **state)
{
    (void)state;
    NEED_CASE(source, "cases/weights/stories260K/stories260K.gguf");
    char *folder = scratch_folder(), *path = cn_path_join(folder, "copy.gguf");
    cn_buf a = {0}, b = {0};
    cn_err err = {0};
    write_copy(source, path);
    if (cn_file_read(&a, source, 1 << 24, &err) || cn_file_read(&b, path, 1 << 24, &err))
        fail_msg("%s", err.why);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
    cn_buf_deinit(&a);
    cn_buf_deinit(&b);
    cn_free(path);
    remove_folder(folder);
    cn_free(source);
}

/* Nothing stays behind when writing ends early, and nothing appears under the name. */
static void unfinished(void **state)
{
    (void)state;
    char *folder = scratch_folder(), *path = cn_path_join(folder, "x.gguf");
    cn_err err = {0};
    gguf_writer *w = writer_at(path);
    announce(w, "m", CN_F32, 1, (uint64_t[]){4});
    assert_int_equal(gguf_write_data(w, "12345", 5, &err), CN_OK);
    gguf_writer_free(w);
    assert_int_equal(files_in(folder), 0);

    w = writer_at(path);
    announce(w, "m", CN_F32, 1, (uint64_t[]){4});
    assert_int_equal(gguf_write_data(w, "12345", 5, &err), CN_OK);
    assert_int_equal(gguf_writer_finish(w, &err), CN_E_ARG);
    assert_non_null(strstr(err.why, "tensor m got 5 of 16 bytes"));
    gguf_writer_free(w);
    assert_int_equal(files_in(folder), 0);
    cn_free(path);
    remove_folder(folder);
}

static void refusals(void **state)
{
    (void)state;
    char *folder = scratch_folder(), *path = cn_path_join(folder, "x.gguf");
    char long_name[80];
    memset(long_name, 'n', sizeof long_name);
    long_name[64] = '\0';
    cn_err err = {0};
    gguf_writer *w = writer_at(path);
    assert_int_equal(gguf_put_tensor(w, long_name, CN_F32, 1, (uint64_t[]){4}, &err), CN_E_ARG);
    assert_int_equal(gguf_put_tensor(w, "x", CN_Q4_0, 1, (uint64_t[]){16}, &err), CN_E_ARG);
    assert_int_equal(gguf_put_tensor(w, "x", CN_F32, 1, (uint64_t[]){0}, &err), CN_E_ARG);
    assert_int_equal(gguf_put_tensor(w, "x", CN_F32, 5, (uint64_t[]){1, 1, 1, 1, 1}, &err),
                     CN_E_ARG);
    assert_int_equal(
        gguf_put_tensor(w, "x", CN_F32, 2, (uint64_t[]){1ull << 40, 1ull << 40}, &err),
        CN_E_ARG);
    announce(w, "twice", CN_F32, 1, (uint64_t[]){4});
    announce(w, "twice", CN_F32, 1, (uint64_t[]){4});
    assert_int_equal(gguf_write_data(w, "x", 1, &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "twice"));
    gguf_writer_free(w);

    w = writer_at(path);
    gguf_put_uint(w, "", 1); /* told by the next call that can */
    assert_int_equal(gguf_put_tensor(w, "x", CN_F32, 1, (uint64_t[]){4}, &err), CN_E_ARG);
    assert_int_equal(gguf_writer_finish(w, &err), CN_E_ARG);
    gguf_writer_free(w);
    assert_int_equal(files_in(folder), 0);

    w = writer_at(path); /* too late for keys and tensors */
    announce(w, "x", CN_F32, 1, (uint64_t[]){1});
    assert_int_equal(gguf_write_data(w, "1234", 4, &err), CN_OK);
    assert_int_equal(gguf_put_tensor(w, "y", CN_F32, 1, (uint64_t[]){4}, &err), CN_E_ARG);
    gguf_put_uint(w, "late", 1);
    assert_int_equal(gguf_writer_finish(w, &err), CN_E_ARG);
    assert_non_null(strstr(err.why, "key late comes after the first data"));
    gguf_writer_free(w);

    w = writer_at(folder); /* a folder cannot be replaced by a file */
    assert_int_equal(gguf_writer_finish(w, &err), CN_E_DISK);
    gguf_writer_free(w);
    assert_int_equal(files_in(folder), 0);

    char *nowhere = cn_path_join(folder, "no/such/folder/x.gguf");
    assert_int_equal(gguf_writer_new(&w, nowhere, &err), CN_E_NOT_FOUND);
    assert_null(w);
    cn_free(nowhere);
    cn_free(path);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(copies_of_fixtures),
        cmocka_unit_test(copies_of_shared_models),
        cmocka_unit_test(copy_to_the_byte),
        cmocka_unit_test(unfinished),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
