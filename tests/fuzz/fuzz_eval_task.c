/* A task file and a reply, split at the first NUL: reading and judging never fail badly, and a
 * case that is read can be judged. */
#include <stdlib.h>
#include <string.h>

#include "judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    const char *cut = size ? memchr(p, 0, size) : NULL;
    cn_str text = {p, cut ? (size_t)(cut - p) : size};
    cn_str reply = cut ? cn_str_skip((cn_str){p, size}, text.n + 1) : text;
    double marks[EVAL_MAX_MARKS];
    eval_task t;
    cn_err err;
    if (size > 4096 || eval_task_read(&t, text, 20, &err)) return 0;
    for (size_t i = 0; i < t.n; i++) {
        eval_verdict v;
        if (eval_judge(&v, &t, &t.cases[i], reply, marks, &err) || v.failed & ~t.cases[i].kinds)
            abort();
    }
    eval_task_deinit(&t);
    return 0;
}
