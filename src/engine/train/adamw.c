/* The update and the gradient's norm, over the flat blocks of the trained parameters. Both walk
 * parts of a fixed length, whatever the threads, and are bound by memory: each array is read
 * once. */
#include "adamw_priv.h"

#include <math.h>

#include "compiler.h"
#include "mem.h"

#define PART (1 << 15) /* values: 512 KiB of four arrays, a multiple of STATE8_BLOCK */
#define LANES 16       /* sums side by side; n_values is a multiple */

/* Neighbours in the block with the same decay. */
typedef struct range {
    size_t end;
    bool decay;
} range;

struct adamw {
    const param_set *s;
    adamw_options o;
    uint64_t steps;
    range *ranges;
    size_t n_ranges;
    double *sums;             /* of squares, a part each */
    float *m, *v;             /* (n_values), unless eight_bit: */
    uint8_t *m8, *v8;         /* (n_values) */
    float *m_scale, *v_scale; /* (n_values / STATE8_BLOCK), rounded up */
    state8_code *m_code, *v_code;
};

static size_t n_blocks8(size_t n_values)
{
    return (n_values + STATE8_BLOCK - 1) / STATE8_BLOCK;
}

uint64_t adamw_state_bytes(size_t n_values, bool eight_bit)
{
    if (!eight_bit) return 2 * sizeof(float) * (uint64_t)n_values;
    return 2 * ((uint64_t)n_values + sizeof(float) * (uint64_t)n_blocks8(n_values));
}

static bool find_ranges(adamw *a)
{
    const param_set *s = a->s;
    a->ranges = cn_alloc_array(s->n + 1, sizeof *a->ranges);
    if (!a->ranges) return false;
    for (size_t i = 0; i < s->n; i++) {
        const param *p = s->all[i];
        if (!p->trained) continue;
        range *last = a->n_ranges ? &a->ranges[a->n_ranges - 1] : NULL;
        if (last && last->decay == p->decay) continue;
        if (last) last->end = p->at;
        a->ranges[a->n_ranges++].decay = p->decay;
    }
    if (a->n_ranges) a->ranges[a->n_ranges - 1].end = s->n_values;
    return true;
}

static bool allocate_state(adamw *a, size_t n)
{
    if (!a->o.eight_bit) {
        a->m = cn_alloc_array(n, sizeof *a->m);
        a->v = cn_alloc_array(n, sizeof *a->v);
        return a->m && a->v;
    }
    a->m8 = cn_alloc_array(n, 1);
    a->v8 = cn_alloc_array(n, 1);
    a->m_scale = cn_alloc_array(n_blocks8(n), sizeof *a->m_scale);
    a->v_scale = cn_alloc_array(n_blocks8(n), sizeof *a->v_scale);
    a->m_code = cn_xcalloc(1, sizeof *a->m_code);
    a->v_code = cn_xcalloc(1, sizeof *a->v_code);
    state8_code_init(a->m_code, true);
    state8_code_init(a->v_code, false);
    return a->m8 && a->v8 && a->m_scale && a->v_scale;
}

static bool allocate(adamw *a)
{
    if (!allocate_state(a, a->s->n_values) || !find_ranges(a)) return false;
    a->sums = cn_alloc_array(a->s->n_values / PART + 1, sizeof *a->sums);
    return a->sums;
}

cn_status adamw_new(adamw **out, const param_set *s, const adamw_options *o, cn_err *err)
{
    adamw *a = cn_xcalloc(1, sizeof *a);
    a->s = s;
    a->o = *o;
    *out = a;
    if (allocate(a)) return CN_OK;
    adamw_free(a);
    *out = NULL;
    return cn_fail(err, CN_E_NOMEM, "%.1f GB for the optimiser's state of %zu parameters",
                   1e-9 * (double)adamw_state_bytes(s->n_values, o->eight_bit), s->n_values);
}

void adamw_free(adamw *a)
{
    if (!a) return;
    void *const all[] = {a->ranges,  a->sums,    a->m,      a->v,      a->m8, a->v8,
                         a->m_scale, a->v_scale, a->m_code, a->v_code, a};
    for (size_t i = 0; i < CN_ARRAY_LEN(all); i++)
        cn_free(all[i]);
}

uint64_t adamw_steps(const adamw *a)
{
    return a->steps;
}

void adamw_set_steps(adamw *a, uint64_t steps)
{
    a->steps = steps;
}

size_t adamw_parts(adamw *a, checkpoint_part parts[ADAMW_PARTS])
{
    size_t n = a->s->n_values, scales = n_blocks8(n) * sizeof *a->m_scale;
    if (!a->o.eight_bit) {
        parts[0] = (checkpoint_part){"adam.m", a->m, n * sizeof *a->m};
        parts[1] = (checkpoint_part){"adam.v", a->v, n * sizeof *a->v};
        return 2;
    }
    parts[0] = (checkpoint_part){"adam.m8", a->m8, n};
    parts[1] = (checkpoint_part){"adam.v8", a->v8, n};
    parts[2] = (checkpoint_part){"adam.m_scale", a->m_scale, scales};
    parts[3] = (checkpoint_part){"adam.v_scale", a->v_scale, scales};
    return 4;
}

