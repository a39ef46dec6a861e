/* SentencePiece tokenizer.model files (a protobuf): the pieces and what the tokenizer must
 * know. Limits: 64 MiB, 1 Mi pieces. Source: sentencepiece_model.proto of google/sentencepiece.
 */
#ifndef FORMATS_SENTENCEPIECE_H
#define FORMATS_SENTENCEPIECE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

typedef enum spm_kind {
    SPM_NORMAL = 1,
    SPM_UNKNOWN,
    SPM_CONTROL,
    SPM_USER_DEFINED,
    SPM_UNUSED,
    SPM_BYTE
} spm_kind;

typedef struct spm_piece {
    cn_str text; /* borrowed from the bytes given */
    float score;
    spm_kind kind;
} spm_piece;

typedef struct spm_model {
    spm_piece *pieces; /* owned */
    size_t n;
    bool is_unigram; /* else BPE; word and char models are refused */
    bool byte_fallback, add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
    int32_t unk_id, bos_id, eos_id, pad_id; /* -1 when absent */
    cn_str precompiled_charsmap;            /* .n 0 for identity */
} spm_model;

/* `bytes` must outlive the model. */
cn_status spm_parse(spm_model *out, cn_str bytes, cn_err *err);
void spm_deinit(spm_model *m);
/* Appends the file that spm_parse() reads as `m`. */
void spm_write(cn_buf *out, const spm_model *m);

#endif
