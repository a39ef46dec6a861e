/* Template: the functions of one array, on vectors. Polynomials are our own Chebyshev fits; the
 * errors stated are the largest that tests/unit/kernels finds. */

#define VECTORS(n) ((n) / LANES * LANES)

/* e^x within 2 ulp; 0 below -104, infinite above 88.73, NaN stays. */
ISA_INLINE vf vf_exp(vf x)
{
    x = vf_min(vf_set(89), vf_max(vf_set(-105), x)); /* in this order NaN comes through */
    vi n = vf_round(x * 1.44269504F);
    vf k = vf_of_int(n);
    vf r = vf_fma(k, vf_set(-0.693359375F), x); /* log 2 in two parts, the first exact */
    r = vf_fma(k, vf_set(2.12194440e-4F), r);
    vf p = vf_fma(vf_set(1.989108046e-4F), r, vf_set(1.393373072e-3F));
    p = vf_fma(p, r, vf_set(8.333310845e-3F));
    p = vf_fma(p, r, vf_set(4.16664642e-2F));
    p = vf_fma(p, r, vf_set(0.1666666668F));
    p = vf_fma(p, r, vf_set(0.5F));
    p = vf_fma(p, r * r, r) + 1.0F;
    vi half = n >> 1; /* 2^n in two factors: one alone would overflow before x does */
    return p * (vf)((half + 127) << 23) * (vf)((n - half + 127) << 23);
}

static void exp_tail(float *y, const float *x, size_t n, float minus, vf *sum)
{
    vf v = vf_exp(vf_load_n(x, n) - minus);
    vf_store_n(y, v, n);
    *sum += vf_load_n(y, n); /* the lanes behind n are 0 again */
}

static void softmax(float *x, size_t n)
{
    size_t i, full = VECTORS(n);
    vf top = vf_set(-(float)INFINITY), sum = {0};
    for (i = 0; i < full; i += LANES)
        top = vf_max(vf_load(x + i), top);
    float max = lanes_max(top);
    for (; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (i = 0; i < full; i += LANES) {
        vf v = vf_exp(vf_load(x + i) - max);
        vf_store(x + i, v);
        sum += v;
    }
    if (i < n) exp_tail(x + i, x + i, n - i, max, &sum);
    float scale = 1.0F / lanes_sum(sum);
    for (i = 0; i < full; i += LANES)
        vf_store(x + i, vf_load(x + i) * scale);
    for (; i < n; i++)
        x[i] *= scale;
}

/* f of every number of two arrays side by side. */
#define MAP(name, f)                                                                           \
    static void name(float *y, const float *x, const float *z, size_t n)                       \
    {                                                                                          \
        size_t i;                                                                              \
        for (i = 0; i < VECTORS(n); i += LANES)                                                \
            vf_store(y + i, f(vf_load(x + i), vf_load(z + i)));                                \
        if (i < n)                                                                             \
            vf_store_n(y + i, f(vf_load_n(x + i, n - i), vf_load_n(z + i, n - i)), n - i);     \
    }

/* Within 4 ulp of max(|y|, 1e-30). */
ISA_INLINE vf vf_silu_mul(vf gate, vf up)
{
    return gate / (vf_exp(-gate) + 1.0F) * up;
}

/* x / (1 + exp(-2u)) within 12 ulp of max(|y|, |x| / 1024): the exponential multiplies the
 * rounding of a large u. */
ISA_INLINE vf vf_gelu(vf x, vf unused)
{
    (void)unused;
    vf u = x * vf_fma(x * x, vf_set(2 * 0.0356774081F), vf_set(2 * 0.797884561F));
    return x / (vf_exp(-u) + 1.0F);
}

/* x/2 erfc(-x / sqrt 2), where erfc(z) = exp(-z^2) t Q(t) with t = 1 / (1 + z/2) for z >= 0,
 * and erfc(-z) = 2 - erfc(z). Within 8 ulp of max(|y|, 1e-30). */
ISA_INLINE vf vf_gelu_erf(vf x, vf unused)
{
    (void)unused;
    vf size = (vf)((vi)x & INT32_MAX), half = x * 0.5F;
    vf t = 1.0F / vf_fma(size, vf_set(0.35355339F), vf_set(1));
    vf q = vf_fma(vf_set(0.03306467136F), t, vf_set(-0.1756351351F));
    q = vf_fma(q, t, vf_set(0.3431366861F));
    q = vf_fma(q, t, vf_set(-0.2350558074F));
    q = vf_fma(q, t, vf_set(-0.07111001732F));
    q = vf_fma(q, t, vf_set(0.064595962F));
    q = vf_fma(q, t, vf_set(0.04334442744F));
    q = vf_fma(q, t, vf_set(0.1885798168F));
    q = vf_fma(q, t, vf_set(0.2446961441F));
    q = vf_fma(q, t, vf_set(0.2822964517F));
    q = vf_fma(q, t, vf_set(0.2820868025F));
    vf near = vf_min(vf_set(20), vf_max(vf_set(-20), x)), z = near * 0.5F;
    vf square = z * near, rest = vf_fma(z, near, -square); /* z^2 and what rounding took */
    vf e = vf_exp(-square);
    vf tail = vf_fma(e, -rest, e) * t * q;
    return half * vf_pick((vi)x >> 31, tail, 2.0F - tail);
}

MAP(silu_mul, vf_silu_mul)
MAP(gelu_map, vf_gelu)
MAP(gelu_erf_map, vf_gelu_erf)

static void gelu(float *y, const float *x, size_t n)
{
    gelu_map(y, x, x, n);
}

static void gelu_erf(float *y, const float *x, size_t n)
{
    gelu_erf_map(y, x, x, n);
}

static void add(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void axpy(float *y, float a, const float *x, size_t n)
{
    size_t i;
    for (i = 0; i < VECTORS(n); i += LANES)
        vf_store(y + i, vf_fma(vf_set(a), vf_load(x + i), vf_load(y + i)));
    if (i < n)
        vf_store_n(y + i, vf_fma(vf_set(a), vf_load_n(x + i, n - i), vf_load_n(y + i, n - i)),
                   n - i);
}

/* The sum of (x - mean)^2 in f32; not finite where the squares overflow. */
static float squares(const float *x, size_t n, float mean)
{
    vf sum[4] = {{0}};
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (size_t j = 0; j < 4; j++) {
            vf v = vf_load(x + i + j * LANES) - mean;
            sum[j] = vf_fma(v, v, sum[j]);
        }
    float total = lanes_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (; i < n; i++)
        total += (x[i] - mean) * (x[i] - mean);
    return total;
}

static float mean_of(const float *x, size_t n)
{
    vf sum[4] = {{0}};
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (size_t j = 0; j < 4; j++)
            sum[j] += vf_load(x + i + j * LANES);
    float total = lanes_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    for (; i < n; i++)
        total += x[i];
    return total / (float)n;
}

static void rms_norm(float *y, const float *x, const float *weight, size_t n, float eps)
{
    float sum = squares(x, n, 0);
    if (!isfinite(sum)) {
        kern_ref.rms_norm(y, x, weight, n, eps);
        return;
    }
    float scale = 1 / sqrtf(sum / (float)n + eps);
    if (!weight)
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] * scale;
    else
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] * scale * weight[i];
}

