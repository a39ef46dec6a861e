/* The text files of a Hugging Face folder. */
#ifndef TRAIN_EXPORT_HF_H
#define TRAIN_EXPORT_HF_H

#include "export.h"
#include "export_folder.h"

/* The tokenizer that the exported model has; NULL when there is none. The base's is borrowed,
 * another is opened and then in *own. */
cn_status export_tokenizer(const cn_tokenizer **out, cn_tokenizer **own, const net *n,
                           const export_source *src, cn_err *err);

/* config.json: the base folder's with what changed, or made from the hyper-parameters.
 * errors  CN_E_UNSUPPORTED where transformers has no such model */
cn_status export_put_config(const export_folder *f, const net *n, const cn_tokenizer *t,
                            cn_dtype type, cn_err *err);
cn_status export_put_generation_config(const export_folder *f, const net *n,
                                       const cn_tokenizer *t, cn_err *err);
/* Tokenizer files and chat template: copied where the source has them, else written from the
 * vocabulary of a GGUF file. */
cn_status export_put_tokenizer(const export_folder *f, const net *n, const cn_tokenizer *t,
                               const export_source *src, cn_err *err);
/* From a GGUF file's vocabulary: tokenizer.json of byte-level BPE, tokenizer.model of
 * SentencePiece.
 * errors  CN_E_UNSUPPORTED for other kinds */
cn_status export_put_vocab(const export_folder *f, const gguf *g, const cn_tokenizer *t,
                           cn_err *err);

#endif
