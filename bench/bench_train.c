/* How fast a training step is: forward, backward and update, at the shapes of the contract.
 * JSON, one record a line. bench_train [--threads N] [--steps N] [--model FILE]
 * [gpt2|gpt2-bf16|small|small-bf16 ...] With --model: full training and LoRA (rank 16, every
 * linear layer) of that base, in turn. gflops counts 6 (LoRA: 4) multiplications and additions
 * per token and weight of a product, without attention. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "model_priv.h"
#include "rng.h"
#include "run.h"
#include "timing.h"

#include "adamw.h"

typedef struct shape {
    const char *name;
    hparams hp;
    uint32_t rows, length;
    bool lora, bf16;
    const cn_model *base;
} shape;

static hparams gpt2(void)
{
    return (hparams){.arch = "gpt2",
                     .family = FAMILY_GPT2,
                     .n_layers = 12,
                     .n_embd = 768,
                     .n_ff = 3072,
                     .n_heads = 12,
                     .n_kv_heads = 12,
                     .head_dim = 64,
                     .n_vocab = 50257,
                     .n_ctx_train = 1024,
                     .norm_eps = 1e-5F,
                     .rope_linear = 1};
}

static hparams llama(uint32_t layers, uint32_t embd, uint32_t ff, uint32_t heads, uint32_t kv,
                     uint32_t n_vocab)
{
    return (hparams){.arch = "llama",
                     .family = FAMILY_LLAMA,
                     .n_layers = layers,
                     .n_embd = embd,
                     .n_ff = ff,
                     .n_heads = heads,
                     .n_kv_heads = kv,
                     .head_dim = embd / heads,
                     .n_vocab = n_vocab,
                     .n_ctx_train = 2048,
                     .n_rot = embd / heads,
                     .norm_eps = 1e-5F,
                     .rope_base = 10000,
                     .rope_linear = 1};
}

static uint64_t product_weights(const net *n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n->params.n; i++) {
        const param *p = n->params.all[i];
        if (p->n_rows > 1 && p != n->position_embd && (p != n->token_embd || n->tied))
            sum += (uint64_t)p->n_rows * p->n_cols;
    }
    return sum;
}

static void fatal(const cn_err *err)
{
    fprintf(stderr, "bench_train: %s\n", err->why);
    exit(1);
}

static net_batch *make_batch(const shape *s, uint32_t n_vocab)
{
    size_t n = (size_t)s->rows * s->length;
    cn_rng rng = cn_rng_seeded(1);
    net_batch *b = cn_xcalloc(1, sizeof *b);
    int32_t *ids = cn_xcalloc(n, sizeof *ids), *targets = cn_xcalloc(n, sizeof *targets),
            *positions = cn_xcalloc(n, sizeof *positions);
    uint32_t *at = cn_xcalloc(s->rows + 1, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        ids[i] = (int32_t)cn_rng_below(&rng, n_vocab);
        targets[i] = (int32_t)cn_rng_below(&rng, n_vocab);
        positions[i] = (int32_t)(i % s->length);
    }
    for (uint32_t i = 0; i <= s->rows; i++)
        at[i] = i * s->length;
    *b = (net_batch){.n = n,
                     .ids = ids,
                     .targets = targets,
                     .positions = positions,
                     .n_docs = s->rows,
                     .doc_at = at};
    return b;
}

static net *make_net(const shape *s)
{
    cn_err err;
    net *n = NULL;
    lora_options lora = {.rank = 16, .alpha = 32, .sites = (1U << SITES_PER_LAYER) - 1};
    cn_status st =
        s->base ? net_from_base(&n, s->base, s->lora ? TRAIN_LORA : TRAIN_FULL, &lora, &err)
                : net_from_scratch(&n, &s->hp, true, &err);
    if (st || net_fill(n, 1, &err)) fatal(&err);
    return n;
}

static void run_shape(const shape *s, cn_pool *pool, int steps)
{
    cn_err err;
    net *n = make_net(s);
    net_run *r = NULL;
    run_options o = {
        .max_tokens = (size_t)s->rows * s->length, .max_doc = s->length, .bf16 = s->bf16};
    if (net_run_new(&r, n, pool, &o, &err)) fatal(&err);

    adamw *a = NULL;
    if (adamw_new(&a, &n->params, &(adamw_options){0.9F, 0.95F, 1e-8F, 0.1F, false}, &err))
        fatal(&err);

    net_batch *b = make_batch(s, s->hp.n_vocab);
    double *total = cn_xcalloc((size_t)steps, sizeof *total),
           *update = cn_xcalloc((size_t)steps, sizeof *update);
    double loss = 0;
    for (int i = 0; i < steps; i++) {
        uint64_t t0 = cn_now_ns();
        params_begin_step(&n->params);
        loss = net_run_loss(r, b, true, 1.0 / (double)b->n) / (double)b->n;
        params_end_step(&n->params);
        uint64_t t1 = cn_now_ns();

        double size = adamw_grad_norm(a, pool);
        adamw_step(a, pool, 1e-4F, size > 1 ? (float)(1 / size) : 1);

        total[i] = 1e-9 * (double)(cn_now_ns() - t0);
        update[i] = 1e-9 * (double)(cn_now_ns() - t1);
    }
    qsort(total, (size_t)steps, sizeof *total, compare);
    qsort(update, (size_t)steps, sizeof *update, compare);
    double s_step = total[steps / 2];
    double flop = (s->lora ? 4.0 : 6.0) * (double)product_weights(n) * (double)b->n;
    printf("{\"shape\":\"%s\",\"products\":\"%s\",\"threads\":%u,\"tokens\":%zu,\"step_s\":%."
           "4f,\"update_s\":%.4f,\"tokens_per_s\":%.0f,"
           "\"gflops\":%.1f,\"loss\":%.4f}\n",
           s->name, s->bf16 ? "bf16" : "f32", cn_pool_size(pool), b->n, s_step,
           update[steps / 2], (double)b->n / s_step, 1e-9 * flop / s_step, loss);
    fflush(stdout);
    adamw_free(a);
    net_run_free(r);
    net_free(n);
}

static void run_base(const char *path, cn_pool *pool, int steps)
{
    cn_err err;
    cn_model *m = NULL;
    if (cn_model_open(&m, path, NULL, &err)) fatal(&err);
    for (int bf16 = 0; bf16 < 2; bf16++)
        for (int lora = 0; lora < 2; lora++) {
            shape s = {lora ? "base-lora" : "base-full", m->hp, 4, 64, lora, bf16, m};
            run_shape(&s, pool, steps);
        }
    cn_model_close(m);
}

int main(int argc, char **argv)
{
    const shape shapes[] = {
        {"gpt2", gpt2(), 4, 64, false, false, NULL},
        {"gpt2-bf16", gpt2(), 4, 64, false, true, NULL},
        {"llama", llama(12, 768, 2048, 12, 12, 32000), 4, 64, false, false, NULL},
        {"small", llama(6, 256, 704, 4, 4, 4096), 8, 512, false, false, NULL},
        {"small-bf16", llama(6, 256, 704, 4, 4, 4096), 8, 512, false, true, NULL},
    };
    unsigned threads = 0;
    const char *model = NULL;
    int steps = 7, any = 0;
    cn_err err;
    cn_pool *pool = NULL;
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--threads") == 0)
            threads = (unsigned)atoi(argv[++i]);
        else if (strcmp(argv[i], "--steps") == 0)
            steps = atoi(argv[++i]);
        else if (strcmp(argv[i], "--model") == 0)
            model = argv[++i];
    }
    if (cn_pool_new(&pool, threads, &err)) fatal(&err);
    if (model) run_base(model, pool, steps), any = 1;
    for (int i = 1; i < argc; i++)
        for (size_t k = 0; k < CN_ARRAY_LEN(shapes); k++)
            if (strcmp(argv[i], shapes[k].name) == 0)
                run_shape(&shapes[k], pool, steps), any = 1;
    for (size_t k = 0; !any && k < CN_ARRAY_LEN(shapes); k++)
        run_shape(&shapes[k], pool, steps);
    cn_pool_free(pool);
    return 0;
}
