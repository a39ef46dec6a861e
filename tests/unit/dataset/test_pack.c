/* Rows of whole records: nothing lost, nothing twice, the same again after a resume. */
#include "fixture.h"

#include "pack.h"
#include "rng.h"

/* n records of a few to some eighty tokens, each its own. */
static dataset *many(const cn_tokenizer *t, size_t n, double heldout)
{
    cn_buf b = {0};
    cn_rng rng = cn_rng_seeded(7);
    for (size_t i = 0; i < n; i++) {
        cn_buf_printf(&b, "{\"prompt\": \"%zu\", \"completion\": \"", i);
        for (size_t k = cn_rng_below(&rng, 12) + 1; k > 0; k--)
            cn_buf_printf(&b, "the cause %zu ", (size_t)cn_rng_below(&rng, 100));
        cn_buf_lit(&b, "\"}\n");
    }
    dataset *d = open_data(b.p, &(dataset_options){.tokenizer = t, .heldout = heldout});
    cn_buf_deinit(&b);
    return d;
}

/* Each document of the batch is one record: marks it in `seen` and compares all of it. */
static void check_batch(const dataset *d, const pack_batch *b, unsigned *seen)
{
    uint32_t n_loss = 0, n_tokens = 0;
    for (uint32_t r = 0; r < b->n_rows; r++) {
        size_t at = (size_t)r * b->n_ctx, end = at + b->n_ctx;
        int32_t doc = 0;
        for (; at < end && b->doc[at] >= 0; doc++) {
            assert_int_equal(b->doc[at], doc);
            size_t n = 0, found = SIZE_MAX;
            while (at + n < end && b->doc[at + n] == doc) {
                assert_int_equal(b->positions[at + n], n);
                n++;
            }
            for (size_t i = 0; i < dataset_n(d, false) && found == SIZE_MAX; i++) {
                dataset_record q = dataset_at(d, false, i);
                if (q.n == n + 1 && memcmp(q.ids, b->ids + at, n * sizeof *q.ids) == 0)
                    found = i;
            }
            assert_true(found != SIZE_MAX);
            seen[found]++;
            dataset_record q = dataset_at(d, false, found);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(b->targets[at + i], q.loss[i + 1] ? q.ids[i + 1] : -1);
            for (size_t i = 1; i < q.n; i++)
                n_loss += q.loss[i] != 0;
            n_tokens += (uint32_t)n;
            at += n;
        }
        for (; at < end; at++) {
            assert_int_equal(b->doc[at], -1);
            assert_int_equal(b->targets[at], -1);
            assert_int_equal(b->ids[at], 0);
        }
    }
    assert_int_equal(b->n_loss, n_loss);
    assert_int_equal(b->n_tokens, n_tokens);
}

static void epochs_hold_every_record_once(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d = many(t, 300, 0);
    packer *p;
    for (int pack = 0; pack < 2; pack++) {
        unsigned seen[300] = {0};
        pack_batch b;
        assert_int_equal(packer_new(&p, d, 3, 256, 5, pack, NULL), CN_OK);
        for (unsigned epoch = 0; epoch < 2; epoch++) {
            uint64_t steps = packer_steps_per_epoch(p);
            for (uint64_t i = 0; i < steps; i++) {
                cn_alloc_forbid();
                packer_next(p, &b);
                cn_alloc_permit();
                assert_int_equal(b.epoch, epoch);
                check_batch(d, &b, seen);
            }
            packer_seek(p, b.step + 1);
            for (size_t i = 0; i < 300; i++)
                assert_int_equal(seen[i], epoch + 1);
        }
        packer_free(p);
    }
    dataset_close(d);
    cn_tokenizer_free(t);
}

static uint64_t sum_of(const pack_batch *b)
{
    uint64_t sum = b->n_ctx;
    for (size_t i = 0; i < (size_t)b->n_rows * b->n_ctx; i++)
        sum = sum * 31 +
              ((uint32_t)b->ids[i] ^ (uint32_t)b->targets[i] << 8 ^ (uint32_t)b->doc[i] << 16);
    return sum;
}

