/* The plan of an epoch (which records stand in which row) is made at its beginning, from the
 * seed and its number alone; a batch is then copied together. */
#include "pack.h"

#include <inttypes.h>
#include <string.h>

#include "compiler.h"
#include "mem.h"
#include "rng.h"

enum { WINDOW = 256, ROUND_UP = 16 };

struct packer {
    const dataset *d;
    bool heldout, pack;
    uint32_t n_rows, n_ctx;
    uint64_t seed;
    size_t n;
    uint32_t *places;                 /* by record: places that it takes */
    uint32_t *order;                  /* records as the rows hold them */
    uint32_t *drawn;                  /* the same before they are put into rows */
    size_t *row;                      /* where each row begins in `order`; one more than rows */
    size_t n_planned;                 /* rows */
    uint64_t epoch, first_step, step; /* first_step: of the epoch */
    pack_batch batch;
};

/* Places up to the one that predicts the last target. */
static uint32_t places_of(dataset_record r)
{
    uint32_t n = r.n;
    while (n > 1 && !r.loss[n - 1])
        n--;
    return n - 1;
}

static void draw_order(packer *p)
{
    for (size_t i = 0; i < p->n; i++)
        p->drawn[i] = (uint32_t)i;
    if (p->heldout) return;
    cn_rng mixed = cn_rng_seeded(p->seed), rng = cn_rng_seeded(cn_rng_next(&mixed) ^ p->epoch);
    for (size_t i = p->n; i > 1; i--) {
        size_t k = (size_t)cn_rng_below(&rng, i);
        uint32_t kept = p->drawn[i - 1];
        p->drawn[i - 1] = p->drawn[k];
        p->drawn[k] = kept;
    }
}

/* The largest of the next records that still fits; UINT32_MAX: none. */
static uint32_t best_fit(const packer *p, const uint32_t *window, size_t n, uint32_t room)
{
    uint32_t best = UINT32_MAX, size = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t places = p->places[window[i]];
        if (places > room || places <= size) continue;
        best = i;
        size = places;
        if (places == room) break;
    }
    return best;
}

/* Each row begins with the record that waits longest, so that none waits for ever; the window
 * closes up over those that were taken. */
static void fill_rows(packer *p)
{
    size_t at = 0, taken = 0;
    p->n_planned = 0;
    while (taken < p->n) {
        uint32_t room = p->n_ctx, pick = 0;
        p->row[p->n_planned++] = taken;
        do {
            uint32_t *window = p->drawn + at, record = window[pick];
            p->order[taken++] = record;
            room -= p->places[record];
            memmove(window + 1, window, pick * sizeof *window);
            at++;
            if (!p->pack) break;
            pick = best_fit(p, p->drawn + at, CN_MIN(p->n - at, (size_t)WINDOW), room);
        } while (pick != UINT32_MAX);
    }
    p->row[p->n_planned] = taken;
}

static void plan(packer *p)
{
    draw_order(p);
    fill_rows(p);
}

uint64_t packer_steps_per_epoch(const packer *p)
{
    return (p->n_planned + p->n_rows - 1) / p->n_rows;
}

static void go_to_epoch(packer *p, uint64_t epoch, uint64_t first_step)
{
    p->epoch = epoch;
    p->first_step = first_step;
    plan(p);
}

void packer_seek(packer *p, uint64_t step)
{
    if (step < p->first_step) go_to_epoch(p, 0, 0);
    p->step = step;
    while (step - p->first_step >= packer_steps_per_epoch(p))
        go_to_epoch(p, p->epoch + 1, p->first_step + packer_steps_per_epoch(p));
}

uint64_t packer_steps(packer *p, uint64_t n_epochs)
{
    uint64_t step = p->step, n = 0;
    if (n_epochs == 0) return 0;
    for (uint64_t i = 0; i < n_epochs; i++) {
        packer_seek(p, n);
        n += packer_steps_per_epoch(p);
    }
    packer_seek(p, step);
    return n;
}

static uint32_t width_of_row(const packer *p, size_t row)
{
    uint32_t n = 0;
    if (row >= p->n_planned) return 0;
    for (size_t i = p->row[row]; i < p->row[row + 1]; i++)
        n += p->places[p->order[i]];
    return n;
}

double packer_padding(const packer *p)
{
    uint64_t width = 0, used = 0, step_rows = p->n_rows;
    for (size_t first = 0; first < p->n_planned; first += step_rows) {
        uint32_t widest = 0;
        for (size_t r = first; r < first + step_rows; r++) {
            uint32_t n = width_of_row(p, r);
            used += n;
            widest = CN_MAX(widest, n);
        }
        widest = (widest + ROUND_UP - 1) / ROUND_UP * ROUND_UP;
        width += step_rows * (p->pack ? p->n_ctx : CN_MIN(widest, p->n_ctx));
    }
    return width ? 1 - (double)used / (double)width : 0;
}

/* Copies a record to `at` of the batch's arrays. */
static void put_record(pack_batch *b, size_t at, dataset_record r, uint32_t places, int32_t doc)
{
    memcpy(b->ids + at, r.ids, places * sizeof *b->ids);
    for (uint32_t i = 0; i < places; i++) {
        bool target = r.loss[i + 1];
        b->targets[at + i] = target ? r.ids[i + 1] : -1;
        b->positions[at + i] = (int32_t)i;
        b->doc[at + i] = doc;
        b->n_loss += target;
    }
    b->n_tokens += places;
    b->n_docs++;
}

