/* Opening a tokenizer from whatever holds one, and asking it about its tokens. */
#include "file.h"
#include "gguf.h"
#include "map.h"
#include "mem.h"
#include "tokenizer_priv.h"

static cn_status open_gguf(cn_tokenizer **out, const char *path, cn_err *err)
{
    gguf *g = NULL;
    cn_status st = gguf_open(&g, path, err);
    if (!st) st = tok_from_gguf(out, g, err);
    gguf_close(g);
    return st;
}

/* Files of a Hugging Face folder are read with what lies beside them. */
static cn_status open_beside(cn_tokenizer **out, const char *path, cn_err *err)
{
    const char *name = cn_path_base(path);
    char *folder =
        name == path ? cn_xstrndup(".", 1) : cn_xstrndup(path, (size_t)(name - path));
    cn_status st = tok_from_folder(out, folder, name, err);
    cn_free(folder);
    return st;
}

static cn_status open_any(cn_tokenizer **out, const char *path, cn_err *err)
{
    if (cn_is_dir(path)) return tok_from_folder(out, path, NULL, err);
    cn_map map = {0};
    cn_status st = cn_map_open(&map, path, err);
    if (st) return st;
    bool is_gguf = map.size >= 4 && !memcmp(map.base, "GGUF", 4);
    cn_map_close(&map);
    return is_gguf ? open_gguf(out, path, err) : open_beside(out, path, err);
}

cn_status cn_tokenizer_open(cn_tokenizer **out, const char *path, cn_err *err)
{
    *out = NULL;
    cn_status st = open_any(out, path, err);
    return st ? cn_ctx(err, st, "opening the tokenizer of %s", path) : CN_OK;
}

static bool is_id(const cn_tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->v.n;
}

int32_t cn_n_vocab(const cn_tokenizer *t)
{
    return (int32_t)t->v.n;
}

int32_t cn_token_bos(const cn_tokenizer *t)
{
    return t->bos;
}

int32_t cn_token_eos(const cn_tokenizer *t)
{
    return t->eos;
}

int32_t cn_token_unk(const cn_tokenizer *t)
{
    return t->unk;
}

int32_t cn_token_pad(const cn_tokenizer *t)
{
    return t->pad;
}

bool cn_token_is_end(const cn_tokenizer *t, int32_t id)
{
    return is_id(t, id) && t->v.tokens[id].is_end;
}

bool cn_token_is_control(const cn_tokenizer *t, int32_t id)
{
    return is_id(t, id) && vocab_is_control(&t->v, (size_t)id);
}

const char *cn_token_piece(const cn_tokenizer *t, int32_t id, size_t *n)
{
    cn_str s = is_id(t, id) ? vocab_piece(&t->v, (size_t)id) : (cn_str){NULL, 0};
    *n = s.n;
    return s.p;
}

const char *cn_token_bytes(const cn_tokenizer *t, int32_t id, size_t *n)
{
    *n = 0;
    if (!is_id(t, id)) return NULL;
    if (vocab_is_control(&t->v, (size_t)id)) return "";
    cn_str s = vocab_bytes(&t->v, (size_t)id);
    *n = s.n;
    return s.p;
}

const char *cn_tokenizer_kind(const cn_tokenizer *t)
{
    return t->kind;
}

const char *cn_tokenizer_pre(const cn_tokenizer *t)
{
    return pretok_name(&t->pre);
}

const char *cn_tokenizer_chat_template(const cn_tokenizer *t, const char *name)
{
    for (size_t i = t->n_templates; i-- > 0;) { /* the last one read counts most */
        const char *own = t->templates[i].name;
        if (name && own ? !strcmp(name, own) : !own && (!name || !strcmp(name, "default")))
            return t->templates[i].text;
    }
    return NULL;
}
