/* What files and folders are, by their first bytes. */
#include "testing.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kind.h"

static char folder[] = "/tmp/conatus-kind-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static file_verdict kind_of(const char *bytes, size_t n)
{
    file_verdict v = {0};
    char *path = cn_path_join(folder, "file");
    assert_int_equal(cn_file_write(path, (cn_str){bytes, n}, NULL), CN_OK);
    assert_int_equal(file_kind_of(&v, path, NULL), CN_OK);
    unlink(path);
    cn_free(path);
    return v;
}

#define KIND_OF(text) kind_of(text, sizeof(text) - 1)

static void known_kinds(void **state)
{
    (void)state;
    assert_int_equal(KIND_OF("GGUF\3\0\0\0").kind, KIND_GGUF);
    assert_int_equal(KIND_OF("\2\0\0\0\0\0\0\0{}").kind, KIND_SAFETENSORS);
    assert_int_equal(KIND_OF("\n\x0e\n\5<unk>").kind, KIND_TOKENIZER);
    assert_int_equal(KIND_OF("{\"model\":{},\"added_tokens\":[]}").kind, KIND_TOKENIZER);
    assert_int_equal(KIND_OF("{% for m in messages %}").kind, KIND_TEMPLATE);
}

static void of_no_use(const char *bytes, size_t n, const char *what)
{
    file_verdict v = kind_of(bytes, n);
    assert_int_equal(v.kind, KIND_OTHER);
    if (!strstr(v.what, what)) fail_msg("\"%s\" is not in \"%s\"", what, v.what);
}

#define OF_NO_USE(text, what) of_no_use(text, sizeof(text) - 1, what)

static void things_that_are_no_model(void **state)
{
    (void)state;
    OF_NO_USE("", "empty");
    OF_NO_USE("hello\n", "text");
    OF_NO_USE("\xff\xfe\0\1", "binary");
    OF_NO_USE("version https://git-lfs.github.com/spec/v1\n", "Git LFS");
    OF_NO_USE("<!DOCTYPE html>", "web page");
    OF_NO_USE("PK\3\4....", "ZIP");
    OF_NO_USE("\x80\2}q", "pickle");
    OF_NO_USE("{\"model_type\":\"llama\"}", "config.json");
    OF_NO_USE("{\"weight_map\":{}}", "shards");
    OF_NO_USE("{\"peft_type\":\"LORA\"}", "adapter");
    OF_NO_USE("[1,2]", "JSON");
    OF_NO_USE("{ not json", "not");
}

static void folders(void **state)
{
    file_verdict v;
    cn_err err = {0};
    (void)state;
    assert_int_equal(file_kind_of(&v, folder, NULL), CN_OK);
    assert_int_equal(v.kind, KIND_OTHER);
    char *config = cn_path_join(folder, "config.json"),
         *weights = cn_path_join(folder, "model.safetensors");
    cn_file_write(config, CN_STR("{}"), NULL);
    cn_file_write(weights, CN_STR("x"), NULL);
    assert_int_equal(file_kind_of(&v, folder, NULL), CN_OK);
    assert_int_equal(v.kind, KIND_HF_FOLDER);
    unlink(config);
    unlink(weights);
    cn_free(config);
    cn_free(weights);
    assert_int_equal(file_kind_of(&v, "/tmp/conatus-no-such-file", &err), CN_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_kinds),
        cmocka_unit_test(things_that_are_no_model),
        cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
