/* The definition of gemm.h in plain C. */
#include <math.h>
#include <string.h>

#include "gemm_priv.h"
#include "quants.h"

#define WIDE GEMM_WIDEST

static float rounded(float x, bool round)
{
    return round ? quant_bf16_to_f32(quant_f32_to_bf16(x)) : x;
}

/* Rows [p, p + kc) and columns [j, j + n) of B, in rows of WIDE. */
static void weights_of(const gemm_part *t, size_t p, size_t kc, size_t j, size_t n, float *out)
{
    const kern_mat *w = t->g->b_mat;
    size_t block = cn_dtype_info_of((uint32_t)w->type)->block;
    float *row = t->scratch->w;
    if (t->g->b_mat_transposed)
        for (size_t c = 0; c < n; c++) {
            gemm_unpack(w, j + c, p, kc, row);
            for (size_t k = 0; k < kc; k++)
                out[k * WIDE + c] = row[k];
        }
    else
        for (size_t k = 0; k < kc; k++) {
            size_t from = j / block * block, to = (j + n + block - 1) / block * block;
            gemm_unpack(w, p + k, from, to - from, row);
            memcpy(out + k * WIDE, row + (j - from), n * sizeof *out);
        }
}

static void block_of_b(const gemm_part *t, size_t p, size_t kc, size_t j, size_t n, float *out)
{
    const gemm_view *b = &t->g->b;
    if (t->g->b_mat) weights_of(t, p, kc, j, n, out);
    for (size_t k = 0; k < kc; k++)
        for (size_t c = 0; c < n; c++) {
            float *at = out + k * WIDE + c;
            *at = rounded(t->g->b_mat ? *at : b->p[(p + k) * b->row + (j + c) * b->col],
                          t->round);
        }
}

static void row_of_c(const gemm_part *t, size_t p, size_t kc, size_t i, size_t j, size_t n)
{
    const gemm *g = t->g;
    float sum[WIDE] = {0}, *c = g->c + i * g->ldc + j;
    for (size_t k = 0; k < kc; k++) {
        float a = rounded(g->a.p[i * g->a.row + (p + k) * g->a.col], t->round);
        for (size_t l = 0; l < n; l++)
            sum[l] = fmaf(a, t->scratch->b[k * WIDE + l], sum[l]);
    }
    for (size_t l = 0; l < n; l++) {
        float was = p || g->add ? c[l] : 0;
        if (p == 0 && g->bias) was += g->bias[j + l];
        c[l] = fmaf(gemm_alpha(g), sum[l], was);
    }
}

void gemm_ref(const gemm_part *t)
{
    for (size_t j = t->n0; j < t->n1; j += WIDE) {
        size_t p = 0, n = CN_MIN(t->n1 - j, WIDE);
        do {
            size_t kc = CN_MIN(t->g->k - p, GEMM_KC);
            block_of_b(t, p, kc, j, n, t->scratch->b);
            for (size_t i = t->m0; i < t->m1; i++)
                row_of_c(t, p, kc, i, j, n);
            p += GEMM_KC;
        } while (p < t->g->k);
    }
}
