/* What a training run leaves, opened again by the engine: the same logits. */
#include "testing.h"

#include <conatus/quantize.h>
#include <conatus/session.h>
#include <dirent.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"
#include "gguf.h"
#include "rng.h"
#include "run.h"
#include "tiny_model.h"

enum { N = 21, V = 96 };

static const char *const archs[] = {"llama", "llama3", "mistral", "qwen2",
                                    "qwen3", "phi2",   "gpt2"};

typedef struct world {
    tiny_model files;
    char *out; /* a path for what is written */
    cn_model *base;
    net *net;
} world;

static void must(cn_status st, const cn_err *err)
{
    if (st) fail_msg("%s: %s (%s)", err->what, err->why, err->next);
}

static cn_model *open_model(const char *path)
{
    cn_err err = {0};
    cn_model *m;
    cn_model_options o = {.n_threads = 1, .exact = true};
    must(cn_model_open(&m, path, &o, &err), &err);
    return m;
}

/* Away from the start: B is not 0, norms not 1. */
static void shake(net *n)
{
    cn_rng rng = cn_rng_seeded(77);
    for (size_t i = 0; i < n->params.n; i++) {
        param *p = n->params.all[i];
        for (size_t k = 0; p->trained && k < (size_t)p->n_rows * p->n_cols; k++)
            p->w[k] += 0.1F * (real)cn_rng_normal(&rng);
    }
}

static void world_open(world *w, const char *arch, bool folder, train_mode mode,
                       const lora_options *lora)
{
    cn_err err = {0};
    *w = (world){0};
    tiny_model_write(&w->files, arch);
    w->out = cn_path_join(w->files.dir, "out");
    w->base = open_model(folder ? w->files.folder : w->files.gguf);
    must(net_from_base(&w->net, w->base, mode, lora, &err), &err);
    must(net_fill(w->net, 3, &err), &err);
    shake(w->net);
}

static size_t files_in(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static void remove_all(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char *inner = cn_path_join(path, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) remove_all(inner);
        cn_free(inner);
    }
    if (d) closedir(d);
    remove(path);
}

static void world_close(world *w)
{
    net_free(w->net);
    cn_model_close(w->base);
    remove_all(w->files.dir);
    cn_free(w->out);
}

/* ---- logits ---- */

typedef struct logits {
    float at[N * V];
} logits;

static void run_model(logits *out, const cn_model *m, const cn_adapter *adapter)
{
    cn_err err = {0};
    cn_session *s;
    const float *got;
    int32_t ids[N];
    cn_session_options o = {.cache_type = "f32"};
    cn_rng rng = cn_rng_seeded(8);
    for (size_t i = 0; i < N; i++)
        ids[i] = (int32_t)cn_rng_below(&rng, V);
    must(cn_session_new(&s, m, &o, &err), &err);
    float one = 1;
    if (adapter) must(cn_session_adapters(s, &adapter, &one, 1, &err), &err);
    must(cn_session_eval(s, ids, N, true, &got, &err), &err);
    memcpy(out->at, got, sizeof out->at);
    cn_session_free(s);
}

static void run_file(logits *out, const char *path)
{
    cn_model *m = open_model(path);
    run_model(out, m, NULL);
    cn_model_close(m);
}

static void run_adapter(logits *out, const char *base, const char *peft)
{
    cn_err err = {0};
    cn_adapter *a;
    cn_model *m = open_model(base);
    must(cn_adapter_open(&a, m, peft, &err), &err);
    run_model(out, m, a);
    cn_adapter_close(a);
    cn_model_close(m);
}

/* Largest difference over the largest logit. */
static double apart(const logits *a, const logits *b)
{
    double worst = 0, size = 0;
    for (size_t i = 0; i < N * V; i++) {
        worst = fmax(worst, fabs((double)a->at[i] - (double)b->at[i]));
        size = fmax(size, fabs((double)a->at[i]));
        assert_true(isfinite(b->at[i]));
    }
    return worst / size;
}

/* The same sums in another order: terms of 32 to 128 numbers at 6e-8 through two layers. */
#define CLOSE 2e-5

static void same(const char *what, const char *arch, const logits *a, const logits *b,
                 double bound)
{
    double d = apart(a, b);
    print_message("%s %s: %.2g\n", arch, what, d);
    if (!(d <= bound)) fail_msg("%s %s: logits differ by %g", arch, what, d);
}

/* The mean loss of the model's logits and of the net's own forward pass. */
static double loss_of_logits(const logits *l, const int32_t *targets)
{
    double sum = 0;
    for (size_t i = 0; i < N; i++) {
        double total = 0;
        for (size_t k = 0; k < V; k++)
            total += exp((double)l->at[i * V + k]);
        sum += log(total) - (double)l->at[i * V + (size_t)targets[i]];
    }
    return sum;
}

