/* The vocabulary of a GGUF file as transformers' files. Pieces, kinds and scores are the
 * tokenizer's; merges and what is done to a text first are read from the file. */
#include "export_hf.h"
#include "export_json.h"
#include "sentencepiece.h"

#include "mem.h"

/* ---- tokenizer.json: byte-level BPE ---- */

static void put_split(cn_buf *b, cn_str regex)
{
    cn_buf_lit(b, "{\"type\": \"Split\", \"pattern\": {\"Regex\": ");
    cn_buf_json(b, regex);
    cn_buf_lit(b, "}, \"behavior\": \"Isolated\", \"invert\": false}");
}

static void put_byte_level(cn_buf *b, bool with_regex)
{
    cn_buf_printf(b,
                  "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": "
                  "true, \"use_regex\": %s}",
                  with_regex ? "true" : "false");
}

static bool put_stage(cn_buf *b, const pre_stage *s)
{
    const char *known = pretok_pattern(s->kind);
    if (known || (s->kind == PRE_REGEX && s->text.p))
        put_split(b, known ? cn_str_of(known) : s->text);
    else if (s->kind == PRE_DIGITS && !s->on_letters)
        cn_buf_printf(b, "{\"type\": \"Digits\", \"individual_digits\": %s}",
                      s->single ? "true" : "false");
    else
        return false;
    return true;
}

/* GPT-2's cutting is ByteLevel's own when it comes last; others are cut first. */
static cn_status put_pre_tokenizer(cn_buf *b, const pretok *p, cn_err *err)
{
    bool own = p->n && p->stages[p->n - 1].kind == PRE_GPT2;
    json_key(b, "pre_tokenizer");
    cn_buf_lit(b, "{\"type\": \"Sequence\", \"pretokenizers\": [");
    for (size_t i = 0; i + own < p->n; i++) {
        if (!put_stage(b, &p->stages[i]))
            return cn_fail(err, CN_E_UNSUPPORTED, "tokenizer.json has no words for \"%s\"",
                           pretok_name(p));
        cn_buf_lit(b, ", ");
    }
    put_byte_level(b, own);
    cn_buf_lit(b, "]}");
    return CN_OK;
}

static void put_added(cn_buf *b, const cn_tokenizer *t)
{
    json_key(b, "added_tokens");
    cn_buf_putc(b, '[');
    for (size_t i = 0; i < t->n_added; i++) {
        const tok_added *a = &t->added[i];
        cn_buf_printf(b, "%s\n    {\"id\": %d, \"content\": ", i ? "," : "", a->id);
        cn_buf_json(b, a->text);
        cn_buf_printf(b,
                      ", \"single_word\": %s, \"lstrip\": %s, \"rstrip\": %s, \"normalized\": "
                      "%s, \"special\": %s}",
                      a->single_word ? "true" : "false", a->lstrip ? "true" : "false",
                      a->rstrip ? "true" : "false", a->normalized ? "true" : "false",
                      a->control ? "true" : "false");
    }
    cn_buf_lit(b, "\n  ]");
}

static void put_special(cn_buf *b, const cn_tokenizer *t, int32_t id, bool before)
{
    if (!before) cn_buf_lit(b, ", ");
    cn_buf_lit(b, "{\"SpecialToken\": {\"id\": ");
    cn_buf_json(b, vocab_piece(&t->v, (size_t)id));
    cn_buf_lit(b, ", \"type_id\": 0}}");
    if (before) cn_buf_lit(b, ", ");
}

static void put_sequence(cn_buf *b, const cn_tokenizer *t, const char *name)
{
    for (size_t i = 0; i < t->n_prefix; i++)
        put_special(b, t, t->prefix[i], true);
    cn_buf_printf(b, "{\"Sequence\": {\"id\": \"%s\", \"type_id\": 0}}", name);
    for (size_t i = 0; i < t->n_suffix; i++)
        put_special(b, t, t->suffix[i], false);
}

static void put_ids(cn_buf *b, const cn_tokenizer *t, const int32_t *ids, size_t n, bool *any)
{
    for (size_t i = 0; i < n; i++) {
        cn_str piece = vocab_piece(&t->v, (size_t)ids[i]);
        if (*any) cn_buf_lit(b, ", ");
        cn_buf_json(b, piece);
        cn_buf_lit(b, ": {\"id\": ");
        cn_buf_json(b, piece);
        cn_buf_printf(b, ", \"ids\": [%d], \"tokens\": [", ids[i]);
        cn_buf_json(b, piece);
        cn_buf_lit(b, "]}");
        *any = true;
    }
}

/* What goes around a text. */
static void put_post_processor(cn_buf *b, const cn_tokenizer *t)
{
    bool any = false;
    json_key(b, "post_processor");
    if (!t->n_prefix && !t->n_suffix) {
        put_byte_level(b, true);
        return;
    }
    cn_buf_lit(b, "{\"type\": \"TemplateProcessing\", \"single\": [");
    put_sequence(b, t, "A");
    cn_buf_lit(b, "], \"pair\": [");
    put_sequence(b, t, "A");
    cn_buf_lit(b, ", ");
    put_sequence(b, t, "B");
    cn_buf_lit(b, "], \"special_tokens\": {");
    put_ids(b, t, t->prefix, t->n_prefix, &any);
    if (t->n_suffix && !(t->n_prefix && t->prefix[0] == t->suffix[0]))
        put_ids(b, t, t->suffix, t->n_suffix, &any);
    cn_buf_lit(b, "}}");
}

