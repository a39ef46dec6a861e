/* Every backward operation against finite differences, in double precision, inside whole models
 * of every family: the derivative of the loss by single parameters of every tensor, and along a
 * random direction of all of them. */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "model_priv.h"
#include "rng.h"
#include "run.h"
#include "tiny_model.h"

#define N 23
static const uint32_t docs[] = {0, 11, 12, N}; /* the last reaches over the window of 5 */

typedef struct world {
    tiny_model files;
    cn_model *model;
    net *net;
    net_run *run;
    cn_pool *pool;
    int32_t ids[N], targets[N], positions[N];
    net_batch batch;
} world;

static void fill_batch(world *w)
{
    cn_rng rng = cn_rng_seeded(5);
    for (size_t d = 0; d + 1 < CN_ARRAY_LEN(docs); d++)
        for (uint32_t i = docs[d]; i < docs[d + 1]; i++) {
            w->ids[i] = (int32_t)cn_rng_below(&rng, 96);
            w->targets[i] = i % 5 == 3 ? -1 : (int32_t)cn_rng_below(&rng, 96);
            w->positions[i] = (int32_t)(i - docs[d]);
        }
    w->batch = (net_batch){.n = N,
                           .ids = w->ids,
                           .positions = w->positions,
                           .targets = w->targets,
                           .n_docs = CN_ARRAY_LEN(docs) - 1,
                           .doc_at = docs,
                           .seed = 9};
}

static net_run *new_run(world *w, bool checkpointing)
{
    cn_err err;
    net_run *r = NULL;
    run_options o = {.max_tokens = N, .max_doc = N, .checkpointing = checkpointing};
    assert_int_equal(net_run_new(&r, w->net, w->pool, &o, &err), CN_OK);
    return r;
}

/* Away from the start, where B = 0 hides the gradient of A, norms are 1 and biases 0. */
static void shake(net *n)
{
    cn_rng rng = cn_rng_seeded(77);
    for (size_t i = 0; i < n->params.n; i++) {
        param *p = n->params.all[i];
        for (size_t k = 0; p->trained && k < (size_t)p->n_rows * p->n_cols; k++)
            p->w[k] += 0.1 * cn_rng_normal(&rng);
    }
}

static void world_open(world *w, const char *arch, train_mode mode, const lora_options *lora)
{
    cn_err err = {0};
    memset(w, 0, sizeof *w);
    tiny_model_write(&w->files, arch);
    assert_int_equal(cn_pool_new(&w->pool, 2, &err), CN_OK);
    assert_int_equal(cn_model_open(&w->model, w->files.gguf, NULL, &err), CN_OK);
    assert_int_equal(net_from_base(&w->net, w->model, mode, lora, &err), CN_OK);
    assert_int_equal(net_fill(w->net, 3, &err), CN_OK);
    shake(w->net);
    fill_batch(w);
    w->run = new_run(w, false);
}

static void world_close(world *w)
{
    net_run_free(w->run);
    net_free(w->net);
    cn_model_close(w->model);
    cn_pool_free(w->pool);
    tiny_model_remove(&w->files);
}

#define SCALE 0.37 /* of the loss: a mean, in a real run */

static void gradients(world *w, net_run *r)
{
    params_begin_step(&w->net->params);
    net_run_loss(r, &w->batch, true, SCALE);
    params_end_step(&w->net->params);
}

static double loss(world *w)
{
    return SCALE * net_run_loss(w->run, &w->batch, false, 0);
}

/* Five-point rule; `to` is the number that is moved. */
static double slope(world *w, real *to)
{
    const double h = 1e-3;
    double at = *to, f[4];
    const double step[4] = {-2, -1, 1, 2};
    for (int i = 0; i < 4; i++) {
        *to = at + step[i] * h;
        f[i] = loss(w);
    }
    *to = at;
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
}

static void check_param(world *w, param *p, cn_rng *rng)
{
    for (int i = 0; i < 4; i++) {
        size_t k = cn_rng_below(rng, (uint64_t)p->n_rows * p->n_cols);
        double found = p->g[k], want = slope(w, &p->w[k]);
        if (fabs(found - want) > 1e-7 + 1e-6 * fabs(want))
            fail_msg("%s[%zu]: gradient %.12g, finite difference %.12g", p->name, k, found,
                     want);
    }
}

static double along(world *w, const double *direction, double h, const real *at)
{
    param_set *s = &w->net->params;
    for (size_t i = 0; i < s->n_values; i++)
        s->w[i] = at[i] + h * direction[i];
    return loss(w);
}

