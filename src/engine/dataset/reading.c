/* A file's records in blocks: read and encoded on all threads, then kept one after the other,
 * so that the result does not depend on the threads. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "compiler.h"
#include "dataset_priv.h"
#include "mem.h"

enum { BLOCK_RECORDS = 1024 };
#define BLOCK_BYTES ((size_t)4 << 20)

typedef struct item {
    source_record from;
    cn_status status; /* CN_E_FORMAT: a bad line; else what stops everything */
    bool empty;
    uint8_t form;
    unsigned worker;
    size_t at; /* in the worker's ids */
    uint64_t n, n_loss;
    record_digests digests;
    char why[200], next[100];
} item;

typedef struct worker {
    record record;
    chat_text chat;
    encoded out;
} worker;

typedef struct block {
    const dataset_build *b;
    const source *source;
    item *items;
    size_t n_items;
    worker *workers;
    atomic_size_t next;
} block;

static cn_status encode_record(const dataset_build *b, worker *w, cn_err *err)
{
    const record *r = &w->record;
    bool all = b->o->loss_on_all;
    if (r->form == RECORD_TEXT) return encode_text(&b->encoder, r->text, &w->out, err);
    if (r->form == RECORD_PAIR)
        return encode_pair(&b->encoder, r->prompt, r->completion, all, &w->out, err);
    if (!b->o->chat) {
        cn_status st = cn_fail(err, CN_E_UNSUPPORTED,
                               "the record has messages, and the model has no chat template");
        return cn_next(err, st,
                       "give one with --template FILE, or records of prompt and completion");
    }
    cn_status st = chat_render(&w->chat, b->o->chat, b->o->tokenizer, r, b->now, all, err);
    return st ? st : encode_chat(&b->encoder, &w->chat, all, &w->out, err);
}

static digest digest_of_ids(const encoded *e, size_t at, size_t n)
{
    digest d = digest_begin(17);
    digest_bytes(&d, e->ids.ids + at, n * sizeof *e->ids.ids);
    digest_bytes(&d, e->loss.p + at, n);
    return d;
}

static void count_ids(item *it, const worker *w)
{
    it->n = w->out.ids.n - it->at;
    for (size_t i = 0; i < it->n; i++)
        it->n_loss += w->out.loss.p[it->at + i] != 0;
    it->digests.exact = digest_of_ids(&w->out, it->at, it->n);
}

static void work_on(const block *k, item *it, worker *w, unsigned index)
{
    cn_err err = {0};
    it->worker = index;
    it->at = w->out.ids.n;
    it->status = record_read(&w->record, k->source, &it->from, &err);
    it->form = (uint8_t)w->record.form;
    it->empty = w->record.empty;
    if (!it->status && !it->empty) {
        it->digests = record_digests_of(&w->record);
        if (k->b->o->tokenizer)
            it->status = encode_record(k->b, w, &err);
        else
            record_characters(&w->record, k->b->o->loss_on_all, &it->n, &it->n_loss);
    }
    if (!it->status && !it->empty && k->b->o->tokenizer) count_ids(it, w);
    if (it->status) {
        snprintf(it->why, sizeof it->why, "%.199s", err.why);
        snprintf(it->next, sizeof it->next, "%.99s", err.next);
    }
}

static void work(void *job, unsigned index, unsigned n_threads)
{
    block *k = job;
    worker *w = &k->workers[index];
    (void)n_threads;
    w->out.ids.n = w->out.loss.n = 0;
    for (size_t i; (i = atomic_fetch_add(&k->next, 1)) < k->n_items;)
        work_on(k, &k->items[i], w, index);
}

