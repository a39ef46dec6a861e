/* SentencePiece models: every text lies inside the bytes given, every special id is a piece;
 * what is written of a model is that model again. */
#include <stdint.h>

#include "err.h"
#include "sentencepiece.h"

static volatile uint64_t sink;

static void visit_text(cn_str s, const char *data, size_t size)
{
    CN_BUG_ON(s.n && (s.p < data || s.n > size - (size_t)(s.p - data)));
    for (size_t i = 0; i < s.n; i++)
        sink += (uint64_t)s.p[i];
}

static bool same(const spm_model *a, const spm_model *b)
{
    bool yes = a->n == b->n && a->is_unigram == b->is_unigram &&
               a->byte_fallback == b->byte_fallback &&
               a->add_dummy_prefix == b->add_dummy_prefix &&
               a->remove_extra_whitespaces == b->remove_extra_whitespaces &&
               a->escape_whitespaces == b->escape_whitespaces && a->unk_id == b->unk_id &&
               a->bos_id == b->bos_id && a->eos_id == b->eos_id && a->pad_id == b->pad_id &&
               cn_str_eq(a->precompiled_charsmap, b->precompiled_charsmap);
    for (size_t i = 0; yes && i < a->n; i++)
        yes = a->pieces[i].kind == b->pieces[i].kind &&
              a->pieces[i].score == b->pieces[i].score &&
              cn_str_eq(a->pieces[i].text, b->pieces[i].text);
    return yes;
}

static void write_again(const spm_model *m)
{
    cn_buf b = {0};
    spm_model again;
    spm_write(&b, m);
    CN_BUG_ON(b.failed || spm_parse(&again, cn_buf_view(&b), NULL) || !same(m, &again));
    spm_deinit(&again);
    cn_buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    spm_model m;
    cn_err err;
    if (spm_parse(&m, (cn_str){text, size}, &err)) {
        CN_BUG_ON(m.pieces || !err.why[0]);
        return 0;
    }
    for (size_t i = 0; i < m.n; i++)
        visit_text(m.pieces[i].text, text, size);
    visit_text(m.precompiled_charsmap, text, size);
    const int32_t ids[] = {m.unk_id, m.bos_id, m.eos_id, m.pad_id};
    for (size_t i = 0; i < CN_ARRAY_LEN(ids); i++)
        CN_BUG_ON(ids[i] < -1 || ids[i] >= (int32_t)m.n);
    write_again(&m);
    spm_deinit(&m);
    return 0;
}
