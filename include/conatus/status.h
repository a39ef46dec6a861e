/* How every fallible function of Conatus reports: a status, and a message in three sentences.
 */
#ifndef CONATUS_STATUS_H
#define CONATUS_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CN_API __attribute__((visibility("default")))
#define CN_MUST_USE __attribute__((warn_unused_result))
#else
#define CN_API
#define CN_MUST_USE
#endif

/** 0 is success everywhere. Values are stable: scripts see them through cn_status_code(). */
typedef enum cn_status {
    CN_OK = 0,
    CN_E_ARG,         /* the caller asked for something malformed or out of range */
    CN_E_NOT_FOUND,   /* no such file, model, tensor or name */
    CN_E_REFUSED,     /* refused by policy */
    CN_E_UNSUPPORTED, /* well formed, but not something this program does */
    CN_E_MISMATCH,    /* two things that do not fit together (adapter and base) */
    CN_E_LIMIT,       /* over a written limit: context, depth, size, steps */
    CN_E_NOMEM,       /* memory, before or while allocating */
    CN_E_DISK,        /* no space, or a write that failed */
    CN_E_IO,          /* a read that failed */
    CN_E_NETWORK,
    CN_E_FORMAT, /* a file or text that is not what it claims to be */
    CN_E_BUSY,
    CN_E_CANCELLED, /* the caller's cancel flag or a signal */
} cn_status;

/** What failed, why (with numbers), and what to do next. Each text is NUL-terminated, may be
 * empty. */
typedef struct cn_err {
    cn_status status;
    char what[256]; /* the action that failed: "opening model.gguf" */
    char why[512];  /* the cause: "tensor blk.3.attn_q: 4096 columns, want 5120" */
    char next[256]; /* what to type or change next */
} cn_err;

/** The stable name of a status ("bad-format", "no-memory", ...), for scripts and logs. Never
 * NULL.
 */
CN_API const char *cn_status_code(cn_status status);

#ifdef __cplusplus
}
#endif
#endif
