/* What a training run leaves, opened again by the engine: the same logits. */
#include "testing.h"

#include <conatus/quantize.h>
#include <conatus/session.h>
#include <dirent.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"
#include "gguf.h"
#include "rng.h"
#include "run.h"
#include "tiny_model.h"

enum { N = 21, V = 96, MAX_V = 512 }; /* tokens of a text; of the tiny models; at most */

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
    size_t v;
    float at[N * MAX_V]; /* (N, v) */
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
    out->v = cn_model_info_of(m)->n_vocab;
    assert_in_range(out->v, V, MAX_V);
    memcpy(out->at, got, N * out->v * sizeof *got);
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
    assert_int_equal(a->v, b->v);
    for (size_t i = 0; i < N * a->v; i++) {
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
        for (size_t k = 0; k < l->v; k++)
            total += exp((double)l->at[i * l->v + k]);
        sum += log(total) - (double)l->at[i * l->v + (size_t)targets[i]];
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

/* QLoRA: the base's matrices are never unpacked whole, but merging needs their rows. */
static void quantised_base(void **state)
{
    (void)state;
    static const char *const types_of_base[] = {"Q4_0", "Q8_0", "NF4"};
    for (size_t i = 0; i < 2 * CN_ARRAY_LEN(types_of_base); i++) {
        const char *arch = i % 2 ? "gpt2" : "llama";
        world w;
        cn_err err = {0};
        logits with, merged;
        const lora_options lora = {.rank = 3, .alpha = 6, .sites = (1 << SITES_PER_LAYER) - 1};
        world_open(&w, arch, false, TRAIN_LORA, &lora);
        net_free(w.net);
        cn_model_close(w.base);
        char *small = cn_path_join(w.files.dir, "small.gguf");
        must(cn_quantize(w.files.gguf, small, types_of_base[i / 2], NULL, &err), &err);
        w.base = open_model(small);
        must(net_from_base(&w.net, w.base, TRAIN_LORA, &lora, &err), &err);
        must(net_fill(w.net, 3, &err), &err);
        shake(w.net);
        export_source src = {.base_path = small};
        must(export_peft(w.net, &src, w.out, &err), &err);
        run_adapter(&with, small, w.out);
        must(export_gguf(w.net, &src, w.files.merged, CN_F32, &err), &err);
        run_file(&merged, w.files.merged);
        same(types_of_base[i / 2], arch, &with, &merged, CLOSE);
        cn_free(small);
        world_close(&w);
    }
}

/* ---- GGUF ---- */

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

/* ---- Hugging Face folders ---- */

/* A folder and a file of the same type hold the same numbers, and those are the net's. */
static void check_hf(const char *arch, bool folder, cn_dtype type)
{
    world w;
    cn_err err = {0};
    logits from_folder, from_file;
    world_open(&w, arch, folder, TRAIN_FULL, NULL);
    export_source src = {.base_path = folder ? w.files.folder : w.files.gguf};
    char *path = cn_path_join(w.files.dir, "same.gguf");
    must(export_hf(w.net, &src, w.out, type, &err), &err);
    must(export_gguf(w.net, &src, path, type, &err), &err);
    run_file(&from_folder, w.out);
    run_file(&from_file, path);
    same("folder and file", arch, &from_file, &from_folder, CLOSE);
    if (type == CN_F32) check_net(arch, w.net, &from_folder);
    cn_free(path);
    world_close(&w);
}

static void folders(void **state)
{
    (void)state;
    for (size_t i = 0; i < CN_ARRAY_LEN(archs); i++)
        for (int folder = 0; folder < 2; folder++) {
            check_hf(archs[i], folder, CN_F32);
            check_hf(archs[i], folder, CN_BF16);
        }
}

/* Everything in a folder but what an export writes outlives the next one. */
static void replaced(void **state)
{
    (void)state;
    world w;
    cn_err err = {0};
    const lora_options lora = {.rank = 2, .alpha = 4, .sites = 1 << SITE_Q};
    world_open(&w, "llama", false, TRAIN_LORA, &lora);
    export_source src = {.base_path = w.files.gguf};
    assert_int_equal(mkdir(w.out, 0700), 0);
    char *own = cn_path_join(w.out, "notes.txt"),
         *stale = cn_path_join(w.out, "tokenizer.json"), *with_slash = cn_path_join(w.out, "");
    must(cn_file_write(own, CN_STR("mine"), &err), &err);
    must(cn_file_write(stale, CN_STR("{}"), &err), &err);
    must(export_peft(w.net, &src, with_slash, &err), &err);
    assert_true(cn_is_file(own));
    assert_false(cn_is_file(stale));
    assert_int_equal(files_in(w.out), 3);
    size_t before = files_in(w.files.dir);
    must(export_peft(w.net, &src, w.out, &err), &err);
    assert_int_equal(export_hf(w.net, &src, w.out, CN_Q8_0, &err), CN_E_ARG);
    assert_int_equal(files_in(w.files.dir), before);
    assert_int_equal(files_in(w.out), 3);
    cn_free(own);
    cn_free(stale);
    cn_free(with_slash);
    world_close(&w);
}

/* ---- from scratch, with a tokenizer ---- */

static const char *const texts[] = {"",
                                    "Bonjour, je m'appelle Spinoza.",
                                    "  two  spaces\n\n\tand 12345 digits ",
                                    "\u00e9t\u00e9 na\u00efve \u4e16\u754c \U0001f600",
                                    "<|im_start|>user<|im_end|></s>",
                                    "It's what we'll DO"};

static void same_tokenizers(const cn_tokenizer *a, const cn_tokenizer *b, const char *what)
{
    assert_int_equal(cn_token_bos(a), cn_token_bos(b));
    assert_int_equal(cn_token_eos(a), cn_token_eos(b));
    assert_int_equal(cn_token_unk(a), cn_token_unk(b));
    for (size_t i = 0; i < CN_ARRAY_LEN(texts); i++)
        for (unsigned flags = 0; flags < 4; flags++) {
            cn_tokens x = {0}, y = {0};
            cn_err err = {0};
            must(cn_encode(a, texts[i], strlen(texts[i]), flags, &x, &err), &err);
            must(cn_encode(b, texts[i], strlen(texts[i]), flags, &y, &err), &err);
            if (x.n != y.n || (x.n && memcmp(x.ids, y.ids, x.n * sizeof *x.ids) != 0))
                fail_msg("%s: \"%s\" with flags %u: %zu and %zu tokens", what, texts[i], flags,
                         x.n, y.n);
            cn_tokens_free(&x);
            cn_tokens_free(&y);
        }
    for (int32_t id = 0; id < cn_n_vocab(a) && id < cn_n_vocab(b); id++) {
        assert_int_equal(cn_token_is_control(a, id), cn_token_is_control(b, id));
        assert_int_equal(cn_token_is_end(a, id), cn_token_is_end(b, id));
    }
}

static void check_tokenizer(const cn_tokenizer *want, const char *path, const char *template)
{
    cn_err err = {0};
    cn_tokenizer *t;
    must(cn_tokenizer_open(&t, path, &err), &err);
    same_tokenizers(want, t, path);
    const char *own = cn_tokenizer_chat_template(t, NULL);
    if (template) assert_non_null(own);
    if (template) assert_string_equal(own, template);
    cn_tokenizer_free(t);
}

/* `halves`: the order of a Llama's q and k, either of which a net may have. */
static hparams small_hparams(const char *arch, model_family family, uint32_t n_vocab,
                             bool halves)
{
    hparams hp = {.family = family,
                  .n_layers = 2,
                  .n_embd = 32,
                  .n_ff = 48,
                  .n_heads = 4,
                  .n_kv_heads = family == FAMILY_LLAMA ? 2 : 4,
                  .head_dim = 8,
                  .n_vocab = n_vocab,
                  .n_ctx_train = 64,
                  .n_rot = family == FAMILY_GPT2   ? 0
                           : family == FAMILY_PHI2 ? 4
                                                   : 8,
                  .norm_eps = 1e-5F,
                  .rope_base = 10000,
                  .rope_linear = 1};
    snprintf(hp.arch, sizeof hp.arch, "%s", arch);
    hp.rope_neox = strcmp(arch, "llama") != 0 || halves;
    return hp;
}

/* What was exported is a base again, with another template; exported as a folder once more. */
static void check_again(const char *what, const char *base_path, const cn_tokenizer *want,
                        const char *chat, const logits *file)
{
    cn_err err = {0};
    net *n;
    logits l;
    cn_buf out = {0};
    cn_model *base = open_model(base_path);
    cn_buf_printf(&out, "%s.again", base_path);
    must(net_from_base(&n, base, TRAIN_FULL, NULL, &err), &err);
    must(net_fill(n, 1, &err), &err);
    export_source src = {.base_path = base_path, .chat_template = chat};
    must(export_hf(n, &src, out.p, CN_F32, &err), &err);
    run_file(&l, out.p);
    same("and again", what, file, &l, CLOSE);
    check_tokenizer(want, out.p, chat);
    net_free(n);
    cn_model_close(base);
    cn_buf_deinit(&out);
}

/* A model of our own, as both; then the file as a base, and a folder made from that. */
static void check_scratch(const char *arch, model_family family, bool tied,
                          const char *tokenizer, const char *chat)
{
    cn_err err = {0};
    cn_tokenizer *want;
    net *n;
    tiny_model files;
    logits file, folder;
    char *path = fixture(tokenizer);
    tiny_model_write(&files, "llama"); /* for its folder */
    must(cn_tokenizer_open(&want, path, &err), &err);
    uint32_t n_vocab = CN_MAX((uint32_t)cn_n_vocab(want), V);
    hparams hp = small_hparams(arch, family, n_vocab, !tied);
    must(net_from_scratch(&n, &hp, tied, &err), &err);
    must(net_fill(n, 5, &err), &err);
    shake(n);
    export_source src = {.tokenizer_path = path,
                         .chat_template = chat,
                         .name = "Small",
                         .description = "a test"};
    char *gguf_path = cn_path_join(files.dir, "own.gguf"), *hf = cn_path_join(files.dir, "own");
    must(export_gguf(n, &src, gguf_path, CN_F32, &err), &err);
    must(export_hf(n, &src, hf, CN_F32, &err), &err);
    run_file(&file, gguf_path);
    run_file(&folder, hf);
    same(tokenizer, arch, &file, &folder, CLOSE);
    check_net(arch, n, &file);
    check_tokenizer(want, gguf_path, chat);
    check_tokenizer(want, hf, chat);
    check_again(arch, gguf_path, want, chat, &file);
    check_again(arch, hf, want, chat ? "another" : NULL, &file);
    net_free(n);
    cn_tokenizer_free(want);
    remove_all(files.dir);
    cn_free(gguf_path);
    cn_free(hf);
    cn_free(path);
}

static void from_scratch(void **state)
{
    (void)state;
    static const char chat[] = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>"
                               "{% endfor %}";
    check_scratch("llama", FAMILY_LLAMA, true, "tokenizer/spm/tokenizer.model", chat);
    check_scratch("llama", FAMILY_LLAMA, false, "tokenizer/spm/tokenizer.json", NULL);
    check_scratch("qwen2", FAMILY_LLAMA, true, "tokenizer/bpe", chat);
    check_scratch("qwen3", FAMILY_LLAMA, false, "tokenizer/bpe/tokenizer.json", chat);
    check_scratch("phi2", FAMILY_PHI2, false, "tokenizer/files", NULL);
    check_scratch("gpt2", FAMILY_GPT2, true, "tokenizer/files", NULL);
}

/* ---- a full disk ---- */

/* A small disk of this process's own; false where that is not allowed. Last of all tests: the
 * process keeps it. */
static bool mount_small_disk(const char *folder)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", folder, "tmpfs", 0, "size=49152,mode=0700") == 0;
}

