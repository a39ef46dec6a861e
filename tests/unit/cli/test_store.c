/* Names of models and adapters: paths, the store, folders with one file, near misses. */
#include "testing.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

static char home[] = "/tmp/conatus-store-XXXXXX";

static void put(const char *path)
{
    char *file = cn_path_join(home, path);
    for (char *p = file + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        (void)mkdir(file, 0700);
        *p = '/';
    }
    assert_int_equal(cn_file_write(file, CN_STR("x"), NULL), CN_OK);
    cn_free(file);
}

static int make_store(void **state)
{
    (void)state;
    if (!mkdtemp(home)) return -1;
    setenv("CONATUS_HOME", home, 1);
    put("models/tiny.gguf");
    put("models/folder/config.json");
    put("models/one/w.gguf");
    put("models/parts/w-00001-of-00002.gguf");
    put("models/parts/w-00002-of-00002.gguf");
    put("models/two/a.gguf");
    put("models/two/b.gguf");
    put("models/a+b.gguf");
    put("models/owner/name/config.json");
    put("usr/share/conatus/models/little/little.gguf");
    put("usr/share/doc/readme");
    put("tree/share/little/little.gguf");
    put("adapters/law/adapter_config.json");
    put("adapters/with:colon/adapter_config.json");
    return 0;
}

static int remove_store(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", home);
    return system(command);
}

static void finds(const char *name, const char *path)
{
    cli_place p;
    cn_err err = {0};
    if (cli_place_find(&p, name, &err)) fail_msg("%s: %s", name, err.why);
    assert_string_equal(p.model + strlen(home) + 1, path);
    cli_place_deinit(&p);
}

static void names_in_the_store(void **state)
{
    (void)state;
    finds("tiny", "models/tiny.gguf");
    finds("tiny.gguf", "models/tiny.gguf");
    finds("folder", "models/folder");
    finds("one", "models/one/w.gguf");
    finds("parts", "models/parts/w-00001-of-00002.gguf");
    finds("two", "models/two");
    finds("a+b", "models/a+b.gguf");
    finds("owner/name", "models/owner/name");
}

static void comes_with(const char *program, const char *name, const char *path)
{
    char *file = cn_path_join(home, program), *found = cli_store_shipped(file, name);
    char *wanted = path ? cn_path_join(home, path) : NULL;
    if (path)
        assert_string_equal(found, wanted);
    else
        assert_null(found);
    cn_free(wanted);
    cn_free(found);
    cn_free(file);
}

static void models_that_came_with_the_program(void **state)
{
    (void)state;
    comes_with("usr/bin/conatus", "little", "usr/share/conatus/models/little/little.gguf");
    comes_with("tree/build/src/cli/conatus", "little", "tree/share/little/little.gguf");
    comes_with("usr/bin/conatus", "doc", NULL); /* other folders of share are no models */
    comes_with("usr/bin/conatus", "../little", NULL);
    comes_with("usr/bin/conatus", "", NULL);
    comes_with("tree/a/b/c/d/e/conatus", "little", NULL); /* far away */
}

static void adapters_after_a_plus(void **state)
{
    cli_place p;
    (void)state;
    assert_int_equal(cli_place_find(&p, "tiny+law:0.5+with:colon", NULL), CN_OK);
    assert_int_equal(p.n_adapters, 2);
    assert_true(p.scales[0] == 0.5f && p.scales[1] == 1.0f);
    assert_non_null(strstr(p.adapters[0], "adapters/law"));
    assert_non_null(strstr(p.adapters[1], "adapters/with:colon"));
    cli_place_deinit(&p);
    assert_int_equal(cli_place_find(&p, "tiny+law:half", NULL), CN_E_ARG);
    assert_int_equal(cli_place_find(&p, "tiny+nothing", NULL), CN_E_NOT_FOUND);
    assert_int_equal(cli_place_find(&p, "tiny+", NULL), CN_E_NOT_FOUND);
}

static void not_found(void **state)
{
    cli_place p;
    cn_err err = {0};
    (void)state;
    assert_int_equal(cli_place_find(&p, "tniy", &err), CN_E_NOT_FOUND);
    assert_string_equal(err.next, "did you mean tiny?");
    assert_non_null(strstr(err.why, home));
    assert_int_equal(cli_place_find(&p, "../adapters/law", NULL), CN_E_NOT_FOUND);
    assert_int_equal(cli_place_find(&p, "", NULL), CN_E_NOT_FOUND);
    assert_int_equal(cli_place_find(&p, "owner/", NULL), CN_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_the_store),
        cmocka_unit_test(models_that_came_with_the_program),
        cmocka_unit_test(adapters_after_a_plus),
        cmocka_unit_test(not_found),
    };
    return cmocka_run_group_tests(tests, make_store, remove_store);
}