static void put_pieces(cn_buf *b, const vocab *v)
{
    bool any = false;
    cn_buf_lit(b, ",\n    \"vocab\": {");
    for (size_t id = 0; id < v->n; id++) {
        if (v->tokens[id].kind != TOK_NORMAL) continue;
        cn_buf_printf(b, "%s\n", any ? "," : "");
        cn_buf_json(b, vocab_piece(v, id));
        cn_buf_printf(b, ": %zu", id);
        any = true;
    }
    cn_buf_lit(b, "}");
}

static void put_merges(cn_buf *b, const gguf_value *m)
{
    cn_buf_lit(b, ",\n    \"merges\": [");
    for (uint64_t i = 0; m && i < m->n; i++) {
        cn_buf_printf(b, "%s\n", i ? "," : "");
        cn_buf_json(b, m->strings[i]);
    }
    cn_buf_lit(b, "]");
}

static cn_status put_json(cn_buf *b, const gguf *g, const cn_tokenizer *t, cn_err *err)
{
    bool nfc = t->norm.n && t->norm.steps[0].kind == NORM_NFC;
    cn_buf_lit(b, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null");
    put_added(b, t);
    json_key(b, "normalizer");
    cn_buf_printf(b, "%s", nfc ? "{\"type\": \"NFC\"}" : "null");
    cn_status st = put_pre_tokenizer(b, &t->pre, err);
    put_post_processor(b, t);
    json_key(b, "decoder");
    put_byte_level(b, true);
    json_key(b, "model");
    cn_buf_printf(b,
                  "{\n    \"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, "
                  "\"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, "
                  "\"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": %s",
                  t->ignore_merges ? "true" : "false");
    put_pieces(b, &t->v);
    put_merges(b, gguf_find(g, "tokenizer.ggml.merges"));
    cn_buf_lit(b, "\n  }\n}\n");
    return st;
}

/* ---- tokenizer.model: SentencePiece ---- */

/* A user-defined piece is kept as it is typed; the file marks its spaces. Places without a
 * token need some text. */
static cn_str piece_text(cn_arena *arena, const vocab *v, size_t id)
{
    cn_buf b = {0};
    cn_str s = vocab_piece(v, id);
    if (s.n && v->tokens[id].kind != TOK_USER) return s;
    if (!s.n) cn_buf_printf(&b, "[PAD%zu]", id);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ' ')
            cn_buf_lit(&b, "\u2581");
        else
            cn_buf_putc(&b, s.p[i]);
    s = b.failed ? (cn_str){0} : cn_arena_str(arena, cn_buf_view(&b));
    cn_buf_deinit(&b);
    return s;
}

static cn_status fill_model(spm_model *m, cn_arena *arena, const gguf *g, const cn_tokenizer *t,
                            cn_err *err)
{
    const gguf_value *map = gguf_find(g, "tokenizer.ggml.precompiled_charsmap");
    *m = (spm_model){.pieces = cn_alloc_array(t->v.n, sizeof *m->pieces),
                     .n = t->v.n,
                     .is_unigram = t->model == TOK_UNIGRAM,
                     .byte_fallback = t->byte_fallback,
                     .add_dummy_prefix = t->strip_first_space,
                     .remove_extra_whitespaces =
                         gguf_bool(g, "tokenizer.ggml.remove_extra_whitespaces", false),
                     .escape_whitespaces = true,
                     .unk_id = t->unk,
                     .bos_id = t->bos,
                     .eos_id = t->eos,
                     .pad_id = t->pad};
    if (map && map->kind == GGUF_ARRAY && (map->item == GGUF_U8 || map->item == GGUF_I8))
        m->precompiled_charsmap = (cn_str){map->items, (size_t)map->n};
    if (!m->pieces) return cn_fail(err, CN_E_NOMEM, "%zu pieces", t->v.n);
    if (t->unk < 0)
        return cn_fail(err, CN_E_UNSUPPORTED, "tokenizer.model needs an unknown token");
    for (size_t id = 0; id < t->v.n; id++) {
        const vocab_token *k = &t->v.tokens[id];
        bool second = k->kind == TOK_UNKNOWN && (int32_t)id != t->unk; /* a file has one */
        m->pieces[id] = (spm_piece){piece_text(arena, &t->v, id), k->score,
                                    second ? SPM_CONTROL : (spm_kind)k->kind};
        if (!m->pieces[id].text.p) return cn_fail(err, CN_E_NOMEM, "%zu pieces", t->v.n);
    }
    return CN_OK;
}

static cn_status put_model(cn_buf *b, const gguf *g, const cn_tokenizer *t, cn_err *err)
{
    cn_arena arena = {0};
    spm_model m = {0};
    cn_status st = fill_model(&m, &arena, g, t, err);
    if (!st) spm_write(b, &m);
    spm_deinit(&m);
    cn_arena_deinit(&arena);
    return st;
}

/* ---- */

cn_status export_put_vocab(const export_folder *f, const gguf *g, const cn_tokenizer *t,
                           cn_err *err)
{
    bool spm = t->model == TOK_BPE_TEXT || t->model == TOK_UNIGRAM;
    const char *name = spm ? "tokenizer.model" : "tokenizer.json";
    cn_buf b = {0};
    cn_status st = CN_OK;
    if (!spm && t->model != TOK_BPE_PAIRS)
        return cn_fail(err, CN_E_UNSUPPORTED, "a %s tokenizer is not written", t->kind);
    st = spm ? put_model(&b, g, t, err) : put_json(&b, g, t, err);
    if (!st && b.failed) st = cn_fail(err, CN_E_NOMEM, "%s of %zu tokens", name, t->v.n);
    if (!st) st = export_folder_put(f, name, cn_buf_view(&b), err);
    cn_buf_deinit(&b);
    return st;
}