static void put_row(const packer *p, pack_batch *b, size_t row, size_t at)
{
    uint32_t used = 0;
    int32_t doc = 0;
    for (size_t i = p->row[row]; i < p->row[row + 1]; i++) {
        uint32_t record = p->order[i], places = p->places[record];
        put_record(b, at + used, dataset_at(p->d, p->heldout, record), places, doc++);
        used += places;
    }
}

void packer_next(packer *p, pack_batch *out)
{
    pack_batch *b = &p->batch;
    uint32_t width = p->n_ctx;
    packer_seek(p, p->step);
    size_t first = (size_t)(p->step - p->first_step) * p->n_rows;
    if (!p->pack) {
        uint32_t widest = 0;
        for (size_t r = first; r < first + p->n_rows; r++)
            widest = CN_MAX(widest, width_of_row(p, r));
        width = CN_MIN((widest + ROUND_UP - 1) / ROUND_UP * ROUND_UP, p->n_ctx);
    }
    size_t bytes = (size_t)p->n_rows * width * sizeof *b->ids;
    memset(b->ids, 0, bytes);
    memset(b->positions, 0, bytes);
    memset(b->targets, 0xFF, bytes);
    memset(b->doc, 0xFF, bytes);
    b->n_rows = p->n_rows;
    b->n_ctx = width;
    b->n_loss = b->n_tokens = b->n_docs = 0;
    b->epoch = p->epoch;
    b->step = p->step++;
    for (uint32_t r = 0; r < p->n_rows && first + r < p->n_planned; r++)
        put_row(p, b, first + r, (size_t)r * width);
    *out = *b;
}

static cn_status measure_records(packer *p, cn_err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        dataset_record r = dataset_at(p->d, p->heldout, i);
        p->places[i] = places_of(r);
        if (p->places[i] > p->n_ctx)
            return cn_fail(err, CN_E_LIMIT, "line %" PRIu64 " takes %u places, a row has %u",
                           r.line, p->places[i], p->n_ctx);
    }
    return CN_OK;
}

static cn_status take_memory(packer *p, cn_err *err)
{
    size_t places;
    pack_batch *b = &p->batch;
    if (cn_mul_overflow(p->n_rows, p->n_ctx, &places)) places = SIZE_MAX;
    p->places = cn_alloc_array(p->n, sizeof *p->places);
    p->order = cn_alloc_array(p->n, sizeof *p->order);
    p->drawn = cn_alloc_array(p->n, sizeof *p->drawn);
    p->row = cn_alloc_array(p->n + 1, sizeof *p->row);
    b->ids = cn_alloc_array(places, sizeof *b->ids);
    b->targets = cn_alloc_array(places, sizeof *b->targets);
    b->positions = cn_alloc_array(places, sizeof *b->positions);
    b->doc = cn_alloc_array(places, sizeof *b->doc);
    if (p->places && p->order && p->drawn && p->row && b->ids && b->targets && b->positions &&
        b->doc)
        return CN_OK;
    return cn_fail(err, CN_E_NOMEM, "batches of %u rows of %u tokens", p->n_rows, p->n_ctx);
}

static cn_status begin(packer **out, packer from, cn_err *err)
{
    *out = NULL;
    from.n = dataset_n(from.d, from.heldout);
    if (from.n_rows == 0 || from.n_ctx == 0)
        return cn_fail(err, CN_E_ARG, "batches of %u rows of %u tokens", from.n_rows,
                       from.n_ctx);
    if (from.n == 0)
        return cn_fail(err, CN_E_ARG, "no %s records", from.heldout ? "held-out" : "training");
    if (!dataset_report_of(from.d)->in_tokens)
        return cn_fail(err, CN_E_ARG, "the data was opened without a tokenizer");
    packer *p = cn_xcalloc(1, sizeof *p);
    *p = from;
    cn_status st = take_memory(p, err);
    if (!st) st = measure_records(p, err);
    if (st) {
        packer_free(p);
        return st;
    }
    go_to_epoch(p, 0, 0);
    *out = p;
    return CN_OK;
}

cn_status packer_new(packer **out, const dataset *d, uint32_t n_rows, uint32_t n_ctx,
                     uint64_t seed, bool pack, cn_err *err)
{
    packer p = {.d = d, .pack = pack, .n_rows = n_rows, .n_ctx = n_ctx, .seed = seed};
    return begin(out, p, err);
}

cn_status packer_new_heldout(packer **out, const dataset *d, uint32_t n_rows, uint32_t n_ctx,
                             bool pack, cn_err *err)
{
    packer p = {.d = d, .heldout = true, .pack = pack, .n_rows = n_rows, .n_ctx = n_ctx};
    return begin(out, p, err);
}

void packer_free(packer *p)
{
    if (!p) return;
    cn_free(p->places);
    cn_free(p->order);
    cn_free(p->drawn);
    cn_free(p->row);
    cn_free(p->batch.ids);
    cn_free(p->batch.targets);
    cn_free(p->batch.positions);
    cn_free(p->batch.doc);
    cn_free(p);
}
