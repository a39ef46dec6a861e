/* Quantising whole models: types, bytes, reported errors, and what is left behind. */
#include "testing.h"

#include <conatus/quantize.h>

#include <dirent.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "gguf_write.h"
#include "quant_mix.h"
#include "quants.h"
#include "rng.h"

/* Root mean square error of a type over that of the weights: figures of test_quants_write.c on
 * normal weights, with room for other distributions and narrow tensors. */
static double relative_bound(cn_dtype type)
{
    switch ((unsigned)type) {
    case CN_F16:
        return 3e-4;
    case CN_BF16:
        return 2e-3;
    case CN_Q8_0:
        return 0.008;
    case CN_Q6_K:
        return 0.025;
    case CN_Q5_K:
    case CN_Q5_0:
    case CN_Q5_1:
        return 0.055;
    case CN_Q3_K:
        return 0.19;
    case CN_Q2_K:
        return 0.35;
    default: /* four bits */
        return 0.11;
    }
}

typedef struct folder {
    char path[64];
    char *in, *out;
} folder;

static folder make_folder(void)
{
    folder f = {.path = "/tmp/conatus-quantize-XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    f.in = cn_path_join(f.path, "in.gguf");
    f.out = cn_path_join(f.path, "out.gguf");
    return f;
}

static size_t n_files(const folder *f)
{
    size_t n = 0;
    DIR *d = opendir(f->path);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.' || e->d_name[1] ? strcmp(e->d_name, "..") != 0 : 0;
    closedir(d);
    return n;
}

static void remove_folder(folder *f)
{
    unlink(f->in);
    unlink(f->out);
    assert_int_equal(rmdir(f->path), 0);
    cn_free(f->in);
    cn_free(f->out);
}

static const struct {
    const char *name;
    cn_dtype type;
    uint32_t n_dims;
    uint64_t cols, rows;
} tensors[] = {
    {"token_embd.weight", CN_F32, 2, 256, 40},
    {"blk.0.attn_norm.weight", CN_F32, 1, 256, 1},
    {"blk.0.attn_q.weight", CN_F16, 2, 256, 1031},
    {"blk.0.attn_v.weight", CN_BF16, 2, 512, 3},
    {"blk.0.ffn_up.weight", CN_F32, 2, 96, 17},
    {"blk.1.ffn_down.weight", CN_Q8_0, 2, 256, 9},
    {"blk.1.attn_q.bias", CN_F16, 1, 33, 1},
    {"output.weight", CN_F32, 2, 256, 40},
    {"blk.1.ids", CN_I32, 1, 5, 1},
};

static void write_model(const char *path)
{
    gguf_writer *w;
    cn_err err = {0};
    assert_int_equal(gguf_writer_new(&w, path, &err), CN_OK);
    gguf_put_string(w, "general.architecture", CN_STR("llama"));
    gguf_put_uint(w, "llama.block_count", 2);
    gguf_put_uint(w, "llama.attention.head_count", 8);
    gguf_put_uint(w, "general.file_type", 0);
    const cn_str words[] = {CN_STR("one"), CN_STR("two")};
    gguf_put_strings(w, "tokenizer.ggml.tokens", words, 2);
    for (size_t i = 0; i < CN_ARRAY_LEN(tensors); i++) {
        const uint64_t dims[] = {tensors[i].cols, tensors[i].rows};
        assert_int_equal(
            gguf_put_tensor(w, tensors[i].name, tensors[i].type, tensors[i].n_dims, dims, &err),
            CN_OK);
    }
    cn_rng rng = cn_rng_seeded(5);
    for (size_t i = 0; i < CN_ARRAY_LEN(tensors); i++) {
        size_t n = tensors[i].cols * tensors[i].rows,
               bytes = cn_dtype_tensor_bytes(tensors[i].type, tensors[i].rows, tensors[i].cols);
        float *x = malloc(n * sizeof *x);
        char *q = calloc(1, bytes);
        for (size_t k = 0; k < n; k++)
            x[k] = 0.02f * (float)cn_rng_normal(&rng);
        if (tensors[i].type != CN_I32) quant_row_from_f32(tensors[i].type, x, n, q);
        assert_int_equal(gguf_write_data(w, q, bytes, &err), CN_OK);
        free(x);
        free(q);
    }
    assert_int_equal(gguf_writer_finish(w, &err), CN_OK);
    gguf_writer_free(w);
}

static float *read_tensor(const file_tensor *t)
{
    size_t rows = file_tensor_rows(t), cols = t->dims[0];
    size_t row_bytes = cn_dtype_row_bytes(t->type, cols);
    float *x = malloc(rows * cols * sizeof *x);
    kern_mat m = {t->type,   (uint32_t)rows, (uint32_t)cols,
                  row_bytes, t->data,        (const char *)t->data + rows * row_bytes,
                  0};
    for (size_t r = 0; r < rows; r++)
        quant_row_to_f32(&m, r, x + r * cols);
    return x;
}

typedef struct seen {
    const gguf *in;
    const quant_mix *mix;
    size_t n;
    uint64_t last, total;
    cn_quantized_tensor reports[256];
    char names[256][256];
} seen;

static bool note(void *user, const cn_quantized_tensor *t, uint64_t done, uint64_t total)
{
    seen *s = user;
    assert_true(s->n < CN_ARRAY_LEN(s->reports));
    assert_true(done >= s->last && done <= total);
    s->last = done;
    s->total = total;
    s->reports[s->n] = *t;
    snprintf(s->names[s->n], sizeof s->names[0], "%s", t->name);
    s->n++;
    return true;
}

/* The report against both files. */
static void check_tensor(const gguf *in, const gguf *out, const cn_quantized_tensor *r,
                         const char *name)
{
    const file_tensor *a = gguf_tensor(in, name), *b = gguf_tensor(out, name);
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(r->from, a->type);
    assert_int_equal(r->to, b->type);
    assert_int_equal(r->bytes, b->size);
    assert_memory_equal(a->dims, b->dims, sizeof a->dims);
    if (a->type == b->type) assert_memory_equal(a->data, b->data, a->size);
    if (!quant_is_weight_type(a->type)) return;
    float *x = read_tensor(a), *y = read_tensor(b);
    size_t n = file_tensor_rows(a) * a->dims[0];
    double e2 = 0, x2 = 0, max = 0;
    for (size_t i = 0; i < n; i++) {
        double e = fabs((double)x[i] - (double)y[i]);
        e2 += e * e;
        x2 += (double)x[i] * (double)x[i];
        max = fmax(max, e);
    }
    free(x);
    free(y);
    assert_int_equal(r->n_elements, n);
    assert_true(fabs(r->rmse - sqrt(e2 / (double)n)) <= 1e-9 * r->rms);
    assert_true(fabs(r->rms - sqrt(x2 / (double)n)) <= 1e-9 * r->rms);
    assert_true(r->max_error == max);
    if (b->type == CN_F32 || a->type == b->type)
        assert_true(r->rmse == 0);
    else
        assert_true(r->rmse <= relative_bound(b->type) * r->rms);
}

static void quantise_and_check(const char *in_path, const char *out_path, const char *type)
{
    gguf *in, *out;
    cn_err err = {0};
    seen *s = calloc(1, sizeof *s);
    const cn_quantize_options o = {.n_threads = 2, .on_tensor = note, .user = s};
    assert_int_equal(gguf_open(&in, in_path, &err), CN_OK);
    if (cn_quantize(in_path, out_path, type, &o, &err)) fail_msg("%s: %s", type, err.why);
    assert_int_equal(gguf_open(&out, out_path, &err), CN_OK);
    assert_int_equal(s->n, gguf_n_tensors(in));
    assert_int_equal(s->last, s->total);
    assert_int_equal(gguf_n_tensors(out), gguf_n_tensors(in));
    for (size_t i = 0; i < s->n; i++)
        check_tensor(in, out, &s->reports[i], s->names[i]);
    assert_int_equal(gguf_uint(out, "general.file_type", 9999),
                     quant_mix_find(type)->file_type);
    gguf_close(in);
    gguf_close(out);
    free(s);
}

static void every_type(void **state)
{
    (void)state;
    folder f = make_folder();
    write_model(f.in);
    for (size_t i = 0; quant_mix_at(i); i++)
        quantise_and_check(f.in, f.out, quant_mix_at(i)->name);

    gguf *g; /* the last was NF4_DQ */
    cn_err err = {0};
    assert_int_equal(gguf_open(&g, f.out, &err), CN_OK);
    assert_int_equal(gguf_tensor(g, "blk.0.attn_q.weight")->type, CN_NF4_DQ);
    assert_int_equal(gguf_tensor(g, "blk.0.attn_norm.weight")->type, CN_F32);
    assert_int_equal(gguf_tensor(g, "blk.1.attn_q.bias")->type, CN_F32);
    assert_int_equal(gguf_tensor(g, "blk.1.ids")->type, CN_I32);
    assert_int_equal(gguf_tensor(g, "blk.0.ffn_up.weight")->type, CN_IQ4_NL);
    assert_int_equal(gguf_uint(g, "llama.block_count", 0), 2);
    const gguf_value *words = gguf_find(g, "tokenizer.ggml.tokens");
    assert_non_null(words);
    assert_int_equal(words->n, 2);
    assert_true(cn_str_is(words->strings[1], "two"));
    gguf_close(g);
    remove_folder(&f);
}

static cn_buf bytes_of(const char *path)
{
    cn_buf b = {0};
    cn_err err = {0};
    assert_int_equal(cn_file_read(&b, path, 1 << 24, &err), CN_OK);
    return b;
}

static void same_bytes_with_any_number_of_threads(void **state)
{
    (void)state;
    static const char *const types[] = {"Q4_K_M", "NF4_DQ"};
    folder f = make_folder();
    write_model(f.in);
    for (size_t i = 0; i < CN_ARRAY_LEN(types); i++) {
        cn_err err = {0};
        cn_buf first = {0};
        for (unsigned threads = 1; threads <= 3; threads++) {
            const cn_quantize_options o = {.n_threads = threads};
            assert_int_equal(cn_quantize(f.in, f.out, types[i], &o, &err), CN_OK);
            cn_buf b = bytes_of(f.out);
            if (threads == 1) {
                first = b;
                continue;
            }
            assert_int_equal(b.n, first.n);
            assert_memory_equal(b.p, first.p, b.n);
            cn_buf_deinit(&b);
        }
        cn_buf_deinit(&first);
    }
    remove_folder(&f);
}

static bool stop_at_third(void *user, const cn_quantized_tensor *t, uint64_t done,
                          uint64_t total)
{
    (void)t, (void)done, (void)total;
    return ++*(int *)user < 3;
}

static void cancelled(void **state)
{
    (void)state;
    folder f = make_folder();
    cn_err err = {0};
    int n = 0;
    const cn_quantize_options o = {.n_threads = 1, .on_tensor = stop_at_third, .user = &n};
    write_model(f.in);
    assert_int_equal(cn_quantize(f.in, f.out, "Q4_0", &o, &err), CN_E_CANCELLED);
    assert_int_equal(n, 3);
    assert_int_equal(n_files(&f), 1); /* the input alone */
    remove_folder(&f);
}

static void refused(void **state)
{
    (void)state;
    folder f = make_folder();
    cn_err err = {0};
    write_model(f.in);
    assert_int_equal(cn_quantize(f.in, f.out, "Q9_9", NULL, &err), CN_E_ARG);
    assert_non_null(strstr(err.next, "Q4_K_M"));
    assert_int_equal(cn_quantize(f.out, f.out, "Q4_0", NULL, &err), CN_E_NOT_FOUND);
    cn_buf before = bytes_of(f.in);
    assert_int_equal(cn_quantize(f.in, f.in, "Q4_0", NULL, &err), CN_E_ARG);
    assert_int_equal(link(f.in, f.out), 0); /* the same file by another name */
    assert_int_equal(cn_quantize(f.in, f.out, "Q4_0", NULL, &err), CN_E_ARG);
    unlink(f.out);
    cn_buf after = bytes_of(f.in);
    assert_int_equal(after.n, before.n);
    assert_memory_equal(after.p, before.p, before.n);

    before.n -= 40; /* a file cut short */
    assert_int_equal(cn_file_write(f.in, cn_buf_view(&before), &err), CN_OK);
    assert_int_equal(cn_quantize(f.in, f.out, "Q4_0", NULL, &err), CN_E_FORMAT);
    assert_int_equal(n_files(&f), 1);
    cn_buf_deinit(&before);
    cn_buf_deinit(&after);
    remove_folder(&f);
}

static void shared_models(void **state)
{
    (void)state;
    static const char *const models[] = {"logits/llama-f32.gguf", "logits/gpt2-f32.gguf",
                                         "logits/phi2-f16.gguf", "logits/llama-q4_k.gguf"};
    folder f = make_folder();
    for (size_t k = 0; k < CN_ARRAY_LEN(models); k++) {
        char *path = shared_case(models[k]);
        if (!path) {
            print_message("skipped: no %s beside the project\n", models[k]);
            continue;
        }
        for (size_t i = 0; quant_mix_at(i); i++)
            quantise_and_check(path, f.out, quant_mix_at(i)->name);
        cn_free(path);
    }
    remove_folder(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(same_bytes_with_any_number_of_threads),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(refused),
        cmocka_unit_test(shared_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
