/* Training and held-out records: the division by content, what leaks across it, the counts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "compiler.h"
#include "dataset_priv.h"
#include "mem.h"

/* The same letters and digits fall to the same side, whatever else is in the files. */
static uint64_t lot(const dataset_build *b, size_t i)
{
    digest d = digest_begin(b->o->seed);
    digest_word(&d, b->keys[i].near.a);
    return d.a;
}

/* Everything whose lot is below the share; where that is nothing, the lowest lot. */
static void divide_by_content(dataset_build *b)
{
    dataset *d = b->d;
    uint64_t limit = (uint64_t)(CN_MIN(b->o->heldout, 0.999999) * 0x1p63) * 2,
             lowest = UINT64_MAX;
    for (size_t i = 0; i < d->n_records; i++)
        lowest = CN_MIN(lowest, lot(b, i));
    if (limit <= lowest) limit = lowest + 1;
    for (size_t i = 0; i < d->n_records; i++)
        d->records[i].heldout = lot(b, i) < limit;
}

static void divide(dataset_build *b)
{
    dataset *d = b->d;
    size_t n_train = 0;
    if (b->o->heldout_path) {
        for (size_t i = 0; i < d->n_records; i++)
            d->records[i].heldout = d->records[i].file + 1 == d->n_paths;
    } else if (b->o->heldout > 0) {
        divide_by_content(b);
    }
    for (size_t i = 0; i < d->n_records; i++)
        n_train += !d->records[i].heldout;
    if (n_train > 0 || b->o->heldout_path) return;
    for (size_t i = 0; i < d->n_records; i++)
        d->records[i].heldout = false;
}

static cn_status fill_sides(dataset_build *b)
{
    dataset *d = b->d;
    for (int side = 0; side < 2; side++) {
        d->side[side] = cn_alloc_array(d->n_records, sizeof *d->side[side]);
        if (!d->side[side])
            return cn_fail(b->err, CN_E_NOMEM, "an order of %zu records", d->n_records);
    }
    for (size_t i = 0; i < d->n_records; i++) {
        bool side = d->records[i].heldout;
        d->side[side][d->n_side[side]++] = (uint32_t)i;
    }
    return CN_OK;
}

static void leak(dataset *d, const kept *held, const kept *train, bool text)
{
    d->report.n_leaks++;
    d->report.n_leaks_text += text;
    dataset_finding *f = dataset_find(d, DATASET_LEAK, held->file, held->line);
    if (!f) return;
    f->other_file = train->file;
    f->other_line = train->line;
    snprintf(f->why, sizeof f->why, "held out; line %" PRIu64 "%s%s, for training, has %s",
             train->line, train->file != held->file ? " of " : "",
             train->file != held->file ? d->paths[train->file] : "",
             text ? "the same text" : "the same prompt");
}

static cn_status index_training(dataset_build *b, digest_table *near, digest_table *prompt)
{
    dataset *d = b->d;
    for (size_t i = 0; i < d->n_side[0]; i++) {
        uint32_t r = d->side[0][i];
        const dataset_keys *k = &b->keys[r];
        bool failed = digest_table_add(near, k->near, r) == UINT32_MAX;
        if (k->has_prompt) failed |= digest_table_add(prompt, k->prompt, r) == UINT32_MAX;
        if (failed) return cn_fail(b->err, CN_E_NOMEM, "comparing %zu records", d->n_records);
    }
    return CN_OK;
}

static cn_status find_leaks(dataset_build *b)
{
    dataset *d = b->d;
    digest_table near = {0}, prompt = {0};
    cn_status st = d->n_side[1] ? index_training(b, &near, &prompt) : CN_OK;
    for (size_t i = 0; i < d->n_side[1] && !st; i++) {
        uint32_t r = d->side[1][i];
        const dataset_keys *k = &b->keys[r];
        uint32_t text = digest_table_find(&near, k->near), begun = UINT32_MAX;
        if (k->has_prompt) begun = digest_table_find(&prompt, k->prompt);
        d->report.n_leaks_prompt += begun != UINT32_MAX;
        uint32_t other = text != UINT32_MAX ? text : begun;
        if (other != UINT32_MAX)
            leak(d, &d->records[r], &d->records[other], text != UINT32_MAX);
    }
    digest_table_deinit(&near);
    digest_table_deinit(&prompt);
    return st;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static cn_status measure_lengths(dataset_build *b)
{
    dataset *d = b->d;
    size_t n = d->n_records;
    if (n == 0) return CN_OK;
    uint32_t *lengths = cn_alloc_array(n, sizeof *lengths);
    if (!lengths) return cn_fail(b->err, CN_E_NOMEM, "lengths of %zu records", n);
    for (size_t i = 0; i < n; i++)
        lengths[i] = d->records[i].length;
    qsort(lengths, n, sizeof *lengths, by_size);
    d->report.shortest = lengths[0];
    d->report.median = lengths[(n - 1) / 2];
    d->report.p95 = lengths[(n - 1) * 95 / 100];
    d->report.longest = lengths[n - 1];
    cn_free(lengths);
    return CN_OK;
}

static void count(dataset *d)
{
    dataset_report *r = &d->report;
    uint64_t *const forms[] = {&r->n_text, &r->n_pairs, &r->n_messages};
    for (size_t i = 0; i < d->n_records; i++) {
        const kept *k = &d->records[i];
        ++*forms[k->form];
        *(k->heldout ? &r->heldout_tokens : &r->n_tokens) += k->n;
        *(k->heldout ? &r->heldout_loss_tokens : &r->n_loss_tokens) += k->n_loss;
    }
    r->n_records = d->n_side[0];
    r->n_heldout = d->n_side[1];
}

cn_status dataset_split(dataset_build *b)
{
    divide(b);
    cn_status st = fill_sides(b);
    if (!st) st = find_leaks(b);
    if (!st) st = measure_lengths(b);
    if (!st) count(b->d);
    return st;
}