/* Room for one more record of n ids. */
static cn_status reserve(dataset_build *b, size_t n)
{
    dataset *d = b->d;
    if (d->n_records == d->records_alloc) {
        size_t want = CN_MAX(d->records_alloc * 2, (size_t)1024);
        kept *records = cn_realloc_array(d->records, want, sizeof *records);
        if (records) d->records = records;
        dataset_keys *keys = records ? cn_realloc_array(b->keys, want, sizeof *keys) : NULL;
        if (!keys) return cn_fail(b->err, CN_E_NOMEM, "%zu records", want);
        b->keys = keys;
        d->records_alloc = want;
    }
    if (d->n_records >= UINT32_MAX / 2)
        return cn_fail(b->err, CN_E_LIMIT, "over %zu records", d->n_records);
    if (d->n_ids + n > INT32_MAX)
        return cn_fail(b->err, CN_E_LIMIT, "over %d tokens in one dataset", INT32_MAX);
    if (d->n_ids + n > d->ids_alloc) {
        size_t want = CN_MAX(d->ids_alloc * 2, d->n_ids + n + 65536);
        int32_t *ids = cn_realloc_array(d->ids, want, sizeof *ids);
        if (ids) d->ids = ids;
        uint8_t *loss = ids ? cn_realloc_array(d->loss, want, 1) : NULL;
        if (!loss) return cn_fail(b->err, CN_E_NOMEM, "%zu tokens", want);
        d->loss = loss;
        d->ids_alloc = want;
    }
    return CN_OK;
}

static cn_status bad_line(dataset_build *b, uint32_t file, const item *it)
{
    dataset *d = b->d;
    const char *path = d->paths[file];
    if (it->status == CN_E_FORMAT) {
        dataset_finding *f = dataset_find(d, DATASET_BAD, file, it->from.line);
        if (f) snprintf(f->why, sizeof f->why, "%s", it->why);
        d->report.n_bad++;
        if (b->o->skip_bad) return CN_OK;
    }
    cn_status st = cn_fail(b->err, it->status, "%s", it->why);
    cn_ctx(b->err, st, "%s, line %" PRIu64, path, it->from.line);
    if (it->next[0]) return cn_next(b->err, st, "%s", it->next);
    if (st != CN_E_FORMAT) return st;
    return cn_next(b->err, st,
                   "mend the line or leave bad lines out (--skip-bad); all are listed by: "
                   "conatus data check %s",
                   path);
}

/* True for a record that was there before on its side. */
static cn_status is_duplicate(dataset_build *b, uint32_t file, const item *it, bool *known)
{
    dataset *d = b->d;
    bool of_heldout = b->o->heldout_path && file + 1 == d->n_paths;
    uint32_t me = (uint32_t)d->n_records;
    uint32_t first = digest_table_add(&b->same[of_heldout], it->digests.exact, me);
    if (first == UINT32_MAX)
        return cn_fail(b->err, CN_E_NOMEM, "comparing %zu records", d->n_records);
    *known = first != me;
    if (!*known) return CN_OK;
    d->report.n_duplicate++;
    dataset_finding *f = dataset_find(d, DATASET_DUPLICATE, file, it->from.line);
    if (f) {
        f->other_file = d->records[first].file;
        f->other_line = d->records[first].line;
        snprintf(f->why, sizeof f->why, "the same as line %" PRIu64, f->other_line);
    }
    return CN_OK;
}

/* The loss that is left of the first `keep` tokens. In characters what is learnt counts as the
 * end of the record. */
static uint64_t loss_within(const dataset_build *b, const item *it, const worker *w,
                            uint64_t keep)
{
    uint64_t n = 0;
    if (!b->o->tokenizer) return it->n - keep < it->n_loss ? it->n_loss - (it->n - keep) : 0;
    for (size_t i = 0; i < keep; i++)
        n += w->out.loss.p[it->at + i] != 0;
    return n;
}

static void no_loss(dataset_build *b, uint32_t file, const item *it, bool cut)
{
    dataset *d = b->d;
    dataset_finding *f = dataset_find(d, DATASET_NO_LOSS, file, it->from.line);
    d->report.n_no_loss++;
    if (!f) return;
    if (cut)
        snprintf(f->why, sizeof f->why,
                 "nothing to learn within the context: %" PRIu64 " %s, the context has %u",
                 it->n, b->o->tokenizer ? "tokens" : "characters", b->o->n_ctx);
    else
        snprintf(f->why, sizeof f->why, "nothing to learn in it: no answer of the assistant");
}

