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

/* Our own mistakes stop the program; outside input never gets here. */
#define CN_BUG_ON(cond)                                                                        \
    do {                                                                                       \
        if (CN_UNLIKELY(cond)) cn_bug(__FILE__, __LINE__, #cond);                              \
    } while (0)
__attribute__((noreturn, cold)) void cn_bug(const char *file, int line, const char *cond);

#endif
