/* The GGUF reader on files built by hand: every kind of value, parts, and what must be refused.
 */
#include "gguf_bytes.h"

#include <math.h>

static cn_status parse(gguf **g, cn_str bytes, cn_err *err)
{
    *err = (cn_err){0};
    return gguf_parse(g, bytes.p, bytes.n, err);
}

static void must_refuse(cn_buf *b, cn_status want, const char *why)
{
    gguf *g;
    cn_err err;
    char *copy = exact_copy(cn_buf_view(b));
    cn_status st = parse(&g, (cn_str){copy, b->n}, &err);
    if (st != want || !strstr(err.why, why))
        fail_msg("want %s with \"%s\", got %s: %s: %s", cn_status_code(want), why,
                 cn_status_code(st), err.what, err.why);
    assert_null(g);
    free(copy);
    cn_buf_deinit(b);
}

static void every_kind(void **state)
{
    (void)state;
    cn_buf b = {0};
    put_head(&b, 2, 0, 15);
    put_key(&b, "u8", GGUF_U8);
    cn_buf_putc(&b, (char)200);
    put_key(&b, "i8", GGUF_I8);
    cn_buf_putc(&b, (char)-3);
    put_u16_key(&b, "u16", 65535);
    put_key(&b, "i16", GGUF_I16);
    cn_buf_append(&b, &(int16_t){-300}, 2);
    put_key(&b, "u32", GGUF_U32);
    put_u32(&b, 4000000000u);
    put_key(&b, "i32", GGUF_I32);
    put_u32(&b, (uint32_t)-70000);
    put_key(&b, "f32", GGUF_F32);
    cn_buf_append(&b, &(float){1.5f}, 4);
    put_key(&b, "yes", GGUF_BOOL);
    cn_buf_putc(&b, 1);
    put_key(&b, "text", GGUF_STRING);
    put_text(&b, "h\xc3\xa9");
    put_key(&b, "u64", GGUF_U64);
    put_u64(&b, UINT64_MAX);
    put_key(&b, "i64", GGUF_I64);
    put_u64(&b, (uint64_t)INT64_MIN);
    put_key(&b, "f64", GGUF_F64);
    cn_buf_append(&b, &(double){-0.25}, 8);
    put_key(&b, "texts", GGUF_ARRAY);
    put_u32(&b, GGUF_STRING);
    put_u64(&b, 3);
    put_text(&b, "a");
    put_text(&b, "");
    put_text(&b, "ccc");
    put_key(&b, "shorts", GGUF_ARRAY);
    put_u32(&b, GGUF_I16);
    put_u64(&b, 2);
    cn_buf_append(&b, (int16_t[]){-1, 5}, 4);
    put_key(&b, "doubles", GGUF_ARRAY);
    put_u32(&b, GGUF_F64);
    put_u64(&b, 4);
    cn_buf_append(&b, (double[]){-1.5, 1e300, -1e300, (double)NAN}, 32);

    gguf *g;
    cn_err err;
    char *copy = exact_copy(cn_buf_view(&b));
    if (parse(&g, (cn_str){copy, b.n}, &err)) fail_msg("%s: %s", err.what, err.why);
    assert_int_equal(gguf_version(g), 2);
    assert_int_equal(gguf_n_values(g), 15);
    assert_int_equal(gguf_n_parts(g), 1);
    assert_int_equal(gguf_file_bytes(g), b.n);
    assert_int_equal(gguf_uint(g, "u8", 1), 200);
    assert_int_equal(gguf_uint(g, "i8", 1), 1); /* negative: the fallback */
    assert_int_equal(gguf_find(g, "i8")->i, -3);
    assert_int_equal(gguf_uint(g, "u16", 1), 65535);
    assert_int_equal(gguf_find(g, "i16")->i, -300);
    assert_int_equal(gguf_uint(g, "u32", 1), 4000000000u);
    assert_int_equal(gguf_find(g, "i32")->i, -70000);
    assert_true(gguf_float(g, "f32", 0) == 1.5);
    assert_true(gguf_float(g, "i32", 0) == -70000.0);
    assert_true(gguf_float(g, "text", 7) == 7.0);
    assert_true(gguf_bool(g, "yes", false));
    assert_true(gguf_bool(g, "u8", true));
    assert_false(gguf_bool(g, "absent", false));
    assert_true(cn_str_is(gguf_string(g, "text"), "h\xc3\xa9"));
    assert_null(gguf_string(g, "u8").p);
    assert_true(gguf_uint(g, "u64", 1) == UINT64_MAX);
    assert_true(gguf_find(g, "i64")->i == INT64_MIN);
    assert_true(gguf_float(g, "f64", 0) == -0.25);
    const gguf_value *v = gguf_find(g, "texts");
    assert_int_equal(v->n, 3);
    assert_true(cn_str_is(v->strings[0], "a") && v->strings[1].n == 0);
    assert_true(cn_str_is(v->strings[2], "ccc"));
    assert_int_equal(gguf_item_int(v, 0), 0); /* texts are no numbers */
    v = gguf_find(g, "shorts");
    assert_int_equal(gguf_item_int(v, 0), -1);
    assert_true(gguf_item_float(v, 1) == 5.0);
    assert_int_equal(gguf_item_int(v, 2), 0); /* beyond the end */
    v = gguf_find(g, "doubles");
    assert_true(gguf_item_float(v, 0) == -1.5);
    assert_int_equal(gguf_item_int(v, 0), -1);
    assert_true(gguf_item_int(v, 1) == INT64_MAX && gguf_item_int(v, 2) == INT64_MIN);
    assert_int_equal(gguf_item_int(v, 3), 0);
    assert_null(gguf_find(g, "absent"));
    assert_null(gguf_value_at(g, 15));
    gguf_close(g);
    free(copy);
    cn_buf_deinit(&b);
}

