/* The safetensors reader and writer: the rules of the format, shards, and folders that lie. */
#include "cases.h"

#include "safetensors.h"

/* A file with this header and `n` bytes of data 0, 1, 2, ... */
static cn_buf file_of(const char *header, size_t n)
{
    cn_buf b = {0};
    uint64_t n_header = strlen(header);
    cn_buf_append(&b, &n_header, sizeof n_header);
    cn_buf_append(&b, header, n_header);
    for (size_t i = 0; i < n; i++)
        cn_buf_putc(&b, (char)i);
    return b;
}

static safetensors *parse(cn_buf *b)
{
    safetensors *s;
    cn_err err = {0};
    if (safetensors_parse(&s, b->p, b->n, &err)) fail_msg("%s: %s", err.what, err.why);
    return s;
}

static void must_refuse(const char *header, size_t n, cn_status want, const char *why)
{
    safetensors *s;
    cn_err err = {0};
    cn_buf b = file_of(header, n);
    char *copy = exact_copy(cn_buf_view(&b));
    cn_status st = safetensors_parse(&s, copy, b.n, &err);
    if (st != want || !strstr(err.why, why))
        fail_msg("%.100s: want \"%s\", got %s: %s", header, why, cn_status_code(st), err.why);
    assert_null(s);
    free(copy);
    cn_buf_deinit(&b);
}

static void shapes_turn_around(void **state)
{
    (void)state;
    cn_buf b = file_of("{\"m\":{\"dtype\":\"F16\",\"shape\":[2,3,4],\"data_offsets\":[1,49]},"
                       "\"one\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]},"
                       "\"long\":{\"dtype\":\"F32\",\"shape\":[1,2,1,1,3,1,1],"
                       "\"data_offsets\":[49,73]},"
                       "\"none\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[49,49]}}",
                       73);
    safetensors *s = parse(&b);
    assert_int_equal(safetensors_n(s), 4);
    assert_int_equal(safetensors_file_bytes(s), b.n);
    assert_true(cn_str_is(safetensors_at(s, 0)->name, "one")); /* in the order of the bytes */
    assert_true(cn_str_is(safetensors_at(s, 1)->name, "m"));
    assert_null(safetensors_at(s, 4));
    const file_tensor *m = safetensors_find(s, "m");
    assert_int_equal(m->n_dims, 3);
    assert_memory_equal(m->dims, ((uint64_t[]){4, 3, 2, 1}), sizeof m->dims);
    assert_int_equal(m->type, CN_F16);
    assert_null(m->foreign);
    assert_int_equal(*(const uint8_t *)m->data, 1); /* unaligned is fine */
    assert_int_equal(m->size, 48);
    assert_int_equal(safetensors_find(s, "one")->n_dims, 0);
    assert_int_equal(file_tensor_rows(safetensors_find(s, "one")), 1);
    const file_tensor *l = safetensors_find(s, "long");
    assert_int_equal(l->n_dims, 2);
    assert_memory_equal(l->dims, ((uint64_t[]){3, 2, 1, 1}), sizeof l->dims);
    assert_int_equal(safetensors_find(s, "none")->size, 0);
    assert_null(safetensors_find(s, "absent"));
    safetensors_close(s);
    cn_buf_deinit(&b);
}

static void types_that_are_not_ours(void **state)
{
    (void)state;
    cn_buf b = file_of("{\"b\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]},"
                       "\"f8\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[2,3]},"
                       "\"u\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[3,11]},"
                       "\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[11,19]}}",
                       19);
    safetensors *s = parse(&b);
    assert_string_equal(safetensors_find(s, "b")->foreign, "BOOL");
    assert_string_equal(safetensors_find(s, "f8")->foreign, "F8_E4M3");
    assert_string_equal(safetensors_find(s, "u")->foreign, "U64");
    assert_null(safetensors_find(s, "i")->foreign);
    assert_int_equal(safetensors_find(s, "i")->type, CN_I64);
    safetensors_close(s);
    cn_buf_deinit(&b);
}

