/* The tokenizer of a SentencePiece tokenizer.model. */
#include "tokenizer_priv.h"

#include "mem.h"
#include "sentencepiece.h"

static cn_status add_steps(cn_tokenizer *t, const spm_model *m, cn_err *err)
{
    cn_status st = CN_OK;
    if (m->precompiled_charsmap.n) {
        cn_str map = cn_arena_str(&t->arena, m->precompiled_charsmap);
        if (!map.p || !charsmap_is_valid(map))
            return cn_fail(err, CN_E_FORMAT, "precompiled_charsmap of %zu bytes is broken",
                           m->precompiled_charsmap.n);
        st = norm_add(&t->norm, (norm_step){.kind = NORM_CHARSMAP, .from = map}, err);
    }
    norm_step unescape = {.kind = NORM_REPLACE, .from = CN_STR("\u2581"), .to = CN_STR(" ")};
    if (!st) st = norm_add(&t->norm, unescape, err);
    if (!st && m->remove_extra_whitespaces) {
        st = norm_add(&t->norm, (norm_step){.kind = NORM_STRIP_LEFT}, err);
        if (!st) st = norm_add(&t->norm, (norm_step){.kind = NORM_STRIP_RIGHT}, err);
        if (!st) st = norm_add(&t->norm, (norm_step){.kind = NORM_SQUEEZE_SPACES}, err);
    }
    norm_step prefix = {.kind = NORM_PREPEND, .to = CN_STR(" ")};
    if (!st && m->add_dummy_prefix) st = norm_add(&t->norm, prefix, err);
    return st;
}

static cn_status add_pieces(cn_tokenizer *t, const spm_model *m, cn_err *err)
{
    cn_buf b = {0};
    cn_status st = vocab_resize(&t->v, m->n, err);
    for (size_t i = 0; i < m->n && !st; i++) {
        const spm_piece *p = &m->pieces[i];
        cn_str text = p->text;
        if (p->kind == SPM_USER_DEFINED) { /* found in the text as it was typed */
            cn_buf_clear(&b);
            tok_unescape(&b, text);
            text = cn_buf_view(&b);
        }
        st = vocab_set(&t->v, i, text, p->score, (tok_kind)p->kind, err);
    }
    cn_buf_deinit(&b);
    return st;
}

cn_status tok_from_spm(cn_tokenizer *t, cn_str bytes, cn_err *err)
{
    spm_model m = {0};
    cn_status st = spm_parse(&m, bytes, err);
    if (st) return st;
    t->model = m.is_unigram ? TOK_UNIGRAM : TOK_BPE_TEXT;
    t->kind = m.is_unigram ? "spm-unigram" : "spm-bpe";
    t->byte_fallback = m.byte_fallback;
    t->fuse_unk = true;
    t->strip_first_space = m.add_dummy_prefix;
    t->bos = m.bos_id;
    t->eos = m.eos_id;
    t->unk = m.unk_id;
    t->pad = m.pad_id;
    st = add_steps(t, &m, err);
    if (!st) st = add_pieces(t, &m, err);
    if (!st) st = tok_add_added_from_kinds(t, err);
    if (!st) st = tok_finish_vocab(t, err);
    spm_deinit(&m);
    return st;
}