static void layer_norm(float *y, const float *x, const float *weight, const float *bias,
                       size_t n, float eps)
{
    float mean = mean_of(x, n), sum = squares(x, n, mean);
    if (!isfinite(sum) || !weight || !bias) {
        kern_ref.layer_norm(y, x, weight, bias, n, eps);
        return;
    }
    float scale = 1 / sqrtf(sum / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

/* Pairs (2i, 2i + 1) of two vectors apart, and together again. */
ISA_INLINE void unzip(vf *even, vf *odd, const float *p)
{
    vf a = vf_load(p), b = vf_load(p + LANES);
    *even = VF_EVEN(a, b);
    *odd = VF_ODD(a, b);
}

static void rope(float *x, const float *cs, size_t n_rot, bool neox)
{
    size_t half = n_rot / 2, i;
    for (i = 0; i < VECTORS(half); i += LANES) {
        vf c, s, a, b;
        unzip(&c, &s, cs + 2 * i);
        if (neox) {
            a = vf_load(x + i);
            b = vf_load(x + half + i);
            vf_store(x + i, a * c - b * s);
            vf_store(x + half + i, a * s + b * c);
        } else {
            unzip(&a, &b, x + 2 * i);
            vf u = a * c - b * s, v = a * s + b * c;
            vf_store(x + 2 * i, VF_ZIP_LOW(u, v));
            vf_store(x + 2 * i + LANES, VF_ZIP_HIGH(u, v));
        }
    }
    for (; i < half; i++) {
        float *p = x + (neox ? i : 2 * i), *q = neox ? p + half : p + 1;
        float a = *p, b = *q;
        *p = a * cs[2 * i] - b * cs[2 * i + 1];
        *q = a * cs[2 * i + 1] + b * cs[2 * i];
    }
}

static void store(void *dst, cn_dtype type, const float *x, size_t n)
{
    size_t i = 0;
    if (type == CN_F16)
        for (; i < VECTORS(n); i += LANES)
            vf_store_f16((uint8_t *)dst + 2 * i, vf_load(x + i));
    store_ref((uint8_t *)dst + 2 * i, type, x + i, n - i);
}