#define ONE(dtype, shape, offsets)                                                             \
    "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void rules_of_the_format(void **state)
{
    (void)state;
    must_refuse(ONE("\"F32\"", "[2]", "[0,8]"), 7, CN_E_FORMAT, "0 to 8 of data that is 7");
    must_refuse(ONE("\"F32\"", "[2]", "[0,8]"), 9, CN_E_FORMAT, "cover 8 bytes of 9");
    must_refuse(ONE("\"F32\"", "[2]", "[8,0]"), 8, CN_E_FORMAT, "8 to 0");
    must_refuse(ONE("\"F32\"", "[2]", "[0]"), 8, CN_E_FORMAT, "data_offsets");
    must_refuse(ONE("\"F32\"", "[2]", "[0,8.0]"), 8, CN_E_FORMAT, "data_offsets");
    must_refuse(ONE("\"F32\"", "[2]", "[0,-8]"), 8, CN_E_FORMAT, "data_offsets");
    must_refuse(ONE("\"F32\"", "[-2]", "[0,8]"), 8, CN_E_FORMAT, "dimension 1 of 1");
    must_refuse(ONE("\"F32\"", "2", "[0,8]"), 8, CN_E_FORMAT, "no shape");
    must_refuse(ONE("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8, CN_E_LIMIT, "9 dimensions");
    must_refuse(ONE("\"F32\"", "[2,2,2,2,2]", "[0,128]"), 128, CN_E_LIMIT, "more than 4");
    must_refuse(ONE("\"F32\"", "[4294967296,4294967296]", "[0,8]"), 8, CN_E_FORMAT, "2^64");
    must_refuse(ONE("\"F64\"", "[4611686018427387904]", "[0,8]"), 8, CN_E_FORMAT, "2^64");
    must_refuse(ONE("\"Q4\"", "[2]", "[0,8]"), 8, CN_E_UNSUPPORTED, "dtype Q4 is");
    must_refuse(ONE("7", "[2]", "[0,8]"), 8, CN_E_FORMAT, "no dtype");
    must_refuse("{\"a\":7}", 0, CN_E_FORMAT, "no object");
    must_refuse("{\"a\\u001b\":7}", 0, CN_E_FORMAT, "printable");
    must_refuse("{\"\":7}", 0, CN_E_FORMAT, "printable");
    must_refuse("{} x", 0, CN_E_FORMAT, "JSON");
    must_refuse(" {}", 0, CN_E_FORMAT, "no JSON object");
    must_refuse("{\"__metadata__\":[]}", 0, CN_E_FORMAT, "__metadata__");
    must_refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                "\"b\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[3,5]}}",
                5, CN_E_FORMAT, "b begins at byte 3, want 2: there is a hole");
    must_refuse("{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                "\"b\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
                3, CN_E_FORMAT, "b begins at byte 1, want 2: it overlaps");
}

/* A header of many small values would cost its reader twenty times its size. */
static void headers_of_many_values(void **state)
{
    (void)state;
    cn_buf header = {0};
    cn_buf_lit(&header, "{\"a\\\",[[[\":[0");
    for (size_t i = 0; i < 2097152 - 2; i++)
        cn_buf_lit(&header, ",0");
    cn_buf_lit(&header, "]}");
    must_refuse(header.p, 0, CN_E_LIMIT, "2097153 values, at most 2097152");
    cn_buf_deinit(&header);
}

static void every_prefix_is_refused(void **state)
{
    (void)state;
    cn_buf b = file_of(ONE("\"F32\"", "[2]", "[0,8]"), 8);
    for (size_t n = 0; n < b.n; n++) {
        safetensors *s;
        cn_err err = {0};
        char *copy = exact_copy((cn_str){b.p, n});
        assert_int_equal(safetensors_parse(&s, copy, n, &err), CN_E_FORMAT);
        free(copy);
    }
    cn_buf_deinit(&b);
}

static void round_trip(void **state)
{
    (void)state;
    char *folder = scratch_folder(), *path = cn_path_join(folder, "model.safetensors");
    const uint16_t halves[6] = {1, 2, 3, 4, 5, 6};
    const double doubles[2] = {0.5, -1};
    const safetensors_item items[] = {
        {"bytes", CN_I8, 1, {3}, "abc"},      {"h\"alves", CN_F16, 2, {3, 2}, halves},
        {"doubles", CN_F64, 1, {2}, doubles}, {"scalar", CN_F64, 0, {0}, doubles},
        {"empty", CN_F32, 2, {0, 5}, NULL},
    };
    cn_err err = {0};
    if (safetensors_write(path, items, CN_ARRAY_LEN(items), &err)) fail_msg("%s", err.why);
    assert_int_equal(files_in(folder), 1);
    safetensors *s;
    if (safetensors_open(&s, folder, &err)) fail_msg("%s: %s", err.what, err.why);
    assert_int_equal(safetensors_n(s), CN_ARRAY_LEN(items));
    for (size_t i = 0; i < CN_ARRAY_LEN(items); i++) {
        const file_tensor *t = safetensors_find(s, items[i].name);
        assert_non_null(t);
        assert_int_equal(t->type, items[i].type);
        assert_int_equal(t->n_dims, items[i].n_dims);
        assert_memory_equal(t->dims, items[i].dims, items[i].n_dims * sizeof *t->dims);
        if (t->size) assert_memory_equal(t->data, items[i].data, t->size);
        assert_int_equal((uintptr_t)t->data % cn_dtype_row_bytes(t->type, 1), 0);
    }
    assert_int_equal(safetensors_find(s, "h\"alves")->size, 12);
    safetensors_close(s);
    cn_free(path);
    remove_folder(folder);
}

static void what_cannot_be_written(void **state)
{
    (void)state;
    char *folder = scratch_folder(), *path = cn_path_join(folder, "x.safetensors");
    cn_err err = {0};
    const safetensors_item q = {"q", CN_Q4_0, 1, {32}, "x"},
                           meta = {"__metadata__", CN_I8, 1, {1}, "x"},
                           big = {"b", CN_F32, 2, {1ull << 40, 1ull << 40}, "x"},
                           twice[] = {{"t", CN_I8, 1, {1}, "x"}, {"t", CN_I8, 1, {1}, "x"}};
    assert_int_equal(safetensors_write(path, &q, 1, &err), CN_E_UNSUPPORTED);
    assert_int_equal(safetensors_write(path, &meta, 1, &err), CN_E_ARG);
    assert_int_equal(safetensors_write(path, &big, 1, &err), CN_E_LIMIT);
    assert_int_equal(safetensors_write(path, twice, 2, &err), CN_E_FORMAT);
    assert_int_equal(files_in(folder), 0);
    cn_free(path);
    remove_folder(folder);
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char *path = cn_path_join(folder, name);
    cn_err err = {0};
    if (cn_file_write(path, cn_str_of(text), &err)) fail_msg("%s", err.why);
    cn_free(path);
}

static void write_shard(const char *folder, const char *name, const safetensors_item *items,
                        size_t n)
{
    char *path = cn_path_join(folder, name);
    cn_err err = {0};
    if (safetensors_write(path, items, n, &err)) fail_msg("%s", err.why);
    cn_free(path);
}

static void open_index(const char *folder, const char *map, cn_status want, const char *why)
{
    safetensors *s;
    cn_err err = {0};
    write_text(folder, "model.safetensors.index.json", map);
    cn_status st = safetensors_open(&s, folder, &err);
    if (st != want || (why && !strstr(err.why, why)))
        fail_msg("%s: %s: %s: %s", map, cn_status_code(st), err.what, err.why);
    safetensors_close(s);
}

static void shards(void **state)
{
    (void)state;
    char *folder = scratch_folder();
    const safetensors_item one[] = {{"b", CN_I8, 1, {2}, "bb"}, {"a", CN_I8, 1, {1}, "a"}},
                           two[] = {{"c", CN_I8, 1, {3}, "ccc"}, {"a", CN_I8, 1, {1}, "x"}};
    write_shard(folder, "one.safetensors", one, 2);
    write_shard(folder, "two.safetensors", two, 2);
    write_text(folder, "model.safetensors.index.json",
               "{\"metadata\":{\"total_size\":6},\"weight_map\":{\"c\":\"two.safetensors\","
               "\"a\":\"one.safetensors\",\"b\":\"one.safetensors\"}}");
    safetensors *s;
    cn_err err = {0};
    if (safetensors_open(&s, folder, &err)) fail_msg("%s: %s", err.what, err.why);
    assert_int_equal(safetensors_n(s), 3);
    assert_true(cn_str_is(safetensors_at(s, 0)->name, "b"));
    assert_true(cn_str_is(safetensors_at(s, 1)->name, "a"));
    assert_true(cn_str_is(safetensors_at(s, 2)->name, "c"));
    assert_memory_equal(safetensors_find(s, "a")->data, "a", 1); /* the index decides whose */
    assert_memory_equal(safetensors_find(s, "c")->data, "ccc", 3);
    safetensors_close(s);

    open_index(folder, "{\"weight_map\":{\"z\":\"one.safetensors\"}}", CN_E_MISMATCH,
               "one.safetensors does not hold tensor z");
    open_index(folder, "{\"weight_map\":{\"a\":\"three.safetensors\"}}", CN_E_NOT_FOUND, NULL);
    open_index(folder, "{\"weight_map\":{}}", CN_E_FORMAT, "no weight_map");
    open_index(folder, "{\"weight_map\":[]}", CN_E_FORMAT, "no weight_map");
    open_index(folder, "[]", CN_E_FORMAT, "no weight_map");
    open_index(folder, "{\"weight_map\":{\"a\":7}}", CN_E_FORMAT, "entry 1 of 1");
    remove_folder(folder);
}

static void too_many_shards(void **state)
{
    (void)state;
    cn_buf map = {0};
    char *folder = scratch_folder();
    cn_buf_lit(&map, "{\"weight_map\":{\"t\":\"s\"");
    for (int i = 0; i < 1024; i++)
        cn_buf_printf(&map, ",\"t%d\":\"s%d\"", i, i);
    cn_buf_lit(&map, "}}");
    open_index(folder, map.p, CN_E_LIMIT, "1025 shards, at most 1024");
    cn_buf_deinit(&map);
    remove_folder(folder);
}

static void names_may_not_leave_the_folder(void **state)
{
    (void)state;
    static const char *const names[] = {
        "../one.safetensors", "/etc/passwd", "..", ".", "sub/one.safetensors", "",
        "a\\u0000b",          "a\\nb"};
    char *folder = scratch_folder();
    for (size_t i = 0; i < CN_ARRAY_LEN(names); i++) {
        cn_buf map = {0};
        cn_buf_printf(&map, "{\"weight_map\":{\"a\":\"%s\"}}", names[i]);
        open_index(folder, map.p, CN_E_FORMAT, "names no file of this folder");
        cn_buf_deinit(&map);
    }
    remove_folder(folder);
}

static void folders_without_weights(void **state)
{
    (void)state;
    char *folder = scratch_folder();
    safetensors *s;
    cn_err err = {0};
    assert_int_equal(safetensors_open(&s, folder, &err), CN_E_NOT_FOUND);
    assert_non_null(strstr(err.why, "model.safetensors"));
    assert_null(s);
    remove_folder(folder);
    assert_int_equal(safetensors_open(&s, "/nonexistent", &err), CN_E_NOT_FOUND);
}

/* 65,536 tensors are found again; one more is refused. */
static void as_many_as_may_be(void **state)
{
    (void)state;
    cn_buf header = {0};
    for (unsigned i = 0; i < 65536; i++)
        cn_buf_printf(&header,
                      "%s\"t%u\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[%u,%u]}",
                      i ? "," : "{", i, i, i + 1);
    cn_buf_putc(&header, '}');
    cn_buf b = file_of(header.p, 65536);
    safetensors *s = parse(&b);
    for (unsigned i = 0; i < 65536; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%u", i);
        assert_ptr_equal(safetensors_find(s, name), safetensors_at(s, i));
    }
    safetensors_close(s);
    cn_buf_deinit(&b);
    header.n--;
    cn_buf_lit(&header,
               ",\"more\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[65536,65537]}}");
    must_refuse(header.p, 65537, CN_E_LIMIT, "at most 65536");
    cn_buf_deinit(&header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_turn_around),
        cmocka_unit_test(types_that_are_not_ours),
        cmocka_unit_test(rules_of_the_format),
        cmocka_unit_test(headers_of_many_values),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(what_cannot_be_written),
        cmocka_unit_test(shards),
        cmocka_unit_test(too_many_shards),
        cmocka_unit_test(names_may_not_leave_the_folder),
        cmocka_unit_test(folders_without_weights),
        cmocka_unit_test(as_many_as_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
