#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "file.h"

static cn_status read_all(cn_buf *out, int fd, const char *name, size_t max, cn_err *err)
{
    char chunk[65536];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0) {
        cn_buf_append(out, chunk, (size_t)n);
        if (out->failed || out->n > max)
            return cn_fail(err, CN_E_LIMIT, "%s has over %zu MiB", name, max >> 20);
    }
    if (n < 0 && errno == EINTR) return cn_fail(err, CN_E_CANCELLED, "interrupted");
    if (n < 0) return cn_fail(err, CN_E_IO, "reading %s: %s", name, strerror(errno));
    return CN_OK;
}

cn_status cli_read_stdin(cn_buf *out, cn_err *err)
{
    cn_status st = read_all(out, STDIN_FILENO, "standard input", (size_t)1 << 30, err);
    if (!st && out->n && out->p[out->n - 1] == '\n') out->p[--out->n] = '\0';
    return st;
}

cn_status cli_read_file(cn_buf *out, const char *path, size_t max, cn_err *err)
{
    if (strcmp(path, "-") == 0) return read_all(out, STDIN_FILENO, "standard input", max, err);
    if (cn_is_file(path) || cn_is_dir(path)) return cn_file_read(out, path, max, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cn_status st = cn_fail(err, cn_status_of_errno(errno), "%s", strerror(errno));
        return cn_ctx(err, st, "reading %s", path);
    }
    cn_status st = read_all(out, fd, path, max, err);
    close(fd);
    return st;
}

cn_status cli_read_json(cn_json **out, const char *path, cn_err *err)
{
    cn_buf text = {0};
    *out = NULL;
    cn_status st = cli_read_file(&text, path, (size_t)64 << 20, err);
    if (!st) {
        st = cn_json_parse(out, cn_buf_view(&text), err);
        if (st) cn_ctx(err, st, "reading %s", path);
    }
    cn_buf_deinit(&text);
    return st;
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

#define BETWEEN " \t\r\n,"

static cn_status no_id(cn_str word, cn_err *err)
{
    cn_fail(err, CN_E_ARG, "ids are whole numbers from 0 to %d", INT32_MAX);
    cn_ctx(err, CN_E_ARG, "\"%.*s\" is no token id", (int)CN_MIN(word.n, 40), word.p);
    return cn_next(err, CN_E_ARG, "write them as 1 403 407, 1,403,407 or [1, 403, 407]");
}

static cn_status add_id(cn_str word, cn_tokens *out, cn_err *err)
{
    int64_t id = 0;
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] < '0' || word.p[i] > '9') return no_id(word, err);
        id = id * 10 + (word.p[i] - '0');
        if (id > INT32_MAX) return no_id(word, err);
    }
    return cn_tokens_push(out, (int32_t)id, err);
}

static cn_str trimmed(cn_str s)
{
    while (s.n && strchr(BETWEEN, s.p[0]) && s.p[0])
        s = (cn_str){s.p + 1, s.n - 1};
    while (s.n && strchr(BETWEEN, s.p[s.n - 1]) && s.p[s.n - 1])
        s.n--;
    return s;
}

cn_status cli_ids_in(cn_str text, cn_tokens *out, cn_err *err)
{
    cn_str rest = trimmed(text);
    if (rest.n > 1 && rest.p[0] == '[' && rest.p[rest.n - 1] == ']')
        rest = trimmed((cn_str){rest.p + 1, rest.n - 2});
    while (rest.n) {
        size_t n = 0;
        while (n < rest.n && (!strchr(BETWEEN, rest.p[n]) || !rest.p[n]))
            n++;
        cn_status st = add_id((cn_str){rest.p, n}, out, err);
        if (st) return st;
        rest = trimmed((cn_str){rest.p + n, rest.n - n});
    }
    return CN_OK;
}