static void check_net(const char *arch, const net *n, const logits *l)
{
    cn_err err = {0};
    cn_pool *pool;
    net_run *run;
    int32_t ids[N], positions[N], targets[N];
    const uint32_t docs[] = {0, N};
    run_options o = {.max_tokens = N, .max_doc = N};
    cn_rng rng = cn_rng_seeded(8);
    for (size_t i = 0; i < N; i++) {
        ids[i] = (int32_t)cn_rng_below(&rng, V);
        positions[i] = (int32_t)i;
        targets[i] = (int32_t)(i * 7 % V);
    }
    net_batch b = {.n = N,
                   .ids = ids,
                   .positions = positions,
                   .targets = targets,
                   .n_docs = 1,
                   .doc_at = docs};
    must(cn_pool_new(&pool, 1, &err), &err);
    must(net_run_new(&run, n, pool, &o, &err), &err);
    double own = net_run_loss(run, &b, false, 0), want = loss_of_logits(l, targets);
    print_message("%s: loss of the net %.9g, of the file %.9g\n", arch, own, want);
    if (!(fabs(own - want) <= CLOSE * fabs(want))) fail_msg("%s: loss %g, %g", arch, own, want);
    net_run_free(run);
    cn_pool_free(pool);
}

/* ---- PEFT ---- */

static void check_peft(const char *arch, bool folder, const lora_options *lora)
{
    world w;
    cn_err err = {0};
    logits on_gguf, on_folder, merged;
    world_open(&w, arch, folder, TRAIN_LORA, lora);
    export_source src = {.base_path = folder ? w.files.folder : w.files.gguf};
    must(export_peft(w.net, &src, w.out, &err), &err);
    assert_int_equal(files_in(w.out), 2);
    run_adapter(&on_gguf, w.files.gguf, w.out);
    run_adapter(&on_folder, w.files.folder, w.out);
    same("adapter on both kinds of base", arch, &on_gguf, &on_folder, CLOSE);
    check_net(arch, w.net, &on_gguf);
    char *path = cn_path_join(w.files.dir, "with.gguf");
    must(export_gguf(w.net, &src, path, CN_F32, &err), &err);
    run_file(&merged, path);
    same("merged", arch, &on_gguf, &merged, CLOSE);
    cn_free(path);
    world_close(&w);
}

static void adapters(void **state)
{
    (void)state;
    static const lora_options options[] = {
        {.rank = 3, .alpha = 6, .sites = (1 << SITES_PER_LAYER) - 1},
        {.rank = 4, .alpha = 5, .rslora = true, .sites = 1 << SITE_Q | 1 << SITE_V},
        {.rank = 2, .alpha = 8, .rslora = true, .sites = 1 << SITE_K | 1 << SITE_DOWN},
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++)
        for (size_t k = 0; k < CN_ARRAY_LEN(options); k++) {
            check_peft(archs[i], false, &options[k]);
            check_peft(archs[i], true, &options[k]);
        }
}

/* ---- GGUF ---- */

static void check_gguf(const char *arch, bool folder)
{
    world w;
    cn_err err = {0};
    logits l;
    world_open(&w, arch, folder, TRAIN_FULL, NULL);
    export_source src = {.base_path = folder ? w.files.folder : w.files.gguf,
                         .name = "after training"};
    must(export_gguf(w.net, &src, w.out, CN_F32, &err), &err);
    run_file(&l, w.out);
    check_net(arch, w.net, &l);
    world_close(&w);
}

static void whole_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++) {
        check_gguf(archs[i], false);
        check_gguf(archs[i], true);
    }
}

static void same_file(const char *a, const char *b)
{
    cn_buf x = {0}, y = {0};
    cn_err err = {0};
    must(cn_file_read(&x, a, 1 << 24, &err), &err);
    must(cn_file_read(&y, b, 1 << 24, &err), &err);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.p, y.p, x.n);
    cn_buf_deinit(&x);
    cn_buf_deinit(&y);
}

/* Written as a type at once, or as F32 and then quantised: the same file. */
static void types(void **state)
{
    (void)state;
    static const cn_dtype all[] = {CN_F16,  CN_BF16, CN_Q8_0, CN_Q4_0,
                                   CN_Q4_K, CN_Q6_K, CN_NF4,  CN_NF4_DQ};
    world w;
    cn_err err = {0};
    world_open(&w, "llama", false, TRAIN_FULL, NULL);
    export_source src = {.base_path = w.files.gguf};
    must(export_gguf(w.net, &src, w.out, CN_F32, &err), &err);
    char *direct = cn_path_join(w.files.dir, "direct"),
         *later = cn_path_join(w.files.dir, "later");
    for (size_t i = 0; i < CN_ARRAY_LEN(all); i++) {
        must(export_gguf(w.net, &src, direct, all[i], &err), &err);
        must(cn_quantize(w.out, later, cn_dtype_info_of((uint32_t)all[i])->name, NULL, &err),
             &err);
        same_file(direct, later);
    }
    assert_int_equal(export_gguf(w.net, &src, direct, CN_I32, &err), CN_E_ARG);
    same_file(direct, later); /* as it was */
    cn_free(direct);
    cn_free(later);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adapters),
        cmocka_unit_test(whole_models),
        cmocka_unit_test(types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