static void keep_record(dataset_build *b, uint32_t file, const item *it, const worker *w,
                        uint64_t n, uint64_t n_loss)
{
    dataset *d = b->d;
    b->keys[d->n_records] =
        (dataset_keys){it->digests.near, it->digests.prompt, it->digests.has_prompt};
    d->records[d->n_records++] = (kept){
        .at = d->n_ids,
        .line = it->from.line,
        .n = (uint32_t)n,
        .n_loss = (uint32_t)n_loss,
        .length = (uint32_t)CN_MIN(it->n, UINT32_MAX),
        .file = file,
        .form = it->form,
    };
    if (!b->o->tokenizer) return;
    memcpy(d->ids + d->n_ids, w->out.ids.ids + it->at, n * sizeof *d->ids);
    memcpy(d->loss + d->n_ids, w->out.loss.p + it->at, n);
    d->n_ids += n;
}

static cn_status take(dataset_build *b, uint32_t file, const item *it, const worker *w)
{
    dataset *d = b->d;
    bool known = false, cut = b->o->n_ctx && it->n > b->o->n_ctx;
    d->report.n_found++;
    if (it->status) return bad_line(b, file, it);
    if (it->empty) {
        dataset_finding *f = dataset_find(d, DATASET_EMPTY, file, it->from.line);
        if (f) snprintf(f->why, sizeof f->why, "nothing is said");
        d->report.n_empty++;
        return CN_OK;
    }
    uint64_t n = cut ? b->o->n_ctx : it->n;
    uint64_t n_loss = cut ? loss_within(b, it, w, n) : it->n_loss;
    if (n_loss == 0) {
        no_loss(b, file, it, cut);
        return CN_OK;
    }
    cn_status st = reserve(b, b->o->tokenizer ? (size_t)n : 0);
    if (!st) st = is_duplicate(b, file, it, &known);
    if (st || (known && !b->o->keep_duplicates)) return st;
    if (cut) {
        dataset_finding *f = dataset_find(d, DATASET_TRUNCATED, file, it->from.line);
        if (f)
            snprintf(f->why, sizeof f->why, "%" PRIu64 " %s, the context has %u", it->n,
                     b->o->tokenizer ? "tokens" : "characters", b->o->n_ctx);
        d->report.n_truncated++;
    }
    keep_record(b, file, it, w, n, n_loss);
    return CN_OK;
}

static void fill_block(block *k, source *s)
{
    size_t bytes = 0;
    k->n_items = 0;
    atomic_store(&k->next, 0);
    while (k->n_items < BLOCK_RECORDS && bytes < BLOCK_BYTES) {
        item *it = &k->items[k->n_items];
        *it = (item){0};
        if (!source_next(s, &it->from)) break;
        bytes += it->from.bytes.n;
        k->n_items++;
    }
}

static cn_status read_blocks(dataset_build *b, cn_pool *pool, block *k, uint32_t file,
                             source *s, double done, double share)
{
    cn_status st = CN_OK;
    k->source = s;
    for (fill_block(k, s); k->n_items && !st; fill_block(k, s)) {
        cn_pool_run(pool, work, k);
        for (size_t i = 0; i < k->n_items && !st; i++)
            st = take(b, file, &k->items[i], &k->workers[k->items[i].worker]);
        double part = 1 - (double)s->rest.n / (double)s->all.n;
        if (!st && b->o->progress && !b->o->progress(b->o->user, done + share * part))
            st = cn_fail(b->err, CN_E_CANCELLED, "interrupted");
    }
    return st;
}

cn_status dataset_read_file(dataset_build *b, cn_pool *pool, uint32_t file, cn_str text,
                            double done, double share)
{
    source s;
    unsigned n_threads = cn_pool_size(pool);
    block k = {.b = b};
    cn_status st = source_begin(&s, text, b->err);
    if (st) return cn_ctx(b->err, st, "reading %s", b->d->paths[file]);
    k.items = cn_alloc_array(BLOCK_RECORDS, sizeof *k.items);
    k.workers = cn_alloc_array(n_threads, sizeof *k.workers);
    if (!k.items || !k.workers)
        st = cn_fail(b->err, CN_E_NOMEM, "a block of records");
    else
        st = read_blocks(b, pool, &k, file, &s, done, share);
    b->d->report.n_lines += s.line - 1 + (text.p[text.n - 1] != '\n');
    b->d->report.n_boms += s.n_boms;
    for (unsigned i = 0; k.workers && i < n_threads; i++) {
        record_deinit(&k.workers[i].record);
        chat_deinit(&k.workers[i].chat);
        encoded_deinit(&k.workers[i].out);
    }
    cn_free(k.workers);
    cn_free(k.items);
    return st;
}
