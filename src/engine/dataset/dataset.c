#include "dataset_priv.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "compiler.h"
#include "map.h"
#include "mem.h"

const char *dataset_what_name(dataset_what w)
{
    static const char *const names[DATASET_WHATS] = {"bad",       "empty",   "duplicate",
                                                     "truncated", "no_loss", "leak"};
    return w < DATASET_WHATS ? names[w] : "unknown";
}

dataset_finding *dataset_find(dataset *d, dataset_what what, uint32_t file, uint64_t line)
{
    if (d->n_findings[what] == DATASET_FINDINGS) return NULL;
    dataset_finding *f = &d->findings[what * DATASET_FINDINGS + d->n_findings[what]++];
    *f = (dataset_finding){.what = what, .file = file, .line = line};
    return f;
}

/* Moves the findings of each kind up behind those of the kind before. */
static void close_ranks(dataset *d)
{
    size_t n = 0;
    for (size_t what = 0; what < DATASET_WHATS; what++) {
        memmove(d->findings + n, d->findings + what * DATASET_FINDINGS,
                d->n_findings[what] * sizeof *d->findings);
        n += d->n_findings[what];
    }
    d->report.findings = d->findings;
    d->report.n_findings = n;
}

static void set_paths(dataset *d, const char *const *paths, size_t n, const char *heldout)
{
    d->paths = cn_xcalloc(n + 1, sizeof *d->paths);
    for (size_t i = 0; i < n; i++)
        d->paths[d->n_paths++] = cn_xstrndup(paths[i], strlen(paths[i]));
    if (heldout) d->paths[d->n_paths++] = cn_xstrndup(heldout, strlen(heldout));
    d->report.paths = (const char *const *)d->paths;
    d->report.n_paths = d->n_paths;
}

static cn_status read_file(dataset_build *b, cn_pool *pool, uint32_t file, sha256 *sha)
{
    dataset *d = b->d;
    cn_map map = {0};
    double share = 1.0 / (double)d->n_paths;
    cn_status st = cn_map_open(&map, d->paths[file], b->err);
    if (st) {
        cn_ctx(b->err, st, "opening the data");
        if (st == CN_E_FORMAT) cn_next(b->err, st, "give a file with a record on each line");
        if (st == CN_E_ARG) cn_next(b->err, st, "name the files in it one by one");
        return st;
    }
    sha256_add(sha, map.base, map.size);
    cn_str text = {(const char *)map.base, map.size};
    st = dataset_read_file(b, pool, file, text, share * file, share);
    cn_map_close(&map);
    return st;
}

static cn_status read_files(dataset_build *b, cn_pool *pool)
{
    dataset *d = b->d;
    sha256 train = sha256_begin(), heldout = sha256_begin();
    cn_status st = CN_OK;
    for (uint32_t i = 0; i < d->n_paths && !st; i++) {
        bool held = b->o->heldout_path && i + 1 == d->n_paths;
        st = read_file(b, pool, i, held ? &heldout : &train);
    }
    sha256_hex(&train, d->report.sha256);
    if (b->o->heldout_path) sha256_hex(&heldout, d->report.heldout_sha256);
    return st;
}

static cn_status nothing_left(const dataset_build *b)
{
    const dataset_report *r = &b->d->report;
    cn_status st = CN_OK;
    if (r->n_found == 0)
        st = cn_fail(b->err, CN_E_FORMAT, "no record in %" PRIu64 " lines", r->n_lines);
    else if (r->n_records == 0 && !b->o->allow_none)
        st = cn_fail(b->err, CN_E_FORMAT,
                     "of %" PRIu64 " records none is left to train on: %" PRIu64
                     " bad, %" PRIu64 " empty, %" PRIu64 " duplicate, %" PRIu64
                     " with nothing to learn within the context of %u",
                     r->n_found, r->n_bad, r->n_empty, r->n_duplicate, r->n_no_loss,
                     b->o->n_ctx);
    if (!st) return st;
    cn_ctx(b->err, st, "reading %s", b->d->paths[0]);
    return cn_next(b->err, st, "conatus data check %s tells line by line", b->d->paths[0]);
}

static cn_status build(dataset_build *b, cn_pool *pool)
{
    const dataset_options *o = b->o;
    cn_status st = CN_OK;
    if (o->tokenizer) st = encoder_init(&b->encoder, o->tokenizer, o->no_eos, b->err);
    if (!st) st = read_files(b, pool);
    if (!st) st = dataset_split(b);
    return st ? st : nothing_left(b);
}

static cn_status check_options(size_t n_paths, const dataset_options *o, cn_err *err)
{
    if (n_paths == 0 || n_paths > UINT32_MAX / 2)
        return cn_fail(err, CN_E_ARG, "%zu files of data", n_paths);
    if (!(o->heldout >= 0 && o->heldout < 1))
        return cn_fail(err, CN_E_ARG, "a held-out share of %g, allowed is 0 to under 1",
                       o->heldout);
    return CN_OK;
}

cn_status dataset_open(dataset **out, const char *const *paths, size_t n_paths,
                       const dataset_options *o, cn_err *err)
{
    cn_pool *pool = NULL;
    uint64_t start = cn_now_ns();
    *out = NULL;
    cn_status st = check_options(n_paths, o, err);
    if (st) return st;
    dataset *d = cn_xcalloc(1, sizeof *d);
    dataset_build b = {.o = o, .d = d, .err = err};
    b.now = o->now_unix ? o->now_unix : (int64_t)time(NULL);
    d->findings = cn_xcalloc((size_t)DATASET_WHATS * DATASET_FINDINGS, sizeof *d->findings);
    d->report.in_tokens = o->tokenizer != NULL;
    set_paths(d, paths, n_paths, o->heldout_path);

    st = cn_pool_new(&pool, o->n_threads, err);
    if (!st) st = build(&b, pool);
    cn_pool_free(pool);
    encoder_deinit(&b.encoder);
    digest_table_deinit(&b.same[0]);
    digest_table_deinit(&b.same[1]);
    cn_free(b.keys);
    if (st) {
        dataset_close(d);
        return st;
    }
    close_ranks(d);
    d->report.seconds = cn_seconds_since(start);
    *out = d;
    return CN_OK;
}

void dataset_close(dataset *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->n_paths; i++)
        cn_free(d->paths[i]);
    cn_free(d->paths);
    cn_free(d->ids);
    cn_free(d->loss);
    cn_free(d->records);
    cn_free(d->side[0]);
    cn_free(d->side[1]);
    cn_free(d->findings);
    cn_free(d);
}

const dataset_report *dataset_report_of(const dataset *d)
{
    return &d->report;
}

size_t dataset_n(const dataset *d, bool heldout)
{
    return d->n_side[heldout];
}

dataset_record dataset_at(const dataset *d, bool heldout, size_t i)
{
    const kept *k = &d->records[d->side[heldout][i]];
    bool ids = d->report.in_tokens;
    return (dataset_record){ids ? d->ids + k->at : NULL, ids ? d->loss + k->at : NULL, k->n,
                            k->file, k->line};
}
