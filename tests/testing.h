/* What unit tests share: cmocka in the right order, and where their data is. */
#ifndef TESTING_H
#define TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "file.h"
#include "mem.h"

/* Path of a shared case ("cases/loader/x.json"), owned; NULL when the cases are not there. */
static inline char *shared_case(const char *relative)
{
    const char *root = getenv("CONATUS_CASES");
    char *path = cn_path_join(root ? root : TEST_SHARED_DATA, relative);
    if (cn_is_file(path) || cn_is_dir(path)) return path;
    cn_free(path);
    return NULL;
}

/* Use first in a test that cannot do without: the run's output says what was left out. */
#define NEED_CASE(path, relative)                                                              \
    char *path = shared_case(relative);                                                        \
    if (!path) {                                                                               \
        print_message("skipped: no %s beside the project\n", relative);                        \
        skip();                                                                                \
    }

static inline char *fixture(const char *relative)
{
    return cn_path_join(TEST_FIXTURES, relative);
}

#endif
