/* Writing SentencePiece models: what spm_parse() reads, and the sizes and ids that the library
 * wants beside. */
#include "sentencepiece.h"

static void put_varint(cn_buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        cn_buf_putc(b, (char)(v | 0x80));
    cn_buf_putc(b, (char)v);
}

/* A negative number takes ten bytes, as protobuf has it. */
static void put_number(cn_buf *b, unsigned id, int64_t v)
{
    put_varint(b, id << 3);
    put_varint(b, (uint64_t)v);
}

static void put_bytes(cn_buf *b, unsigned id, cn_str s)
{
    put_varint(b, id << 3 | 2);
    put_varint(b, s.n);
    cn_buf_str(b, s);
}

static void put_float(cn_buf *b, unsigned id, float v)
{
    put_varint(b, id << 3 | 5);
    cn_buf_append(b, &v, sizeof v);
}

static void put_piece(cn_buf *message, const spm_piece *p)
{
    put_bytes(message, 1, p->text);
    put_float(message, 2, p->score);
    if (p->kind != SPM_NORMAL) put_number(message, 3, p->kind);
}

/* trainer_spec: 3 model_type, 4 vocab_size, 35 byte_fallback, 40 to 43 ids and 45 to 48 texts
 * of the special pieces, empty where there is none: absent ones have names by default. */
static void put_trainer(cn_buf *message, const spm_model *m)
{
    const int32_t ids[] = {m->unk_id, m->bos_id, m->eos_id, m->pad_id};
    put_number(message, 3, m->is_unigram ? 1 : 2);
    put_number(message, 4, (int64_t)m->n);
    put_number(message, 35, m->byte_fallback);
    for (unsigned i = 0; i < 4; i++)
        put_number(message, 40 + i, ids[i]);
    for (unsigned i = 0; i < 4; i++)
        put_bytes(message, 45 + i, ids[i] < 0 ? CN_STR("") : m->pieces[ids[i]].text);
}

static void put_normalizer(cn_buf *message, const spm_model *m)
{
    put_bytes(message, 1,
              m->precompiled_charsmap.n ? CN_STR("user_defined") : CN_STR("identity"));
    if (m->precompiled_charsmap.n) put_bytes(message, 2, m->precompiled_charsmap);
    put_number(message, 3, m->add_dummy_prefix);
    put_number(message, 4, m->remove_extra_whitespaces);
    put_number(message, 5, m->escape_whitespaces);
}

void spm_write(cn_buf *out, const spm_model *m)
{
    cn_buf message = {0};
    for (size_t i = 0; i < m->n; i++) {
        cn_buf_clear(&message);
        put_piece(&message, &m->pieces[i]);
        put_bytes(out, 1, cn_buf_view(&message));
    }
    cn_buf_clear(&message);
    put_trainer(&message, m);
    put_bytes(out, 2, cn_buf_view(&message));
    cn_buf_clear(&message);
    put_normalizer(&message, m);
    put_bytes(out, 3, cn_buf_view(&message));
    out->failed |= message.failed;
    cn_buf_deinit(&message);
}
