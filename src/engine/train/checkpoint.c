/* Writing checkpoints: beside the name, to the disk, renamed. Reading: checkpoint_read.c. */
#include "checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "checkpoint_priv.h"
#include "log.h"
#include "mem.h"

/* ---- checksum ---- */

#define P UINT64_C(0x9E3779B97F4A7C15)

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

checkpoint_sum checkpoint_sum_new(void)
{
    checkpoint_sum s = {0};
    for (unsigned k = 0; k < 8; k++)
        s.lane[k] = (k + 1) * P;
    return s;
}

void checkpoint_sum_add(checkpoint_sum *s, const void *p, size_t n)
{
    CN_BUG_ON(n % CHECKPOINT_STRIPE);
    checkpoint_sum now = *s;
    for (const uint8_t *at = p, *end = at + n; at < end; at += CHECKPOINT_STRIPE)
        for (unsigned k = 0; k < 8; k++) {
            uint64_t word;
            memcpy(&word, at + 8 * k, 8);
            now.lane[k] = rotate(now.lane[k] ^ word, 29) * P;
        }
    now.n_bytes += n;
    *s = now;
}

uint64_t checkpoint_sum_end(const checkpoint_sum *s)
{
    uint64_t h = s->n_bytes * P;
    for (unsigned k = 0; k < 8; k++)
        h = rotate(h ^ s->lane[k], 31) * P;
    return h ^ h >> 32;
}

/* ---- names ---- */

void checkpoint_name(char name[CHECKPOINT_NAME], uint64_t step)
{
    snprintf(name, CHECKPOINT_NAME, "checkpoint-%09" PRIu64 ".ckpt", step);
}

static bool step_of_name(const char *name, uint64_t *step)
{
    static const char prefix[] = "checkpoint-";
    char same[CHECKPOINT_NAME];
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) return false;
    *step = strtoull(name + sizeof prefix - 1, NULL, 10);
    checkpoint_name(same, *step);
    return strcmp(name, same) == 0;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

cn_status checkpoint_list(const char *dir, uint64_t **steps, size_t *n, cn_err *err)
{
    *steps = NULL;
    *n = 0;
    DIR *d = opendir(dir);
    if (!d && errno == ENOENT) return CN_OK;
    if (!d) return cn_fail(err, cn_status_of_errno(errno), "%s: %s", dir, strerror(errno));
    cn_status st = CN_OK;
    for (const struct dirent *e = readdir(d); e && !st; e = readdir(d)) {
        uint64_t step, *more;
        if (!step_of_name(e->d_name, &step)) continue;
        more = cn_realloc_array(*steps, *n + 1, sizeof **steps);
        if (!more) {
            st = cn_fail(err, CN_E_NOMEM, "%s: over %zu checkpoints", dir, *n);
        } else {
            *steps = more;
            (*steps)[(*n)++] = step;
        }
    }
    closedir(d);
    if (*n) qsort(*steps, *n, sizeof **steps, newest_first);
    return st;
}

/* Partial files are locked while their writer lives; those of a dead one go. */
static void remove_leftovers(int dir_fd, const char *dir)
{
    DIR *d = opendir(dir);
    for (const struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (strncmp(e->d_name, "checkpoint-", 11) != 0 || !strstr(e->d_name, ".ckpt.part-"))
            continue;
        int fd = openat(dir_fd, e->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0) continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(dir_fd, e->d_name, 0) == 0)
            cn_log(CN_LOG_INFO, "train", "removed=%s why=\"half-written by a dead run\"",
                   e->d_name);
        close(fd);
    }
    if (d) closedir(d);
}

/* The newest `keep` up to `step` stay. Later ones are of a course that the run has left by
 * resuming before them. */
static void prune(int dir_fd, const char *dir, uint64_t step, unsigned keep)
{
    uint64_t *steps;
    size_t n;
    unsigned kept = 0;
    (void)checkpoint_list(dir, &steps, &n, NULL);
    for (size_t i = 0; i < n; i++) {
        char name[CHECKPOINT_NAME];
        if (steps[i] <= step && kept++ < CN_MAX(keep, 1)) continue;
        checkpoint_name(name, steps[i]);
        if (unlinkat(dir_fd, name, 0))
            cn_log(CN_LOG_WARN, "train", "checkpoint=%s why=\"cannot be removed: %s\"", name,
                   strerror(errno));
    }
    cn_free(steps);
}

/* ---- writing ---- */

typedef struct writing {
    const char *dir, *state;
    const checkpoint_part *parts;
    checkpoint_header head;
    checkpoint_entry entries[CHECKPOINT_PARTS];
    checkpoint_sum sum;
    int dir_fd, fd;
    char name[CHECKPOINT_NAME], partial[CHECKPOINT_NAME + 24];
} writing;

static cn_status check_state(const char *json, size_t n, cn_err *err)
{
    if (n > CHECKPOINT_STATE)
        return cn_fail(err, CN_E_LIMIT, "a state of %zu bytes, at most %d", n,
                       CHECKPOINT_STATE);
    cn_json *state = NULL;
    cn_status st = cn_json_parse(&state, (cn_str){json, n}, err);
    if (!st && cn_json_kind_of(state) != CN_JSON_OBJECT)
        st = cn_fail(err, CN_E_ARG, "the state is not a JSON object");
    cn_json_free(state);
    return st;
}