/* Files of both versions as they were once written. */
static void both_versions(void **state)
{
    (void)state;
    for (unsigned version = 2; version <= 3; version++) {
        gguf *g;
        cn_err err = {0};
        char name[64];
        snprintf(name, sizeof name, "formats/kinds-v%u.gguf", version);
        char *path = fixture(name);
        if (gguf_open(&g, path, &err)) fail_msg("%s: %s", err.what, err.why);
        assert_int_equal(gguf_version(g), version);
        assert_int_equal(gguf_n_tensors(g), 3);
        const file_tensor *t = gguf_tensor(g, "second");
        assert_int_equal(t->type, CN_Q8_0);
        assert_int_equal(t->size, 34);
        assert_int_equal(((const uint8_t *)t->data)[33], 33);
        assert_int_equal(gguf_find(g, "empty")->n, 0);
        gguf_close(g);
        cn_free(path);
    }
}

/* Two rows of F32, aligned to 32. */
static cn_buf two_rows(void)
{
    cn_buf b = {0};
    put_head(&b, 3, 2, 1);
    put_key(&b, "general.architecture", GGUF_STRING);
    put_text(&b, "llama");
    put_row(&b, "first", 3, 0);
    put_row(&b, "second", 2, 32);
    pad(&b, 32);
    put_floats(&b, 3, 1);
    pad(&b, 32);
    put_floats(&b, 2, 10);
    return b;
}

static void tensors_lie_where_they_should(void **state)
{
    (void)state;
    cn_buf b = two_rows();
    gguf *g;
    cn_err err;
    if (parse(&g, cn_buf_view(&b), &err)) fail_msg("%s: %s", err.what, err.why);
    const file_tensor *t = gguf_tensor(g, "second");
    assert_non_null(t);
    assert_int_equal(t->size, 8);
    assert_int_equal(t->n_dims, 1);
    assert_int_equal(file_tensor_rows(t), 1);
    assert_memory_equal(t->data, ((float[]){10, 11}), 8);
    assert_memory_equal(gguf_tensor(g, "first")->data, ((float[]){1, 2, 3}), 12);
    assert_null(gguf_tensor(g, "secon"));
    assert_null(gguf_tensor_at(g, 2));
    gguf_close(g);
    cn_buf_deinit(&b);
}