/* ---- norm ---- */

CN_CLONES static double sum_squares(const float *g, size_t n)
{
    double s[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            s[k] += (double)g[i + k] * (double)g[i + k];
    double sum = 0;
    for (size_t k = 0; k < LANES; k++)
        sum += s[k];
    return sum;
}

static void norm_part(void *job, unsigned index, unsigned n_threads)
{
    const adamw *a = job;
    size_t n = a->s->n_values, from, to;
    cn_pool_part(n, PART, index, n_threads, &from, &to);
    for (size_t i = from; i < to; i += PART)
        a->sums[i / PART] = sum_squares(a->s->g + i, CN_MIN(PART, to - i));
}

double adamw_grad_norm(adamw *a, cn_pool *pool)
{
    cn_pool_run(pool, norm_part, a);
    double sum = 0; /* squares of floats do not overflow here */
    for (size_t i = 0; i < a->s->n_values; i += PART)
        sum += a->sums[i / PART];
    return sqrt(sum);
}

/* ---- update ---- */

typedef struct update_args {
    float scale, beta1, beta2, gain1, gain2; /* gain: 1 - beta */
    float rate, root, eps;                   /* with the bias corrections: lr / (1 - beta1^t),
                                                1 / sqrt(1 - beta2^t) */
    float keep;                              /* 1 - lr * weight_decay, or 1 */
} update_args;

typedef struct step_job {
    adamw *a;
    update_args decayed, plain;
} step_job;

CN_CLONES static void update(float *restrict w, const float *restrict g, float *restrict m,
                             float *restrict v, size_t n, const update_args *args)
{
    const update_args u = *args;
    for (size_t i = 0; i < n; i++) {
        float gi = u.scale * g[i];
        float mi = u.beta1 * m[i] + u.gain1 * gi;
        float vi = u.beta2 * v[i] + u.gain2 * gi * gi;
        m[i] = mi;
        v[i] = vi;
        w[i] = u.keep * w[i] - u.rate * mi / (u.root * sqrtf(vi) + u.eps);
    }
}

/* Values [from, to) with their moments; `r` is the range that `from` is in, and is moved on. */
static void update_ranges(const step_job *j, const range **r, float *m, float *v, size_t from,
                          size_t to)
{
    const param_set *s = j->a->s;
    for (size_t i = from; i < to;) {
        while ((*r)->end <= i)
            ++*r;
        size_t n = CN_MIN((*r)->end, to) - i;
        update(s->w + i, s->g + i, m + (i - from), v + (i - from), n,
               (*r)->decay ? &j->decayed : &j->plain);
        i += n;
    }
}

static void update_block8(const step_job *j, const range **r, size_t from, size_t to)
{
    const adamw *a = j->a;
    float m[STATE8_BLOCK], v[STATE8_BLOCK];
    size_t b = from / STATE8_BLOCK, n = to - from;
    state8_decode(m, a->m8 + from, a->m_scale[b], n, a->m_code);
    state8_decode(v, a->v8 + from, a->v_scale[b], n, a->v_code);
    update_ranges(j, r, m, v, from, to);
    a->m_scale[b] = state8_encode_m(a->m8 + from, m, n, a->m_code);
    a->v_scale[b] = state8_encode_v(a->v8 + from, v, n, a->v_code);
}

static void step_part(void *job, unsigned index, unsigned n_threads)
{
    const step_job *j = job;
    const adamw *a = j->a;
    const range *r = a->ranges;
    size_t from, to;
    cn_pool_part(a->s->n_values, PART, index, n_threads, &from, &to);
    if (!a->o.eight_bit) {
        if (from < to) update_ranges(j, &r, a->m + from, a->v + from, from, to);
        return;
    }
    for (size_t i = from; i < to; i += STATE8_BLOCK)
        update_block8(j, &r, i, CN_MIN(i + STATE8_BLOCK, to));
}

void adamw_step(adamw *a, cn_pool *pool, float lr, float scale)
{
    const adamw_options *o = &a->o;
    double t = (double)++a->steps, b1 = (double)o->beta1, b2 = (double)o->beta2;
    step_job job = {
        .a = a,
        .plain = {.scale = scale,
                  .beta1 = o->beta1,
                  .beta2 = o->beta2,
                  .gain1 = (float)(1 - b1),
                  .gain2 = (float)(1 - b2),
                  .rate = (float)((double)lr / (1 - pow(b1, t))),
                  .root = (float)(1 / sqrt(1 - pow(b2, t))),
                  .eps = o->eps,
                  .keep = 1},
    };
    job.decayed = job.plain;
    job.decayed.keep = (float)(1 - (double)lr * (double)o->weight_decay);
    cn_pool_run(pool, step_part, &job);
}