static void seeking_gives_the_same_batches(void **state)
{
    (void)state;
    enum { STEPS = 60 };
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d = many(t, 120, 0);
    packer *p, *q;
    pack_batch b;
    uint64_t sums[STEPS];
    assert_int_equal(packer_new(&p, d, 2, 256, 9, true, NULL), CN_OK);
    for (int i = 0; i < STEPS; i++) {
        packer_next(p, &b);
        assert_int_equal(b.step, i);
        sums[i] = sum_of(&b);
    }
    assert_true(b.epoch >= 2);
    assert_true(sums[0] != sums[packer_steps(p, 1)]);
    assert_int_equal(packer_new(&q, d, 2, 256, 9, true, NULL), CN_OK);
    for (int i = STEPS - 1; i >= 0; i -= 7) {
        packer_seek(q, (uint64_t)i);
        packer_next(q, &b);
        assert_true(sum_of(&b) == sums[i]);
    }
    packer_free(q);
    assert_int_equal(packer_new(&q, d, 2, 256, 10, true, NULL), CN_OK);
    packer_next(q, &b);
    assert_true(sum_of(&b) != sums[0]);
    packer_free(q);
    packer_free(p);
    dataset_close(d);
    cn_tokenizer_free(t);
}

static void steps_of_epochs_add_up(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d = many(t, 120, 0);
    packer *p;
    pack_batch b;
    assert_int_equal(packer_new(&p, d, 2, 256, 9, true, NULL), CN_OK);
    uint64_t steps = packer_steps(p, 3);
    packer_seek(p, steps - 1);
    packer_next(p, &b);
    assert_int_equal(b.epoch, 2);
    packer_next(p, &b);
    assert_int_equal(b.epoch, 3);
    packer_free(p);
    dataset_close(d);
    cn_tokenizer_free(t);
}

static void little_is_padding(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d = many(t, 2000, 0);
    packer *p;
    assert_int_equal(packer_new(&p, d, 1, 512, 1, true, NULL), CN_OK);
    double packed = packer_padding(p);
    packer_free(p);
    assert_int_equal(packer_new(&p, d, 8, 512, 1, false, NULL), CN_OK);
    double apart = packer_padding(p);
    packer_free(p);
    print_message("padding: %.2f %% packed, %.2f %% one record a row\n", packed * 100,
                  apart * 100);
    assert_true(packed < 0.01);
    assert_true(apart > packed);
    dataset_close(d);
    cn_tokenizer_free(t);
}

static void heldout_keeps_its_order(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d = many(t, 200, 0.2);
    packer *p;
    pack_batch b;
    size_t n = dataset_n(d, true), at = 0;
    assert_true(n > 10 && n < 90);
    assert_int_equal(n + dataset_n(d, false), 200);
    assert_int_equal(packer_new_heldout(&p, d, 1, 256, false, NULL), CN_OK);
    assert_int_equal(packer_steps_per_epoch(p), n);
    for (; at < n; at++) {
        packer_next(p, &b);
        dataset_record r = dataset_at(d, true, at);
        assert_int_equal(b.n_tokens, r.n - 1);
        assert_memory_equal(b.ids, r.ids, (r.n - 1) * sizeof *r.ids);
        assert_true(b.n_ctx % 16 == 0 && b.n_ctx - b.n_tokens < 16);
    }
    packer_free(p);
    dataset_close(d);
    cn_tokenizer_free(t);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    cn_tokenizer *t = open_tokenizer("tokenizer/bpe");
    dataset *d = many(t, 20, 0);
    cn_err err = {0};
    packer *p;
    assert_int_equal(packer_new(&p, d, 1, 8, 1, true, &err), CN_E_LIMIT);
    assert_null(p);
    assert_non_null(strstr(err.why, "a row has 8"));
    assert_int_equal(packer_new(&p, d, 0, 8, 1, true, &err), CN_E_ARG);
    assert_int_equal(packer_new_heldout(&p, d, 1, 8, true, &err), CN_E_ARG);
    dataset_close(d);
    cn_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_hold_every_record_once),
        cmocka_unit_test(seeking_gives_the_same_batches),
        cmocka_unit_test(steps_of_epochs_add_up),
        cmocka_unit_test(little_is_padding),
        cmocka_unit_test(heldout_keeps_its_order),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
