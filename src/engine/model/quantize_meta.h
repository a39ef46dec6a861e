/* GGUF metadata for a model that has none: a Hugging Face folder. */
#ifndef MODEL_QUANTIZE_META_H
#define MODEL_QUANTIZE_META_H

#include "gguf_write.h"
#include "hparams.h"

/* general.* and the numbers of the architecture, as hparams_from_gguf() reads them. */
void quantize_put_hparams(gguf_writer *w, const hparams *hp);

/* The tokenizer of a folder, a tokenizer.json or a tokenizer.model as tokenizer.*, with
 * `n_vocab` tokens: as many as the embeddings have rows. A folder without tokenizer files puts
 * nothing.
 *  errors  CN_E_UNSUPPORTED where GGUF has no words for it; as cn_tokenizer_open */
cn_status quantize_put_vocab(gguf_writer *w, const char *path, uint32_t n_vocab, cn_err *err);

/* What Llama 3's rule divides the angle of pair i by: rope_freqs.weight, n_rot / 2 numbers. */
void quantize_rope_freqs(const hparams *hp, float *out);

#endif
