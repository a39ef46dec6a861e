/* run.json: what a run was. One table names the members; reading and writing follow it. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "jobs_priv.h"
#include "mem.h"

enum { MAX_RECORD = 4 << 20 };

typedef enum member_kind { TEXT, WHOLE, NUMBER } member_kind;

typedef struct member {
    const char *name;
    member_kind kind;
    size_t offset;
} member;

#define MEMBER(kind, field)                                                                    \
    {                                                                                          \
#field, kind, offsetof(job_record, field)                                              \
    }

static const member members[] = {
    MEMBER(TEXT, id),         MEMBER(TEXT, kind),           MEMBER(TEXT, error),
    MEMBER(TEXT, command),    MEMBER(TEXT, resume),         MEMBER(TEXT, version),
    MEMBER(TEXT, machine),    MEMBER(WHOLE, threads),       MEMBER(TEXT, base),
    MEMBER(TEXT, base_hash),  MEMBER(TEXT, data),           MEMBER(TEXT, data_hash),
    MEMBER(WHOLE, seed),      MEMBER(TEXT, started),        MEMBER(TEXT, updated),
    MEMBER(TEXT, ended),      MEMBER(NUMBER, seconds),      MEMBER(WHOLE, n_resumed),
    MEMBER(WHOLE, step),      MEMBER(WHOLE, n_steps),       MEMBER(WHOLE, tokens),
    MEMBER(NUMBER, loss),     MEMBER(NUMBER, heldout_loss), MEMBER(NUMBER, best_heldout_loss),
    MEMBER(WHOLE, best_step), MEMBER(TEXT, checkpoint),     MEMBER(TEXT, result),
};

static const char *const status_names[] = {"running", "finished", "stopped", "failed",
                                           "interrupted"};

const char *job_status_name(job_status s)
{
    return status_names[s];
}

job_record job_record_new(void)
{
    double none = (double)NAN;
    return (job_record){
        .seconds = none, .loss = none, .heldout_loss = none, .best_heldout_loss = none};
}

void job_record_deinit(job_record *r)
{
    cn_json_free(r->root);
    cn_buf_deinit(&r->text);
    *r = job_record_new();
}

void job_record_note(job_record *r, const job_metric *m)
{
    r->step = CN_MAX(r->step, m->step);
    if (m->heldout) {
        r->heldout_loss = m->heldout_loss;
        if (isfinite(m->heldout_loss) && !(r->best_heldout_loss <= m->heldout_loss)) {
            r->best_heldout_loss = m->heldout_loss;
            r->best_step = m->step;
        }
        return;
    }
    r->loss = m->loss;
    r->tokens = CN_MAX(r->tokens, m->tokens);
    if (!isnan(m->elapsed_s)) r->seconds = m->elapsed_s;
}

static void *field_of(job_record *r, const member *m)
{
    return (char *)r + m->offset;
}

static void read_member(job_record *out, const member *m)
{
    const cn_json *v = cn_json_get(out->root, m->name);
    switch (m->kind) {
    case TEXT:
        *(const char **)field_of(out, m) = cn_json_str(v).p;
        break;
    case WHOLE:
        *(uint64_t *)field_of(out, m) = (uint64_t)CN_MAX(cn_json_int(v, 0), 0);
        break;
    case NUMBER:
        *(double *)field_of(out, m) = cn_json_num(v, (double)NAN);
        break;
    }
}

/* A status that is not known, or that is never written, counts as running: what the lock tells
 * decides then. */
static job_status status_of(const cn_json *j)
{
    for (size_t i = JOB_FINISHED; i < JOB_INTERRUPTED; i++)
        if (cn_json_is(j, status_names[i])) return (job_status)i;
    return JOB_RUNNING;
}

cn_status job_record_parse(job_record *out, cn_str text, cn_err *err)
{
    *out = job_record_new();
    cn_status st = cn_json_parse(&out->root, text, err);
    if (st) return st;
    if (cn_json_kind_of(out->root) != CN_JSON_OBJECT) {
        job_record_deinit(out);
        return cn_fail(err, CN_E_FORMAT, "the record of a run is a JSON object");
    }
    for (size_t i = 0; i < CN_ARRAY_LEN(members); i++)
        read_member(out, &members[i]);
    out->status = status_of(cn_json_get(out->root, "status"));
    const cn_json *settings = cn_json_get(out->root, "settings");
    if (cn_json_kind_of(settings) == CN_JSON_OBJECT) cn_json_write(&out->text, settings);
    out->settings = out->text.p;
    return CN_OK;
}

void jobs_put_num(cn_buf *out, double v)
{
    char text[40];
    if (!isfinite(v)) {
        cn_buf_lit(out, "null");
        return;
    }
    snprintf(text, sizeof text, "%.9g", v);
    if (strtod(text, NULL) != v) snprintf(text, sizeof text, "%.17g", v);
    cn_buf_str(out, cn_str_of(text));
}

static void write_member(cn_buf *out, const job_record *r, const member *m)
{
    const char *field = (const char *)r + m->offset, *text;
    cn_buf_printf(out, ",\n  \"%s\": ", m->name);
    switch (m->kind) {
    case TEXT:
        text = *(const char *const *)field;
        if (text)
            cn_buf_json(out, cn_str_of(text));
        else
            cn_buf_lit(out, "null");
        break;
    case WHOLE:
        cn_buf_printf(out, "%" PRIu64, CN_MIN(*(const uint64_t *)field, INT64_MAX));
        break;
    case NUMBER:
        jobs_put_num(out, *(const double *)field);
        break;
    }
}

void job_record_write(cn_buf *out, const job_record *r)
{
    cn_buf_printf(out, "{\n  \"status\": \"%s\"", status_names[r->status]);
    for (size_t i = 0; i < CN_ARRAY_LEN(members); i++)
        write_member(out, r, &members[i]);
    cn_buf_printf(out, ",\n  \"settings\": %s\n}\n", r->settings ? r->settings : "{}");
}

cn_status job_record_read(job_record *out, const char *dir, cn_err *err)
{
    char *path = cn_path_join(dir, "run.json");
    cn_buf text = {0};
    *out = job_record_new();
    cn_status st = jobs_read_path(&text, path, MAX_RECORD, err);
    if (!st) st = job_record_parse(out, cn_buf_view(&text), err);
    if (st) cn_ctx(err, st, "reading the record %s", path);
    cn_buf_deinit(&text);
    cn_free(path);
    return st;
}
