/* A disk that is full: every writer says so, with numbers, and leaves no file behind. */
#include "cases.h"

#include <sched.h>
#include <sys/mount.h>

#include "gguf_write.h"
#include "safetensors.h"

#define DISK_BYTES 65536

/* A small disk of this process's own; false where that is not allowed. */
static bool mount_small_disk(const char *folder)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=65536,mode=0700") == 0;
}

static int disk_new(void **state)
{
    char *folder = scratch_folder();
    if (!mount_small_disk(folder)) {
        remove_folder(folder);
        folder = NULL;
    }
    *state = folder;
    return 0;
}

static int disk_free(void **state)
{
    if (!*state) return 0;
    umount(*state);
    remove_folder(*state);
    return 0;
}

#define NEED_DISK(folder)                                                                      \
    const char *folder = *state;                                                               \
    if (!folder) {                                                                             \
        print_message("skipped: this process may not mount a disk\n");                         \
        skip();                                                                                \
    }

static void whole_files(void **state)
{
    NEED_DISK(folder);
    static char large[DISK_BYTES * 2];
    char *path = cn_path_join(folder, "x");
    cn_err err = {0};
    assert_int_equal(cn_file_write(path, CN_STR("before"), &err), CN_OK);
    assert_int_equal(cn_file_write(path, (cn_str){large, sizeof large}, &err), CN_E_DISK);
    cn_buf text = {0};
    assert_int_equal(cn_file_read(&text, path, 100, &err), CN_OK);
    assert_string_equal(text.p, "before"); /* as it was */
    assert_int_equal(files_in(folder), 1);
    cn_buf_deinit(&text);
    unlink(path);
    cn_free(path);
}

/* Known before the work: at the first byte of data, not at the last. */
static void gguf_files(void **state)
{
    NEED_DISK(folder);
    char *path = cn_path_join(folder, "x.gguf");
    cn_err err = {0};
    gguf_writer *w;
    assert_int_equal(gguf_writer_new(&w, path, &err), CN_OK);
    assert_int_equal(gguf_put_tensor(w, "t", CN_F32, 1, (uint64_t[]){DISK_BYTES}, &err), CN_OK);
    assert_int_equal(gguf_write_data(w, "1234", 4, &err), CN_E_DISK);
    assert_non_null(strstr(err.why, "needs 2622"));
    assert_true(err.next[0] != '\0');
    gguf_writer_free(w);
    assert_int_equal(files_in(folder), 0);
    cn_free(path);
}

static void safetensors_files(void **state)
{
    NEED_DISK(folder);
    static char large[DISK_BYTES * 2];
    char *path = cn_path_join(folder, "x.safetensors");
    cn_err err = {0};
    const safetensors_item it = {"t", CN_I8, 1, {sizeof large}, large};
    assert_int_equal(safetensors_write(path, &it, 1, &err), CN_E_DISK);
    assert_int_equal(files_in(folder), 0);
    cn_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files),
        cmocka_unit_test(gguf_files),
        cmocka_unit_test(safetensors_files),
    };
    return cmocka_run_group_tests(tests, disk_new, disk_free);
}