/* All parameters moved together: a tensor without its share would be missed here. */
static void check_direction(world *w, cn_rng *rng)
{
    param_set *s = &w->net->params;
    double *direction = cn_xcalloc(s->n_values, sizeof *direction), dot = 0;
    real *at = cn_xcalloc(s->n_values, sizeof *at);
    memcpy(at, s->w, s->n_values * sizeof *at);
    for (size_t i = 0; i < s->n; i++) {
        param *p = s->all[i];
        for (size_t k = 0; p->trained && k < (size_t)p->n_rows * p->n_cols; k++) {
            direction[p->at + k] = cn_rng_normal(rng);
            dot += direction[p->at + k] * p->g[k];
        }
    }
    const double h = 1e-5;
    double want = (along(w, direction, -2 * h, at) - 8 * along(w, direction, -h, at) +
                   8 * along(w, direction, h, at) - along(w, direction, 2 * h, at)) /
                  (12 * h);
    if (fabs(dot - want) > 1e-6 * (1 + fabs(want)))
        fail_msg("along a random direction: %.12g, finite difference %.12g", dot, want);
    memcpy(s->w, at, s->n_values * sizeof *at);
    cn_free(direction);
    cn_free(at);
}

static void check_all(world *w)
{
    cn_rng rng = cn_rng_seeded(1);
    gradients(w, w->run);
    for (size_t i = 0; i < w->net->params.n; i++)
        if (w->net->params.all[i]->trained) check_param(w, w->net->params.all[i], &rng);
    check_direction(w, &rng);
}

/* The same numbers whether activations are kept or computed again. */
static void check_checkpointing(world *w)
{
    size_t n = w->net->params.n_values;
    real *kept = cn_xcalloc(n, sizeof *kept);
    net_run *again = new_run(w, true);
    gradients(w, w->run);
    memcpy(kept, w->net->params.g, n * sizeof *kept);
    gradients(w, again);
    assert_memory_equal(kept, w->net->params.g, n * sizeof *kept);
    net_run_free(again);
    cn_free(kept);
}

static void test_family(void **state)
{
    world w;
    world_open(&w, *state, TRAIN_FULL, NULL);
    check_all(&w);
    check_checkpointing(&w);
    world_close(&w);
}

static void test_lora(void **state)
{
    world w;
    lora_options lora = {.rank = 3, .alpha = 5, .sites = (1 << SITES_PER_LAYER) - 1};
    world_open(&w, *state, TRAIN_LORA, &lora);
    check_all(&w);
    check_checkpointing(&w);
    world_close(&w);
}

/* Dropout draws by place, so that the finite differences would see the same mask; but it is off
 * in a pass without gradients. Hence: the recomputed pass drops the same, and another seed
 * another. */
static void test_dropout(void **state)
{
    (void)state;
    world w;
    lora_options lora = {
        .rank = 3, .alpha = 5, .dropout = 0.3F, .sites = 1 << SITE_Q | 1 << SITE_DOWN};
    world_open(&w, "llama", TRAIN_LORA, &lora);
    check_checkpointing(&w);
    real before = w.net->layers[1].down.a->g[0];
    w.batch.seed++;
    gradients(&w, w.run);
    assert_true(before != w.net->layers[1].down.a->g[0]);
    world_close(&w);
}

/* Two micro-batches add up to one. */
static void test_accumulation(void **state)
{
    (void)state;
    world w;
    world_open(&w, "llama", TRAIN_FULL, NULL);
    size_t n = w.net->params.n_values;
    real *whole = cn_xcalloc(n, sizeof *whole);
    gradients(&w, w.run);
    memcpy(whole, w.net->params.g, n * sizeof *whole);
    net_batch first = w.batch, second = w.batch;
    uint32_t rest[] = {0, N - 12};
    first.n = 12, first.n_docs = 2;
    second = (net_batch){.n = N - 12,
                         .ids = w.ids + 12,
                         .positions = w.positions + 12,
                         .targets = w.targets + 12,
                         .n_docs = 1,
                         .doc_at = rest};
    params_begin_step(&w.net->params);
    net_run_loss(w.run, &first, true, SCALE);
    net_run_loss(w.run, &second, true, SCALE);
    params_end_step(&w.net->params);
    for (size_t i = 0; i < n; i++)
        assert_true(fabs(whole[i] - w.net->params.g[i]) < 1e-12);
    cn_free(whole);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_family, "llama"),
        cmocka_unit_test_prestate(test_family, "llama3"),
        cmocka_unit_test_prestate(test_family, "mistral"),
        cmocka_unit_test_prestate(test_family, "qwen2"),
        cmocka_unit_test_prestate(test_family, "qwen3"),
        cmocka_unit_test_prestate(test_family, "phi2"),
        cmocka_unit_test_prestate(test_family, "gpt2"),
        cmocka_unit_test_prestate(test_lora, "llama"),
        cmocka_unit_test_prestate(test_lora, "phi2"),
        cmocka_unit_test_prestate(test_lora, "gpt2"),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_accumulation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
