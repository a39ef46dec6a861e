/* Files: whole reads under a cap, writes that replace or leave alone, mappings, paths. */
#include "testing.h"

#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "map.h"

static int folder_new(void **state)
{
    char template[] = "/tmp/conatus-test-XXXXXX";
    *state = mkdtemp(template) ? cn_xstrndup(template, strlen(template)) : NULL;
    return *state ? 0 : -1;
}

static int folder_free(void **state)
{
    char *folder = *state;
    int rc = rmdir(folder); /* fails when a test left something behind */
    cn_free(folder);
    return rc;
}

static void test_write_then_read(void **state)
{
    char *path = cn_path_join(*state, "file");
    static const char bytes[] = "a\0b\n";
    cn_err err;
    cn_buf got = {0};
    assert_int_equal(cn_file_write(path, CN_STR("first, longer"), &err), CN_OK);
    assert_int_equal(cn_file_write(path, (cn_str){bytes, 4}, &err), CN_OK);
    assert_int_equal(cn_file_read(&got, path, 4, &err), CN_OK);
    assert_int_equal(got.n, 4);
    assert_memory_equal(got.p, bytes, 4);
    assert_int_equal(cn_file_read(&got, path, 3, &err), CN_E_LIMIT);
    assert_non_null(strstr(err.why, "has 4 bytes, at most 3"));
    assert_int_equal(got.n, 4);
    assert_true(cn_is_file(path));
    assert_false(cn_is_dir(path));
    assert_int_equal(unlink(path), 0);
    cn_buf_deinit(&got);
    cn_free(path);
}

static void test_a_failed_write_leaves_nothing(void **state)
{
    char *path = cn_path_join(*state, "there");
    cn_err err;
    assert_int_equal(mkdir(path, 0700), 0); /* a folder cannot be replaced by a file */
    assert_int_not_equal(cn_file_write(path, CN_STR("x"), &err), CN_OK);
    assert_true(cn_is_dir(path));
    assert_int_equal(rmdir(path), 0);
    cn_free(path);

    path = cn_path_join(*state, "no/such/folder");
    assert_int_equal(cn_file_write(path, CN_STR("x"), &err), CN_E_NOT_FOUND);
    cn_free(path);
}

static void test_what_cannot_be_mapped(void **state)
{
    char *empty = cn_path_join(*state, "empty"), *pipe = cn_path_join(*state, "pipe");
    cn_map map;
    cn_err err;
    assert_int_equal(cn_map_open(&map, *state, &err), CN_E_ARG);
    assert_null(map.base);
    assert_int_equal(cn_map_open(&map, empty, &err), CN_E_NOT_FOUND);
    assert_int_equal(cn_file_write(empty, CN_STR(""), &err), CN_OK);
    assert_int_equal(cn_map_open(&map, empty, &err), CN_E_FORMAT);
    assert_int_equal(mkfifo(pipe, 0600), 0); /* must not wait for a writer */
    assert_int_equal(cn_map_open(&map, pipe, &err), CN_E_ARG);
    unlink(pipe);
    unlink(empty);
    cn_free(pipe);
    cn_free(empty);
}

static void test_map_is_taken_once(void **state)
{
    char *path = cn_path_join(*state, "map");
    cn_map map;
    assert_int_equal(cn_file_write(path, CN_STR("weights"), NULL), CN_OK);
    assert_int_equal(cn_map_open(&map, path, NULL), CN_OK);
    unlink(path); /* the mapping outlives the name */
    cn_map mine = cn_map_take(&map);
    assert_null(map.base);
    cn_map_close(&map);
    assert_int_equal(mine.size, 7);
    assert_memory_equal(mine.base, "weights", 7);
    cn_map_close(&mine);
    assert_null(mine.base);
    cn_free(path);
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"a/b", "c/d", "a/b/c/d"}};
    for (size_t i = 0; i < CN_ARRAY_LEN(cases); i++) {
        char *path = cn_path_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        cn_free(path);
    }
    assert_string_equal(cn_path_base("/a/b.c"), "b.c");
    assert_string_equal(cn_path_base("b.c"), "b.c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_then_read),
        cmocka_unit_test(test_a_failed_write_leaves_nothing),
        cmocka_unit_test(test_what_cannot_be_mapped),
        cmocka_unit_test(test_map_is_taken_once),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, folder_new, folder_free);
}