/* No prefix of a file loads, and none is read beyond its end (under the sanitizer). */
static void every_prefix_is_refused(void **state)
{
    (void)state;
    cn_buf b = two_rows();
    for (size_t n = 0; n < b.n; n++) {
        gguf *g;
        cn_err err;
        char *copy = exact_copy((cn_str){b.p, n});
        assert_int_not_equal(parse(&g, (cn_str){copy, n}, &err), CN_OK);
        assert_true(err.why[0] != '\0');
        free(copy);
    }
    cn_buf_deinit(&b);
}

/* Every byte of the header set to other values: loads or is refused, but stays inside. */
static void every_byte_may_be_wrong(void **state)
{
    (void)state;
    cn_buf b = two_rows();
    size_t loaded = 0, refused = 0;
    for (size_t i = 0; i < b.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            gguf *g;
            cn_err err;
            char *copy = exact_copy(cn_buf_view(&b));
            copy[i] = (char)(copy[i] ^ (1 << bit));
            *(parse(&g, (cn_str){copy, b.n}, &err) ? &refused : &loaded) += 1;
            for (size_t t = 0; g && t < gguf_n_tensors(g); t++) {
                const file_tensor *x = gguf_tensor_at(g, t);
                assert_true((const char *)x->data >= copy &&
                            (const char *)x->data + x->size <= copy + b.n);
            }
            gguf_close(g);
            free(copy);
        }
    assert_true(loaded > 0 && refused > 0);
    cn_buf_deinit(&b);
}

static void twice_the_same_name(void **state)
{
    (void)state;
    cn_buf b = {0};
    put_head(&b, 3, 0, 2);
    put_u16_key(&b, "same", 1);
    put_u16_key(&b, "same", 2);
    must_refuse(&b, CN_E_FORMAT, "key same occurs twice");
    put_head(&b, 3, 2, 0);
    put_row(&b, "same", 8, 0);
    put_row(&b, "same", 8, 32);
    pad(&b, 32);
    put_floats(&b, 16, 0);
    must_refuse(&b, CN_E_FORMAT, "tensor same occurs twice");
}

static void names_must_be_printable(void **state)
{
    (void)state;
    cn_buf b = {0};
    put_head(&b, 3, 0, 1);
    put_u16_key(&b, "a\x1b[2J", 1);
    must_refuse(&b, CN_E_FORMAT, "not printable");
    put_head(&b, 3, 0, 1);
    put_u16_key(&b, "a\xff", 1);
    must_refuse(&b, CN_E_FORMAT, "not printable");
    put_head(&b, 3, 1, 0);
    put_row(&b, "line\nbreak", 8, 0);
    pad(&b, 32);
    put_floats(&b, 8, 0);
    must_refuse(&b, CN_E_FORMAT, "not printable");
}

static void other_refusals(void **state)
{
    (void)state;
    cn_buf b = {0};
    put_head(&b, 0x03000000, 0, 0);
    must_refuse(&b, CN_E_UNSUPPORTED, "big-endian");
    put_head(&b, 1, 0, 0);
    must_refuse(&b, CN_E_UNSUPPORTED, "version 1, want 2 or 3");
    put_head(&b, 3, 0, 1); /* an array of arrays */
    put_key(&b, "k", GGUF_ARRAY);
    put_u32(&b, GGUF_ARRAY);
    put_u64(&b, 1);
    must_refuse(&b, CN_E_FORMAT, "array of type 9");
    put_head(&b, 3, 0, 1); /* 2^32 empty strings in no bytes */
    put_key(&b, "k", GGUF_ARRAY);
    put_u32(&b, GGUF_STRING);
    put_u64(&b, 1u << 26);
    put_u64(&b, 0);
    must_refuse(&b, CN_E_FORMAT, "67108864 strings cannot fit into 8 bytes");
    put_head(&b, 3, 0, 1);
    put_key(&b, "k", GGUF_ARRAY);
    put_u32(&b, GGUF_BOOL);
    put_u64(&b, 2);
    cn_buf_append(&b, "\1\2", 2);
    must_refuse(&b, CN_E_FORMAT, "a boolean of 2");
    put_head(&b, 3, 0, 1); /* more elements than bytes */
    put_key(&b, "k", GGUF_ARRAY);
    put_u32(&b, GGUF_F64);
    put_u64(&b, 3);
    put_u64(&b, 0);
    must_refuse(&b, CN_E_FORMAT, "3 elements of 8 bytes where 8 are left");
    put_head(&b, 3, 0, 1);
    put_u16_key(&b, "general.alignment", 32);
    must_refuse(&b, CN_E_FORMAT, "general.alignment is of kind 2, want 4");
    put_head(&b, 3, 1, 0);
    put_row(&b, "x", (uint64_t)1 << 62, 0);
    must_refuse(&b, CN_E_FORMAT, "is over 2^64 bytes");
    put_head(&b, 3, 1, 0);
    put_row(&b, "x", 32, 0);
    b.p[b.n - 12] = 23;
    must_refuse(&b, CN_E_UNSUPPORTED, "element type 23 (IQ4_XS) is not supported");
    put_head(&b, 3, 1, 0);
    put_row(&b, "x", 1000, 0);
    must_refuse(&b, CN_E_FORMAT, "would end at byte 4000, the file has");
}

