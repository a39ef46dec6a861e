/* The arrays of a pass and the operations of its story. Every operation works on all `n` tokens
 * of the batch; each result row is computed whole by one thread, so that nothing depends on
 * their number. */
#ifndef MODEL_WORKSPACE_H
#define MODEL_WORKSPACE_H

#include "forward.h"

struct workspace {
    cn_arena arena;
    unsigned n_threads;
    uint32_t n_batch, n_ctx;
    float *x;         /* (n, E): the residual stream */
    float *h;         /* (n, max(E, H)): normalised input, or what a block adds */
    float *q, *k, *v; /* (n, H), (n, KV), (n, KV) */
    float *att;       /* (n, H) */
    float *gate, *up; /* (n, F) */
    float *rope;      /* (n, n_rot / 2, 2): cos and sin at each token's position */
    void *act;        /* 8-bit activations */
    char *scratch;    /* (n_threads, KERN_SCRATCH) */
    float *scores;    /* (n_threads, KERN_ATTEND_TOGETHER, n_ctx) */
    float *low;       /* (n, adapter_rank): A x of adapters */
    float *added;     /* (n, widest): B A x */
    uint32_t adapter_rank, widest;
};

/* One pass under way. */
typedef struct fwd {
    const cn_model *m;
    workspace *ws;
    const int32_t *ids;
    const fwd_run *runs;
    size_t n_runs, n;
    uint32_t layer;
} fwd;

/* Runs fn on all threads, or on this one alone when `work` (multiplications, about) is less
 * than waking the others costs: some microseconds. */
void share_out(const fwd *f, cn_pool_fn *fn, void *job, uint64_t work);

typedef struct product {
    const linear *l;
    float *y; /* (n, l->w.n_rows) */
} product;

void fwd_embed(fwd *f);                                      /* x = token_embd[ids] */
void fwd_add_positions(fwd *f);                              /* x += position_embd[positions] */
void fwd_add_row(fwd *f, const kern_mat *table, size_t row); /* x += table[row] */
void fwd_norm(fwd *f, float *y, const float *x,
              const norm *w); /* rms, or layer norm when the family has it */
void fwd_head_norm(fwd *f, float *x, uint32_t n_heads,
                   const norm *w); /* each head by itself, in place */
void fwd_linear(fwd *f, const float *x, const product *p,
                size_t n_products); /* y = W x + b, and adapters */
void fwd_rope_table(fwd *f);
void fwd_rope(fwd *f);                          /* turns q and k */
void fwd_store(fwd *f);                         /* k and v into the caches */
void fwd_attend(fwd *f, bool causal);           /* att = attention of q over the caches */
void fwd_add(fwd *f, float *y, const float *x); /* (n, E) */
void fwd_silu_mul(fwd *f);                      /* gate = silu(gate) * up */
void fwd_gelu(fwd *f);                          /* up = gelu(up) */

#endif
