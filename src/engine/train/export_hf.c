/* A whole model as a Hugging Face folder: transformers' names, orders and orientations. A Llama
 * of GGUF's order gets its rows of q and k back in halves; GPT-2's linear layers are transposed
 * (Conv1D), q, k and v fused. Matrices have the type that is asked for, vectors and position
 * tables F32, as in a GGUF file of that type: both files hold the same numbers. */
#include "export_hf.h"

#include <stdio.h>
#include <string.h>

#include "export_tensors.h"
#include "file.h"
#include "hf_names.h"
#include "mem.h"
#include "quant_mix.h"
#include "quants.h"
#include "safetensors.h"

typedef struct hf_job {
    const net *net;
    export_list list;
    safetensors_item *items;
    char (*names)[160];
    float *row;      /* as long as the longest */
    float *turned;   /* a whole transposed tensor, */
    size_t turned_i; /* which one; list.n for none */
} hf_job;

/* GPT-2's linear layers are (inputs, outputs) in transformers. */
static bool is_transposed(const hf_job *j, size_t i)
{
    const export_tensor *t = &j->list.items[i];
    return j->net->hp.family == FAMILY_GPT2 && t->n_dims == 2 &&
           strncmp(t->name, "blk.", 4) == 0;
}

static void describe(hf_job *j, size_t i, const quant_mix *mix)
{
    const export_tensor *t = &j->list.items[i];
    bool turned = is_transposed(j, i);
    quant_place place = {.name = cn_str_of(t->name), .n_dims = t->n_dims, .n_cols = t->n_cols};
    CN_BUG_ON(!hf_file_name(j->net->hp.family, place.name, j->names[i], sizeof *j->names));
    j->items[i] = (safetensors_item){
        .name = j->names[i],
        .type = quant_mix_type(mix, &place),
        .n_dims = t->n_dims,
        .dims = {turned ? t->n_rows : t->n_cols, turned ? t->n_cols : t->n_rows, 1, 1}};
}

static cn_status prepare(hf_job *j, cn_dtype type, cn_err *err)
{
    const quant_mix *mix = quant_mix_find(cn_dtype_info_of((uint32_t)type)->name);
    size_t longest = 0;
    cn_status st =
        export_list_init(&j->list, j->net, j->net->hp.family == FAMILY_GPT2, true, err);
    if (st) return st;
    j->items = cn_alloc_array(j->list.n, sizeof *j->items);
    j->names = cn_alloc_array(j->list.n, sizeof *j->names);
    for (size_t i = 0; i < j->list.n; i++)
        longest = CN_MAX(longest, (size_t)j->list.items[i].n_cols);
    j->row = cn_alloc_array(longest, sizeof *j->row);
    j->turned_i = j->list.n;
    if (!j->items || !j->names || !j->row)
        return cn_fail(err, CN_E_NOMEM, "%zu tensor descriptions", j->list.n);
    for (size_t i = 0; i < j->list.n; i++)
        describe(j, i, mix);
    return CN_OK;
}

static cn_status turn(hf_job *j, size_t i, cn_err *err)
{
    const export_tensor *t = &j->list.items[i];
    cn_free(j->turned);
    j->turned_i = i;
    j->turned = cn_alloc_array((size_t)t->n_rows, (size_t)t->n_cols * sizeof *j->turned);
    if (!j->turned) return cn_fail(err, CN_E_NOMEM, "transposing tensor %s", t->name);
    for (uint64_t r = 0; r < t->n_rows; r++) {
        export_row(&j->list, t, r, j->row);
        for (uint64_t c = 0; c < t->n_cols; c++)
            j->turned[c * t->n_rows + r] = j->row[c];
    }
    return CN_OK;
}

static cn_status fill_row(void *user, size_t i, uint64_t row, void *out, cn_err *err)
{
    hf_job *j = user;
    const export_tensor *t = &j->list.items[i];
    const float *from = j->row;
    if (is_transposed(j, i)) {
        cn_status st = j->turned_i == i ? CN_OK : turn(j, i, err);
        if (st) return st;
        from = j->turned + row * t->n_rows;
    } else {
        export_row(&j->list, t, row, j->row);
    }
    quant_row_from_f32(j->items[i].type, from, (size_t)j->items[i].dims[0], out);
    return CN_OK;
}

static cn_status put_weights(const export_folder *f, const net *n, cn_dtype type, cn_err *err)
{
    hf_job j = {.net = n};
    char *path = cn_path_join(f->work, "model.safetensors");
    cn_status st = prepare(&j, type, err);
    if (!st) st = safetensors_write_rows(path, j.items, j.list.n, fill_row, &j, err);
    export_list_deinit(&j.list);
    cn_free(j.items);
    cn_free(j.names);
    cn_free(j.row);
    cn_free(j.turned);
    cn_free(path);
    return st;
}

static cn_status put_texts(const export_folder *f, const net *n, const export_source *src,
                           cn_dtype type, cn_err *err)
{
    const cn_tokenizer *t = NULL;
    cn_tokenizer *own = NULL;
    cn_status st = export_tokenizer(&t, &own, n, src, err);
    if (!st) st = export_put_config(f, n, t, type, err);
    if (!st) st = export_put_generation_config(f, n, t, err);
    if (!st) st = export_put_tokenizer(f, n, t, src, err);
    cn_tokenizer_free(own);
    return st;
}

cn_status export_hf(const net *n, const export_source *src, const char *dir, cn_dtype type,
                    cn_err *err)
{
    export_folder f = {0};
    if (type != CN_F32 && type != CN_F16 && type != CN_BF16)
        return cn_fail(err, CN_E_ARG, "a Hugging Face folder holds F32, F16 or BF16");
    cn_status st = export_folder_open(&f, dir, err);
    if (!st) st = put_texts(&f, n, src, type, err); /* what is refused is so before the work */
    if (!st) st = put_weights(&f, n, type, err);
    if (!st) st = export_folder_finish(&f, err);
    export_folder_abandon(&f);
    return st ? cn_ctx(err, st, "writing the model %s", dir) : CN_OK;
}
