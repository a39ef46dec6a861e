/* Template: a variant is the templates of this folder on the vectors of one instruction set.
 * Included last, by the file that chose the vectors; KERN_NAME is the variant's name. */
#include <math.h>

#include "ops_ref.h"
#include "quants.h"

#include "panel_unpack.h"

#include "matmul_int.h"

#include "float_vec.h"

#include "ops_vec.h"

#include "attend_vec.h"

static void matmul(const kern_mat *w, const kern_act *a, kern_precision precision, float *y,
                   size_t ldy, size_t r0, size_t r1, void *scratch)
{
    CN_BUG_ON(w->n_cols != a->n_cols || w->n_cols > KERN_MAX_COLS);
    if (precision == KERN_FAST && kern_traits_of(w->type).quantised)
        matmul_int(w, a, y, ldy, r0, r1, scratch);
    else
        matmul_float(w, a, y, ldy, r0, r1, scratch);
}

#define VARIANT(variant_name)                                                                  \
    {                                                                                          \
        .name = variant_name, .quantize = quantize, .matmul = matmul, .dot = dot,              \
        .axpy = axpy, .add = add, .rms_norm = rms_norm, .layer_norm = layer_norm,              \
        .silu_mul = silu_mul, .gelu = gelu, .gelu_erf = gelu_erf, .softmax = softmax,          \
        .rope = rope, .store = store, .attend = attend, .attend_many = attend_many             \
    }
