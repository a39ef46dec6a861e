/* One process and the folder that it holds: claiming, metrics, record. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "jobs_priv.h"
#include "log.h"
#include "mem.h"
#include "sysinfo.h"

struct job {
    char *dir, *metrics_path;
    int lock, metrics; /* -1: none */
    char id[96], machine[256], started[24], updated[24];
};

static char *file_of(const job *j, const char *name)
{
    return cn_path_join(j->dir, name);
}

const char *job_dir(const job *j)
{
    return j->dir;
}

const char *job_id(const job *j)
{
    return j->id;
}

/* "AMD EPYC 9B45", or nothing. */
static void processor_name(char *out, size_t size)
{
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "re");
    out[0] = '\0';
    while (f && !out[0] && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon)
            snprintf(out, size, ", %.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    if (f) fclose(f);
}

/* "host: Linux 6.1.0 x86_64, AMD EPYC 9B45, 2 processors, 16 GiB" */
static void describe_machine(char *out, size_t size)
{
    struct utsname u = {0};
    char processor[100];
    uname(&u);
    processor_name(processor, sizeof processor);
    snprintf(out, size, "%.60s: %.20s %.40s %.20s%s, %u processors, %.0f GiB", u.nodename,
             u.sysname, u.release, u.machine, processor, cn_sys_n_cpus(),
             (double)cn_sys_memory_now().total / (double)(1 << 30));
}

static bool has_run(const char *dir)
{
    char *record = cn_path_join(dir, "run.json"), *metrics = cn_path_join(dir, "metrics.jsonl");
    bool has = access(record, F_OK) == 0 || access(metrics, F_OK) == 0;
    cn_free(record);
    cn_free(metrics);
    return has;
}

static cn_status right_folder(const char *dir, bool resume, cn_err *err)
{
    if (has_run(dir) == resume) return CN_OK;
    cn_status st = resume ? cn_fail(err, CN_E_NOT_FOUND, "%s holds no run", dir)
                          : cn_fail(err, CN_E_REFUSED, "%s holds a run already", dir);
    if (resume) return cn_next(err, st, "conatus jobs list tells where the runs are");
    return cn_next(err, st, "go on with --resume, or choose another folder");
}

cn_status job_claim(job **out, const char *dir, bool resume, cn_err *err)
{
    job *j = cn_xcalloc(1, sizeof *j);
    j->lock = j->metrics = -1;
    *out = NULL;
    cn_status st = resume ? right_folder(dir, true, err) : jobs_make_folder(dir, err);
    if (!st && !(j->dir = realpath(dir, NULL)))
        st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", dir, strerror(errno));
    if (!st) st = jobs_lock(&j->lock, j->dir, err);
    if (!st) st = right_folder(j->dir, resume, err); /* now that nobody else can change it */
    if (st) goto done;

    cn_err warning = {0};
    j->metrics_path = file_of(j, "metrics.jsonl");
    describe_machine(j->machine, sizeof j->machine);
    jobs_now(j->started);
    if (jobs_enter(j->id, j->dir, &warning))
        cn_log(CN_LOG_WARN, "jobs", "registry=\"%s\"", warning.why);
    *out = j;
    j = NULL;
done:
    job_close(j);
    return st ? cn_ctx(err, st, "taking the run's folder") : CN_OK;
}

void job_close(job *j)
{
    if (!j) return;
    if (j->metrics >= 0) close(j->metrics);
    if (j->lock >= 0) close(j->lock);
    if (j->lock >= 0 && !has_run(j->dir)) jobs_remove(j->dir, false, NULL); /* it never began */
    free(j->dir);                                                           /* of realpath */
    cn_free(j->metrics_path);
    cn_free(j);
}

/* ---- metrics */

