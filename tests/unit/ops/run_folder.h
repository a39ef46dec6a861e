/* A folder for runs and a registry of its own, both gone after the tests. */
#ifndef RUN_FOLDER_H
#define RUN_FOLDER_H

#include "testing.h"

#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jobs.h"

static char run_root[64];

static inline int make_root(void **state)
{
    (void)state;
    snprintf(run_root, sizeof run_root, "/tmp/conatus-jobs-XXXXXX");
    if (!mkdtemp(run_root)) return -1;
    return setenv("CONATUS_HOME", run_root, 1);
}

static inline int remove_it(const char *path, const struct stat *s, int kind, struct FTW *at)
{
    (void)s, (void)kind, (void)at;
    return remove(path);
}

static inline int remove_root(void **state)
{
    (void)state;
    return nftw(run_root, remove_it, 16, FTW_DEPTH | FTW_PHYS);
}

/* Path of `name` under the root, valid until the test's end (each test uses few). */
static inline const char *under(const char *name)
{
    static char paths[8][160];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", run_root, name);
    return path;
}

static inline void put_file(const char *path, const char *text)
{
    assert_int_equal(cn_file_write(path, cn_str_of(text), NULL), CN_OK);
}

static inline bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static inline void says(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("\"%s\" is not in \"%s\"", part, text);
}

#endif
