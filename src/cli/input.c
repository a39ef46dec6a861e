#include "input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

cn_status cli_read_stdin(cn_buf *out, cn_err *err)
{
    char chunk[65536];
    ssize_t n;
    while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0)
        cn_buf_append(out, chunk, (size_t)n);
    if (n < 0 && errno == EINTR) return cn_fail(err, CN_E_CANCELLED, "interrupted");
    if (n < 0) return cn_fail(err, CN_E_IO, "reading standard input: %s", strerror(errno));
    if (out->failed) return cn_fail(err, CN_E_LIMIT, "standard input over 1 GiB");
    if (out->n && out->p[out->n - 1] == '\n') out->p[--out->n] = '\0';
    return CN_OK;
}

cn_status cli_input(cn_buf *out, const cli_common *c, size_t first, cn_err *err)
{
    if (c->n_words <= first) return cli_read_stdin(out, err);
    for (size_t i = first; i < c->n_words; i++) {
        if (i > first) cn_buf_putc(out, ' ');
        if (strcmp(c->words[i], "-") != 0) {
            cn_buf_str(out, cn_str_of(c->words[i]));
            continue;
        }
        cn_status st = cli_read_stdin(out, err);
        if (st) return st;
    }
    return out->failed ? cn_fail(err, CN_E_NOMEM, "a text of %zu bytes", out->n) : CN_OK;
}

cn_status cli_ids_in(cn_str text, cn_tokens *out, cn_err *err)
{
    for (size_t i = 0; i < text.n;) {
        int64_t id = 0;
        size_t start = i;
        for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9' && id <= INT32_MAX; i++)
            id = id * 10 + (text.p[i] - '0');
        if (i == start) {
            i++;
            continue;
        }
        if (id > INT32_MAX)
            return cn_fail(err, CN_E_ARG, "%lld... is no token id", (long long)id);
        cn_status st = cn_tokens_push(out, (int32_t)id, err);
        if (st) return st;
    }
    return CN_OK;
}
