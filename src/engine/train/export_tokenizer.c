/* The tokenizer of a Hugging Face folder: the source's own files where it has such, else
 * written from the vocabulary; tokenizer_config.json with roles and chat template. */
#include "export_hf.h"
#include "export_json.h"
#include "file.h"
#include "mem.h"

#define MAX_TOKENIZER ((size_t)256 << 20)

cn_status export_tokenizer(const cn_tokenizer **out, cn_tokenizer **own, const net *n,
                           const export_source *src, cn_err *err)
{
    *own = NULL;
    *out = n->base ? n->base->tokenizer : NULL;
    if (n->base || !src->tokenizer_path) return CN_OK;
    cn_status st = cn_tokenizer_open(own, src->tokenizer_path, err);
    *out = *own;
    return st;
}

/* ---- tokenizer_config.json ---- */

static void put_role(cn_buf *b, const char *key, const cn_tokenizer *t, int32_t id)
{
    json_str(b, key, id < 0 ? (cn_str){0} : vocab_piece(&t->v, (size_t)id));
}

/* A SentencePiece file does not say which of its pieces are looked for in the text. */
static void put_added(cn_buf *b, const cn_tokenizer *t)
{
    bool any = false;
    json_key(b, "added_tokens_decoder");
    cn_buf_putc(b, '{');
    for (size_t i = 0; i < t->n_added; i++) {
        const tok_added *a = &t->added[i];
        cn_buf_printf(b, "%s\n    \"%d\": {\"content\": ", any ? "," : "", a->id);
        cn_buf_json(b, a->text);
        cn_buf_printf(b,
                      ", \"lstrip\": false, \"normalized\": false, \"rstrip\": false, "
                      "\"single_word\": false, \"special\": %s}",
                      a->control ? "true" : "false");
        any = true;
    }
    cn_buf_lit(b, "\n  }");
}

static cn_status put_config(const export_folder *f, const net *n, const cn_tokenizer *t,
                            const export_source *src, cn_err *err)
{
    bool spm = t->model == TOK_BPE_TEXT || t->model == TOK_UNIGRAM;
    const char *template =
        src->chat_template ? src->chat_template : cn_tokenizer_chat_template(t, NULL);
    cn_buf b = {0};
    cn_buf_putc(&b, '{');
    json_str(&b, "tokenizer_class",
             spm ? CN_STR("LlamaTokenizer") : CN_STR("PreTrainedTokenizerFast"));
    json_int(&b, "model_max_length", n->hp.n_ctx_train);
    put_role(&b, "bos_token", t, t->bos);
    put_role(&b, "eos_token", t, t->eos);
    put_role(&b, "unk_token", t, t->unk);
    put_role(&b, "pad_token", t, t->pad);
    json_bool(&b, "add_bos_token", t->n_prefix > 0);
    json_bool(&b, "add_eos_token", t->n_suffix > 0);
    json_bool(&b, "clean_up_tokenization_spaces", false);
    if (spm) {
        json_bool(&b, "legacy", true); /* a space after every control token, as here */
        json_bool(&b, "add_prefix_space", t->strip_first_space);
        put_added(&b, t);
    }
    if (template) json_str(&b, "chat_template", cn_str_of(template));
    cn_buf_lit(&b, "\n}\n");
    cn_status st = b.failed
                       ? cn_fail(err, CN_E_NOMEM, "tokenizer_config.json")
                       : export_folder_put(f, "tokenizer_config.json", cn_buf_view(&b), err);
    cn_buf_deinit(&b);
    return st;
}

/* ---- copies ---- */

static cn_status copy_from(const export_folder *f, const char *folder, const char *const *names,
                           size_t n, cn_err *err)
{
    cn_status st = CN_OK;
    for (size_t i = 0; i < n && !st; i++) {
        char *path = cn_path_join(folder, names[i]);
        st = export_folder_copy(f, path, names[i], err);
        cn_free(path);
    }
    return st;
}

static cn_status copy_folder(const export_folder *f, const char *folder, cn_err *err)
{
    static const char *const names[] = {
        "tokenizer.json", "tokenizer.model",         "vocab.json",  "merges.txt",
        "vocab.txt",      "sentencepiece.bpe.model", "spiece.model"};
    return copy_from(f, folder, names, CN_ARRAY_LEN(names), err);
}

/* What a tokenizer is read with. */
static cn_status copy_beside(const export_folder *f, const char *folder, cn_err *err)
{
    static const char *const names[] = {"tokenizer_config.json", "special_tokens_map.json",
                                        "added_tokens.json", "chat_template.jinja"};
    return copy_from(f, folder, names, CN_ARRAY_LEN(names), err);
}

static cn_status copy_file(const export_folder *f, const char *path, cn_err *err)
{
    cn_buf b = {0};
    cn_status st = cn_file_read(&b, path, MAX_TOKENIZER, err);
    size_t blank = 0;
    while (blank < b.n && memchr(" \t\r\n", b.p[blank], 4))
        blank++;
    bool json = blank < b.n && b.p[blank] == '{';
    if (!st)
        st = export_folder_put(f, json ? "tokenizer.json" : "tokenizer.model", cn_buf_view(&b),
                               err);
    cn_buf_deinit(&b);
    if (st) return st;
    const char *name = cn_path_base(path);
    char *folder =
        name == path ? cn_xstrndup(".", 1) : cn_xstrndup(path, (size_t)(name - path));
    st = copy_beside(f, folder, err);
    cn_free(folder);
    return st;
}

static bool was_put(const export_folder *f, const char *name)
{
    char *path = cn_path_join(f->work, name);
    bool yes = cn_is_file(path);
    cn_free(path);
    return yes;
}

cn_status export_put_tokenizer(const export_folder *f, const net *n, const cn_tokenizer *t,
                               const export_source *src, cn_err *err)
{
    const gguf *g = n->base ? weights_gguf(n->base->files) : NULL;
    const char *from = n->base ? weights_path(n->base->files) : src->tokenizer_path;
    cn_status st = CN_OK;
    if (!t) return CN_OK;
    if (g)
        st = export_put_vocab(f, g, t, err);
    else if (!cn_is_dir(from))
        st = copy_file(f, from, err);
    else if (!(st = copy_folder(f, from, err)))
        st = copy_beside(f, from, err);
    if (st) return st;
    if (!was_put(f, "tokenizer_config.json")) return put_config(f, n, t, src, err);
    if (!src->chat_template) return CN_OK;
    /* this file counts more than what the copied configuration says */
    return export_folder_put(f, "chat_template.jinja", cn_str_of(src->chat_template), err);
}
