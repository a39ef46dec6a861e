/* Exports against what others published of the same weights: a model that exists as GGUF and as
 * a Hugging Face folder, and adapters made by peft. Not a bit may differ. */
#include "testing.h"

#include <string.h>

#include "adapter.h"
#include "export.h"
#include "safetensors.h"

static void must(cn_status st, const cn_err *err)
{
    if (st) fail_msg("%s: %s (%s)", err->what, err->why, err->next);
}

static char *temporary(void)
{
    char name[] = "/tmp/conatus-test-XXXXXX";
    assert_non_null(mkdtemp(name));
    return cn_xstrndup(name, strlen(name));
}

static void remove_folder(const char *folder)
{
    static const char *const files[] = {
        "adapter_config.json",
        "adapter_model.safetensors",
        "config.json",
        "model.safetensors",
        "tokenizer.model",
        "tokenizer_config.json",
        "",
    };
    for (size_t i = 0; i < CN_ARRAY_LEN(files); i++) {
        char *path = cn_path_join(folder, files[i]);
        remove(path);
        cn_free(path);
    }
}

/* Every tensor of `theirs` is in `ours`, with the same shape and numbers. */
static void same_tensors(const char *theirs, const char *ours)
{
    cn_err err = {0};
    safetensors *a, *b;
    must(safetensors_open(&a, theirs, &err), &err);
    must(safetensors_open(&b, ours, &err), &err);
    assert_true(safetensors_n(a) > 0);
    for (size_t i = 0; i < safetensors_n(a); i++) {
        const file_tensor *x = safetensors_at(a, i);
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)x->name.n, x->name.p);
        const file_tensor *y = safetensors_find(b, name);
        if (!y) fail_msg("%s is missing", name);
        assert_memory_equal(x->dims, y->dims, sizeof x->dims);
        assert_int_equal(x->type, y->type);
        if (memcmp(x->data, y->data, x->size) != 0) fail_msg("%s differs", name);
    }
    safetensors_close(a);
    safetensors_close(b);
}

static void same_ids(const char *path_a, const char *path_b)
{
    static const char *const texts[] = {"Once upon a time, there was a little girl named Lily.",
                                        " two  spaces\n12", "na\u00efve \u4e16\u754c",
                                        "<s>one</s> <s> two"};
    cn_err err = {0};
    cn_tokenizer *a, *b;
    must(cn_tokenizer_open(&a, path_a, &err), &err);
    must(cn_tokenizer_open(&b, path_b, &err), &err);
    for (size_t i = 0; i < CN_ARRAY_LEN(texts); i++)
        for (unsigned flags = 0; flags < 4; flags++) {
            cn_tokens x = {0}, y = {0};
            must(cn_encode(a, texts[i], strlen(texts[i]), flags, &x, &err), &err);
            must(cn_encode(b, texts[i], strlen(texts[i]), flags, &y, &err), &err);
            assert_int_equal(x.n, y.n);
            if (x.n) assert_memory_equal(x.ids, y.ids, x.n * sizeof *x.ids);
            cn_tokens_free(&x);
            cn_tokens_free(&y);
        }
    cn_tokenizer_free(a);
    cn_tokenizer_free(b);
}

/* The GGUF file's rows and names become those of the folder. */
static void stories(void **state)
{
    (void)state;
    NEED_CASE(folder, "cases/weights/stories260K/hf");
    NEED_CASE(file, "cases/weights/stories260K/stories260K.gguf");
    cn_err err = {0};
    cn_model *base;
    net *n;
    char *out = temporary();
    must(cn_model_open(&base, file, NULL, &err), &err);
    must(net_from_base(&n, base, TRAIN_FULL, NULL, &err), &err);
    must(net_fill(n, 1, &err), &err);
    must(export_hf(n, &(export_source){.base_path = file}, out, CN_F32, &err), &err);
    same_tensors(folder, out);
    same_ids(folder, out);
    net_free(n);
    cn_model_close(base);
    remove_folder(out);
    cn_free(out);
    cn_free(folder);
    cn_free(file);
}

/* ---- adapters ---- */

static void fill(param *p, const kern_mat *from)
{
    assert_int_equal(p->n_rows, from->n_rows);
    assert_int_equal(p->n_cols, from->n_cols);
    memcpy(p->w, from->data, (size_t)p->n_rows * p->n_cols * sizeof *p->w);
}

/* The numbers of an open adapter, which are in the order of its base. */
static void take_numbers(net *n, const cn_adapter *a)
{
    for (uint32_t i = 0; i < n->hp.n_layers; i++) {
        net_layer *y = &n->layers[i];
        net_linear *all[] = {&y->q, &y->k, &y->v, &y->o, &y->gate, &y->up, &y->down};
        for (size_t s = 0; s < CN_ARRAY_LEN(all); s++) {
            const adapter_part *part = &a->parts[i * SITES_PER_LAYER + s];
            assert_int_equal(part->rank != 0, all[s]->a != NULL);
            if (!part->rank) continue;
            fill(all[s]->a, &part->a);
            fill(all[s]->b, &part->b);
        }
    }
}

static void check_adapter(const char *base_path, const char *peft, const lora_options *lora)
{
    cn_err err = {0};
    cn_model *base;
    cn_adapter *a;
    net *n;
    char *out = temporary(), *theirs = cn_path_join(peft, "adapter_model.safetensors"),
         *ours = cn_path_join(out, "adapter_model.safetensors");
    must(cn_model_open(&base, base_path, NULL, &err), &err);
    must(cn_adapter_open(&a, base, peft, &err), &err);
    must(net_from_base(&n, base, TRAIN_LORA, lora, &err), &err);
    must(net_fill(n, 1, &err), &err);
    take_numbers(n, a);
    must(export_peft(n, &(export_source){.base_path = base_path}, out, &err), &err);
    same_tensors(theirs, ours);
    cn_adapter *again;
    must(cn_adapter_open(&again, base, out, &err), &err);
    for (size_t i = 0; i < a->n_parts; i++)
        assert_true(a->parts[i].scale == again->parts[i].scale);
    cn_adapter_close(again);
    cn_adapter_close(a);
    net_free(n);
    cn_model_close(base);
    remove_folder(out);
    cn_free(out);
    cn_free(theirs);
    cn_free(ours);
}

static void adapters(void **state)
{
    (void)state;
    NEED_CASE(folder, "cases/weights/stories260K/hf");
    NEED_CASE(file, "cases/weights/stories260K/stories260K.gguf");
    NEED_CASE(peft, "cases/weights/lora/qv-r4");
    const lora_options lora = {.rank = 4, .alpha = 8, .sites = 1 << SITE_Q | 1 << SITE_V};
    check_adapter(file, peft, &lora);
    check_adapter(folder, peft, &lora);
    cn_free(folder);
    cn_free(file);
    cn_free(peft);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories),
        cmocka_unit_test(adapters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