static cn_status cut_metrics(const job *j, uint64_t last_step, cn_err *err)
{
    cn_buf old = {0}, kept = {0};
    cn_status st = jobs_read_path(&old, j->metrics_path, (size_t)1 << 30, err);
    if (st == CN_E_NOT_FOUND) st = CN_OK; /* nothing to cut */
    if (!st && last_step) job_metrics_keep(&kept, cn_buf_view(&old), last_step);
    if (!st && kept.failed) st = cn_fail(err, CN_E_NOMEM, "%zu bytes of metrics", old.n);
    if (!st && kept.n != old.n) st = cn_file_write(j->metrics_path, cn_buf_view(&kept), err);
    cn_buf_deinit(&old);
    cn_buf_deinit(&kept);
    return st;
}

cn_status job_metrics_begin(job *j, uint64_t last_step, cn_err *err)
{
    if (j->metrics >= 0) close(j->metrics);
    j->metrics = -1;
    cn_status st = cut_metrics(j, last_step, err);
    if (!st) {
        j->metrics =
            open(j->metrics_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (j->metrics < 0)
            st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", j->metrics_path,
                         strerror(errno));
    }
    return st ? cn_ctx(err, st, "opening the metrics") : CN_OK;
}

/* One write, so that readers see a line whole or not at all. */
static cn_status write_line(job *j, cn_str line, cn_err *err)
{
    struct stat before;
    if (fstat(j->metrics, &before)) before.st_size = -1;
    ssize_t n = write(j->metrics, line.p, line.n);
    if (n == (ssize_t)line.n) return CN_OK;
    const char *why = n < 0 ? strerror(errno) : "no space for a whole line";
    if (before.st_size >= 0 && ftruncate(j->metrics, before.st_size))
        why = "no space, and a part of the line stays"; /* the reader leaves it out */
    return cn_fail(err, CN_E_DISK, "%s: %s", j->metrics_path, why);
}

cn_status job_metric_append(job *j, const job_metric *m, cn_err *err)
{
    CN_BUG_ON(j->metrics < 0);
    cn_buf line = {0};
    job_metric_write(&line, m);
    cn_status st = write_line(j, cn_buf_view(&line), err);
    cn_buf_deinit(&line);
    return st ? cn_ctx(err, st, "writing the metrics") : CN_OK;
}

/* ---- record */

/* The texts that are ours to fill are of the job: they go into a copy, not into the caller's.
 */
static cn_status write_record(job *j, job_record r, cn_err *err)
{
    cn_buf text = {0};
    char *path = file_of(j, "run.json");
    jobs_now(j->updated);
    r.id = j->id[0] ? j->id : NULL;
    r.updated = j->updated;
    if (!r.started) r.started = j->started;
    if (!r.machine) r.machine = j->machine;
    job_record_write(&text, &r);
    cn_status st = text.failed ? cn_fail(err, CN_E_NOMEM, "the record")
                               : cn_file_write(path, cn_buf_view(&text), err);
    cn_free(path);
    cn_buf_deinit(&text);
    return st ? cn_ctx(err, st, "writing the run's record") : CN_OK;
}

cn_status job_update(job *j, const job_record *r, cn_err *err)
{
    job_record now = *r;
    now.status = JOB_RUNNING;
    now.ended = now.error = NULL; /* of an earlier part */
    return write_record(j, now, err);
}

cn_status job_finish(job *j, const job_record *r, cn_status outcome, const cn_err *why,
                     cn_err *err)
{
    char text[sizeof why->what + sizeof why->why + 2] = "", ended[24];
    job_record now = *r;
    now.status = outcome == CN_OK            ? JOB_FINISHED
                 : outcome == CN_E_CANCELLED ? JOB_STOPPED
                                             : JOB_FAILED;
    if (now.status == JOB_FAILED && why)
        snprintf(text, sizeof text, "%s%s%s", why->what, why->what[0] ? ": " : "", why->why);
    jobs_now(ended);
    now.ended = ended;
    now.error = text[0] ? text : NULL;
    return write_record(j, now, err);
}
