/* Checkpoints: there whole or not at all. Damage of every byte, cuts at every length, writers
 * killed at random moments, disks without room. */
#include "testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checkpoint_priv.h"
#include "rng.h"

static int folder_new(void **state)
{
    char template[] = "/tmp/conatus-test-XXXXXX";
    *state = mkdtemp(template) ? cn_xstrndup(template, strlen(template)) : NULL;
    return *state ? 0 : -1;
}

/* How many entries the folder has. */
static size_t count(const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    size_t n = 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void empty(const char *dir)
{
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        if (e->d_name[0] != '.') assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
    closedir(d);
}

static int folder_free(void **state)
{
    char *dir = *state;
    empty(dir);
    int rc = rmdir(dir);
    cn_free(dir);
    return rc;
}

static char *path_of(const char *dir, uint64_t step)
{
    char name[CHECKPOINT_NAME];
    checkpoint_name(name, step);
    return cn_path_join(dir, name);
}

static bool is_there(const char *dir, uint64_t step)
{
    char *path = path_of(dir, step);
    bool there = cn_is_file(path);
    cn_free(path);
    return there;
}

static void put_bytes(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Two parts whose bytes follow from the step. */
#define N_BIG 5001
typedef struct content {
    uint8_t big[N_BIG], small[64];
} content;

static void content_of(content *c, uint64_t step)
{
    cn_rng r = cn_rng_seeded(step);
    for (size_t i = 0; i < sizeof c->big; i++)
        c->big[i] = (uint8_t)cn_rng_next(&r);
    for (size_t i = 0; i < sizeof c->small; i++)
        c->small[i] = (uint8_t)cn_rng_next(&r);
}

static size_t parts_of(content *c, checkpoint_part parts[3])
{
    parts[0] = (checkpoint_part){"weights", c->big, sizeof c->big};
    parts[1] = (checkpoint_part){"nothing", NULL, 0};
    parts[2] = (checkpoint_part){"adam.m", c->small, sizeof c->small};
    return 3;
}

static cn_status write_step(const char *dir, uint64_t step, unsigned keep, cn_err *err)
{
    content c;
    checkpoint_part parts[3];
    char json[64];
    content_of(&c, step);
    size_t n = parts_of(&c, parts);
    snprintf(json, sizeof json, "{\"step\":%" PRIu64 ",\"best\":1.25}", step);
    return checkpoint_write(dir, step, json, parts, n, keep, err);
}

/* The newest whole one has exactly what its step wrote; returns the step, or UINT64_MAX. */
static uint64_t latest(const char *dir)
{
    checkpoint *k;
    cn_err err;
    assert_int_equal(checkpoint_open_latest(&k, dir, &err), CN_OK);
    if (!k) return UINT64_MAX;
    uint64_t step = checkpoint_step(k);
    content want, got = {0};
    checkpoint_part parts[3];
    content_of(&want, step);
    size_t n = parts_of(&got, parts);
    assert_int_equal(checkpoint_read(k, parts, n, &err), CN_OK);
    assert_memory_equal(&got, &want, sizeof got);
    assert_int_equal(cn_json_int(cn_json_get(checkpoint_state(k), "step"), -1), step);
    checkpoint_close(k);
    return step;
}

static void what_is_written_is_read(void **state)
{
    const char *dir = *state;
    cn_err err;
    assert_true(latest(dir) == UINT64_MAX);
    assert_true(latest("/no/such/folder") == UINT64_MAX);
    assert_int_equal(write_step(dir, 0, 3, &err), CN_OK);
    assert_true(latest(dir) == 0);
    assert_int_equal(write_step(dir, 120, 3, &err), CN_OK);
    assert_true(latest(dir) == 120);
    assert_int_equal(write_step(dir, 120, 3, &err), CN_OK); /* in its own place */
    assert_int_equal(count(dir), 2);
    /* Without parts; and a step that takes more digits. */
    assert_int_equal(checkpoint_write(dir, UINT64_MAX, "{}", NULL, 0, 3, &err), CN_OK);
    char *path = path_of(dir, UINT64_MAX);
    checkpoint *k;
    assert_int_equal(checkpoint_open(&k, path, &err), CN_OK);
    assert_true(checkpoint_step(k) == UINT64_MAX);
    assert_int_equal(checkpoint_read(k, NULL, 0, &err), CN_OK);
    checkpoint_close(k);
    cn_free(path);
    empty(dir);
}

static void the_newest_stay(void **state)
{
    const char *dir = *state;
    cn_err err;
    for (uint64_t step = 10; step <= 50; step += 10)
        assert_int_equal(write_step(dir, step, 2, &err), CN_OK);
    assert_int_equal(count(dir), 2);
    assert_true(is_there(dir, 40) && is_there(dir, 50));
    /* Resumed from 40: the course of 50 is left. */
    assert_int_equal(write_step(dir, 45, 2, &err), CN_OK);
    assert_true(is_there(dir, 40) && is_there(dir, 45));
    assert_int_equal(count(dir), 2);
    assert_int_equal(write_step(dir, 60, 0, &err), CN_OK);
    assert_int_equal(count(dir), 1);
    assert_true(latest(dir) == 60);
    empty(dir);
}

static void other_parts_are_refused(void **state)
{
    const char *dir = *state;
    cn_err err;
    assert_int_equal(write_step(dir, 1, 1, &err), CN_OK);
    checkpoint *k;
    assert_int_equal(checkpoint_open_latest(&k, dir, &err), CN_OK);
    content c = {0};
    const content zero = {0};
    checkpoint_part parts[4] = {0};
    size_t n = parts_of(&c, parts);
    assert_int_equal(checkpoint_read(k, parts, n - 1, &err), CN_E_MISMATCH);
    assert_non_null(strstr(err.why, "adam.m (64 bytes), this run has none"));
    parts[3] = parts[2];
    assert_int_equal(checkpoint_read(k, parts, n + 1, &err), CN_E_MISMATCH);
    parts[2].name = "adam.m8";
    assert_int_equal(checkpoint_read(k, parts, n, &err), CN_E_MISMATCH);
    assert_non_null(strstr(err.why, "adam.m8"));
    parts[2].name = "adam.m";
    parts[2].size--;
    assert_int_equal(checkpoint_read(k, parts, n, &err), CN_E_MISMATCH);
    assert_non_null(strstr(err.why, "63 bytes"));
    assert_memory_equal(&c, &zero, sizeof c);
    checkpoint_close(k);
    empty(dir);
}

static void what_cannot_be_written_is_told(void **state)
{
    const char *dir = *state;
    cn_err err;
    checkpoint_part parts[CHECKPOINT_PARTS + 1];
    for (size_t i = 0; i < CN_ARRAY_LEN(parts); i++)
        parts[i] = (checkpoint_part){"p", NULL, 0};
    assert_int_equal(checkpoint_write(dir, 1, "{}", parts, CHECKPOINT_PARTS, 1, &err), CN_OK);
    assert_int_equal(checkpoint_write(dir, 2, "{}", parts, CHECKPOINT_PARTS + 1, 1, &err),
                     CN_E_LIMIT);
    assert_int_equal(checkpoint_write(dir, 2, "[]", NULL, 0, 1, &err), CN_E_ARG);
    assert_int_equal(checkpoint_write(dir, 2, "{", NULL, 0, 1, &err), CN_E_FORMAT);
    parts[0].name = "";
    assert_int_equal(checkpoint_write(dir, 2, "{}", parts, 1, 1, &err), CN_E_LIMIT);
    parts[0].name = "a name of forty characters is too long!!";
    assert_int_equal(checkpoint_write(dir, 2, "{}", parts, 1, 1, &err), CN_E_LIMIT);
    parts[0] = (checkpoint_part){"p", NULL, (size_t)1 << 40};
    assert_int_equal(checkpoint_write(dir, 2, "{}", parts, 1, 1, &err), CN_E_LIMIT);
    char *big = cn_xcalloc(1, CHECKPOINT_STATE + 2);
    memset(big, ' ', CHECKPOINT_STATE + 1);
    big[0] = '{', big[CHECKPOINT_STATE] = '}';
    assert_int_equal(checkpoint_write(dir, 2, big, NULL, 0, 1, &err), CN_E_LIMIT);
    cn_free(big);
    assert_int_equal(checkpoint_write("/no/such/folder", 2, "{}", NULL, 0, 1, &err),
                     CN_E_NOT_FOUND);
    assert_true(is_there(dir, 1));
    assert_int_equal(count(dir), 1);
    empty(dir);
}

/* ---- damage ---- */

static cn_status status_of(const char *path, cn_err *err)
{
    checkpoint *k;
    cn_status st = checkpoint_open(&k, path, err);
    assert_true((k != NULL) == (st == CN_OK));
    checkpoint_close(k);
    return st;
}

static void every_damaged_byte_is_seen(void **state)
{
    const char *dir = *state;
    cn_err err;
    cn_buf b = {0};
    checkpoint_part part = {"weights", (void *)(uintptr_t) "some weights", 12};
    assert_int_equal(checkpoint_write(dir, 7, "{\"a\":1}", &part, 1, 1, &err), CN_OK);
    char *path = path_of(dir, 7);
    assert_int_equal(cn_file_read(&b, path, SIZE_MAX, &err), CN_OK);
    assert_int_equal(b.n, 4 * CHECKPOINT_STRIPE + 8);
    for (size_t i = 0; i < b.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            b.p[i] = (char)(b.p[i] ^ 1 << bit);
            put_bytes(path, b.p, b.n);
            cn_status st = status_of(path, &err);
            /* Version and the counts are looked at before the sum. */
            assert_true(st == CN_E_FORMAT || (i < 64 && st == CN_E_LIMIT) ||
                        (i / 4 == 2 && st == CN_E_UNSUPPORTED));
            b.p[i] = (char)(b.p[i] ^ 1 << bit);
        }
    }
    for (size_t n = 1; n < b.n; n++) {
        put_bytes(path, b.p, n);
        assert_int_equal(status_of(path, &err), CN_E_FORMAT);
    }
    static const uint8_t more[CHECKPOINT_STRIPE];
    cn_buf_append(&b, more, sizeof more);
    put_bytes(path, b.p, b.n);
    assert_int_equal(status_of(path, &err), CN_E_FORMAT);
    put_bytes(path, b.p, b.n - CHECKPOINT_STRIPE);
    assert_int_equal(status_of(path, &err), CN_OK);
    cn_buf_deinit(&b);
    cn_free(path);
    empty(dir);
}

static void the_one_before_is_taken(void **state)
{
    const char *dir = *state;
    cn_err err;
    for (uint64_t step = 1; step <= 6; step++)
        assert_int_equal(write_step(dir, step, 9, &err), CN_OK);
    char *cut = path_of(dir, 6), *damaged = path_of(dir, 5), *garbage = path_of(dir, 4),
         *future = path_of(dir, 3);
    assert_int_equal(truncate(cut, 2048), 0);
    int fd = open(damaged, O_WRONLY);
    assert_int_equal(pwrite(fd, "!", 1, 1000), 1);
    close(fd);
    put_bytes(garbage, "no checkpoint", 13);
    fd = open(future, O_WRONLY);
    assert_int_equal(pwrite(fd, "\2", 1, 8), 1);
    close(fd);
    assert_int_equal(status_of(cut, &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "2048 bytes, its header says"));
    assert_int_equal(status_of(damaged, &err), CN_E_FORMAT);
    assert_non_null(strstr(err.why, "checksum"));
    assert_int_equal(status_of(garbage, &err), CN_E_FORMAT);
    assert_int_equal(status_of(future, &err), CN_E_UNSUPPORTED);
    assert_non_null(strstr(err.why, "version 2"));
    char *path = path_of(dir, 7), *other = cn_path_join(dir, "checkpoint-8.ckpt");
    assert_int_equal(mkdir(path, 0700), 0); /* a folder by that name */
    put_bytes(other, "a name that is not ours", 23);
    assert_int_equal(status_of(path, &err), CN_E_ARG);
    assert_true(latest(dir) == 2);
    assert_int_equal(rmdir(path), 0);
    cn_free(path), cn_free(other);
    cn_free(cut), cn_free(damaged), cn_free(garbage), cn_free(future);
    /* Writing goes on from there, and the damaged later ones do not push it out. */
    assert_int_equal(write_step(dir, 3, 1, &err), CN_OK);
    assert_true(latest(dir) == 3);
    assert_int_equal(count(dir), 2); /* with the other name */
    empty(dir);
}

static void leftovers_of_the_dead_go(void **state)
{
    const char *dir = *state;
    cn_err err;
    char *dead = cn_path_join(dir, "checkpoint-000000009.ckpt.part-99"),
         *alive = cn_path_join(dir, "checkpoint-000000009.ckpt.part-98");
    put_bytes(dead, "x", 1);
    put_bytes(alive, "x", 1);
    int fd = open(alive, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(write_step(dir, 1, 1, &err), CN_OK);
    assert_false(cn_is_file(dead));
    assert_true(cn_is_file(alive));
    close(fd);
    assert_int_equal(write_step(dir, 2, 1, &err), CN_OK);
    assert_false(cn_is_file(alive));
    assert_true(latest(dir) == 2);
    assert_int_equal(count(dir), 1);
    cn_free(dead), cn_free(alive);
    empty(dir);
}

/* ---- no room ---- */

static void a_limit_on_file_sizes_loses_nothing(void **state)
{
    const char *dir = *state;
    cn_err err;
    assert_int_equal(write_step(dir, 1, 1, &err), CN_OK);
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = (struct rlimit){3000, old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    cn_status st = write_step(dir, 2, 1, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(st, CN_E_DISK);
    assert_non_null(strstr(err.what, "checkpoint-000000002.ckpt"));
    assert_non_null(strstr(err.why, "needs 5448 bytes"));
    assert_non_null(strstr(err.next, "ulimit"));
    assert_true(latest(dir) == 1);
    assert_int_equal(count(dir), 1);
    assert_int_equal(write_step(dir, 2, 1, &err), CN_OK);
    assert_true(latest(dir) == 2);
    empty(dir);
}

static void a_full_disk_loses_nothing(void **state)
{
    const char *dir = *state;
    cn_err err;
    if (mount("none", dir, "tmpfs", 0, "size=16k")) {
        print_message("skipped: a small tmpfs needs root\n");
        skip();
    }
    /* Four pages of 4 KiB, two a checkpoint: a second one has no room beside the first. */
    assert_int_equal(write_step(dir, 1, 1, &err), CN_OK);
    char *fill = cn_path_join(dir, "fill");
    static const uint8_t page[4096];
    put_bytes(fill, page, sizeof page);
    cn_status st = write_step(dir, 2, 1, &err);
    bool kept = latest(dir) == 1 && count(dir) == 2;
    assert_int_equal(unlink(fill), 0);
    cn_free(fill);
    cn_status later = write_step(dir, 2, 1, NULL);
    uint64_t step = latest(dir);
    assert_int_equal(umount(dir), 0);
    assert_int_equal(st, CN_E_DISK);
    assert_non_null(strstr(err.why, "needs 5448 bytes, 4096 are free"));
    assert_non_null(strstr(err.next, "free 0.0 MB"));
    assert_true(kept);
    assert_int_equal(later, CN_OK);
    assert_true(step == 2);
}

/* ---- kill -9 ---- */

/* Writes from `step` on until it is killed; tells each finished step. */
static void write_for_ever(const char *dir, uint64_t step, int pipe_fd)
{
    for (;; step++) {
        if (write_step(dir, step, 2, NULL)) _exit(1);
        if (write(pipe_fd, &step, sizeof step) != sizeof step) _exit(2);
    }
}

static void a_killed_writer_leaves_a_whole_one(void **state)
{
    const char *dir = *state;
    cn_rng r = cn_rng_seeded(1);
    uint64_t step = 1;
    size_t n_partial = 0;
    assert_int_equal(write_step(dir, step, 2, NULL), CN_OK);
    for (int i = 0; i < 60; i++) {
        int fds[2], status;
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (!child) write_for_ever(dir, step + 1, fds[1]);
        close(fds[1]);
        uint64_t told;
        if (i % 2) assert_int_equal(read(fds[0], &told, sizeof told), sizeof told);
        nanosleep(&(struct timespec){.tv_nsec = (long)cn_rng_below(&r, 3000000)}, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        told = step;
        while (read(fds[0], &told, sizeof told) == sizeof told) /* the last that was told */
            ;
        close(fds[0]);
        uint64_t found = latest(dir);
        assert_true(found != UINT64_MAX && found >= told);
        step = found;
        n_partial += count(dir) > 2;
    }
    print_message("%zu of 60 left a partial file; step %" PRIu64 "\n", n_partial, step);
    assert_int_equal(write_step(dir, step + 1, 2, NULL), CN_OK);
    assert_int_equal(count(dir), 2);
    empty(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_newest_stay),
        cmocka_unit_test(other_parts_are_refused),
        cmocka_unit_test(what_cannot_be_written_is_told),
        cmocka_unit_test(every_damaged_byte_is_seen),
        cmocka_unit_test(the_one_before_is_taken),
        cmocka_unit_test(leftovers_of_the_dead_go),
        cmocka_unit_test(a_limit_on_file_sizes_loses_nothing),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(a_killed_writer_leaves_a_whole_one),
    };
    return cmocka_run_group_tests(tests, folder_new, folder_free);
}
