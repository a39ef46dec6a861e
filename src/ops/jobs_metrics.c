/* metrics.jsonl: lines that are appended while a run lives, and read by anyone meanwhile. A
 * torn last line is no error: its writer died, or is about to write the rest. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jobs_priv.h"
#include "mem.h"

#define MAX_METRICS ((size_t)1 << 30)
enum { MAX_LINE = 4096, TAIL = 64 << 10 };

static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"epoch", offsetof(job_metric, epoch)},
    {"loss", offsetof(job_metric, loss)},
    {"lr", offsetof(job_metric, lr)},
    {"grad_norm", offsetof(job_metric, grad_norm)},
    {"tokens_per_s", offsetof(job_metric, tokens_per_s)},
    {"elapsed_s", offsetof(job_metric, elapsed_s)},
};

job_metric job_metric_new(uint64_t step)
{
    double none = (double)NAN;
    return (job_metric){false, step, 0, none, none, none, none, none, none, none};
}

job_metric job_metric_heldout(uint64_t step, double loss)
{
    job_metric m = job_metric_new(step);
    m.heldout = true;
    m.heldout_loss = loss;
    return m;
}

void job_metric_write(cn_buf *out, const job_metric *m)
{
    cn_buf_printf(out, "{\"step\":%" PRIu64, m->step);
    if (m->heldout) {
        cn_buf_lit(out, ",\"heldout_loss\":");
        jobs_put_num(out, m->heldout_loss);
    } else {
        for (size_t i = 0; i < CN_ARRAY_LEN(numbers); i++) {
            cn_buf_printf(out, ",\"%s\":", numbers[i].name);
            jobs_put_num(out, *(const double *)((const char *)m + numbers[i].offset));
        }
        cn_buf_printf(out, ",\"tokens\":%" PRIu64, m->tokens);
    }
    cn_buf_lit(out, "}\n");
}

/* False when the line is none of ours. */
static bool parse_line(job_metric *m, cn_str line)
{
    cn_json *j = NULL;
    if (line.n > MAX_LINE || cn_json_parse(&j, line, NULL)) return false;
    int64_t step = cn_json_int(cn_json_get(j, "step"), -1);
    bool good = step >= 0;
    if (good) {
        *m = job_metric_new((uint64_t)step);
        const cn_json *held = cn_json_get(j, "heldout_loss");
        m->heldout = held != NULL;
        m->heldout_loss = cn_json_num(held, (double)NAN);
        for (size_t i = 0; i < CN_ARRAY_LEN(numbers); i++)
            *(double *)((char *)m + numbers[i].offset) =
                cn_json_num(cn_json_get(j, numbers[i].name), (double)NAN);
        m->tokens = (uint64_t)CN_MAX(cn_json_int(cn_json_get(j, "tokens"), 0), 0);
    }
    cn_json_free(j);
    return good;
}

/* The next whole line, without its end; false when no whole one is left. */
static bool next_line(cn_str *line, cn_str *text)
{
    const char *end = text->n ? memchr(text->p, '\n', text->n) : NULL;
    if (!end) return false;
    *line = (cn_str){text->p, (size_t)(end - text->p)};
    *text = cn_str_skip(*text, line->n + 1);
    return true;
}

/* What came before, of each of the two kinds: a step is taken once, in rising order. */
typedef struct seen {
    bool any;
    uint64_t step;
} seen;

static bool is_new(seen *s, uint64_t step)
{
    if (s->any && step <= s->step) return false;
    *s = (seen){true, step};
    return true;
}

static bool append(job_metric **list, size_t *n, const job_metric *m)
{
    if ((*n & (*n - 1)) == 0) { /* full at every power of two */
        job_metric *more = cn_realloc_array(*list, *n ? *n * 2 : 1, sizeof *more);
        if (!more) return false;
        *list = more;
    }
    (*list)[(*n)++] = *m;
    return true;
}

cn_status job_metrics_parse(job_metrics *out, cn_str text, cn_err *err)
{
    *out = (job_metrics){0};
    seen seen_of[2] = {0};
    job_metric m;
    for (cn_str line; next_line(&line, &text);) {
        if (line.n == 0) continue;
        if (!parse_line(&m, line) || !is_new(&seen_of[m.heldout], m.step)) {
            out->n_ignored++;
            continue;
        }
        bool ok = m.heldout ? append(&out->heldout, &out->n_heldout, &m)
                            : append(&out->train, &out->n_train, &m);
        if (!ok) {
            job_metrics_deinit(out);
            return cn_fail(err, CN_E_NOMEM, "metrics of over %" PRIu64 " steps", m.step);
        }
    }
    out->torn = text.n > 0;
    return CN_OK;
}

void job_metrics_deinit(job_metrics *m)
{
    cn_free(m->train);
    cn_free(m->heldout);
    *m = (job_metrics){0};
}

void job_metrics_keep(cn_buf *out, cn_str text, uint64_t last_step)
{
    seen seen_of[2] = {0};
    job_metric m;
    for (cn_str line; next_line(&line, &text);)
        if (parse_line(&m, line) && m.step <= last_step && is_new(&seen_of[m.heldout], m.step))
            cn_buf_append(out, line.p, line.n + 1);
}

cn_status job_metrics_read(job_metrics *out, const char *dir, cn_err *err)
{
    char *path = cn_path_join(dir, "metrics.jsonl");
    cn_buf text = {0};
    *out = (job_metrics){0};
    cn_status st = jobs_read_path(&text, path, MAX_METRICS, err);
    if (!st) st = job_metrics_parse(out, cn_buf_view(&text), err);
    if (st == CN_E_NOT_FOUND) st = CN_OK;
    if (st) cn_ctx(err, st, "reading the metrics %s", path);
    cn_buf_deinit(&text);
    cn_free(path);
    return st;
}

/* The end of the file; a first line that is cut is no JSON object and falls out by itself. */
static void read_tail(cn_buf *out, const char *dir)
{
    char *path = cn_path_join(dir, "metrics.jsonl");
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        jobs_read_fd(out, fd, CN_MAX(info.st_size - TAIL, 0), (size_t)2 * TAIL, NULL);
    if (fd >= 0) close(fd);
    cn_free(path);
}

void job_metrics_last(const char *dir, job_metric *train, job_metric *heldout)
{
    cn_buf text = {0};
    job_metrics m;
    *train = *heldout = job_metric_new(0);
    read_tail(&text, dir);
    if (job_metrics_parse(&m, cn_buf_view(&text), NULL) == CN_OK) {
        if (m.n_train) *train = m.train[m.n_train - 1];
        if (m.n_heldout) *heldout = m.heldout[m.n_heldout - 1];
    }
    job_metrics_deinit(&m);
    cn_buf_deinit(&text);
}