/* A string of 16 MiB loads, one of a byte more does not, though it lies in the file. */
static void long_strings(void **state)
{
    (void)state;
    const size_t most = (size_t)16 << 20;
    for (size_t n = most; n <= most + 1; n++) {
        cn_buf b = {0};
        put_head(&b, 3, 0, 1);
        put_key(&b, "k", GGUF_STRING);
        put_u64(&b, n);
        memset(cn_buf_extend(&b, n), 'x', n);
        if (n > most) {
            must_refuse(&b, CN_E_LIMIT, "a string of 16777217 bytes, at most 16777216");
            continue;
        }
        gguf *g;
        cn_err err;
        assert_int_equal(parse(&g, cn_buf_view(&b), &err), CN_OK);
        assert_int_equal(gguf_string(g, "k").n, n);
        gguf_close(g);
        cn_buf_deinit(&b);
    }
}

/* 65,536 tensors are found; one more is refused. */
static void as_many_as_may_be(void **state)
{
    (void)state;
    cn_buf b = {0};
    char name[32];
    put_head(&b, 3, 65536, 0);
    for (unsigned i = 0; i < 65536; i++) {
        snprintf(name, sizeof name, "t%u", i);
        put_row(&b, name, 8, (uint64_t)i * 32);
    }
    pad(&b, 32);
    memset(cn_buf_extend(&b, 65536 * 32), 0, 65536 * 32);
    gguf *g;
    cn_err err;
    if (parse(&g, cn_buf_view(&b), &err)) fail_msg("%s: %s", err.what, err.why);
    for (unsigned i = 0; i < 65536; i++) {
        snprintf(name, sizeof name, "t%u", i);
        assert_ptr_equal(gguf_tensor(g, name), gguf_tensor_at(g, i));
    }
    gguf_close(g);
    uint64_t more = 65537;
    memcpy(b.p + 8, &more, sizeof more);
    must_refuse(&b, CN_E_LIMIT, "65537 tensors and 0 keys, at most 65536 and 65536");
}

/* Part `index` of `count`: one row of eight numbers beginning with 100 * index. */
static void write_part(const char *folder, unsigned index, unsigned count, unsigned says_index,
                       const char *row)
{
    cn_buf b = {0};
    char name[64];
    put_head(&b, 3, 1, index == 0 ? 4 : 3);
    put_u16_key(&b, "split.no", (uint16_t)says_index);
    put_u16_key(&b, "split.count", (uint16_t)count);
    put_key(&b, "split.tensors.count", GGUF_I32);
    put_u32(&b, count);
    if (index == 0) {
        put_key(&b, "general.name", GGUF_STRING);
        put_text(&b, "parts");
    }
    put_row(&b, row, 8, 0);
    pad(&b, 32);
    put_floats(&b, 8, 100 * (float)index);
    snprintf(name, sizeof name, "m-%05u-of-%05u.gguf", index + 1, count);
    char *path = cn_path_join(folder, name);
    save(path, cn_buf_view(&b));
    cn_free(path);
    cn_buf_deinit(&b);
}

