/* The tensors of a net as files have them: by GGUF's names, row by row as f32, q, k and v fused
 * or apart, the rows of q and k in the order that is wanted, low-rank pairs added in. */
#ifndef TRAIN_EXPORT_TENSORS_H
#define TRAIN_EXPORT_TENSORS_H

#include "net.h"

typedef struct export_part {
    const param *p;
    const param *a, *b;    /* row r is p[r] + scale * b[r] a; NULL for none */
    uint32_t turned_heads; /* > 0: in each of so many heads the rows change their order */
} export_part;

typedef struct export_tensor {
    char name[64]; /* "blk.3.attn_q.weight" */
    uint32_t n_dims;
    uint64_t n_rows, n_cols; /* a vector is one row */
    export_part parts[3];    /* one above the other */
    size_t n_parts;
} export_tensor;

typedef struct export_list {
    const net *net;
    export_tensor *items;
    size_t n;
    bool fused;  /* q, k and v are one tensor, attn_qkv */
    bool halves; /* rows of a Llama's q and k as transformers has them, not as GGUF has */
} export_list;

cn_status export_list_init(export_list *l, const net *n, bool fused, bool halves, cn_err *err);
void export_list_deinit(export_list *l);
/* n_cols numbers. Any thread. */
void export_row(const export_list *l, const export_tensor *t, uint64_t row, float *out);

/* How many heads of q (or k) stand in another order in the net than wanted; 0 for none. */
uint32_t export_turned_heads(const net *n, linear_site site, bool halves);
/* Which row of a net's matrix is row `row` of the wanted one, heads of `dim` rows. */
uint64_t export_turned_row(uint64_t row, uint64_t dim, bool halves);

/* The seven linear layers by their site; `part` is the name in GGUF ("attn_q"). */
const net_linear *export_linear(const net_layer *y, linear_site site);
const char *export_site_name(linear_site site);

#endif
