/* SentencePiece models: every text lies inside the bytes given, every special id is a piece. */
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
    spm_deinit(&m);
    return 0;
}