static void expect_full(cn_status st, const cn_err *err, const char *folder)
{
    assert_int_equal(st, CN_E_DISK);
    print_message("%s: %s; %s\n", err->what, err->why, err->next);
    assert_non_null(strstr(err->why, "needs "));
    assert_non_null(strstr(err->why, "are free"));
    assert_true(err->next[0] != '\0');
    assert_int_equal(files_in(folder), 2);
}

static void full_disk(void **state)
{
    (void)state;
    world w;
    cn_err err = {0};
    const lora_options lora = {.rank = 30, .alpha = 4, .sites = (1 << SITES_PER_LAYER) - 1};
    world_open(&w, "llama", false, TRAIN_LORA, &lora);
    assert_int_equal(mkdir(w.out, 0700), 0);
    if (!mount_small_disk(w.out)) {
        world_close(&w);
        print_message("skipped: this process may not mount a disk\n");
        skip();
    }
    export_source src = {.base_path = w.files.gguf};
    char *folder = cn_path_join(w.out, "folder"), *file = cn_path_join(w.out, "x.gguf"),
         *old = cn_path_join(folder, "adapter_config.json");
    assert_int_equal(mkdir(folder, 0700), 0);
    must(cn_file_write(old, CN_STR("before"), &err), &err);
    must(cn_file_write(file, CN_STR("before"), &err), &err);
    expect_full(export_peft(w.net, &src, folder, &err), &err, w.out);
    expect_full(export_hf(w.net, &src, folder, CN_F32, &err), &err, w.out);
    expect_full(export_gguf(w.net, &src, file, CN_F32, &err), &err, w.out);
    cn_buf text = {0};
    must(cn_file_read(&text, old, 100, &err), &err);
    must(cn_file_read(&text, file, 100, &err), &err);
    assert_string_equal(text.p, "beforebefore");
    cn_buf_deinit(&text);
    umount(w.out);
    cn_free(folder);
    cn_free(file);
    cn_free(old);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adapters),  cmocka_unit_test(quantised_base),
        cmocka_unit_test(types),     cmocka_unit_test(folders),
        cmocka_unit_test(replaced),  cmocka_unit_test(from_scratch),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
