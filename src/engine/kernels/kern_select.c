/* Which variants this build has and this processor runs. */
#include <string.h>

#include "kern_priv.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#define CPU_HAS(feature) (__builtin_cpu_supports(feature) != 0)

/* Clang has no name for this feature. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

size_t kern_act_bytes(size_t n_tokens, size_t n_cols)
{
    return n_tokens * ((n_cols + 31) / 32) * sizeof(act_block);
}

kern_traits kern_traits_of(cn_dtype type)
{
    switch (type) {
    case CN_Q4_0:
        return (kern_traits){.quantised = true, .shift = 3};
    case CN_Q5_0:
        return (kern_traits){.quantised = true, .shift = 4};
    case CN_Q8_0:
    case CN_IQ4_NL:
        return (kern_traits){.quantised = true, .shift = 7};
    case CN_Q4_1:
    case CN_Q5_1:
    case CN_Q4_K:
    case CN_Q5_K:
        return (kern_traits){.quantised = true, .bias = true, .shift = -1};
    case CN_Q2_K:
        return (kern_traits){.quantised = true, .halves = true, .bias = true, .shift = -1};
    case CN_Q3_K:
        return (kern_traits){.quantised = true, .halves = true, .shift = 2};
    case CN_Q6_K:
        return (kern_traits){.quantised = true, .halves = true, .shift = 5};
    default:
        return (kern_traits){.quantised = false, .shift = -1};
    }
}

#ifdef HAVE_KERN_AVX2
static bool has_avx2(void)
{
    return CPU_HAS("avx2") && CPU_HAS("fma") && has_f16c();
}
#endif
#ifdef HAVE_KERN_AVX512
static bool has_avx512(void)
{
    return has_avx2() && CPU_HAS("avx512f") && CPU_HAS("avx512bw") && CPU_HAS("avx512vl") &&
           CPU_HAS("avx512dq") && CPU_HAS("avx512vnni");
}
#endif
static bool always(void)
{
    return true;
}

/* From the plainest to the best. */
static const struct {
    const char *name;
    const kern_table *table; /* NULL: not in this build */
    bool (*runs)(void);
} variants[] = {
    {"ref", &kern_ref, always},
#ifdef HAVE_KERN_NEON
    {"neon", &kern_neon, always},
#else
    {"neon", NULL, NULL},
#endif
#ifdef HAVE_KERN_AVX2
    {"avx2", &kern_avx2, has_avx2},
#else
    {"avx2", NULL, NULL},
#endif
#ifdef HAVE_KERN_AVX512
    {"avx512", &kern_avx512, has_avx512},
#else
    {"avx512", NULL, NULL},
#endif
};

static bool usable(size_t i)
{
    return variants[i].table && variants[i].runs();
}

size_t kern_variants(const kern_table *out[], size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < CN_ARRAY_LEN(variants) && n < max; i++)
        if (usable(i)) out[n++] = variants[i].table;
    return n;
}

cn_status kern_select(const kern_table **out, const char *name, cn_err *err)
{
    *out = NULL;
    bool best = !name || strcmp(name, "auto") == 0;
    for (size_t i = CN_ARRAY_LEN(variants); i-- > 0;) {
        if (!best && strcmp(name, variants[i].name) != 0) continue;
        if (usable(i)) {
            *out = variants[i].table;
            return CN_OK;
        }
        if (best) continue;
        cn_fail(err, CN_E_UNSUPPORTED, "kernels \"%s\": %s", name,
                variants[i].table ? "this processor lacks the instructions"
                                  : "not in this build");
        return cn_next(err, CN_E_UNSUPPORTED, "choose \"auto\": this processor has %s",
                       kern_cpu_features());
    }
    cn_fail(err, CN_E_ARG, "no kernels are called \"%s\"", name);
    return cn_next(err, CN_E_ARG, "choose auto, ref, neon, avx2 or avx512");
}

/* The list is cut from one constant text for each combination that matters: nothing is written
 * at run time, so that any thread may ask. */
const char *kern_cpu_features(void)
{
#ifdef CPU_HAS
    bool avx2 = CPU_HAS("avx2") && CPU_HAS("fma") && has_f16c();
    bool avx512 = avx2 && CPU_HAS("avx512f") && CPU_HAS("avx512bw") && CPU_HAS("avx512vl") &&
                  CPU_HAS("avx512dq");
    if (avx512 && CPU_HAS("avx512vnni"))
        return CPU_HAS("avx512vbmi")
                   ? "sse4.2 avx avx2 fma f16c avx512f avx512bw avx512vl avx512dq avx512vbmi "
                     "avx512vnni"
                   : "sse4.2 avx avx2 fma f16c avx512f avx512bw avx512vl avx512dq avx512vnni";
    if (avx512) return "sse4.2 avx avx2 fma f16c avx512f avx512bw avx512vl avx512dq";
    if (avx2) return "sse4.2 avx avx2 fma f16c";
    if (CPU_HAS("avx")) return "sse4.2 avx";
    return CPU_HAS("sse4.2") ? "sse4.2" : "sse2";
#elif defined(__aarch64__)
    return "neon";
#else
    return "none";
#endif
}
