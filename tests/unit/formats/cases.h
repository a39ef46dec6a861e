/* What the tests of the formats share: files written down as base64 in JSON, and folders. */
#ifndef FORMATS_CASES_H
#define FORMATS_CASES_H

#include "testing.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "json.h"

static inline cn_buf base64_bytes(cn_str text)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    cn_buf out = {0};
    uint32_t bits = 0;
    unsigned n = 0;
    cn_buf_append(&out, "", 0); /* an address also when nothing is in it */
    for (size_t i = 0; i < text.n && text.p[i] != '='; i++) {
        const char *d = strchr(digits, text.p[i]);
        assert_non_null(d);
        bits = bits << 6 | (uint32_t)(d - digits);
        n += 6;
        if (n >= 8) {
            n -= 8;
            cn_buf_putc(&out, (char)(bits >> n & 0xff));
        }
    }
    return out;
}

/* A copy in memory of exactly that size, so that the sanitizer sees any read beyond it. */
static inline char *exact_copy(cn_str s)
{
    char *p = malloc(s.n ? s.n : 1);
    assert_non_null(p);
    if (s.n) memcpy(p, s.p, s.n);
    return p;
}

static inline cn_json *read_json(const char *path)
{
    cn_json *root = NULL;
    cn_err err = {0};
    if (cn_json_read_file(&root, path, (size_t)64 << 20, &err)) fail_msg("%s", err.why);
    return root;
}

/* An empty folder of its own for a test's files; owned. */
static inline char *scratch_folder(void)
{
    char *path = strdup("/tmp/conatus-test-XXXXXX");
    assert_non_null(path);
    assert_non_null(mkdtemp(path));
    return path;
}

/* Removes it with the files in it, and frees the name. */
static inline void remove_folder(char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char *file = cn_path_join(path, e->d_name);
        if (e->d_name[0] != '.') unlink(file);
        cn_free(file);
    }
    if (d) closedir(d);
    rmdir(path);
    free(path);
}

static inline size_t files_in(const char *path)
{
    size_t n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Calls `fn` for every file below `path` whose name ends in `suffix`; how many there were. */
static inline size_t each_file(const char *path, const char *suffix,
                               void (*fn)(const char *file))
{
    size_t n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char *file = cn_path_join(path, e->d_name);
        if (e->d_name[0] != '.' && cn_is_dir(file)) {
            n += each_file(file, suffix, fn);
        } else if (cn_str_ends(cn_str_of(file), cn_str_of(suffix))) {
            fn(file);
            n++;
        }
        cn_free(file);
    }
    if (d) closedir(d);
    return n;
}

#endif