static cn_status open_in(gguf **g, const char *folder, const char *name, cn_err *err)
{
    char *path = cn_path_join(folder, name);
    *err = (cn_err){0};
    cn_status st = gguf_open(g, path, err);
    cn_free(path);
    return st;
}

static void parts_join(void **state)
{
    (void)state;
    char *folder = scratch_folder();
    write_part(folder, 0, 3, 0, "a");
    write_part(folder, 1, 3, 1, "b");
    write_part(folder, 2, 3, 2, "c");
    for (unsigned given = 1; given <= 3; given++) {
        gguf *g;
        cn_err err;
        char name[64];
        snprintf(name, sizeof name, "m-%05u-of-00003.gguf", given);
        if (open_in(&g, folder, name, &err)) fail_msg("%s: %s", err.what, err.why);
        assert_int_equal(gguf_n_parts(g), 3);
        assert_int_equal(gguf_n_tensors(g), 3);
        assert_true(cn_str_is(gguf_string(g, "general.name"), "parts"));
        assert_true(*(const float *)gguf_tensor(g, "a")->data == 0);
        assert_true(*(const float *)gguf_tensor(g, "b")->data == 100);
        assert_true(*(const float *)gguf_tensor(g, "c")->data == 200);
        assert_ptr_equal(gguf_tensor_at(g, 2), gguf_tensor(g, "c"));
        gguf_close(g);
    }
    remove_folder(folder);
}

static void parts_that_do_not_fit(void **state)
{
    (void)state;
    gguf *g;
    cn_err err;
    char *folder = scratch_folder();
    write_part(folder, 0, 2, 0, "a");
    assert_int_equal(open_in(&g, folder, "m-00001-of-00002.gguf", &err), CN_E_NOT_FOUND);
    assert_non_null(strstr(err.what, "m-00002-of-00002.gguf"));
    write_part(folder, 1, 2, 0, "b"); /* says that it is the first */
    assert_int_equal(open_in(&g, folder, "m-00001-of-00002.gguf", &err), CN_E_MISMATCH);
    assert_non_null(strstr(err.why, "part 1 of 2, want 2 of 2"));
    write_part(folder, 1, 2, 1, "a");
    assert_int_equal(open_in(&g, folder, "m-00001-of-00002.gguf", &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "tensor a occurs twice"));
    write_part(folder, 0, 1, 7, "a"); /* the eighth of one */
    assert_int_equal(open_in(&g, folder, "m-00001-of-00001.gguf", &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "part 8 of 1"));
    write_part(folder, 0, 2000, 0, "a");
    assert_int_equal(open_in(&g, folder, "m-00001-of-02000.gguf", &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "at most 1024 parts"));
    char *from = cn_path_join(folder, "m-00001-of-00002.gguf"),
         *to = cn_path_join(folder, "renamed.gguf");
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(open_in(&g, folder, "renamed.gguf", &err), CN_E_MISMATCH);
    assert_non_null(strstr(err.why, "does not end in -00001-of-00002.gguf"));
    assert_null(g);
    cn_free(from);
    cn_free(to);
    remove_folder(folder);
}

static void what_is_no_file(void **state)
{
    (void)state;
    gguf *g;
    cn_err err;
    char *folder = scratch_folder();
    assert_int_equal(open_in(&g, folder, "absent.gguf", &err), CN_E_NOT_FOUND);
    assert_int_equal(gguf_open(&g, folder, &err), CN_E_ARG);
    char *path = cn_path_join(folder, "text.gguf");
    save(path, CN_STR("This is a text and no model at all.\n"));
    assert_int_equal(gguf_open(&g, path, &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "not a GGUF file"));
    assert_non_null(strstr(err.what, path));
    cn_free(path);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(both_versions),
        cmocka_unit_test(tensors_lie_where_they_should),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_byte_may_be_wrong),
        cmocka_unit_test(twice_the_same_name),
        cmocka_unit_test(names_must_be_printable),
        cmocka_unit_test(other_refusals),
        cmocka_unit_test(long_strings),
        cmocka_unit_test(as_many_as_may_be),
        cmocka_unit_test(parts_join),
        cmocka_unit_test(parts_that_do_not_fit),
        cmocka_unit_test(what_is_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
