/* Compiler extensions, each behind a name. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define CN_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define CN_LIKELY(x) __builtin_expect(!!(x), 1)
#define CN_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CN_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CN_MAX(a, b) ((a) > (b) ? (a) : (b))

#if defined(__SANITIZE_ADDRESS__)
#define CN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CN_ASAN 1
#endif
#endif
#ifndef CN_ASAN
#define CN_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define CN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CN_TSAN 1
#endif
#endif
#ifndef CN_TSAN
#define CN_TSAN 0
#endif

/* Plain loops built for AVX-512, AVX2 and the oldest processor, the best taken when the program
 * is loaded. What such a function calls is inlined or not widened. Without fma(), all give the
 * same bits. Only where the loader can choose (glibc); a sanitizer's run time is not ready that
 * early. Clang 14 forgets "arch=x86-64-v3" in its choice, so the list names features; and it
 * gives what chooses a global name: such functions are static and called unlike any other of
 * the program. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !CN_ASAN && !CN_TSAN &&                   \
    (!defined(__clang__) || __clang_major__ >= 14)
#define CN_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CN_CLONES
#endif

/* Our own mistakes stop the program; outside input never gets here. */
#define CN_BUG_ON(cond)                                                                        \
    do {                                                                                       \
        if (CN_UNLIKELY(cond)) cn_bug(__FILE__, __LINE__, #cond);                              \
    } while (0)
__attribute__((noreturn, cold)) void cn_bug(const char *file, int line, const char *cond);

#endif
