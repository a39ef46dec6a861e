/* Reading checkpoints. Everything is checked when one is opened: a file that was cut short or
 * damaged is never taken. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_priv.h"
#include "file.h"
#include "log.h"
#include "mem.h"

struct checkpoint {
    int fd; /* read, not mapped: a bad sector is then an error, not a signal */
    checkpoint_header head;
    checkpoint_entry entries[CHECKPOINT_PARTS];
    cn_json *state;
};

void checkpoint_close(checkpoint *c)
{
    if (!c) return;
    if (c->fd >= 0) close(c->fd);
    cn_json_free(c->state);
    cn_free(c);
}

uint64_t checkpoint_step(const checkpoint *c)
{
    return c->head.step;
}

const cn_json *checkpoint_state(const checkpoint *c)
{
    return c->state;
}

static cn_status read_at(int fd, void *p, uint64_t n, uint64_t offset, cn_err *err)
{
    for (uint8_t *at = p; n;) {
        ssize_t got = pread(fd, at, n, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return cn_fail(err, CN_E_IO, "byte %" PRIu64 ": %s", offset, strerror(errno));
        if (got == 0)
            return cn_fail(err, CN_E_FORMAT, "ends at byte %" PRIu64 ", %" PRIu64 " missing",
                           offset, n);
        at += got;
        n -= (uint64_t)got;
        offset += (uint64_t)got;
    }
    return CN_OK;
}

static cn_status check_sum(const checkpoint *c, cn_err *err)
{
    uint64_t end = c->head.file_size - sizeof(uint64_t), want;
    uint64_t most = CN_MIN(end, CHECKPOINT_CHUNK);
    uint8_t *chunk = cn_alloc_array(most, 1);
    if (!chunk) return cn_fail(err, CN_E_NOMEM, "%" PRIu64 " bytes", most);
    checkpoint_sum sum = checkpoint_sum_new();
    cn_status st = CN_OK;
    for (uint64_t at = 0, n; at < end && !st; at += n) {
        n = CN_MIN(end - at, most);
        st = read_at(c->fd, chunk, n, at, err);
        if (!st) checkpoint_sum_add(&sum, chunk, n);
    }
    if (!st) st = read_at(c->fd, &want, sizeof want, end, err);
    if (!st && checkpoint_sum_end(&sum) != want)
        st = cn_fail(err, CN_E_FORMAT,
                     "damaged: its bytes give checksum %016" PRIx64 ", it has %016" PRIx64,
                     checkpoint_sum_end(&sum), want);
    cn_free(chunk);
    return st;
}

static cn_status read_head(checkpoint *c, uint64_t file_size, cn_err *err)
{
    checkpoint_header *h = &c->head;
    cn_status st = read_at(c->fd, h, sizeof *h, 0, err);
    if (st) return st;
    if (memcmp(h->magic, CHECKPOINT_MAGIC, sizeof h->magic) != 0)
        return cn_fail(err, CN_E_FORMAT, "does not begin like a checkpoint");
    if (h->version != CHECKPOINT_VERSION)
        return cn_fail(err, CN_E_UNSUPPORTED, "version %" PRIu32 ", this program reads %d",
                       h->version, CHECKPOINT_VERSION);
    if (h->file_size != file_size)
        return cn_fail(err, CN_E_FORMAT, "%" PRIu64 " bytes, its header says %" PRIu64,
                       file_size, h->file_size);
    if (h->n_parts > CHECKPOINT_PARTS || h->state_size > CHECKPOINT_STATE ||
        file_size > CHECKPOINT_BYTES + sizeof(uint64_t))
        return cn_fail(err, CN_E_LIMIT,
                       "%" PRIu32 " parts, %" PRIu64 " bytes of state, %" PRIu64
                       " in all; at most %d, %d, %" PRIu64,
                       h->n_parts, h->state_size, file_size, CHECKPOINT_PARTS, CHECKPOINT_STATE,
                       CHECKPOINT_BYTES);
    uint64_t least = sizeof *h + h->n_parts * sizeof *c->entries +
                     checkpoint_padded(h->state_size) + sizeof(uint64_t);
    if (file_size < least || file_size % CHECKPOINT_STRIPE != sizeof(uint64_t))
        return cn_fail(err, CN_E_FORMAT, "%" PRIu64 " bytes do not hold its %" PRIu32 " parts",
                       file_size, h->n_parts);
    return CN_OK;
}

static cn_status read_entries(checkpoint *c, cn_err *err)
{
    uint64_t n = c->head.n_parts * sizeof *c->entries, end = c->head.file_size - 8;
    uint64_t data = sizeof c->head + n + checkpoint_padded(c->head.state_size);
    cn_status st = read_at(c->fd, c->entries, n, sizeof c->head, err);
    for (uint32_t i = 0; i < c->head.n_parts && !st; i++) {
        const checkpoint_entry *e = &c->entries[i];
        if (!e->name[0] || e->name[sizeof e->name - 1])
            st = cn_fail(err, CN_E_FORMAT, "part %" PRIu32 " has no name", i);
        else if (e->offset < data || e->offset > end || e->size > end - e->offset)
            st = cn_fail(err, CN_E_FORMAT,
                         "part %s: %" PRIu64 " bytes from %" PRIu64
                         ", the data lie from %" PRIu64 " to %" PRIu64,
                         e->name, e->size, e->offset, data, end);
    }
    return st;
}

static cn_status read_state(checkpoint *c, cn_err *err)
{
    uint64_t n = c->head.state_size;
    char *text = cn_alloc_array(n + 1, 1);
    if (!text) return cn_fail(err, CN_E_NOMEM, "%" PRIu64 " bytes of state", n);
    cn_status st =
        read_at(c->fd, text, n, sizeof c->head + c->head.n_parts * sizeof *c->entries, err);
    if (!st) st = cn_json_parse(&c->state, (cn_str){text, n}, err);
    if (!st && cn_json_kind_of(c->state) != CN_JSON_OBJECT)
        st = cn_fail(err, CN_E_FORMAT, "the state is not a JSON object");
    cn_free(text);
    return st;
}

static cn_status open_file(checkpoint *c, const char *path, cn_err *err)
{
    struct stat s;
    c->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (c->fd < 0 || fstat(c->fd, &s))
        return cn_fail(err, cn_status_of_errno(errno), "%s", strerror(errno));
    if (!S_ISREG(s.st_mode)) return cn_fail(err, CN_E_ARG, "not a regular file");
    cn_status st = read_head(c, (uint64_t)s.st_size, err);
    if (!st) st = check_sum(c, err);
    if (!st) st = read_entries(c, err);
    if (!st) st = read_state(c, err);
    return st;
}

cn_status checkpoint_open(checkpoint **out, const char *path, cn_err *err)
{
    checkpoint *c = cn_xcalloc(1, sizeof *c);
    cn_status st = open_file(c, path, err);
    *out = st ? NULL : c;
    if (!st) return CN_OK;
    checkpoint_close(c);
    return cn_ctx(err, st, "reading %s", path);
}

cn_status checkpoint_open_latest(checkpoint **out, const char *dir, cn_err *err)
{
    uint64_t *steps;
    size_t n;
    *out = NULL;
    cn_status st = checkpoint_list(dir, &steps, &n, err);
    for (size_t i = 0; i < n && !st && !*out; i++) {
        cn_err why = {0};
        char name[CHECKPOINT_NAME];
        checkpoint_name(name, steps[i]);
        char *path = cn_path_join(dir, name);
        if (checkpoint_open(out, path, &why) == CN_E_NOMEM) {
            if (err) *err = why;
            st = CN_E_NOMEM;
        } else if (!*out) {
            cn_log(CN_LOG_WARN, "train", "checkpoint=%s passed_over=true why=\"%s\"", name,
                   why.why);
        }
        cn_free(path);
    }
    cn_free(steps);
    return st;
}

/* Names and sizes, one by one. */
static cn_status check_parts(const checkpoint *c, const checkpoint_part *parts, size_t n_parts,
                             cn_err *err)
{
    for (size_t i = 0; i < CN_MAX(n_parts, c->head.n_parts); i++) {
        bool here = i < n_parts, there = i < c->head.n_parts;
        const char *name = here ? parts[i].name : "none",
                   *its_name = there ? c->entries[i].name : "none";
        uint64_t size = here ? parts[i].size : 0, its_size = there ? c->entries[i].size : 0;
        if (here != there || strcmp(name, its_name) != 0 || size != its_size)
            return cn_fail(err, CN_E_MISMATCH,
                           "part %zu of the checkpoint is %s (%" PRIu64
                           " bytes), this run has %s (%" PRIu64 " bytes)",
                           i + 1, its_name, its_size, name, size);
    }
    return CN_OK;
}

cn_status checkpoint_read(const checkpoint *c, const checkpoint_part *parts, size_t n_parts,
                          cn_err *err)
{
    cn_status st = check_parts(c, parts, n_parts, err);
    for (size_t i = 0; i < n_parts && !st; i++)
        st = read_at(c->fd, parts[i].data, parts[i].size, c->entries[i].offset, err);
    return st ? cn_ctx(err, st, "reading the checkpoint of step %" PRIu64, c->head.step)
              : CN_OK;
}
