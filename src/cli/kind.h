/* What a file or folder is, judged by its first bytes and its neighbours, not by its name. */
#ifndef CLI_KIND_H
#define CLI_KIND_H

#include "err.h"

typedef enum file_kind {
    KIND_GGUF,
    KIND_SAFETENSORS,
    KIND_HF_FOLDER,
    KIND_ADAPTER_FOLDER,
    KIND_TOKENIZER, /* file or folder that cn_tokenizer_open takes */
    KIND_TEMPLATE,
    KIND_OTHER,
} file_kind;

typedef struct file_verdict {
    file_kind kind;
    const char *what;   /* "GGUF model file"; constant */
    const char *advice; /* what to do with something of no use here; NULL: none */
} file_verdict;

/* CN_E_NOT_FOUND, CN_E_REFUSED, CN_E_IO. */
cn_status file_kind_of(file_verdict *out, const char *path, cn_err *err);

#endif