static cn_status lay_out(writing *w, uint64_t step, size_t n_parts, cn_err *err)
{
    size_t n_state = strlen(w->state);
    cn_status st = check_state(w->state, n_state, err);
    if (st) return st;
    if (n_parts > CHECKPOINT_PARTS)
        return cn_fail(err, CN_E_LIMIT, "%zu parts, at most %d", n_parts, CHECKPOINT_PARTS);
    w->head = (checkpoint_header){.magic = CHECKPOINT_MAGIC,
                                  .version = CHECKPOINT_VERSION,
                                  .n_parts = (uint32_t)n_parts,
                                  .step = step,
                                  .state_size = n_state};
    uint64_t at = sizeof w->head + n_parts * sizeof *w->entries + checkpoint_padded(n_state);
    for (size_t i = 0; i < n_parts; i++) {
        const checkpoint_part *p = &w->parts[i];
        checkpoint_entry *e = &w->entries[i];
        size_t n_name = strlen(p->name);
        if (n_name == 0 || n_name >= sizeof e->name)
            return cn_fail(err, CN_E_LIMIT, "part '%s': a name of %zu bytes, 1 to %zu", p->name,
                           n_name, sizeof e->name - 1);
        if (p->size > CHECKPOINT_BYTES - at)
            return cn_fail(err, CN_E_LIMIT,
                           "part %s: %zu bytes more, at most %" PRIu64 " in all", p->name,
                           p->size, CHECKPOINT_BYTES);
        memcpy(e->name, p->name, n_name);
        e->offset = at;
        e->size = p->size;
        at += checkpoint_padded(p->size);
    }
    w->head.file_size = at + sizeof(uint64_t);
    return CN_OK;
}

static bool write_all(int fd, const void *p, size_t n)
{
    for (const uint8_t *at = p; n;) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

/* Filled up to a stripe. */
static bool put(writing *w, const void *p, size_t n)
{
    const uint8_t *at = p;
    for (size_t take; n >= CHECKPOINT_STRIPE; at += take, n -= take) {
        take = CN_MIN(n, CHECKPOINT_CHUNK) / CHECKPOINT_STRIPE * CHECKPOINT_STRIPE;
        checkpoint_sum_add(&w->sum, at, take);
        if (!write_all(w->fd, at, take)) return false;
    }
    if (!n) return true;
    uint8_t last[CHECKPOINT_STRIPE] = {0};
    memcpy(last, at, n);
    checkpoint_sum_add(&w->sum, last, sizeof last);
    return write_all(w->fd, last, sizeof last);
}

static bool put_all(writing *w)
{
    w->sum = checkpoint_sum_new();
    bool ok = put(w, &w->head, sizeof w->head) &&
              put(w, w->entries, w->head.n_parts * sizeof *w->entries) &&
              put(w, w->state, w->head.state_size);
    for (uint32_t i = 0; i < w->head.n_parts && ok; i++)
        ok = put(w, w->parts[i].data, w->parts[i].size);
    uint64_t sum = checkpoint_sum_end(&w->sum);
    return ok && write_all(w->fd, &sum, sizeof sum) && fsync(w->fd) == 0;
}

/* Why writing failed, by errno, with what it takes and what there is. */
static cn_status told(const writing *w, int err_no, uint64_t n_free, cn_err *err)
{
    uint64_t need = w->head.file_size;
    cn_status st =
        cn_fail(err, CN_E_DISK, "%s needs %" PRIu64 " bytes, %" PRIu64 " are free in %s: %s",
                w->name, need, n_free, w->dir, strerror(err_no));
    if (err_no == EFBIG)
        return cn_next(err, st, "raise the limit on a file's size (ulimit -f)");
    if (need > n_free)
        return cn_next(err, st, "free %.1f MB there, or train in a folder on another disk",
                       1e-6 * (double)(need - n_free));
    return st;
}

/* UINT64_MAX when the system does not say. */
static uint64_t free_bytes(int dir_fd)
{
    struct statvfs v;
    if (fstatvfs(dir_fd, &v) || !v.f_blocks) return UINT64_MAX;
    return (uint64_t)v.f_bavail * v.f_frsize;
}

static cn_status write_file(writing *w, cn_err *err)
{
    uint64_t n_free = free_bytes(w->dir_fd);
    if (n_free < w->head.file_size) return told(w, ENOSPC, n_free, err);
    snprintf(w->partial, sizeof w->partial, "%s.part-%ld", w->name, (long)getpid());
    w->fd = openat(w->dir_fd, w->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (w->fd < 0)
        return cn_fail(err, cn_status_of_errno(errno), "%s/%s: %s", w->dir, w->partial,
                       strerror(errno));
    cn_status st = CN_OK;
    (void)flock(w->fd, LOCK_EX | LOCK_NB); /* where there are no locks, nothing is lost */
    if (!put_all(w) || renameat(w->dir_fd, w->partial, w->dir_fd, w->name)) {
        int err_no = errno;
        unlinkat(w->dir_fd, w->partial, 0);
        st = told(w, err_no, free_bytes(w->dir_fd), err);
    } else if (fsync(w->dir_fd) && errno != EINVAL) { /* EINVAL: not a disk's folder */
        st = told(w, errno, free_bytes(w->dir_fd), err);
    }
    close(w->fd);
    return st;
}

cn_status checkpoint_write(const char *dir, uint64_t step, const char *state_json,
                           const checkpoint_part *parts, size_t n_parts, unsigned keep,
                           cn_err *err)
{
    writing w = {.dir = dir, .state = state_json, .parts = parts};
    checkpoint_name(w.name, step);
    cn_status st = lay_out(&w, step, n_parts, err);
    if (st) return cn_ctx(err, st, "writing %s/%s", dir, w.name);
    w.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w.dir_fd < 0) {
        st = cn_fail(err, cn_status_of_errno(errno), "%s: %s", dir, strerror(errno));
    } else {
        remove_leftovers(w.dir_fd, dir);
        st = write_file(&w, err);
        if (!st) prune(w.dir_fd, dir, step, keep);
        close(w.dir_fd);
    }
    return st ? cn_ctx(err, st, "writing %s/%s", dir, w.name) : CN_OK;
}
